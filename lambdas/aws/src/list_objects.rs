//! ListObjectsV2: the service's own objects in the manifest bucket.

use aws_sdk_s3::types::EncodingType;
use domain::keys::{EncodedKey, ObjectKey};
use tokio::time::Instant;

use crate::retry::retrying;
use crate::{AwsError, Bucket};

const OPERATION: &str = "ListObjectsV2";

/// An object of ours.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its key.
    pub key: ObjectKey,
    /// When S3 wrote it, in seconds since 1970.
    pub modified: i64,
}

/// Every object under a prefix, in byte order. The prefixes asked for hold one deletion's objects, or one object
/// a deletion under way, never one a photo.
pub async fn list_objects(bucket: &Bucket, prefix: &str, deadline: Instant) -> Result<Vec<Object>, AwsError> {
    let mut objects = Vec::new();
    let mut token = None;
    loop {
        let (mut page, next) = retrying(deadline, async || list_page(bucket, prefix, token.clone()).await).await?;
        objects.append(&mut page);
        match next {
            Some(next) => token = Some(next),
            None => return Ok(objects),
        }
    }
}

/// One page of up to 1,000 objects, and the token of the next.
pub async fn list_page(
    bucket: &Bucket,
    prefix: &str,
    token: Option<String>,
) -> Result<(Vec<Object>, Option<String>), AwsError> {
    let output = bucket
        .client
        .list_objects_v2()
        .bucket(bucket.name.as_str())
        .expected_bucket_owner(bucket.owner.as_str())
        .encoding_type(EncodingType::Url)
        .prefix(prefix)
        .set_continuation_token(token)
        .send()
        .await
        .map_err(|e| AwsError::of(OPERATION, &e))?;
    let unreadable = || AwsError::contradiction(OPERATION, "UnreadableEntry");
    let next = match (output.is_truncated, output.next_continuation_token) {
        (Some(true), None) => return Err(unreadable()),
        (Some(true), token) => token,
        _ => None,
    };
    let object = |o: aws_sdk_s3::types::Object| {
        Some(Object { key: EncodedKey(&o.key?).decode().ok()?, modified: o.last_modified?.secs() })
    };
    let objects = output.contents.unwrap_or_default().into_iter().map(object).collect::<Option<_>>();
    Ok((objects.ok_or_else(unreadable)?, next))
}
