use std::sync::Arc;

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::ServerSideEncryption,
};
use bytes::Bytes;

use crate::{
    job::{JobFailure, Manifest, ManifestField},
    keys,
};

/// Most characters of a key cell (UG/batch-ops-invoke-lambda); encoded or decoded is not said, so encoded.
const KEY_CELL_MAX: usize = 1024;
/// Most bytes of a version id.
const VERSION_MAX: usize = 1024;

/// One row of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) bucket: Arc<str>,
    /// The key as the manifest has it, percent-encoded.
    pub(crate) cell: Box<str>,
    /// `None` without a version column; an empty cell fails the task.
    pub(crate) version: Option<Box<str>>,
}

impl Task {
    /// Whether the version column exists and is empty here.
    pub(crate) fn lacks_version(&self) -> bool {
        self.version.as_deref() == Some("")
    }
}

/// Reads the manifest object if it still is the one the job was created with, and all its rows.
pub(crate) async fn read(s3: &Client, manifest: &Manifest) -> Result<Vec<Task>, JobFailure> {
    check_object(s3, manifest).await?;
    let body = get(s3, manifest).await?;
    rows(&body, &manifest.fields)
}

async fn check_object(s3: &Client, manifest: &Manifest) -> Result<(), JobFailure> {
    let head = s3.head_object().bucket(&manifest.bucket).key(&manifest.key).set_version_id(manifest.version.clone());
    let head = head.send().await.map_err(|error| unreadable(&error))?;
    // Only inventory reports may be encrypted with KMS (UG/batch-ops-create-job).
    let kms =
        matches!(head.server_side_encryption(), Some(ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse));
    if kms {
        return Err(content("Manifest file is encrypted with SSE-KMS, which is not supported for CSV manifests"));
    }
    same_etag(manifest, head.e_tag())
}

async fn get(s3: &Client, manifest: &Manifest) -> Result<Bytes, JobFailure> {
    let object = s3.get_object().bucket(&manifest.bucket).key(&manifest.key).set_version_id(manifest.version.clone());
    let object = object.send().await.map_err(|error| unreadable(&error))?;
    same_etag(manifest, object.e_tag())?;
    let body = object.body.collect().await;
    body.map(|body| body.into_bytes())
        .map_err(|error| JobFailure::new("ManifestUnreadable", format!("Reading the manifest failed: {error}")))
}

/// AWS's samples pass the ETag without the quotes S3 answers with.
fn same_etag(manifest: &Manifest, found: Option<&str>) -> Result<(), JobFailure> {
    let found = found.unwrap_or_default().trim_matches('"');
    if found == manifest.etag {
        return Ok(());
    }
    let reason = format!("The manifest's ETag is {found}, not {} as given to CreateJob", manifest.etag);
    Err(JobFailure::new("ManifestETagMismatch", reason))
}

fn unreadable<E: ProvideErrorMetadata>(error: &SdkError<E>) -> JobFailure {
    let status = error.raw_response().map(|response| response.status().as_u16());
    match (status, error.code()) {
        (Some(403), _) => JobFailure::new("ManifestForbidden", "Reading the manifest is forbidden: AccessDenied"),
        (Some(404), _) => JobFailure::new(
            "ManifestNotFound",
            "Reading the manifest failed: the object, its version or its bucket does not exist",
        ),
        (Some(status), code) => JobFailure::new(
            "ManifestUnreadable",
            format!("Reading the manifest failed: {status} {}", code.unwrap_or_default()),
        ),
        (None, _) => JobFailure::new("ManifestUnreadable", format!("Reading the manifest failed: {error}")),
    }
}

/// The rows of a CSV manifest, or what is wrong with the first bad line.
/// Strict where AWS's pages give a rule: UTF-8 without BOM, no header, no blank lines, one column count,
/// no spaces around cells, no quoting, one bucket.
fn rows(body: &[u8], fields: &[ManifestField]) -> Result<Vec<Task>, JobFailure> {
    let text =
        std::str::from_utf8(body).map_err(|_| content("Manifest file is not properly formatted: it is not UTF-8"))?;
    if text.starts_with('\u{feff}') {
        return Err(content("Manifest file is not properly formatted: it starts with a byte order mark"));
    }
    if text.is_empty() {
        return Err(content("Invalid Manifest Content: the manifest is empty"));
    }
    let lines = text.strip_suffix('\n').unwrap_or(text).split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let mut tasks: Vec<Task> = Vec::new();
    for (index, line) in lines.enumerate() {
        let bucket = tasks.last().map(|task| &task.bucket);
        let task = row(line, fields, bucket).map_err(|what| content(format!("{what} (line {})", index + 1)))?;
        tasks.push(task);
    }
    Ok(tasks)
}

