//! `users/{account}/status.json`, as the app reads it.

use jiff::Unit;
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

/// ISO 8601 in UTC with whole seconds: the app's decoder refuses fractions.
pub fn iso_seconds(at: Timestamp) -> String {
    at.round(Unit::Second).unwrap_or(at).to_string()
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_malformed_status_is_replaced() {
        let now = Timestamp::UNIX_EPOCH;
        let marked: Value = serde_json::from_slice(&mark(b"not json", now)).unwrap();
        assert_eq!(marked["accountStatus"], "scheduled_for_deletion");
    }
}
