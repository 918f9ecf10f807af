//! Refusals as S3's errors. <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use http::{HeaderMap, HeaderValue, StatusCode, header};
use s3s::{S3Error, S3ErrorCode};

use super::values;
use crate::store::Refusal;

impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        let mut error = Self::with_message(code(&refusal), refusal.to_string());
        let headers = headers(&refusal);
        if !headers.is_empty() {
            error.set_headers(headers);
        }
        error
    }
}

/// An error 400 of a code that s3s does not know.
pub(crate) fn bad_request(code: &str, message: &'static str) -> S3Error {
    let Ok(code) = code.parse::<S3ErrorCode>();
    let mut error = S3Error::with_message(code, message);
    error.set_status_code(StatusCode::BAD_REQUEST);
    error
}

/// S3's code of a refusal.
pub(crate) fn code(refusal: &Refusal) -> S3ErrorCode {
    match refusal {
        Refusal::NoSuchBucket => S3ErrorCode::NoSuchBucket,
        Refusal::BucketAlreadyOwnedByYou => S3ErrorCode::BucketAlreadyOwnedByYou,
        Refusal::BucketNotEmpty => S3ErrorCode::BucketNotEmpty,
        Refusal::NoSuchKey | Refusal::CurrentIsDeleteMarker { .. } => S3ErrorCode::NoSuchKey,
        Refusal::NoSuchVersion => S3ErrorCode::NoSuchVersion,
        Refusal::VersionIsDeleteMarker { .. } => S3ErrorCode::MethodNotAllowed,
        Refusal::PreconditionFailed => S3ErrorCode::PreconditionFailed,
        Refusal::Locked => S3ErrorCode::AccessDenied,
        Refusal::BucketWithoutObjectLock => S3ErrorCode::InvalidRequest,
        Refusal::NoObjectLockConfiguration => S3ErrorCode::ObjectLockConfigurationNotFoundError,
        Refusal::NoProtection => S3ErrorCode::NoSuchObjectLockConfiguration,
        Refusal::ObjectLockNeedsVersioning => S3ErrorCode::InvalidBucketState,
        Refusal::KeyTooLong => S3ErrorCode::KeyTooLongError,
        Refusal::Archived => S3ErrorCode::InvalidObjectState,
        Refusal::NoSuchUpload => S3ErrorCode::NoSuchUpload,
        Refusal::InvalidPart => S3ErrorCode::InvalidPart,
        Refusal::InvalidPartOrder => S3ErrorCode::InvalidPartOrder,
        Refusal::PartTooSmall => S3ErrorCode::EntityTooSmall,
        Refusal::InvalidVersionId
        | Refusal::RetainUntilIsPast
        | Refusal::InvalidUploadIdMarker
        | Refusal::InvalidPartNumber => S3ErrorCode::InvalidArgument,
    }
}

/// A delete marker in the way is named by headers, too
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html>).
fn headers(refusal: &Refusal) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let (Refusal::CurrentIsDeleteMarker { version_id } | Refusal::VersionIsDeleteMarker { version_id, .. }) = refusal
    else {
        return headers;
    };
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    if let Ok(version_id) = HeaderValue::from_str(version_id) {
        headers.insert("x-amz-version-id", version_id);
    }
    if let Refusal::VersionIsDeleteMarker { modified, .. } = refusal {
        headers.insert(header::ALLOW, HeaderValue::from_static("DELETE"));
        headers.insert(header::LAST_MODIFIED, values::http_date(*modified));
    }
    headers
}
