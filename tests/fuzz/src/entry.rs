use domain::Timestamp;
use domain::entry::{Entry, EntryKey, Spelling};
use domain::keys::ObjectKey;
use domain::layout::schedule_account;

use crate::silence;

const PREFIX: &str = "scheduled-deletions/";

/// A schedule entry: the first line is its key below the prefix, the rest its body.
pub fn entry(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let Ok(name) = std::str::from_utf8(&data[..end]) else { return };
    let key = ObjectKey::new(format!("{PREFIX}{name}"));
    match EntryKey::parse(PREFIX, &key) {
        Ok(read) => {
            is_the_key(&read, &key);
            body(&read, data.get(end + 1..).unwrap_or_default());
        }
        Err(refusal) => silence::check(&refusal, data),
    }
}

/// No two keys are read as one.
fn is_the_key(read: &EntryKey, key: &ObjectKey) {
    let id = match read.spelling() {
        Spelling::Upper => read.account().canonical(),
        Spelling::Lower => read.account().canonical().to_lowercase(),
    };
    assert_eq!(key.as_str(), format!("{PREFIX}{}/{id}.json", read.day()));
    assert_eq!(schedule_account(key, PREFIX), Some(read.account()), "both readers name one account");
}

fn body(key: &EntryKey, body: &[u8]) {
    match Entry::parse(key, body) {
        Ok(entry) => {
            reads_back(&entry);
            reads_back(&entry.moved(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH));
        }
        Err(refusal) => silence::check(&refusal, body),
    }
}

fn reads_back(entry: &Entry) {
    let key = EntryKey::parse(PREFIX, &entry.key(PREFIX)).expect("a key of ours");
    assert_eq!(Entry::parse(&key, &entry.to_json()).as_ref(), Ok(entry), "as it was written");
}