fn row(line: &str, fields: &[ManifestField], bucket: Option<&Arc<str>>) -> Result<Task, String> {
    let cells: Vec<&str> = line.split(',').collect();
    if cells.len() != fields.len() {
        return Err(malformed(&format!("{} columns instead of {}", cells.len(), fields.len())));
    }
    if cells.iter().any(|cell| cell.trim() != *cell || cell.contains(['"', '\r', '\t'])) {
        return Err(malformed("quotes, tabs or spaces around a cell"));
    }
    let cell = |field| fields.iter().position(|other| *other == field).map(|index| cells[index]);
    Ok(Task {
        bucket: bucket_cell(cell(ManifestField::Bucket).unwrap_or_default(), bucket)?,
        cell: key_cell(cell(ManifestField::Key).unwrap_or_default())?.into(),
        version: cell(ManifestField::VersionId).map(version_cell).transpose()?.map(Into::into),
    })
}

/// A manifest is "contained within a single bucket" (UG/batch-ops), so another bucket is refused.
fn bucket_cell(cell: &str, before: Option<&Arc<str>>) -> Result<Arc<str>, String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    match before {
        Some(bucket) if **bucket == *cell => Ok(Arc::clone(bucket)),
        Some(bucket) => Err(malformed(&format!("the bucket {cell} beside {bucket}"))),
        None if (3..=63).contains(&cell.len()) && cell.bytes().all(allowed) => Ok(cell.into()),
        None => Err(malformed(&format!("{cell:?} is not a bucket's name"))),
    }
}

fn key_cell(cell: &str) -> Result<&str, String> {
    let fits = (1..=KEY_CELL_MAX).contains(&cell.chars().count()) && keys::decode_cell(cell).is_some();
    if fits { Ok(cell) } else { Err("Invalid object key format".into()) }
}

fn version_cell(cell: &str) -> Result<&str, String> {
    let fits = cell.len() <= VERSION_MAX && cell.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(cell) } else { Err("Invalid version ID format".into()) }
}

fn malformed(what: &str) -> String {
    format!("Manifest file is not properly formatted: {what}")
}

fn content(reason: impl AsRef<str>) -> JobFailure {
    JobFailure::new("InvalidManifestContent", reason)
}

#[cfg(test)]
mod tests {
    use super::{ManifestField::*, Task, rows};

    fn task(cell: &str, version: Option<&str>) -> Task {
        Task { bucket: "bkt".into(), cell: cell.into(), version: version.map(Into::into) }
    }

    #[test]
    fn rows_follow_the_fields() {
        assert_eq!(rows(b"bkt,a%20b\nbkt,c\n", &[Bucket, Key]).unwrap(), [task("a%20b", None), task("c", None)]);
        assert_eq!(
            rows(b"x,v1,k,bkt\r\n,,l,bkt", &[Ignore, VersionId, Key, Bucket]).unwrap(),
            [task("k", Some("v1")), task("l", Some(""))]
        );
    }

    #[test]
    fn a_missing_version_is_told_from_no_version() {
        assert!(task("k", Some("")).lacks_version());
        assert!(!task("k", Some("null")).lacks_version() && !task("k", None).lacks_version());
    }

    #[test]
    fn bad_content_is_refused_with_its_line() {
        let long = format!("bkt,{}", "k".repeat(1025));
        let cases: [(&[u8], &str); 14] = [
            (b"", "empty"),
            (b"\xef\xbb\xbfbkt,k", "byte order mark"),
            (b"bkt,\xff", "UTF-8"),
            (b"bkt,k\n\nbkt,l\n", "columns instead of 2 (line 2)"),
            (b"bkt,k\nbkt,l,m", "3 columns instead of 2 (line 2)"),
            (b"Bucket,Key\nbkt,k", "\"Bucket\" is not a bucket's name (line 1)"),
            (b"bkt,k \n", "spaces around"),
            (b"bkt,\"k\"", "quotes"),
            (b"bkt,k\nabc,k", "the bucket abc beside bkt"),
            (b"bkt,", "Invalid object key format"),
            (b"bkt,%zz", "Invalid object key format"),
            (b"bkt,%ff", "Invalid object key format"),
            (long.as_bytes(), "Invalid object key format"),
            (b"bkt,k\n\n", "(line 2)"),
        ];
        for (body, text) in cases {
            let failure = rows(body, &[Bucket, Key]).unwrap_err();
            assert_eq!(failure.code, "InvalidManifestContent");
            assert!(failure.reason.contains(text), "{} without {text}", failure.reason);
        }
        assert!(
            rows("bkt,k,é".as_bytes(), &[Bucket, Key, VersionId])
                .unwrap_err()
                .reason
                .contains("Invalid version ID format")
        );
    }
}
