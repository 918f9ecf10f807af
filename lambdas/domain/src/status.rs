//! `users/{account}/status.json`, as the app reads it.

use jiff::Unit;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::Timestamp;
use crate::ids::DeletionId;

/// The words that mean the person wants to go. A mark uses them too, so that old apps show "deletion imminent".
const SCHEDULED: &str = "scheduled_for_deletion";
/// Names of the fields that decide; a mark keeps their values under `before`.
const DECIDING: [&str; 3] = ["accountStatus", "deleteDate", "lastModified"];

/// Bytes of a status at most: what others write is read up to 256 KiB, and so a mark has room beside the rest.
pub const BYTES_MAX: usize = 252 * 1024;

/// The body that marks an account as being deleted, or `None` if this deletion has marked it already. Fields we do not
/// know are kept, and what the status said lies under `before`, so that a claim that comes to nothing can put it back.
/// A body that is no JSON object is replaced: the app reads such a body as active.
pub fn mark(body: &[u8], deletion: DeletionId, now: Timestamp) -> Option<Vec<u8>> {
    let mut fields = fields_of(body);
    let marked_by = mark_in(&fields);
    if marked_by == Some(deletion) {
        return None;
    }
    if marked_by.is_none() {
        fields.insert("before".to_owned(), said(body, &fields).into());
    }
    fields.insert("deletionId".to_owned(), deletion.to_string().into());
    decide(&mut fields, SCHEDULED, now, Some(now));
    Some(to_bytes(fields))
}

/// What a status said before this deletion marked it; `None` if it has not, or somebody wrote since.
pub fn unmark(body: &[u8], deletion: DeletionId) -> Option<Vec<u8>> {
    let mut fields = fields_of(body);
    if mark_in(&fields) != Some(deletion) {
        return None;
    }
    let before = fields.remove("before");
    fields.retain(|name, _| name != "deletionId" && !DECIDING.contains(&name.as_str()));
    // No mark puts anything else there; it could come out as another mark.
    let before = before.as_ref().and_then(Value::as_object).into_iter().flatten();
    fields.extend(before.filter(decides).map(cloned));
    Some(to_bytes(fields))
}

/// The status of an account that is to be deleted from `delete_date` on; `body` is what it was, if there was one.
pub fn schedule(body: &[u8], now: Timestamp, delete_date: Timestamp) -> Vec<u8> {
    let mut fields = unmarked(body);
    decide(&mut fields, SCHEDULED, now, Some(delete_date));
    to_bytes(fields)
}

/// The status of an account that stays.
pub fn activate(body: &[u8], now: Timestamp) -> Vec<u8> {
    let mut fields = unmarked(body);
    decide(&mut fields, "active", now, None);
    to_bytes(fields)
}

/// What lies under a mark: the fields that decide. None of a body that names one twice, or it would seem to have said
/// one thing; no lists or objects, which mean nothing there, and in which a mark could become too deep to be read.
fn said(body: &[u8], fields: &Map<String, Value>) -> Map<String, Value> {
    match read_object::<Wire>(body) {
        Some(_) => fields.iter().filter(decides).filter(|(_, value)| is_plain(value)).map(cloned).collect(),
        None => Map::new(),
    }
}

fn decides((name, _): &(&String, &Value)) -> bool {
    DECIDING.contains(&name.as_str())
}

