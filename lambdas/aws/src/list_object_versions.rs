//! ListObjectVersions: every version and delete marker under a prefix, a page at a time.

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{DeleteMarkerEntry, EncodingType, ObjectVersion as SdkVersion};
use domain::keys::{EncodedKey, ObjectKey, ObjectVersion, VersionId};
use domain::look::Listed;
use fault_point::planted;

use crate::{AwsError, Bucket};

const OPERATION: &str = "ListObjectVersions";

/// Where a listing goes on: after this key, or after this version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// `key-marker`.
    pub key: String,
    /// `version-id-marker`.
    pub version: Option<String>,
}

/// One page. `next` is there exactly if S3 said it was truncated.
#[derive(Debug)]
pub struct Versions {
    /// Versions and markers, by key, newest first within a key.
    pub listed: Vec<Listed>,
    /// Where to go on.
    pub next: Option<Marker>,
}

/// Lists one page of up to 1,000 versions.
pub async fn list_object_versions(bucket: &Bucket, prefix: &str, after: Option<&Marker>) -> Result<Versions, AwsError> {
    let output = bucket
        .client
        .list_object_versions()
        .bucket(bucket.name.as_str())
        .expected_bucket_owner(bucket.owner.as_str())
        .encoding_type(EncodingType::Url)
        .prefix(prefix)
        .set_key_marker(after.map(|m| m.key.clone()))
        .set_version_id_marker(after.and_then(|m| m.version.clone()))
        .send()
        .await
        .map_err(|e| AwsError::of(OPERATION, &e))?;
    read(bucket, prefix, output)
}

fn read(bucket: &Bucket, prefix: &str, output: ListObjectVersionsOutput) -> Result<Versions, AwsError> {
    let next = next(&output)?.filter(|_| !planted!("pages-first"));
    // A listing that does not move on would never end.
    let asked = Marker {
        key: output
            .key_marker
            .as_deref()
            .and_then(|k| EncodedKey(k).decode().ok())
            .map_or_else(String::new, |k| k.as_str().to_owned()),
        version: output.version_id_marker.clone(),
    };
    if next.as_ref() == Some(&asked) {
        return Err(AwsError::contradiction(OPERATION, "MarkerDoesNotMove"));
    }
    let versions = output.versions.unwrap_or_default().into_iter().map(|v| version(bucket, v));
    let markers = output.delete_markers.filter(|_| !planted!("d8-markers-unseen")).unwrap_or_default();
    let markers = markers.into_iter().map(|m| marker(bucket, m));
    let mut listed: Vec<Listed> = versions.chain(markers).collect::<Option<_>>().ok_or_else(unreadable)?;
    // What lies outside the prefix was not asked for, and must never be erased.
    if listed.iter().any(|l| !l.version.key().as_str().starts_with(prefix)) {
        return Err(AwsError::contradiction(OPERATION, "KeyOutsidePrefix"));
    }
    // The SDK hands versions and markers over apart; put together again, newest first within a key.
    listed.sort_by(|a, b| {
        let (a_key, b_key) = (a.version.key(), b.version.key());
        a_key.cmp(b_key).then(b.latest.cmp(&a.latest)).then(b.modified_ms.cmp(&a.modified_ms))
    });
    Ok(Versions { listed, next })
}

fn unreadable() -> AwsError {
    AwsError::contradiction(OPERATION, "UnreadableEntry")
}

/// A truncated page without a marker would end the listing early: an error, not an end.
fn next(output: &ListObjectVersionsOutput) -> Result<Option<Marker>, AwsError> {
    if output.is_truncated != Some(true) {
        return Ok(None);
    }
    let key = output.next_key_marker.as_deref().filter(|k| !k.is_empty()).ok_or_else(unreadable)?;
    let key = EncodedKey(key).decode().map_err(|_| unreadable())?;
    let version = output.next_version_id_marker.clone().filter(|v| !v.is_empty());
    Ok(Some(Marker { key: key.as_str().to_owned(), version }))
}

fn name(bucket: &Bucket, key: Option<String>, version: Option<String>) -> Option<ObjectVersion> {
    let key: ObjectKey = EncodedKey(&key?).decode().ok()?;
    Some(ObjectVersion::new(bucket.name.clone(), key, VersionId::new(version?)?))
}

fn millis(at: Option<DateTime>) -> i64 {
    at.and_then(|at| at.to_millis().ok()).unwrap_or_default()
}

fn version(bucket: &Bucket, v: SdkVersion) -> Option<Listed> {
    Some(Listed {
        version: name(bucket, v.key, v.version_id)?,
        marker: false,
        latest: v.is_latest.unwrap_or_default(),
        size: v.size.and_then(|s| u64::try_from(s).ok()).unwrap_or_default(),
        class: v.storage_class.map_or_else(|| "STANDARD".to_owned(), |c| c.as_str().to_owned()),
        etag: v.e_tag.unwrap_or_default().trim_matches('"').to_owned(),
        modified_ms: millis(v.last_modified),
    })
}

fn marker(bucket: &Bucket, m: DeleteMarkerEntry) -> Option<Listed> {
    Some(Listed {
        version: name(bucket, m.key, m.version_id)?,
        marker: true,
        latest: m.is_latest.unwrap_or_default(),
        size: 0,
        class: String::new(),
        etag: String::new(),
        modified_ms: millis(m.last_modified),
    })
}
