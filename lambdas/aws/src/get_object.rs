//! GetObject: small bodies, read whole.
//!
//! What others write may be of any size: S3 takes 5 GB in one PUT, and one such status must not end every run. Such a
//! body is left unread, and stands for one that nobody can make sense of.

use domain::Timestamp;
use domain::keys::{ObjectKey, VersionId};

use crate::{AwsError, Bucket, Cause};

const OPERATION: &str = "GetObject";
/// Bytes of a status, an entry or a mapping at most. The app writes less than one thousand.
const FOREIGN_BYTES_MAX: i64 = 256 * 1024;

/// An object, and what S3 says of it.
#[derive(Debug, Clone)]
pub struct Got {
    /// The body; empty if it was too large to be read.
    pub body: Vec<u8>,
    /// Whether it was.
    pub is_too_large: bool,
    /// ETag without quotes.
    pub etag: String,
    /// When S3 wrote it.
    pub modified: Timestamp,
}

/// Reads an object of our own, or one version of it. `None` if there is none; anything else that goes wrong is an
/// error: a 403 is never taken for absence.
pub async fn get_object(
    bucket: &Bucket,
    key: &ObjectKey,
    version: Option<&VersionId>,
) -> Result<Option<Got>, AwsError> {
    get(bucket, key, version, None).await
}

/// The same of an object that others write; a body larger than 256 KiB is not read.
pub async fn get_foreign(
    bucket: &Bucket,
    key: &ObjectKey,
    version: Option<&VersionId>,
) -> Result<Option<Got>, AwsError> {
    get(bucket, key, version, Some(FOREIGN_BYTES_MAX)).await
}

async fn get(
    bucket: &Bucket,
    key: &ObjectKey,
    version: Option<&VersionId>,
    bytes_max: Option<i64>,
) -> Result<Option<Got>, AwsError> {
    let request = bucket.client.get_object().bucket(bucket.name.as_str());
    let request = request.expected_bucket_owner(bucket.owner.as_str()).key(key.as_str());
    let request = request.set_version_id(version.map(|v| v.as_str().to_owned()));
    let output = match request.send().await.map_err(|e| AwsError::of(OPERATION, &e)) {
        Ok(output) => output,
        Err(error) if error.cause == Cause::NotFound && error.code != "NoSuchBucket" => return Ok(None),
        Err(error) => return Err(error),
    };
    let seconds = output.last_modified.map(|at| at.secs()).unwrap_or_default();
    let etag = output.e_tag.unwrap_or_default().trim_matches('"').to_owned();
    // A length that is not told is none that may be trusted.
    let is_too_large = bytes_max.is_some_and(|max| output.content_length.is_none_or(|bytes| bytes > max));
    let body = if is_too_large { Vec::new() } else { output.body.collect().await.map_err(|_| cut_off())?.to_vec() };
    let modified = Timestamp::from_second(seconds).map_err(|_| cut_off())?;
    Ok(Some(Got { body, is_too_large, etag, modified }))
}

/// The body did not arrive whole.
fn cut_off() -> AwsError {
    AwsError {
        operation: OPERATION,
        code: "BodyCutOff".to_owned(),
        status: None,
        request_id: None,
        cause: Cause::Transient,
    }
}
