//! A schedule entry: `scheduled-deletions/{YYYY-MM-DD}/{account}.json`, the day being the UTC day of its `deleteOn`.
//!
//! Apps write entries directly, so nothing in one is believed before it agrees with the rest of itself; and apps look
//! for the entries this service writes, so those have exactly the key and the body an app would give them.

use std::fmt;

use fault_point::planted;
use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Timestamp;
use crate::due::whole_second;
use crate::ids::AccountId;
use crate::keys::ObjectKey;
use crate::status::{iso_seconds, parse_iso_seconds, read_object};

/// What an entry asks for. `Debug` hides all but the moment: bodies have e-mail addresses in them.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    account: AccountId,
    delete_on: Timestamp,
    /// The other fields, known or not.
    fields: Map<String, Value>,
}

/// What an entry's key says. Made only by [`EntryKey::parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryKey {
    day: Date,
    account: AccountId,
    spelling: Spelling,
}

/// How a file name spells its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// Upper case, as the current app writes; also an id without letters.
    Upper,
    /// Lower case, as v1 apps and the sign-in back end write.
    Lower,
}

/// Why an entry cannot be acted on. It repeats nothing of key or body: both are somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// The key.
    #[error("the key of a schedule entry {0}")]
    Key(#[from] KeyFault),
    /// The body.
    #[error("the body of a schedule entry {0}")]
    Body(#[from] BodyFault),
}

/// Why a key is no entry's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// It lies elsewhere.
    #[error("does not lie under the schedule prefix")]
    Outside,
    /// It ends with `/`, such as the empty objects that the S3 console makes for folders. It asks for nothing.
    #[error("is a folder")]
    Folder,
    /// The folder is no day.
    #[error("has no folder that is a day, such as 2026-01-02")]
    Day,
    /// The file name is not a whole id and `.json`.
    #[error("has a file name other than {{account}}.json")]
    File,
    /// The id has upper and lower case letters: nobody writes that, and no app finds it.
    #[error("spells the account in mixed case")]
    Spelling,
}

/// Why a body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// Not a JSON object, or one that names a field twice.
    #[error("is not a JSON object with each field once")]
    NotAnObject,
    /// `userId` cannot be read.
    #[error("has no userId that is a UUID of 36 characters")]
    UserId,
    /// `userId` is somebody else.
    #[error("has a userId other than its file name's")]
    Stranger,
    /// `deleteOn` cannot be read.
    #[error("has no deleteOn such as 2026-01-02T03:04:05Z")]
    DeleteOn,
    /// `deleteOn` lies on another day than the folder says.
    #[error("has a deleteOn on another day than its folder")]
    Day,
}

impl EntryKey {
    /// Reads a key listed under `schedule_prefix`.
    pub fn parse(schedule_prefix: &str, key: &ObjectKey) -> Result<Self, KeyFault> {
        let rest = key.as_str().strip_prefix(schedule_prefix).ok_or(KeyFault::Outside)?;
        if rest.is_empty() || rest.ends_with('/') {
            return Err(KeyFault::Folder);
        }
        let (folder, file) = rest.split_once('/').ok_or(KeyFault::Day)?;
        let day = parse_day(folder).ok_or(KeyFault::Day)?;
        let name = file.strip_suffix(".json").ok_or(KeyFault::File)?;
        let account = AccountId::parse(name).map_err(|_| KeyFault::File)?;
        let spelling = Spelling::of(name).ok_or(KeyFault::Spelling)?;
        Ok(Self { day, account, spelling })
    }

    /// The folder's day, in UTC.
    pub fn day(&self) -> Date {
        self.day
    }

    /// Whose entry it is.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// How the key spells the account.
    pub fn spelling(&self) -> Spelling {
        self.spelling
    }
}

impl Spelling {
    fn of(name: &str) -> Option<Self> {
        let has_upper = name.bytes().any(|b| b.is_ascii_uppercase());
        let has_lower = name.bytes().any(|b| b.is_ascii_lowercase());
        match (has_upper, has_lower) {
            (true, true) => None,
            (false, true) => Some(Self::Lower),
            (_, false) => Some(Self::Upper),
        }
    }
}

impl Entry {
    /// A request made at `now`, due at `delete_on`.
    pub fn new(account: AccountId, now: Timestamp, delete_on: Timestamp) -> Self {
        let blank = Self { account, delete_on, fields: Map::new() };
        blank.moved(now, delete_on)
    }

