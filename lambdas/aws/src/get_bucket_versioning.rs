//! GetBucketVersioning: how a bucket keeps versions.

use aws_sdk_s3::types::BucketVersioningStatus;
use domain::mapping::BucketKind;

use crate::{AwsError, Bucket};

/// Asks how a bucket keeps versions.
pub async fn get_bucket_versioning(bucket: &Bucket) -> Result<BucketKind, AwsError> {
    let request = bucket.client.get_bucket_versioning().bucket(bucket.name.as_str());
    let output = request.expected_bucket_owner(bucket.owner.as_str()).send().await;
    let status = output.map_err(|e| AwsError::of("GetBucketVersioning", &e))?.status;
    match status {
        None => Ok(BucketKind::Unversioned),
        Some(BucketVersioningStatus::Enabled) => Ok(BucketKind::Versioned),
        Some(BucketVersioningStatus::Suspended) => Ok(BucketKind::Suspended),
        Some(_) => Err(AwsError::contradiction("GetBucketVersioning", "UnknownStatus")),
    }
}
