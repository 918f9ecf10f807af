//! PutObject: with a condition wherever somebody else may write too.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use domain::keys::{ObjectKey, VersionId};

use crate::{AwsError, Bucket};

/// What must hold for a write to happen (S3 User Guide, "Conditional writes").
#[derive(Debug, Clone, Copy)]
pub enum Condition<'a> {
    /// Nothing: the body is the same whoever writes it.
    None,
    /// There is no such object.
    Absent,
    /// The current ETag is this.
    Etag(&'a str),
}

/// What S3 says of a write.
#[derive(Debug, Clone)]
pub struct Written {
    /// ETag without quotes.
    pub etag: String,
    /// The new version; the null version where none are kept.
    pub version: VersionId,
}

/// Writes an object.
pub async fn put_object(
    bucket: &Bucket,
    key: &ObjectKey,
    body: Vec<u8>,
    content_type: &str,
    condition: Condition<'_>,
) -> Result<Written, AwsError> {
    put(bucket, key, body, content_type, condition, None).await
}

/// Writes one of our own objects into the manifest bucket and says its ETag, with SSE-S3 whatever the bucket's default:
/// S3 Batch Operations cannot read a CSV manifest encrypted with a KMS key.
pub async fn put_own(
    bucket: &Bucket,
    key: &ObjectKey,
    body: Vec<u8>,
    condition: Condition<'_>,
) -> Result<String, AwsError> {
    let encryption = Some(ServerSideEncryption::Aes256);
    put(bucket, key, body, "application/octet-stream", condition, encryption).await.map(|written| written.etag)
}

async fn put(
    bucket: &Bucket,
    key: &ObjectKey,
    body: Vec<u8>,
    content_type: &str,
    condition: Condition<'_>,
    encryption: Option<ServerSideEncryption>,
) -> Result<Written, AwsError> {
    let request = bucket.client.put_object().bucket(bucket.name.as_str()).key(key.as_str());
    let request = request.expected_bucket_owner(bucket.owner.as_str()).content_type(content_type);
    let request = request.set_server_side_encryption(encryption).body(ByteStream::from(body));
    let request = match condition {
        Condition::None => request,
        Condition::Absent => request.if_none_match("*"),
        Condition::Etag(etag) => request.if_match(format!("\"{etag}\"")),
    };
    let output = request.send().await.map_err(|e| AwsError::of("PutObject", &e))?;
    let version = output.version_id.and_then(VersionId::new).unwrap_or_else(VersionId::null);
    Ok(Written { etag: output.e_tag.unwrap_or_default().trim_matches('"').to_owned(), version })
}