fn is_plain(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn cloned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

fn fields_of(body: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(body).unwrap_or_default()
}

fn unmarked(body: &[u8]) -> Map<String, Value> {
    let mut fields = fields_of(body);
    fields.retain(|name, _| name != "deletionId" && name != "before");
    fields
}

fn decide(fields: &mut Map<String, Value>, word: &str, now: Timestamp, delete_date: Option<Timestamp>) {
    fields.insert("accountStatus".to_owned(), word.into());
    fields.insert("lastModified".to_owned(), iso_seconds(now).into());
    match delete_date {
        Some(date) => fields.insert("deleteDate".to_owned(), iso_seconds(date).into()),
        None => fields.remove("deleteDate"),
    };
}

fn to_bytes(fields: Map<String, Value>) -> Vec<u8> {
    Value::Object(fields).to_string().into_bytes()
}

/// Who marked these fields. An app that keeps fields it does not know leaves our id in what it writes, so it is a mark
/// only while the fields that decide are as a mark writes them: scheduled, for the moment it was written.
fn mark_in(fields: &Map<String, Value>) -> Option<DeletionId> {
    let id = fields.get("deletionId")?.as_str().and_then(DeletionId::parse)?;
    let is_ours =
        fields.get("accountStatus")? == SCHEDULED && fields.get("deleteDate")? == fields.get("lastModified")?;
    is_ours.then_some(id)
}

/// A status as a claim sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What it says; under a mark, what it said before.
    pub says: Result<Status, StatusFault>,
    /// The deletion whose mark it bears.
    pub mark: Option<DeletionId>,
}

/// Looks at a status.
pub fn see(body: &[u8]) -> Seen {
    let fields = fields_of(body);
    match mark_in(&fields) {
        None if body.len() > BYTES_MAX => Seen { says: Err(StatusFault::TooLarge), mark: None },
        None => Seen { says: read(body), mark: None },
        mark => {
            let before = fields.get("before").map(Value::to_string).unwrap_or_default();
            Seen { says: read(before.as_bytes()), mark }
        }
    }
}

/// What a status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The account is in use.
    Active,
    /// The account is to be deleted.
    Scheduled {
        /// From this moment on, by a phone's clock or by ours.
        delete_date: Timestamp,
    },
}

/// Why a status says neither. The app takes such a body for an active account, so nothing is erased on its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatusFault {
    /// Longer than 252 KiB.
    #[error("is longer than 252 KiB")]
    TooLarge,
    /// Not a JSON object, or one that names a field twice.
    #[error("is not a JSON object with each field once")]
    NotAnObject,
    /// `accountStatus` is another word, or missing.
    #[error("has an accountStatus other than active and scheduled_for_deletion")]
    Word,
    /// A moment is missing or not written as the app reads it.
    #[error("is scheduled_for_deletion without deleteDate and lastModified such as 2026-01-02T03:04:05Z")]
    Moment,
}

/// Reads a status. Fields nobody knows do not matter.
pub fn read(body: &[u8]) -> Result<Status, StatusFault> {
    let (_, wire) = read_object::<Wire>(body).ok_or(StatusFault::NotAnObject)?;
    let moment = |value: &Value| value.as_str().and_then(parse_iso_seconds).ok_or(StatusFault::Moment);
    match wire.account_status.as_str() {
        Some("active") => Ok(Status::Active),
        Some("scheduled_for_deletion") => {
            // The app's decoder refuses the whole body for a bad moment, and then shows the account as active.
            moment(&wire.last_modified)?;
            Ok(Status::Scheduled { delete_date: moment(&wire.delete_date)? })
        }
        _ => Err(StatusFault::Word),
    }
}

/// The fields that decide; a field missing is null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    account_status: Value,
    #[serde(default)]
    delete_date: Value,
    #[serde(default)]
    last_modified: Value,
}

/// A JSON object, whole and as the fields `T` has. `None` if it is none, or names one of those fields twice:
/// readers differ in which of the two they take.
pub(crate) fn read_object<T: DeserializeOwned>(body: &[u8]) -> Option<(Map<String, Value>, T)> {
    // First as a map: a list would pass for the fields in order.
    let fields = serde_json::from_slice(body).ok()?;
    Some((fields, serde_json::from_slice(body).ok()?))
}

/// Reads what [`iso_seconds`] writes and nothing else: the app's decoder refuses fractions, and no writer of ours
/// names an offset.
pub fn parse_iso_seconds(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|at| text.len() == 20 && iso_seconds(*at) == text)
}

