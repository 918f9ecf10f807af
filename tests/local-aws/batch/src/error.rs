use http::StatusCode;

use crate::xml::Element;

/// A refusal of the S3 Control API.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl ApiError {
    /// A refusal with status 400, as nearly all of S3 Control's are, `NotFoundException` and throttles included.
    pub(crate) fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    /// A malformed or invalid value.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::refused("BadRequestException", message)
    }

    /// No job has that id.
    pub(crate) fn no_such_job(id: &str) -> Self {
        Self::refused("NotFoundException", format!("No such job: {id}"))
    }

    /// Something AWS serves and this does not.
    pub(crate) fn not_implemented(what: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_IMPLEMENTED,
            code: "NotImplemented",
            message: format!("{} is not served here", what.into()),
        }
    }

    /// Another account's affair.
    pub(crate) fn access_denied(message: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, code: "AccessDenied", message: message.into() }
    }

    /// The wrapped form; S3 Control's SDKs find no code in S3's bare `<Error>`.
    pub(crate) fn body(&self, request_id: &str) -> Element {
        let error = Element::new("Error").leaf("Code", self.code).leaf("Message", &self.message);
        Element::new("ErrorResponse").with(error).leaf("RequestId", request_id)
    }
}
