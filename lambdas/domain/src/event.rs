//! Events in: parsed once, at the edge. What is wrong with one is said by field and rule.

use serde_json::Value;

use crate::Timestamp;
use crate::ids::{AccountId, DeletionId, JobId};
use crate::tally::SetDigest;

/// Keys a caller may hint at.
const HINTS_MAX: usize = 100;
/// Bytes of a key (S3 User Guide, "Naming Amazon S3 objects").
const KEY_MAX: usize = 1_024;

/// What is asked of the deletion function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Delete Now.
    Immediate {
        /// Whose.
        account: AccountId,
        /// Only say what would be erased.
        dry_run: bool,
        /// Keys that may be mappings of the account.
        hints: Vec<String>,
    },
    /// Erase an account after the grace period.
    Schedule(AccountId),
    /// The person stays.
    Cancel(AccountId),
    /// How far is it?
    Status(Query),
    /// A person has looked at what waits for one, and wants it erased.
    Confirm {
        /// Whose.
        account: AccountId,
        /// What the dry run showed.
        digest: SetDigest,
    },
    /// Act on everything that is due.
    Scheduled(Run),
    /// S3 Batch Operations says a job ended.
    JobStatus(JobId),
    /// Take up everything that waits.
    Reconcile,
}

/// How a scheduled run is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Only say what would be done.
    pub dry_run: bool,
    /// The moment the event names. It replaces the clock where Delete Now is served at once, and nowhere else.
    pub time: Option<Timestamp>,
    /// Whether somebody reads the answer. EventBridge does not.
    pub is_attended: bool,
    /// What a run that went on in this invocation may still claim; a new run has the environment's cap.
    pub allowance: Option<u32>,
}

/// What a status is asked by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// By job.
    Job(JobId),
    /// By deletion.
    Deletion(DeletionId),
    /// By account, while a record exists.
    Account(AccountId),
}

/// A request that cannot be served as it is: which field, and which rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct BadRequest {
    /// The field; `event` for the whole.
    pub field: &'static str,
    /// The rule it breaks.
    pub rule: String,
}

impl BadRequest {
    /// An object in it names something twice: a dry run to one reader may be an erasure to another.
    pub fn named_twice(field: &'static str) -> Self {
        Self { field, rule: "names a field twice; each may be named once".to_owned() }
    }
}

fn bad<T>(field: &'static str, rule: impl Into<String>) -> Result<T, BadRequest> {
    Err(BadRequest { field, rule: rule.into() })
}

impl Request {
    /// Reads an event.
    pub fn parse(event: &Value) -> Result<Self, BadRequest> {
        let Some(fields) = event.as_object() else {
            return bad("event", "must be a JSON object");
        };
        if fields.contains_key("detail-type") {
            return envelope(event);
        }
        match &event["type"] {
            Value::Null => scheduled(event),
            Value::String(kind) => Self::of_type(kind, event),
            _ => bad("type", UNKNOWN_TYPE),
        }
    }

    fn of_type(kind: &str, event: &Value) -> Result<Self, BadRequest> {
        match kind {
            "immediate" => immediate(event),
            "schedule" => only(event, &["type", "userId"]).and_then(|()| account(event)).map(Self::Schedule),
            "cancel" => only(event, &["type", "userId"]).and_then(|()| account(event)).map(Self::Cancel),
            "status" => status(event).map(Self::Status),
            "confirm" => confirm(event),
            "scheduled" => scheduled(event),
            "reconcile" => only(event, &["type"]).map(|()| Self::Reconcile),
            _ => bad("type", UNKNOWN_TYPE),
        }
    }

    /// Whether the event comes from EventBridge or from ourselves. A failure then must be a failed invocation,
    /// so that it is tried again and alarmed, never an answer nobody reads.
    pub fn is_unattended(&self) -> bool {
        match self {
            Self::JobStatus(_) | Self::Reconcile => true,
            Self::Scheduled(run) => !run.is_attended,
            _ => false,
        }
    }
}

const UNKNOWN_TYPE: &str =
    "unknown type; known are immediate, schedule, cancel, status, confirm, scheduled and reconcile";

fn scheduled(event: &Value) -> Result<Request, BadRequest> {
    only(event, &["type", "dryRun", "time"])?;
    Ok(Request::Scheduled(Run { dry_run: dry_run(event)?, time: time(event)?, is_attended: true, allowance: None }))
}

