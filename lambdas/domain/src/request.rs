//! A request to be erased later, as this service writes it down when the app asks. It waits beside the schedule entry
//! that apps read, and decides where there are both.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::due;
use crate::ids::AccountId;
use crate::record::{Asked, Kind};
use crate::tally::SetDigest;

const SCHEMA: u32 = 1;

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    schema: u32,
    /// Whose.
    pub account_id: AccountId,
    /// Whether the person scheduled it or pressed "Delete Now" where the next run serves that.
    pub kind: Kind,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// From when on a run may act on it.
    pub not_before: Timestamp,
    /// Versions a run found, if they were too many to be erased without a person.
    pub too_large: Option<u64>,
    /// The digest of what a person has looked at and wants erased.
    pub confirmed: Option<SetDigest>,
}

impl Request {
    /// A request accepted now.
    pub fn new(account: AccountId, kind: Kind, accepted: Timestamp, not_before: Timestamp) -> Self {
        Self { schema: SCHEMA, account_id: account, kind, accepted, not_before, too_large: None, confirmed: None }
    }

    /// Reads a request; an unknown schema or field is an error, since acting on half a request is not safe.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let request: Self = serde_json::from_slice(json)
            .map_err(|e| format!("a request cannot be read at line {}, column {}", e.line(), e.column()))?;
        if request.schema == SCHEMA { Ok(request) } else { Err(format!("a request has schema {}", request.schema)) }
    }

    /// The request as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a request is plain JSON")
    }

    /// When it is due.
    pub fn due(&self) -> due::Asked {
        due::Asked::Record { accepted: self.accepted, not_before: self.not_before }
    }

    /// What a record says of it.
    pub fn asked(&self) -> Asked {
        Asked::Request { accepted: self.accepted, not_before: self.not_before }
    }

    /// Whether a person has to look before it can be acted on.
    pub fn needs_a_person(&self) -> bool {
        self.too_large.is_some() && self.confirmed.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back_and_refuses_what_it_does_not_know() {
        let account = AccountId::parse("0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9").unwrap();
        let request = Request::new(account, Kind::Scheduled, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        assert_eq!(Request::parse(&request.to_json()), Ok(request.clone()));
        let text = String::from_utf8(request.to_json()).unwrap();
        assert!(Request::parse(text.replace("\"schema\":1", "\"schema\":2").as_bytes()).is_err());
        let error = Request::parse(text.replace("\"kind\"", "\"sort\"").as_bytes()).unwrap_err();
        assert!(error.contains("column") && !error.contains("0A1B"), "{error}");
    }
}