/// ISO 8601 in UTC with whole seconds: the app's decoder refuses fractions.
pub fn iso_seconds(at: Timestamp) -> String {
    at.round(Unit::Second).unwrap_or(at).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn deletion(number: u128) -> DeletionId {
        DeletionId::new(uuid::Uuid::from_u128(number))
    }

    fn json(body: &[u8]) -> Value {
        serde_json::from_slice(body).unwrap()
    }

    #[test]
    fn marking_keeps_unknown_fields_and_writes_no_fractions() {
        let now: Timestamp = "2026-01-02T03:04:05.4Z".parse().unwrap();
        let marked = mark(br#"{"accountStatus":"active","theme":"dark"}"#, deletion(1), now).unwrap();
        let fields = json(&marked);
        assert_eq!(fields["accountStatus"], "scheduled_for_deletion");
        assert_eq!(fields["deleteDate"], "2026-01-02T03:04:05Z");
        assert_eq!(fields["theme"], "dark");
        assert_eq!(mark(&marked, deletion(1), now), None, "once");
    }

    #[test]
    fn a_mark_is_taken_back_to_the_letter() {
        let before = json(scheduled(r#""2026-02-01T03:04:05Z""#).as_bytes());
        let marked = mark(before.to_string().as_bytes(), deletion(1), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(json(&unmark(&marked, deletion(1)).unwrap()), before);
        assert_eq!(unmark(&marked, deletion(2)), None, "not by another deletion");
        let again = mark(&marked, deletion(2), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(json(&unmark(&again, deletion(2)).unwrap()), before, "the first word counts");
    }

    #[test]
    fn a_mark_hides_nothing_and_is_always_known_again() {
        let deep = format!(r#"{{"accountStatus":{}{},"theme":"dark"}}"#, "[".repeat(126), "]".repeat(126));
        let twice = r#"{"accountStatus":"scheduled_for_deletion","accountStatus":"active"}"#;
        for body in [deep.as_str(), twice] {
            let marked = mark(body.as_bytes(), deletion(1), Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(see(&marked), Seen { says: Err(StatusFault::Word), mark: Some(deletion(1)) }, "{body}");
            assert_eq!(mark(&marked, deletion(1), Timestamp::UNIX_EPOCH), None, "once");
        }
    }

    #[test]
    fn a_mark_that_is_taken_back_leaves_no_other() {
        let mut marked = json(&mark(b"{}", deletion(1), Timestamp::UNIX_EPOCH).unwrap());
        marked["before"] = marked.clone();
        marked["before"]["theme"] = "dark".into();
        let back = unmark(marked.to_string().as_bytes(), deletion(1)).unwrap();
        assert_eq!(see(&back).mark, None);
        assert!(json(&back)["theme"].is_null());
    }

    #[test]
    fn a_claim_sees_through_its_mark_but_not_past_a_later_write() {
        let (delete_date, now) = ("2026-02-01T03:04:05Z".parse().unwrap(), Timestamp::UNIX_EPOCH);
        let marked = mark(scheduled(r#""2026-02-01T03:04:05Z""#).as_bytes(), deletion(1), now).unwrap();
        let says = Ok(Status::Scheduled { delete_date });
        assert_eq!(see(&marked), Seen { says, mark: Some(deletion(1)) });
        // An app that keeps what it does not know.
        let mut kept = json(&marked);
        kept["accountStatus"] = "active".into();
        assert_eq!(see(kept.to_string().as_bytes()), Seen { says: Ok(Status::Active), mark: None });
        kept["accountStatus"] = "scheduled_for_deletion".into();
        kept["deleteDate"] = "2026-02-01T03:04:05Z".into();
        assert_eq!(see(kept.to_string().as_bytes()), Seen { says, mark: None });
        assert!(see(&mark(b"rubbish", deletion(1), now).unwrap()).says.is_err());
    }

    #[test]
    fn scheduling_and_staying_keep_what_the_app_wrote() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let date = "2026-02-01T03:04:05Z".parse().unwrap();
        let scheduled = schedule(br#"{"accountStatus":"active","theme":"dark"}"#, now, date);
        assert_eq!(read(&scheduled), Ok(Status::Scheduled { delete_date: date }));
        assert_eq!(read(&schedule(b"", now, date)), Ok(Status::Scheduled { delete_date: date }), "none before");
        let stays = activate(&mark(&scheduled, deletion(1), now).unwrap(), now);
        let expected = r#"{"accountStatus":"active","lastModified":"2026-01-02T03:04:05Z","theme":"dark"}"#;
        assert_eq!(json(&stays), json(expected.as_bytes()));
    }

    #[test]
    fn numbers_of_the_app_are_kept_to_the_last_digit() {
        let body = br#"{"accountStatus":"active","since":123456789102342570000.0,"share":7.038531e-26}"#;
        assert_eq!(
            json(&activate(&activate(body, Timestamp::UNIX_EPOCH), Timestamp::UNIX_EPOCH))["since"],
            json(body)["since"]
        );
        assert!(String::from_utf8(activate(body, Timestamp::UNIX_EPOCH)).unwrap().contains("7.038531e-26"));
    }

    fn scheduled(delete_date: &str) -> String {
        let modified = r#""lastModified":"2026-01-02T03:04:05Z""#;
        format!(r#"{{"accountStatus":"scheduled_for_deletion","deleteDate":{delete_date},{modified}}}"#)
    }

    #[test]
    fn a_status_is_read_as_the_app_writes_it() {
        let delete_date = "2026-02-01T03:04:05Z".parse().unwrap();
        assert_eq!(read(scheduled(r#""2026-02-01T03:04:05Z""#).as_bytes()), Ok(Status::Scheduled { delete_date }));
        assert_eq!(read(br#"{"accountStatus":"active","deleteDate":null,"new":{}}"#), Ok(Status::Active));
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let marked = mark(b"", deletion(1), now).unwrap();
        assert_eq!(read(&marked), Ok(Status::Scheduled { delete_date: now }), "our own mark");
    }

    #[test]
    fn a_status_that_the_app_takes_for_active_never_says_scheduled() {
        for date in ["null", "1", r#""""#, r#""2026-02-01T03:04:05.5Z""#, r#""2026-02-01T03:04:05.000Z""#] {
            assert_eq!(read(scheduled(date).as_bytes()), Err(StatusFault::Moment), "{date}");
        }
        let without_modified = br#"{"accountStatus":"scheduled_for_deletion","deleteDate":"2026-02-01T03:04:05Z"}"#;
        assert_eq!(read(without_modified), Err(StatusFault::Moment));
        for word in ["deleted", "Active", "scheduled", ""] {
            assert_eq!(read(format!(r#"{{"accountStatus":"{word}"}}"#).as_bytes()), Err(StatusFault::Word), "{word}");
        }
        assert_eq!(read(b"{}"), Err(StatusFault::Word));
        let twice = br#"{"accountStatus":"active","accountStatus":"scheduled_for_deletion"}"#;
        for body in [&twice[..], b"", b"[]", br#"["active"]"#, b"\"active\"", b"{\"accountStatus\":\"active\"} x"] {
            assert_eq!(read(body), Err(StatusFault::NotAnObject));
        }
    }

    proptest! {
        #[test]
        fn a_moment_is_read_as_it_is_written(second in 0..253_402_207_200_i64) {
            let at = Timestamp::from_second(second).unwrap();
            prop_assert_eq!(parse_iso_seconds(&iso_seconds(at)), Some(at));
        }

        #[test]
        fn no_other_way_to_write_a_moment_is_read(
            text in "2026-(01|12)-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:(59|60|[0-5][0-9])(Z|z|\\.0Z|\\+00:00|[+-]0[0-9])",
        ) {
            prop_assert!(parse_iso_seconds(&text).is_none_or(|at| iso_seconds(at) == text));
        }

        #[test]
        fn bytes_that_are_no_status_are_refused(body: Vec<u8>) {
            prop_assert!(read(&body).is_err());
        }
    }

    #[test]
    fn a_malformed_status_is_replaced() {
        let now = Timestamp::UNIX_EPOCH;
        let marked: Value = serde_json::from_slice(&mark(b"not json", deletion(1), now).unwrap()).unwrap();
        assert_eq!(marked["accountStatus"], "scheduled_for_deletion");
    }
}
