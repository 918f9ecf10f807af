//! `users/{account}/status.json`, as the app reads it.

use jiff::Unit;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::Timestamp;

/// The body that marks an account as being deleted. Fields we do not know are kept; the words are ones old apps
/// know, so that they show "deletion imminent" and never "active". A body that is no JSON object is replaced:
/// the app reads such a body as active.
pub fn mark(body: &[u8], now: Timestamp) -> Vec<u8> {
    let mut status = match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let now = iso_seconds(now);
    status.insert("accountStatus".to_owned(), "scheduled_for_deletion".into());
    status.insert("deleteDate".to_owned(), now.clone().into());
    status.insert("lastModified".to_owned(), now.into());
    Value::Object(status).to_string().into_bytes()
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

    #[test]
    fn marking_keeps_unknown_fields_and_writes_no_fractions() {
        let now: Timestamp = "2026-01-02T03:04:05.4Z".parse().unwrap();
        let marked: Value =
            serde_json::from_slice(&mark(br#"{"accountStatus":"active","theme":"dark"}"#, now)).unwrap();
        assert_eq!(marked["accountStatus"], "scheduled_for_deletion");
        assert_eq!(marked["deleteDate"], "2026-01-02T03:04:05Z");
        assert_eq!(marked["theme"], "dark");
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
        assert_eq!(read(&mark(b"", now)), Ok(Status::Scheduled { delete_date: now }), "our own mark");
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
        let marked: Value = serde_json::from_slice(&mark(b"not json", now)).unwrap();
        assert_eq!(marked["accountStatus"], "scheduled_for_deletion");
    }
}
