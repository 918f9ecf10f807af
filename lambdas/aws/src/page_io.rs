//! Pages as objects: compressed JSON lines.

use domain::ids::DeletionId;
use domain::keys::ObjectKey;
use domain::page::{Page, PageName};

use crate::get_object::get_object;
use crate::put_object::{Condition, put_own};
use crate::{AwsError, Bucket, Cause};

/// Level 3: keys share long prefixes, higher levels gain little.
const LEVEL: i32 = 3;
/// Bytes of an uncompressed page at most: 1,000 keys of 1,024 bytes, each byte escaped, and their version ids.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A page ready to be written, about a tenth of the size of what it was made from.
#[derive(Debug)]
pub struct PackedPage {
    key: ObjectKey,
    body: Vec<u8>,
}

/// Packs a page under its name.
pub fn pack(page: &Page, name: &PageName) -> PackedPage {
    let body = zstd::bulk::compress(page.to_jsonl().as_bytes(), LEVEL).expect("compressing in memory cannot fail");
    PackedPage { key: name.key(&page.header.deletion_id, page.header.attempt), body }
}

/// Writes a page that must not be there yet. One that is there under this name was written by this very planner,
/// whose answer got lost: names carry the planner's epoch.
pub async fn put_page(manifest: &Bucket, page: &PackedPage) -> Result<(), AwsError> {
    match put_own(manifest, &page.key, page.body.clone(), Condition::Absent).await {
        Err(error) if error.cause == Cause::Condition && error.status == Some(412) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// S3 did not hand it over.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// There is no such page.
    #[error("there is no such page")]
    Absent,
    /// It is not a page of ours.
    #[error("the page cannot be read: {0}")]
    Malformed(String),
}

/// Reads a page.
pub async fn get_page(manifest: &Bucket, key: &ObjectKey) -> Result<Page, PageError> {
    let got = get_object(manifest, key, None).await?.ok_or(PageError::Absent)?;
    let text = zstd::bulk::decompress(&got.body, PAGE_BYTES_MAX).map_err(|_| malformed("not zstd"))?;
    let text = String::from_utf8(text).map_err(|_| malformed("not UTF-8"))?;
    Page::parse(&text).map_err(|e| PageError::Malformed(e.to_string()))
}

fn malformed(why: &str) -> PageError {
    PageError::Malformed(why.to_owned())
}

/// A page's name and the deletion and attempt its key speaks of.
pub fn read_page_key(key: &ObjectKey) -> Option<(DeletionId, u32, PageName)> {
    let mut parts = key.as_str().strip_prefix("pages/")?.split('/');
    let (deletion, attempt) = (DeletionId::parse(parts.next()?)?, parts.next()?.parse().ok()?);
    let name = PageName::parse(key)?;
    (name.key(&deletion, attempt) == *key).then_some((deletion, attempt, name))
}
