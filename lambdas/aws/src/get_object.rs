//! GetObject: small bodies, read whole.

use domain::Timestamp;
use domain::keys::{ObjectKey, VersionId};

use crate::{AwsError, Bucket, Cause};

const OPERATION: &str = "GetObject";

/// An object, and what S3 says of it.
#[derive(Debug, Clone)]
pub struct Got {
    /// The body.
    pub body: Vec<u8>,
    /// ETag without quotes.
    pub etag: String,
    /// When S3 wrote it.
    pub modified: Timestamp,
}

/// Reads an object, or one version of it. `None` if there is none; anything else that goes wrong is an error:
/// a 403 is never taken for absence.
pub async fn get_object(
    bucket: &Bucket,
    key: &ObjectKey,
    version: Option<&VersionId>,
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
    let body = output.body.collect().await.map_err(|_| cut_off())?;
    let modified = Timestamp::from_second(seconds).map_err(|_| cut_off())?;
    Ok(Some(Got { body: body.to_vec(), etag, modified }))
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
