//! Answers out: `{"statusCode": n, "body": "<JSON>"}`, the earlier fields kept, numbers always present.

use serde::Serialize;
use serde_json::Value;

use crate::event::BadRequest;
use crate::ids::{AccountId, DeletionId, JobId};
use crate::receipt::Method;

/// When a caller who is told "not now" may ask again: what stands in the way is over by then, as a rule.
pub const RETRY_AFTER_SECONDS: u32 = 30;

/// What an app-facing call answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// As in HTTP.
    pub status_code: u16,
    /// JSON as text: old clients decode it twice.
    pub body: String,
}

impl Answer {
    /// Any body.
    pub fn new(status_code: u16, body: &impl Serialize) -> Self {
        Self { status_code, body: serde_json::to_string(body).expect("bodies are plain JSON") }
    }

    /// An error with its text under `error`.
    pub fn error(status_code: u16, text: &str) -> Self {
        Self::new(status_code, &serde_json::json!({ "error": text }))
    }
}

impl From<BadRequest> for Answer {
    fn from(bad: BadRequest) -> Self {
        let BadRequest { field, rule } = bad;
        Self::new(400, &serde_json::json!({ "error": format!("{field}: {rule}"), "field": field }))
    }
}

/// Body of an `immediate` answer.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImmediateBody {
    /// `completed`, `batch_job_created`, `in_progress`, `held`, `failed` or `busy`.
    pub status: &'static str,
    /// The account, as the app spells it: upper case.
    pub user_id: String,
    /// The deletion.
    pub deletion_id: DeletionId,
    /// The record's state, as callers are told it.
    pub state: &'static str,
    /// The job, if there is one already.
    pub job_id: Option<JobId>,
    /// Versions and markers found.
    pub object_count: u64,
    /// Versions and markers erased so far.
    pub deleted_count: u64,
    /// How it is erased.
    pub method: Method,
    /// The same counts in one place.
    pub objects: Objects,
    /// When the last held version becomes erasable.
    pub held_until: Option<jiff::Timestamp>,
    /// When to ask again, if it is `busy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
    /// A sentence for a person.
    pub message: String,
}

/// Counts of versions and markers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Objects {
    /// Found.
    pub total: u64,
    /// Erased, or gone already.
    pub erased: u64,
    /// Kept by Object Lock or legal hold.
    pub held: u64,
    /// Refused by S3, or unanswered when the job ended.
    pub failed: u64,
}

/// Body of a `status` answer.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusBody {
    /// The job, if there is one.
    pub job_id: Option<JobId>,
    /// S3 Batch Operations' word for the job; `Complete` or `Active` where there is none.
    pub status: String,
    /// Tasks of the job.
    pub progress_summary: ProgressSummary,
    /// The deletion, if the question leads to exactly one.
    pub deletion_id: Option<DeletionId>,
    /// Every deletion of the job.
    pub deletions: Vec<DeletionId>,
    /// The record's state, as callers are told it.
    pub state: String,
    /// Counts of versions and markers.
    pub objects: Objects,
    /// Whole percent of the versions answered for.
    pub percent: u8,
    /// When it will be done at the present speed, if that can be told.
    pub estimated_end: Option<jiff::Timestamp>,
    /// From when on a run may act on a request that waits.
    pub not_before: Option<jiff::Timestamp>,
    /// When the last held version becomes erasable.
    pub held_until: Option<jiff::Timestamp>,
    /// When the claim was made.
    pub created_at: Option<jiff::Timestamp>,
}

/// Tasks of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgressSummary {
    /// All.
    pub total_tasks: u64,
    /// Succeeded.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
}

/// Whole percent of `part` in `whole`; 100 only if nothing is missing.
pub fn percent(part: u64, whole: u64) -> u8 {
    if whole == 0 || part >= whole {
        return 100;
    }
    u8::try_from(u128::from(part) * 100 / u128::from(whole)).unwrap_or(99)
}

/// The user id in an answer: the app's own spelling.
pub fn user_id(account: &AccountId) -> String {
    account.canonical()
}

/// The body of an answer whose question leads nowhere.
pub fn not_found(what: &str) -> Answer {
    let body: Value = serde_json::json!({
        "status": "NotFound",
        "error": format!("no {what} is known"),
        "progressSummary": ProgressSummary::default(),
        "objects": Objects::default(),
    });
    Answer::new(404, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_reaches_a_hundred_only_at_the_end() {
        assert_eq!((percent(0, 3), percent(999_999, 1_000_000), percent(3, 3), percent(0, 0)), (0, 99, 100, 100));
    }
}
