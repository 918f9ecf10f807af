//! The one place all requests pass: it notes which role used which permission, and lets nobody near S3 Batch
//! Operations who may not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, header};
use local_aws::{Gate, RequestInfo, Service, Verdict, s3_control_error};
use serde_json::Value;

use crate::grants::Grant;
use crate::needs::{self, Need, Place};

/// What a role did: an action on a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The role's name.
    pub role: String,
    /// Such as `s3:GetObject`.
    pub action: String,
    /// An ARN, or `*`.
    pub resource: String,
}

/// A notice that a function put on a bus, and the bus took.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The name or ARN of the bus.
    pub bus: String,
    /// Who says so.
    pub source: String,
    /// Its detail type.
    pub kind: String,
    /// What it says.
    pub detail: Value,
}

/// Everything that was seen; clones share it.
#[derive(Clone)]
pub struct Watch {
    grants: Arc<Vec<Grant>>,
    place: Place,
    seen: Arc<Mutex<Seen>>,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The root of the AWS account, for whom the stories write and look.
    Root,
    /// A function or a job under its role: what it does is noted.
    Service(String),
    /// A story that tries what a role may do, with a session of that role.
    Trial(String),
}

#[derive(Default)]
struct Seen {
    /// Those that may call, by access key.
    callers: HashMap<String, Caller>,
    under_way: HashMap<u64, UnderWay>,
    notices: Vec<Notice>,
    uses: BTreeSet<Use>,
    refused: BTreeMap<Use, String>,
    unknown: BTreeSet<String>,
    delay: Option<Duration>,
}

struct UnderWay {
    role: String,
    needs: Vec<Need>,
    notices: Vec<Notice>,
}

impl Watch {
    /// Knows nobody yet but the root of the AWS account.
    pub fn new(grants: Vec<Grant>, place: Place) -> Self {
        let seen = Seen { callers: HashMap::from([("test".to_owned(), Caller::Root)]), ..Seen::default() };
        Self { grants: Arc::new(grants), place, seen: Arc::new(Mutex::new(seen)) }
    }

    /// Requests with this access key are this caller's.
    pub fn know(&self, access_key: &str, caller: Caller) {
        self.seen().callers.insert(access_key.to_owned(), caller);
    }

    /// Holds every ListObjectVersions of a function back for so long, until told otherwise.
    pub fn delay_listings(&self, delay: Option<Duration>) {
        self.seen().delay = delay;
    }

    /// Everything the roles are allowed to.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// What the roles did and were allowed to.
    pub fn uses(&self) -> BTreeSet<Use> {
        self.seen().uses.clone()
    }

    /// What the roles wanted to do and were refused, with the answer.
    pub fn refused(&self) -> BTreeMap<Use, String> {
        self.seen().refused.clone()
    }

    /// The notices that were taken, oldest first.
    pub fn notices(&self) -> Vec<Notice> {
        self.seen().notices.clone()
    }

    /// Access keys of callers that nobody knows.
    pub fn unknown(&self) -> BTreeSet<String> {
        self.seen().unknown.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who sends this request. Somebody unknown is let through, noted as such, and fails the rehearsal at its end.
    fn caller(&self, request: &Request<Bytes>) -> Caller {
        let key = access_key(request).unwrap_or("none");
        let mut seen = self.seen();
        let known = seen.callers.get(key).cloned();
        known.unwrap_or_else(|| {
            seen.unknown.insert(key.to_owned());
            Caller::Root
        })
    }

    /// Why S3 Batch Operations refuses, if it does.
    fn refusal(&self, role: &str, needs: &[Need]) -> Option<String> {
        let is_missing = |need: &&Need| !self.grants.iter().any(|grant| grant.allows(role, need));
        let missing = needs.iter().find(is_missing)?;
        Some(format!("{role} may not {} on {}", missing.action, missing.resource))
    }
}

#[async_trait]
impl Gate for Watch {
    async fn before(&self, info: &RequestInfo, request: &Request<Bytes>) -> Verdict {
        let (role, is_noted) = match self.caller(request) {
            Caller::Root => return Verdict::Proceed,
            Caller::Service(role) => (role, true),
            Caller::Trial(role) => (role, false),
        };
        let needs = needs::of(info, request, &self.place);
        if info.service == Service::S3Control
            && let Some(why) = self.refusal(&role, &needs)
        {
            if is_noted {
                self.seen().refused.extend(needs.iter().map(|need| (use_of(&role, need), why.clone())));
            }
            return Verdict::Answer(s3_control_error(403, "AccessDenied", &why));
        }
        let delay = self.seen().delay.filter(|_| is_noted && info.operation == "ListObjectVersions");
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        if is_noted {
            let notices = if info.service == Service::Events { notices(request.body()) } else { Vec::new() };
            self.seen().under_way.insert(info.number, UnderWay { role, needs, notices });
        }
        Verdict::Proceed
    }

