//! What a listing says.

use crate::keys::ObjectVersion;

/// One row of a ListObjectVersions answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which version.
    pub version: ObjectVersion,
    /// Whether it is a delete marker.
    pub marker: bool,
    /// Whether it is what a GET without a version answers.
    pub latest: bool,
    /// Bytes; 0 for a marker.
    pub size: u64,
    /// Storage class; empty for a marker.
    pub class: String,
    /// ETag without quotes; empty for a marker.
    pub etag: String,
    /// When S3 wrote it, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// An unfinished multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The key it would become.
    pub key: crate::keys::ObjectKey,
    /// The upload id.
    pub id: String,
}