    /// The same request made anew at `now` and due at `delete_on`; all other fields stay.
    pub fn moved(&self, now: Timestamp, delete_on: Timestamp) -> Self {
        let mut fields = self.fields.clone();
        fields.insert("scheduledAt".to_owned(), iso_seconds(now).into());
        Self { account: self.account, delete_on: whole_second(delete_on), fields }
    }

    /// Reads the body found under a key. `userId` may be spelled either way, but must be the key's account, and
    /// `deleteOn` must be as the app writes it.
    pub fn parse(key: &EntryKey, body: &[u8]) -> Result<Self, BodyFault> {
        let (mut fields, wire) = read_object::<Wire>(body).ok_or(BodyFault::NotAnObject)?;
        let user = wire.user_id.as_str().and_then(|text| AccountId::parse(text).ok()).ok_or(BodyFault::UserId)?;
        if !planted!("d11-any-account-named") && user != key.account {
            return Err(BodyFault::Stranger);
        }
        let delete_on = wire.delete_on.as_str().and_then(parse_iso_seconds).ok_or(BodyFault::DeleteOn)?;
        if !lies_on(delete_on, key.day) {
            return Err(BodyFault::Day);
        }
        fields.retain(|name, _| name != "userId" && name != "deleteOn");
        Ok(Self { account: key.account, delete_on, fields })
    }

    /// Where the current app looks for it: upper case, under the UTC day of `deleteOn`.
    pub fn key(&self, schedule_prefix: &str) -> ObjectKey {
        ObjectKey::new(format!("{schedule_prefix}{}/{}.json", utc_day(self.delete_on), self.account.canonical()))
    }

    /// The body, as the current app reads it.
    pub fn to_json(&self) -> Vec<u8> {
        let mut fields = self.fields.clone();
        fields.insert("userId".to_owned(), self.account.canonical().into());
        fields.insert("deleteOn".to_owned(), iso_seconds(self.delete_on).into());
        Value::Object(fields).to_string().into_bytes()
    }

    /// Whose entry it is.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The moment it names, in whole seconds. The app finds an entry by its status's `deleteDate`: write this there.
    pub fn delete_on(&self) -> Timestamp {
        self.delete_on
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("delete_on", &self.delete_on).finish_non_exhaustive()
    }
}

/// The fields that decide; a field missing is null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    user_id: Value,
    #[serde(default)]
    delete_on: Value,
}

/// Ten characters exactly: other ways to write a date would name a second folder for one day.
fn parse_day(text: &str) -> Option<Date> {
    text.parse().ok().filter(|day: &Date| text.len() == 10 && day.to_string() == text)
}

/// A writer that names the folder before it rounds the moment up to a second may be one second short of the day.
fn lies_on(delete_on: Timestamp, day: Date) -> bool {
    let before = delete_on.checked_sub(SignedDuration::from_secs(1)).unwrap_or(delete_on);
    [delete_on, before].map(utc_day).contains(&day)
}