    async fn after(&self, info: &RequestInfo, response: &Response<Bytes>) -> Verdict {
        let mut seen = self.seen();
        let Some(UnderWay { role, mut needs, notices }) = seen.under_way.remove(&info.number) else {
            return Verdict::Proceed;
        };
        let status = response.status().as_u16();
        if is_refused(status, response.body()) {
            let answer = String::from_utf8_lossy(response.body()).into_owned();
            seen.refused.extend(needs.iter().map(|need| (use_of(&role, need), answer.clone())));
            return Verdict::Proceed;
        }
        if status == 404 && info.operation == "GetObject" {
            needs.push(needs::to_be_told_of_absence(info));
        }
        if is_taken(response.body()) {
            seen.notices.extend(notices);
        }
        seen.uses.extend(needs.iter().map(|need| use_of(&role, need)));
        Verdict::Proceed
    }
}

fn use_of(role: &str, need: &Need) -> Use {
    Use { role: role.to_owned(), action: need.action.clone(), resource: need.resource.clone() }
}

/// The services that speak JSON refuse with 400.
fn is_refused(status: u16, body: &Bytes) -> bool {
    status == 403 || status == 400 && String::from_utf8_lossy(body).contains("AccessDenied")
}

/// The entries of PutEvents.
fn notices(body: &Bytes) -> Vec<Notice> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let notice = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        let detail = serde_json::from_str(&text("Detail")).unwrap_or_default();
        Notice { bus: text("EventBusName"), source: text("Source"), kind: text("DetailType"), detail }
    };
    body["Entries"].as_array().map_or_else(Vec::new, |entries| entries.iter().map(notice).collect())
}

/// Whether PutEvents took every entry; the answer to nothing else says so.
fn is_taken(body: &Bytes) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|answer| answer["FailedEntryCount"] == 0)
}

/// From `AWS4-HMAC-SHA256 Credential=KEY/DATE/…`.
fn access_key(request: &Request<Bytes>) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    value.split_once("Credential=")?.1.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_access_key_is_read_from_the_signature() {
        let value = "AWS4-HMAC-SHA256 Credential=ASIA1/20260101/us-east-1/s3/aws4_request, SignedHeaders=host";
        let request = Request::builder().header(header::AUTHORIZATION, value).body(Bytes::new()).unwrap();
        assert_eq!(access_key(&request), Some("ASIA1"));
        assert_eq!(access_key(&Request::new(Bytes::new())), None);
    }

    #[test]
    fn a_notice_is_read_from_its_request_and_taken_by_its_answer() {
        let entry = br#"{"Entries":[{"EventBusName":"b","Source":"s","DetailType":"t","Detail":"{\"a\":1}"}]}"#;
        let detail = serde_json::json!({"a": 1});
        let expected = Notice { bus: "b".into(), source: "s".into(), kind: "t".into(), detail };
        assert_eq!(notices(&Bytes::from_static(entry)), [expected]);
        assert!(is_taken(&Bytes::from_static(br#"{"FailedEntryCount":0}"#)));
        assert!(!is_taken(&Bytes::from_static(br#"{"FailedEntryCount":1}"#)));
        assert!(!is_taken(&Bytes::new()));
    }

    #[test]
    fn a_refusal_is_known_in_xml_and_in_json() {
        let json = Bytes::from_static(br#"{"__type":"AccessDeniedException"}"#);
        assert!(is_refused(403, &Bytes::new()) && is_refused(400, &json));
        assert!(!is_refused(400, &Bytes::new()) && !is_refused(200, &json));
    }
}
