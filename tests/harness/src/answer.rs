//! What an invocation came to, as the app decodes it.

use domain::ids::{DeletionId, JobId};
use serde_json::Value;

/// An app-facing answer: `{"statusCode": n, "body": "<JSON>"}`, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// As in HTTP.
    pub status_code: u16,
    /// The body, decoded a second time.
    pub body: Value,
}

impl Answer {
    /// Decodes the payload of an invocation; the fault says what is not as the app expects it.
    pub fn decode(payload: &Value) -> Result<Self, FunctionError> {
        let fault = |what: &str| FunctionError::Undecodable(format!("{what} in {payload}"));
        let status_code = payload["statusCode"].as_u64().and_then(|code| u16::try_from(code).ok());
        let body = payload["body"].as_str().ok_or_else(|| fault("no text under body"))?;
        Ok(Self {
            status_code: status_code.ok_or_else(|| fault("no status under statusCode"))?,
            body: serde_json::from_str(body).map_err(|_| fault("the body is not JSON"))?,
        })
    }

    /// The deletion the answer speaks of; panics if it speaks of none.
    pub fn deletion_id(&self) -> DeletionId {
        let id = self.body["deletionId"].as_str().and_then(DeletionId::parse);
        id.unwrap_or_else(|| panic!("the answer names no deletion: {} {}", self.status_code, self.body))
    }

    /// The job the answer speaks of, if any.
    pub fn job_id(&self) -> Option<JobId> {
        self.body["jobId"].as_str().and_then(JobId::parse)
    }
}

/// Why an invocation brought no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// The function said it failed, died, or ran out of time (`X-Amz-Function-Error`).
    #[error("the function failed: {kind}: {message}")]
    Failed {
        /// `errorType`.
        kind: String,
        /// `errorMessage`.
        message: String,
    },
    /// Lambda did not run it.
    #[error("Lambda refused the invocation: {0}")]
    Refused(String),
    /// It answered something the app cannot decode.
    #[error("the answer cannot be decoded: {0}")]
    Undecodable(String),
}

impl FunctionError {
    /// From the payload of a failed invocation.
    pub(crate) fn failed(payload: &[u8]) -> Self {
        let said: Value = serde_json::from_slice(payload).unwrap_or_default();
        let text = |field: &str| said[field].as_str().unwrap_or("unknown").to_owned();
        Self::Failed { kind: text("errorType"), message: text("errorMessage") }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_decoded_twice() {
        let answer = Answer::decode(&json!({"statusCode": 200, "body": "{\"jobId\":\"job-1\"}"})).unwrap();
        assert_eq!((answer.status_code, answer.job_id()), (200, JobId::parse("job-1")));
    }

    #[test]
    fn what_the_app_could_not_decode_is_an_error() {
        for payload in [json!({}), json!({"statusCode": 200}), json!({"statusCode": 200, "body": "no"}), json!("text")]
        {
            assert!(matches!(Answer::decode(&payload), Err(FunctionError::Undecodable(_))), "{payload}");
        }
    }
}
