//! Errors of the SDK in a few words.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};

/// AWS's code and message, or, where no answer came, the whole chain of causes.
pub(crate) fn said<E: ProvideErrorMetadata + std::error::Error>(error: &E) -> String {
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => DisplayErrorContext(error).to_string(),
    }
}
