use std::fmt;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

/// Why Lambda refused a request, in AWS's own terms.
/// A function that fails is not an error of Lambda: see [`crate::Outcome`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No such function or version; the ARN that was looked for.
    ResourceNotFound(String),
    /// The function's concurrency is used up.
    TooManyRequests,
    /// The payload is larger than this many bytes.
    RequestTooLarge(usize),
    /// The payload is not JSON; the parser's words.
    InvalidRequestContent(String),
    /// A parameter has no valid value; what is wrong.
    InvalidParameterValue(String),
    /// The function belongs to another AWS account.
    AccessDenied(String),
    /// This operation or field is not served; its name.
    NotImplemented(String),
}

impl Error {
    /// The error code, as in `X-Amzn-Errortype`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ResourceNotFound(_) => "ResourceNotFoundException",
            Self::TooManyRequests => "TooManyRequestsException",
            Self::RequestTooLarge(_) => "RequestTooLargeException",
            Self::InvalidRequestContent(_) => "InvalidRequestContentException",
            Self::InvalidParameterValue(_) => "InvalidParameterValueException",
            Self::AccessDenied(_) => "AccessDeniedException",
            Self::NotImplemented(_) => "NotImplemented",
        }
    }

    /// The HTTP status, from the Invoke page of the Lambda API reference.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::ResourceNotFound(_) => StatusCode::NOT_FOUND,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::RequestTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::InvalidRequestContent(_) | Self::InvalidParameterValue(_) => StatusCode::BAD_REQUEST,
            Self::AccessDenied(_) => StatusCode::FORBIDDEN,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
        }
    }

    pub(crate) fn response(&self) -> Response<Bytes> {
        let mut body = json!({ "Type": "User", "message": self.to_string() });
        if *self == Self::TooManyRequests {
            body["Reason"] = "ReservedFunctionConcurrentInvocationLimitExceeded".into();
        }
        Response::builder()
            .status(self.status())
            .header("content-type", "application/json")
            .header("x-amzn-errortype", self.code())
            .body(Bytes::from(body.to_string()))
            .expect("constant header names and codes are valid")
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ResourceNotFound(arn) => write!(f, "Function not found: {arn}"),
            Self::TooManyRequests => write!(f, "Rate Exceeded."),
            Self::RequestTooLarge(limit) => {
                write!(f, "Request must be smaller than {limit} bytes for the InvokeFunction operation")
            }
            Self::InvalidRequestContent(fault) => {
                write!(f, "Could not parse request body into json: {fault}")
            }
            Self::InvalidParameterValue(fault) => write!(f, "{fault}"),
            Self::AccessDenied(arn) => write!(f, "not authorized to perform this action on {arn}"),
            Self::NotImplemented(what) => write!(f, "{what} is not served by the local Lambda"),
        }
    }
}