fn confirm(event: &Value) -> Result<Request, BadRequest> {
    only(event, &["type", "userId", "digest"])?;
    let digest = event["digest"].as_str().and_then(SetDigest::from_hex);
    let digest = digest.map_or_else(|| bad("digest", "must be the 64 hexadecimal digits that the dry run shows"), Ok);
    Ok(Request::Confirm { account: account(event)?, digest: digest? })
}

fn time(event: &Value) -> Result<Option<Timestamp>, BadRequest> {
    match &event["time"] {
        Value::Null => Ok(None),
        text => {
            let time = text.as_str().and_then(|text| text.parse().ok());
            time.map_or_else(|| bad("time", "must be a moment such as 2026-01-02T03:04:05Z"), |time| Ok(Some(time)))
        }
    }
}

fn dry_run(event: &Value) -> Result<bool, BadRequest> {
    match &event["dryRun"] {
        Value::Null => Ok(false),
        Value::Bool(dry_run) => Ok(*dry_run),
        _ => bad("dryRun", "must be true or false"),
    }
}

fn immediate(event: &Value) -> Result<Request, BadRequest> {
    only(event, &["type", "userId", "dryRun", "hints"])?;
    Ok(Request::Immediate { account: account(event)?, dry_run: dry_run(event)?, hints: hints(event)? })
}

fn status(event: &Value) -> Result<Query, BadRequest> {
    only(event, &["type", "jobId", "deletionId", "userId"])?;
    let text = |field: &str| event[field].as_str().unwrap_or_default();
    let given = ["jobId", "deletionId", "userId"].iter().filter(|field| !event[**field].is_null()).count();
    if given != 1 {
        return bad("jobId", "give exactly one of jobId, deletionId and userId");
    }
    if !event["jobId"].is_null() {
        let job = JobId::parse(text("jobId"));
        return job.map(Query::Job).map_or_else(|| bad("jobId", "must be 5 to 36 of a-z, A-Z, 0-9, '-', '_'"), Ok);
    }
    if !event["deletionId"].is_null() {
        let deletion = DeletionId::parse(text("deletionId"));
        return deletion.map(Query::Deletion).map_or_else(|| bad("deletionId", "must be a UUID of 36 characters"), Ok);
    }
    account(event).map(Query::Account)
}

fn account(event: &Value) -> Result<AccountId, BadRequest> {
    match &event["userId"] {
        Value::Null => bad("userId", "is missing; it must be a UUID of 36 characters"),
        Value::String(text) => AccountId::parse(text).or_else(|e| bad("userId", e.to_string())),
        _ => bad("userId", "must be a string"),
    }
}

fn hints(event: &Value) -> Result<Vec<String>, BadRequest> {
    let rule = "must be a list of at most 100 keys of 1 to 1,024 bytes";
    let list = match &event["hints"] {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) if list.len() <= HINTS_MAX => list,
        _ => return bad("hints", rule),
    };
    let key = |hint: &Value| hint.as_str().filter(|k| (1..=KEY_MAX).contains(&k.len())).map(str::to_owned);
    list.iter().map(key).collect::<Option<Vec<_>>>().map_or_else(|| bad("hints", rule), Ok)
}

/// Fields nobody knows are refused: `dryrun` for `dryRun` must not erase.
fn only(event: &Value, known: &[&str]) -> Result<(), BadRequest> {
    let fields = event.as_object().into_iter().flatten();
    match fields.map(|(name, _)| name).find(|name| !known.contains(&name.as_str())) {
        Some(_) => bad("event", format!("has a field that is not known; known are {}", known.join(", "))),
        None => Ok(()),
    }
}

/// An EventBridge envelope: a rule's schedule, or the end of a job.
fn envelope(event: &Value) -> Result<Request, BadRequest> {
    if event["source"] == "aws.events" && event["detail-type"] == "Scheduled Event" {
        let allowance = event["detail"]["allowance"].as_u64().and_then(|n| u32::try_from(n).ok());
        return Ok(Request::Scheduled(Run { dry_run: false, time: time(event)?, is_attended: false, allowance }));
    }
    job_event(event)
}

