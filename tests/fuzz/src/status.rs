use domain::Timestamp;
use domain::ids::DeletionId;
use domain::status::{self, Status};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::silence;

/// The fields of a status that this service writes; all others are the app's.
const OURS: [&str; 5] = ["accountStatus", "deleteDate", "lastModified", "deletionId", "before"];
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// The status of an account, as an app wrote it.
pub fn status(data: &[u8]) {
    if let Err(fault) = status::see(data).says {
        silence::check(&fault, data);
    }
    says_and_keeps(&status::activate(data, NOW), Status::Active, data);
    says_and_keeps(&status::schedule(data, NOW, NOW), Status::Scheduled { delete_date: NOW }, data);
    let deletion = DeletionId::new(Uuid::from_u128(1));
    match status::mark(data, deletion, NOW) {
        Some(marked) => is_a_mark(&marked, deletion, data),
        None => assert_eq!(status::see(data).mark, Some(deletion), "there is one already"),
    }
}

fn says_and_keeps(written: &[u8], says: Status, data: &[u8]) {
    assert_eq!(status::read(written), Ok(says));
    assert_eq!(status::see(written).mark, None, "no mark is left");
    assert_eq!(theirs(written), theirs(data), "fields nobody knows are kept");
}

/// A mark is known again, hides nothing of what the status said, and can be taken back.
fn is_a_mark(marked: &[u8], deletion: DeletionId, data: &[u8]) {
    let (seen, before) = (status::see(marked), status::see(data));
    assert_eq!(seen.mark, Some(deletion), "a mark is known again");
    assert_eq!(seen.says.ok(), before.says.ok(), "what it said before");
    assert_eq!(status::mark(marked, deletion, NOW), None, "once");
    let back = status::unmark(marked, deletion).expect("what was marked");
    assert_eq!(status::see(&back).mark, None, "no mark is left");
    assert_eq!(status::see(&back).says.ok(), before.says.ok(), "what it said before");
    for body in [marked, &back] {
        assert_eq!(theirs(body), theirs(data), "fields nobody knows are kept");
    }
}

fn theirs(body: &[u8]) -> Map<String, Value> {
    let mut fields: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    fields.retain(|name, _| !OURS.contains(&name.as_str()));
    fields
}
