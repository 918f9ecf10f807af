//! GetBucketEncryption: whether ETags of a bucket's objects are MD5 digests of their bodies.

use aws_sdk_s3::types::ServerSideEncryption;

use crate::{AwsError, Bucket};

/// Whether new objects are encrypted with S3's own keys, or not at all: then the ETag of an object put in one piece
/// is the MD5 of its body (API reference, "Object"). Where S3 does not say, no.
pub async fn etags_are_md5(bucket: &Bucket) -> Result<bool, AwsError> {
    let request = bucket.client.get_bucket_encryption().bucket(bucket.name.as_str());
    let output = request.expected_bucket_owner(bucket.owner.as_str()).send().await;
    match output.map_err(|e| AwsError::of("GetBucketEncryption", &e)) {
        Ok(output) => Ok(output.server_side_encryption_configuration.is_some_and(|configuration| {
            configuration.rules.iter().all(|rule| {
                let default = rule.apply_server_side_encryption_by_default.as_ref();
                default.is_none_or(|d| d.sse_algorithm == ServerSideEncryption::Aes256)
            })
        })),
        Err(error) if error.code == "ServerSideEncryptionConfigurationNotFoundError" => Ok(true),
        Err(error) => Err(error),
    }
}