fn utc_day(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const ID: &str = "0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9";
    const PREFIX: &str = "scheduled-deletions/";

    fn account() -> AccountId {
        AccountId::parse(ID).unwrap()
    }

    fn key(rest: &str) -> Result<EntryKey, KeyFault> {
        EntryKey::parse(PREFIX, &ObjectKey::new(format!("{PREFIX}{rest}")))
    }

    fn ours() -> EntryKey {
        key(&format!("2026-01-05/{ID}.json")).unwrap()
    }

    fn parse(body: &Value) -> Result<Entry, BodyFault> {
        Entry::parse(&ours(), body.to_string().as_bytes())
    }

    fn read_back(entry: &Entry) -> Result<Entry, EntryFault> {
        Ok(Entry::parse(&EntryKey::parse(PREFIX, &entry.key(PREFIX))?, &entry.to_json())?)
    }

    #[test]
    fn a_key_names_an_account_in_its_spelling() {
        assert_eq!((ours().account(), ours().spelling()), (account(), Spelling::Upper));
        assert_eq!(ours().day().to_string(), "2026-01-05");
        let lower = key(&format!("2026-01-05/{}.json", ID.to_lowercase())).unwrap();
        assert_eq!((lower.account(), lower.spelling()), (account(), Spelling::Lower));
        let plain = key("2026-01-05/11111111-2222-4333-8444-555555555555.json").unwrap();
        assert_eq!(plain.spelling(), Spelling::Upper, "as records are named");
    }

    #[test]
    fn malformed_keys_are_told_apart() {
        let mixed = format!("{}{}", &ID[..18], ID[18..].to_lowercase());
        let cases = [
            (String::new(), KeyFault::Folder),
            ("2026-01-05/".to_owned(), KeyFault::Folder),
            (format!("{ID}.json"), KeyFault::Day),
            (format!("2026-02-30/{ID}.json"), KeyFault::Day),
            (format!("20260105/{ID}.json"), KeyFault::Day),
            (format!("2026-W01-1/{ID}.json"), KeyFault::Day),
            (format!("/2026-01-05/{ID}.json"), KeyFault::Day),
            (format!("2026-01-05/{ID}.json.bak"), KeyFault::File),
            (format!("2026-01-05/x/{ID}.json"), KeyFault::File),
            (format!("2026-01-05/x{ID}.json"), KeyFault::File),
            ("2026-01-05/2025-10-10.json".to_owned(), KeyFault::File),
            (format!("2026-01-05/{mixed}.json"), KeyFault::Spelling),
        ];
        for (rest, fault) in cases {
            assert_eq!(key(&rest), Err(fault), "{rest}");
        }
        let elsewhere = ObjectKey::new(format!("photos/2026-01-05/{ID}.json"));
        assert_eq!(EntryKey::parse(PREFIX, &elsewhere), Err(KeyFault::Outside));
    }

    #[test]
    fn a_body_of_the_app_is_read() {
        let body = json!({"userId": ID, "email": "a@b.example", "appleId": null, "scheduledAt": "2026-01-02T03:04:05Z",
            "deleteOn": "2026-01-05T03:04:05Z", "later": {"field": [1]}});
        let entry = parse(&body).unwrap();
        assert_eq!(entry.account(), account());
        assert_eq!(entry.delete_on(), "2026-01-05T03:04:05Z".parse().unwrap());
        assert!(parse(&json!({"userId": ID.to_lowercase(), "deleteOn": "2026-01-05T00:00:00Z"})).is_ok());
        assert!(!format!("{entry:?}").contains("example"));
    }

    #[test]
    fn a_forged_entry_is_refused() {
        let stranger = format!("{}0", &ID[..35]);
        let body = |user: &str| json!({"userId": user, "deleteOn": "2026-01-05T03:04:05Z"});
        assert_eq!(parse(&body(&stranger)), Err(BodyFault::Stranger));
        for user in ["", " ", &format!(" {ID}"), &format!("{ID}\n")] {
            assert_eq!(parse(&body(user)), Err(BodyFault::UserId), "{user:?}");
        }
        assert_eq!(parse(&json!({"userId": 1, "deleteOn": "2026-01-05T03:04:05Z"})), Err(BodyFault::UserId));
    }

    #[test]
    fn delete_on_is_read_as_the_app_writes_it_and_only_so() {
        let on = |text: &str| parse(&json!({"userId": ID, "deleteOn": text})).map(|_| ());
        for text in ["", "2026-01-05", "2026-01-05T03:04:05", "2026-01-05T03:04:05.5Z", "2026-01-05T03:04:05.000Z"] {
            assert_eq!(on(text), Err(BodyFault::DeleteOn), "{text}");
        }
        for text in ["2026-01-05T03:04:05+00:00", "2026-01-05 03:04:05Z", "2026-01-05t03:04:05z", "1767582245"] {
            assert_eq!(on(text), Err(BodyFault::DeleteOn), "{text}");
        }
        assert_eq!(parse(&json!({"userId": ID})), Err(BodyFault::DeleteOn));
    }

    #[test]
    fn the_folder_is_the_day_of_delete_on() {
        let on = |text: &str| parse(&json!({"userId": ID, "deleteOn": text})).map(|_| ());
        assert_eq!(on("2026-01-05T23:59:59Z"), Ok(()));
        assert_eq!(on("2026-01-06T00:00:00Z"), Ok(()), "rounded up after the folder was named");
        assert_eq!(on("2026-01-06T00:00:01Z"), Err(BodyFault::Day));
        assert_eq!(on("2026-01-04T23:59:59Z"), Err(BodyFault::Day));
    }

    #[test]
    fn a_body_that_reads_two_ways_is_refused() {
        let twice =
            format!(r#"{{"userId":"{ID}","deleteOn":"2026-01-05T03:04:05Z","deleteOn":"2026-01-05T03:04:06Z"}}"#);
        let list = format!(r#"["{ID}","2026-01-05T03:04:05Z"]"#);
        for body in [twice.as_bytes(), list.as_bytes(), b"", b"null", b"{", b"\xff"] {
            assert_eq!(Entry::parse(&ours(), body), Err(BodyFault::NotAnObject));
        }
    }

    #[test]
    fn an_entry_is_written_as_the_app_writes_it() {
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        let entry = Entry::new(account(), moment("2026-01-02T23:59:59.2Z"), moment("2026-02-01T23:59:59.2Z"));
        assert_eq!(entry.key(PREFIX).as_str(), format!("{PREFIX}2026-02-02/{ID}.json"), "the day of what is written");
        assert_eq!(
            serde_json::from_slice::<Value>(&entry.to_json()).unwrap(),
            json!({"userId": ID, "scheduledAt": "2026-01-02T23:59:59Z", "deleteOn": "2026-02-02T00:00:00Z"})
        );
    }

    #[test]
    fn a_moved_entry_keeps_what_it_does_not_know() {
        let lower = key(&format!("2026-01-05/{}.json", ID.to_lowercase())).unwrap();
        let body = json!({"userId": ID.to_lowercase(), "email": "a@b.example", "deleteOn": "2026-01-05T03:04:05Z",
            "scheduledAt": "2026-01-02T03:04:05Z", "later": {"field": [1, null]}});
        let entry = Entry::parse(&lower, body.to_string().as_bytes()).unwrap();
        let later = "2026-03-01T00:00:00Z".parse::<Timestamp>().unwrap();
        let moved = entry.moved(later, later);
        assert_eq!(
            serde_json::from_slice::<Value>(&moved.to_json()).unwrap(),
            json!({"userId": ID, "email": "a@b.example", "deleteOn": "2026-03-01T00:00:00Z",
                "scheduledAt": "2026-03-01T00:00:00Z", "later": {"field": [1, null]}})
        );
    }

    fn accounts() -> impl Strategy<Value = AccountId> {
        (1..u128::MAX).prop_map(|number| AccountId::parse(&Uuid::from_u128(number).to_string()).unwrap())
    }

    fn moments() -> impl Strategy<Value = Timestamp> {
        (0..253_000_000_000_i64, 0..1_000_000_000).prop_map(|(s, n)| Timestamp::new(s, n).unwrap())
    }

    /// Keys that are right, and keys that are wrong in a detail.
    fn near_keys() -> impl Strategy<Value = String> {
        let day = "2026-01-[0-3][0-9]|2026-01-02|202601[0-9]{2}|2026-W0[1-9]-1|\\PC{0,9}";
        let id = prop_oneof![Just(ID.to_owned()), Just(ID.to_lowercase()), Just(ID.replace("E8", "e8"))];
        let file = (prop_oneof![3 => id, 1 => "\\PC{0,40}"], "(\\.json){0,2}/?|\\.json");
        (day, file).prop_map(|(day, (name, end))| format!("{day}/{name}{end}"))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(account in accounts(), now in moments(), delete_on in moments()) {
            let entry = Entry::new(account, now, delete_on);
            prop_assert!(entry.delete_on() >= delete_on, "never early");
            prop_assert_eq!(read_back(&entry), Ok(entry.clone()));
            prop_assert_eq!(read_back(&entry.moved(delete_on, now)), Ok(entry.moved(delete_on, now)));
            let body = String::from_utf8(entry.to_json()).unwrap();
            prop_assert!(!body.contains('.'), "no fractions: {}", body);
        }

        #[test]
        fn other_fields_survive(fields in proptest::collection::btree_map("[a-z]{1,6}", "\\PC{0,9}", 0..5)) {
            let mut body = json!({"userId": ID, "deleteOn": "2026-01-05T03:04:05Z"});
            for (name, value) in &fields {
                body[name] = json!(value);
            }
            let entry = parse(&body).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Value>(&entry.to_json()).unwrap(), body);
        }

        #[test]
        fn a_key_that_is_read_is_the_key_of_its_account(rest in near_keys()) {
            if let Ok(read) = key(&rest) {
                let spelled = match read.spelling() {
                    Spelling::Upper => read.account().canonical(),
                    Spelling::Lower => read.account().canonical().to_lowercase(),
                };
                prop_assert_eq!(rest, format!("{}/{spelled}.json", read.day()));
            }
        }
    }
}
