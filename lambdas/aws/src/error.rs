//! Errors of AWS calls: what was attempted, what AWS called it, and whether trying again can help.
//! AWS's own message is left out, since it may repeat a key.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} answered {code}{}", .status.map(|s| format!(" (HTTP {s})")).unwrap_or_default())]
pub struct AwsError {
    /// The operation, as AWS spells it.
    pub operation: &'static str,
    /// AWS's error code, or a word of ours where there was no answer.
    pub code: String,
    /// HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// For AWS support.
    pub request_id: Option<String>,
    /// What kind of failure it is.
    pub cause: Cause,
}

/// What kind of failure, and so what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// AWS asks for a slower pace.
    Throttled,
    /// Passing, or unknown whether it happened: try again.
    Transient,
    /// The object, version, upload or job is not there.
    NotFound,
    /// A condition was not met: somebody else wrote.
    Condition,
    /// We may not.
    Denied,
    /// The answer contradicts the question.
    Contradiction,
    /// Anything else that trying again does not mend.
    Refused,
}

impl AwsError {
    /// Reads an SDK error.
    pub fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + RequestId,
    {
        let status = error.raw_response().map(|r| r.status().as_u16());
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(tidy);
        let request_id = error.as_service_error().and_then(RequestId::request_id).map(str::to_owned);
        let cause = cause(code.as_deref(), status);
        let code = code.unwrap_or_else(|| no_answer(error).to_owned());
        Self { operation, code, status, request_id, cause }
    }

    /// An answer that contradicts the question, such as a key outside the prefix asked for.
    pub fn contradiction(operation: &'static str, code: &'static str) -> Self {
        Self { operation, code: code.to_owned(), status: None, request_id: None, cause: Cause::Contradiction }
    }

    /// Whether trying again may help.
    pub fn is_passing(&self) -> bool {
        matches!(self.cause, Cause::Throttled | Cause::Transient)
    }
}

/// A code is a word; anything longer is not one, and may be somebody's data.
pub(crate) fn tidy(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
}

fn no_answer<E>(error: &SdkError<E, HttpResponse>) -> &'static str {
    match error {
        SdkError::ConstructionFailure(_) => "ConstructionFailure",
        SdkError::TimeoutError(_) => "Timeout",
        SdkError::DispatchFailure(_) => "NoConnection",
        SdkError::ResponseError(_) => "UnreadableResponse",
        _ => "NoErrorCode",
    }
}

/// Codes first (API reference, "Error responses"), then the status. What neither names may have happened or not,
/// and is tried again within a bound.
fn cause(code: Option<&str>, status: Option<u16>) -> Cause {
    match code {
        Some(
            "SlowDown" | "Throttling" | "ThrottlingException" | "TooManyRequestsException" | "RequestLimitExceeded",
        ) => Cause::Throttled,
        // A body or a signature that was spoilt or came late, and two conditional writes at the same time: S3 asks for
        // another try (S3 User Guide, "Conditional requests"; API reference, "Error responses").
        Some(
            "RequestTimeout"
            | "InternalError"
            | "OperationAborted"
            | "RequestTimeTooSkewed"
            | "ConditionalRequestConflict"
            | "ExpiredToken"
            | "BadDigest"
            | "IncompleteBody",
        ) => Cause::Transient,
        Some(
            "NoSuchKey" | "NoSuchVersion" | "NoSuchUpload" | "NotFound" | "NotFoundException" | "NoSuchJobException",
        ) => Cause::NotFound,
        Some("PreconditionFailed") => Cause::Condition,
        _ => match status {
            Some(401 | 403) => Cause::Denied,
            Some(404) => Cause::NotFound,
            Some(409 | 412) => Cause::Condition,
            Some(429 | 503) => Cause::Throttled,
            Some(400..=499) => Cause::Refused,
            _ => Cause::Transient,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_follow_code_then_status() {
        assert_eq!(cause(Some("SlowDown"), Some(503)), Cause::Throttled);
        assert_eq!(cause(Some("TooManyRequestsException"), Some(400)), Cause::Throttled);
        assert_eq!(cause(Some("InternalError"), Some(200)), Cause::Transient);
        assert_eq!(cause(Some("NotFoundException"), Some(400)), Cause::NotFound);
        assert_eq!(cause(None, Some(404)), Cause::NotFound);
        assert_eq!(cause(Some("NoSuchBucket"), Some(404)), Cause::NotFound);
        assert_eq!(cause(Some("MalformedXML"), Some(400)), Cause::Refused);
        assert_eq!(cause(None, None), Cause::Transient);
        assert_eq!(cause(None, Some(412)), Cause::Condition);
        assert_eq!(cause(Some("ConditionalRequestConflict"), Some(409)), Cause::Transient);
        for spoilt in ["ExpiredToken", "BadDigest", "IncompleteBody", "RequestTimeout"] {
            assert_eq!(cause(Some(spoilt), Some(400)), Cause::Transient, "{spoilt}");
        }
    }

    #[test]
    fn a_code_is_a_word() {
        assert_eq!(tidy("Slow Down/ key=x"), "SlowDownkeyx");
    }
}
