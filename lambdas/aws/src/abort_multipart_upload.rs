//! AbortMultipartUpload: an unfinished upload and its parts are gone.

use domain::look::Upload;

use crate::{AwsError, Bucket, Cause};

/// Aborts an upload; one that is gone already is done.
pub async fn abort_multipart_upload(bucket: &Bucket, upload: &Upload) -> Result<(), AwsError> {
    let answer = bucket
        .client
        .abort_multipart_upload()
        .bucket(bucket.name.as_str())
        .expected_bucket_owner(bucket.owner.as_str())
        .key(upload.key.as_str())
        .upload_id(&upload.id)
        .send()
        .await
        .map_err(|e| AwsError::of("AbortMultipartUpload", &e));
    match answer {
        Err(error) if error.cause == Cause::NotFound && error.code != "NoSuchBucket" => Ok(()),
        other => other.map(|_| ()),
    }
}
