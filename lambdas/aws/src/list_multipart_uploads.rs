//! ListMultipartUploads: unfinished uploads, which no listing of objects shows.

use aws_sdk_s3::types::{EncodingType, MultipartUpload};
use domain::keys::EncodedKey;
use domain::look::Upload;

use crate::{AwsError, Bucket};

const OPERATION: &str = "ListMultipartUploads";

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadMarker {
    key: String,
    id: Option<String>,
}

/// One page of unfinished uploads under a prefix; the empty prefix is the whole bucket.
/// IAM has no prefix condition for this operation, so asking for all costs no more rights.
pub async fn list_multipart_uploads(
    bucket: &Bucket,
    prefix: &str,
    after: Option<&UploadMarker>,
) -> Result<(Vec<Upload>, Option<UploadMarker>), AwsError> {
    let output = bucket
        .client
        .list_multipart_uploads()
        .bucket(bucket.name.as_str())
        .expected_bucket_owner(bucket.owner.as_str())
        .encoding_type(EncodingType::Url)
        .set_prefix((!prefix.is_empty()).then(|| prefix.to_owned()))
        .set_key_marker(after.map(|m| m.key.clone()))
        .set_upload_id_marker(after.and_then(|m| m.id.clone()))
        .send()
        .await
        .map_err(|e| AwsError::of(OPERATION, &e))?;
    let unreadable = || AwsError::contradiction(OPERATION, "UnreadableEntry");
    let next = match (output.is_truncated, output.next_key_marker) {
        (Some(true), Some(key)) => {
            let key = EncodedKey(&key).decode().map_err(|_| unreadable())?.as_str().to_owned();
            Some(UploadMarker { key, id: output.next_upload_id_marker.filter(|id| !id.is_empty()) })
        }
        (Some(true), None) => return Err(unreadable()),
        _ => None,
    };
    let uploads: Option<Vec<Upload>> = output.uploads.unwrap_or_default().into_iter().map(upload).collect();
    let uploads = uploads.ok_or_else(unreadable)?;
    if uploads.iter().any(|u| !u.key.as_str().starts_with(prefix)) {
        return Err(AwsError::contradiction(OPERATION, "KeyOutsidePrefix"));
    }
    Ok((uploads, next))
}

fn upload(upload: MultipartUpload) -> Option<Upload> {
    Some(Upload { key: EncodedKey(&upload.key?).decode().ok()?, id: upload.upload_id? })
}