/// An EventBridge envelope of S3 Batch Operations
/// (S3 User Guide, "Tracking a Batch Operations job in Amazon EventBridge through AWS CloudTrail").
fn job_event(event: &Value) -> Result<Request, BadRequest> {
    let detail = &event["detail"];
    if event["source"] != "aws.s3" || detail["eventSource"] != "s3.amazonaws.com" {
        return bad("detail-type", "only schedules and job events of S3 Batch Operations are served");
    }
    let job = detail["serviceEventDetails"]["jobId"].as_str().and_then(JobId::parse);
    job.map(Request::JobStatus).map_or_else(|| bad("detail", "has no serviceEventDetails.jobId"), Ok)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ID: &str = "0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9";

    fn field(event: &Value) -> &'static str {
        Request::parse(event).unwrap_err().field
    }

    #[test]
    fn delete_now_is_read() {
        let account = AccountId::parse(ID).unwrap();
        assert_eq!(
            Request::parse(&json!({"type": "immediate", "userId": ID.to_lowercase()})),
            Ok(Request::Immediate { account, dry_run: false, hints: Vec::new() })
        );
    }

    #[test]
    fn bad_requests_name_the_field() {
        assert_eq!(field(&json!([])), "event");
        assert_eq!(field(&json!({"type": "delete"})), "type");
        assert_eq!(field(&json!({"type": 1})), "type");
        assert_eq!(field(&json!({"userId": ID})), "event", "no type is a scheduled run, which is nobody's");
        assert_eq!(field(&json!({"type": "scheduled", "userId": ID})), "event");
        assert_eq!(field(&json!({"type": "scheduled", "time": "soon"})), "time");
        assert_eq!(field(&json!({"type": "schedule"})), "userId");
        assert_eq!(field(&json!({"type": "cancel", "userId": ID, "dryRun": true})), "event");
        assert_eq!(field(&json!({"type": "confirm", "userId": ID, "digest": "00"})), "digest");
        assert_eq!(field(&json!({"type": "reconcile", "dryRun": true})), "event");
        assert_eq!(field(&json!({"type": "immediate"})), "userId");
        for id in ["", "..", &ID[..8], "photos/x", &"x".repeat(10_000)] {
            assert_eq!(field(&json!({"type": "immediate", "userId": id})), "userId");
        }
        assert_eq!(field(&json!({"type": "immediate", "userId": ID, "dryRun": "yes"})), "dryRun");
        assert_eq!(field(&json!({"type": "immediate", "userId": ID, "dryrun": true})), "event");
        assert_eq!(field(&json!({"type": "immediate", "userId": ID, "hints": [1]})), "hints");
        assert_eq!(field(&json!({"type": "status"})), "jobId");
        assert_eq!(field(&json!({"type": "status", "jobId": "j/"})), "jobId");
        assert_eq!(field(&json!({"type": "status", "deletionId": "x"})), "deletionId");
        assert_eq!(field(&json!({"detail-type": "x", "source": "aws.ec2"})), "detail-type");
    }

    #[test]
    fn a_run_is_asked_for_by_type_by_default_and_by_eventbridge() {
        let run = |event: &Value| match Request::parse(event) {
            Ok(Request::Scheduled(run)) => run,
            other => panic!("{other:?}"),
        };
        assert_eq!(run(&json!({})), run(&json!({"type": "scheduled"})));
        assert!(run(&json!({"dryRun": true})).dry_run);
        let event = json!({"version": "0", "source": "aws.events", "detail-type": "Scheduled Event",
            "time": "2026-01-02T03:04:05Z", "detail": {}});
        let time = "2026-01-02T03:04:05Z".parse().ok();
        let expected = Run { dry_run: false, time, is_attended: false, allowance: None };
        assert_eq!(run(&event), expected);
        let mut rest = event.clone();
        rest["detail"] = json!({"allowance": 7});
        assert_eq!(run(&rest).allowance, Some(7));
        assert!(Request::parse(&event).unwrap().is_unattended());
        assert!(!Request::parse(&json!({})).unwrap().is_unattended());
    }

    #[test]
    fn a_job_event_names_the_job() {
        let event = json!({"version": "0", "source": "aws.s3", "detail-type": "AWS Service Event via CloudTrail",
            "detail": {"eventSource": "s3.amazonaws.com", "eventName": "JobStatusChanged",
                "serviceEventDetails": {"jobId": "00e123a4-c0d8-41f4-a0eb-b46f9ba5b07c", "status": "Complete"}}});
        let job = JobId::parse("00e123a4-c0d8-41f4-a0eb-b46f9ba5b07c").unwrap();
        assert_eq!(Request::parse(&event), Ok(Request::JobStatus(job)));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_repeats_an_id(text in "\\PC{0,60}") {
            let error = Request::parse(&json!({"type": "immediate", "userId": format!("{text}!")})).unwrap_err();
            prop_assert!(text.len() < 12 || !error.to_string().contains(&text));
        }
    }
}
