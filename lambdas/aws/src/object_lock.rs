//! GetObjectRetention and GetObjectLegalHold: why a version may not be erased, and until when.

use aws_sdk_s3::types::ObjectLockLegalHoldStatus;
use domain::Timestamp;
use domain::keys::ObjectVersion;
use domain::outcome::Hold;

use crate::{AwsError, Bucket, Cause};

/// Why S3 keeps a version, if it is Object Lock that keeps it.
/// `None` if there is no lock, and the refusal came from somewhere else.
pub async fn why_held(bucket: &Bucket, version: &ObjectVersion) -> Result<Option<Hold>, AwsError> {
    if legal_hold(bucket, version).await? {
        return Ok(Some(Hold::Legal));
    }
    Ok(retained_until(bucket, version).await?.map(Hold::Until))
}

async fn legal_hold(bucket: &Bucket, version: &ObjectVersion) -> Result<bool, AwsError> {
    let request = bucket.client.get_object_legal_hold().bucket(bucket.name.as_str());
    let request = request.expected_bucket_owner(bucket.owner.as_str());
    let request = request.key(version.key().as_str()).version_id(version.version().as_str());
    match request.send().await.map_err(|e| AwsError::of("GetObjectLegalHold", &e)) {
        Ok(output) => Ok(output.legal_hold.and_then(|h| h.status) == Some(ObjectLockLegalHoldStatus::On)),
        Err(error) => unlocked(error).map(|()| false),
    }
}

async fn retained_until(bucket: &Bucket, version: &ObjectVersion) -> Result<Option<Timestamp>, AwsError> {
    let request = bucket.client.get_object_retention().bucket(bucket.name.as_str());
    let request = request.expected_bucket_owner(bucket.owner.as_str());
    let request = request.key(version.key().as_str()).version_id(version.version().as_str());
    match request.send().await.map_err(|e| AwsError::of("GetObjectRetention", &e)) {
        Ok(output) => {
            let until = output.retention.and_then(|r| r.retain_until_date);
            Ok(until.and_then(|at| Timestamp::from_second(at.secs()).ok()))
        }
        Err(error) => unlocked(error).map(|()| None),
    }
}

/// A version or bucket without a lock answers 404 or 400, and one we may not ask about 403: no lock to be seen.
fn unlocked(error: AwsError) -> Result<(), AwsError> {
    match error.cause {
        Cause::NotFound | Cause::Refused | Cause::Denied => Ok(()),
        _ => Err(error),
    }
}
