//! DeleteObject: for keys that XML cannot carry, and for deletes with a condition.

use domain::keys::{ObjectKey, ObjectVersion};
use fault_point::planted;

use crate::{AwsError, Bucket};

const OPERATION: &str = "DeleteObject";

/// Erases one version.
pub async fn delete_version(bucket: &Bucket, version: &ObjectVersion) -> Result<(), AwsError> {
    let request = bucket.client.delete_object().bucket(bucket.name.as_str());
    let request = request.expected_bucket_owner(bucket.owner.as_str());
    let request = request.key(version.key().as_str()).version_id(version.version().as_str());
    request.send().await.map(|_| ()).map_err(|e| AwsError::of(OPERATION, &e))
}

/// Deletes the key as it is now, if its ETag is still this. Where versions are kept this adds a delete marker.
pub async fn delete_if_match(bucket: &Bucket, key: &ObjectKey, etag: &str) -> Result<(), AwsError> {
    let request = bucket.client.delete_object().bucket(bucket.name.as_str());
    let request = request.expected_bucket_owner(bucket.owner.as_str());
    let condition = Some(format!("\"{etag}\"")).filter(|_| !planted!("sever-anybody"));
    let request = request.key(key.as_str()).set_if_match(condition);
    request.send().await.map(|_| ()).map_err(|e| AwsError::of(OPERATION, &e))
}

/// Deletes an object of our own in the manifest bucket.
pub async fn delete_own(bucket: &Bucket, key: &ObjectKey) -> Result<(), AwsError> {
    let request = bucket.client.delete_object().bucket(bucket.name.as_str());
    let request = request.expected_bucket_owner(bucket.owner.as_str()).key(key.as_str());
    request.send().await.map(|_| ()).map_err(|e| AwsError::of(OPERATION, &e))
}
