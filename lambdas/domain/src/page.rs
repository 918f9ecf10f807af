//! Pages: up to 1,000 object versions of one bucket and one account, one object in the manifest bucket.
//!
//! A page is JSON lines: a header, then `[key, version id, bytes, class]` a version. Pages are the only state of
//! planning: whoever takes over goes on after the last page of each shard.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, BucketName, DeletionId};
use crate::keys::{ObjectKey, ObjectVersion, VersionId};
use crate::layout::attempt_pages_prefix;
use crate::look::Listed;

/// Versions on a full page: what one DeleteObjects call takes (API reference, DeleteObjects).
pub const VERSIONS_PER_PAGE: usize = 1_000;
const SCHEMA: u32 = 1;

/// The first line of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    schema: u32,
    /// Whose deletion this is; checked against the record.
    pub deletion_id: DeletionId,
    /// Whose keys these are; every key must lie under this account's prefixes.
    pub account_id: AccountId,
    /// The attempt that planned the page.
    pub attempt: u32,
    /// The bucket of all its versions.
    pub bucket: BucketName,
    /// The bucket's region.
    pub region: String,
    count: usize,
}

/// A version on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which version.
    pub version: ObjectVersion,
    /// Bytes, for the metrics.
    pub size: u64,
    /// Storage class, or [`crate::tally::Tally::MARKER`].
    pub class: String,
}

#[derive(Serialize, Deserialize)]
struct Line(ObjectKey, VersionId, u64, String);

/// A whole page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What all its versions share.
    pub header: Header,
    /// The versions.
    pub rows: Vec<Row>,
}

/// Why a text is not a page. Keys are not repeated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the page {why}")]
pub struct NotAPage {
    line: usize,
    why: &'static str,
}

impl Page {
    /// Puts listed versions of one bucket on a page. `None` if there are none, too many, or two buckets.
    pub fn new(
        deletion: DeletionId,
        account: AccountId,
        attempt: u32,
        region: &str,
        listed: &[Listed],
    ) -> Option<Self> {
        let bucket = listed.first()?.version.bucket().clone();
        if listed.len() > VERSIONS_PER_PAGE || listed.iter().any(|l| *l.version.bucket() != bucket) {
            return None;
        }
        let row = |l: &Listed| Row {
            version: l.version.clone(),
            size: l.size,
            class: if l.marker { crate::tally::Tally::MARKER.to_owned() } else { l.class.clone() },
        };
        Some(Self {
            header: Header {
                schema: SCHEMA,
                deletion_id: deletion,
                account_id: account,
                attempt,
                bucket,
                region: region.to_owned(),
                count: listed.len(),
            },
            rows: listed.iter().map(row).collect(),
        })
    }

    /// The page as JSON lines.
    pub fn to_jsonl(&self) -> String {
        let plain = "keys and numbers are plain JSON";
        let mut text = serde_json::to_string(&self.header).expect(plain);
        for row in &self.rows {
            let line = Line(row.version.key().clone(), row.version.version().clone(), row.size, row.class.clone());
            text.push('\n');
            text.push_str(&serde_json::to_string(&line).expect(plain));
        }
        text
    }

    /// Reads JSON lines; the header's count must agree.
    pub fn parse(text: &str) -> Result<Self, NotAPage> {
        let mut lines = text.split('\n');
        let header: Header = lines
            .next()
            .and_then(|line| serde_json::from_str(line).ok())
            .ok_or(NotAPage { line: 1, why: "is not a header" })?;
        if header.schema != SCHEMA {
            return Err(NotAPage { line: 1, why: "names a schema this version does not know" });
        }
        // A packed page can hold millions of empty lines: what is more than a page is not even looked at.
        let rows: Vec<Row> = lines
            .take(VERSIONS_PER_PAGE + 1)
            .enumerate()
            .map(|(i, line)| Row::parse(line, &header.bucket).ok_or(NotAPage { line: i + 2, why: "is not a version" }))
            .collect::<Result<_, _>>()?;
        if rows.len() != header.count || rows.is_empty() || rows.len() > VERSIONS_PER_PAGE {
            return Err(NotAPage { line: 1, why: "has a count that is not the page's" });
        }
        Ok(Self { header, rows })
    }
}

impl Row {
    fn parse(line: &str, bucket: &BucketName) -> Option<Self> {
        let Line(key, version, size, class) = serde_json::from_str(line).ok()?;
        let version = VersionId::new(version.as_str())?;
        Some(Self { version: ObjectVersion::new(bucket.clone(), key, version), size, class })
    }

    /// The row as a listing would show it; what a page does not keep is empty.
    pub fn to_listed(&self) -> Listed {
        Listed {
            version: self.version.clone(),
            marker: self.class == crate::tally::Tally::MARKER,
            latest: false,
            size: self.size,
            class: self.class.clone(),
            etag: String::new(),
            modified_ms: 0,
        }
    }
}

/// The name of a page: who planned it, what part of the account it is, and its place there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageName {
    /// What part: a [`crate::shard::Shard`], or the tail of a bucket.
    pub shard: String,
    /// How often planning was taken over before; names of two planners never meet.
    pub epoch: u32,
    /// Place within shard and epoch.
    pub number: u32,
}

impl PageName {
    /// The shard name under which the remainders of a bucket's shards are gathered.
    pub fn tail(bucket: usize) -> String {
        format!("b{bucket}tail")
    }

    /// The page's key in the manifest bucket.
    pub fn key(&self, deletion: &DeletionId, attempt: u32) -> ObjectKey {
        ObjectKey::new(format!("{}{self}.jsonl.zst", attempt_pages_prefix(deletion, attempt)))
    }

    /// Reads the last segment of a page's key.
    pub fn parse(key: &ObjectKey) -> Option<Self> {
        let (_folder, file) = key.as_str().rsplit_once('/')?;
        let mut parts = file.strip_suffix(".jsonl.zst")?.split('-');
        let (epoch, shard, number) = (parts.next()?, parts.next()?, parts.next()?);
        let name = Self { shard: shard.to_owned(), epoch: epoch.parse().ok()?, number: number.parse().ok()? };
        // A dot would end the name in the key of its outcome.
        let is_sound = !shard.is_empty() && shard.bytes().all(|b| b.is_ascii_alphanumeric());
        (parts.next().is_none() && is_sound).then_some(name)
    }
}

impl fmt::Display for PageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:06}", self.epoch, self.shard, self.number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn page(keys: &[String]) -> Option<Page> {
        let bucket = BucketName::parse("photolala-dev").unwrap();
        let listed: Vec<Listed> = keys
            .iter()
            .map(|key| Listed {
                version: ObjectVersion::new(bucket.clone(), ObjectKey::new(key), VersionId::new("null").unwrap()),
                marker: false,
                latest: true,
                size: 3,
                class: "DEEP_ARCHIVE".to_owned(),
                etag: String::new(),
                modified_ms: 0,
            })
            .collect();
        let account = AccountId::parse("0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9").unwrap();
        Page::new(DeletionId::new(Uuid::from_u128(7)), account, 2, "us-east-1", &listed)
    }

    proptest! {
        #[test]
        fn any_key_survives_a_page(keys in proptest::collection::vec("[ -~\n\r\u{1}é𝄞\"\\\\]{1,12}", 1..9)) {
            let page = page(&keys).unwrap();
            prop_assert_eq!(Page::parse(&page.to_jsonl()).unwrap(), page);
        }

        #[test]
        fn reading_rubbish_is_an_error_not_a_panic(text in "\\PC{0,80}") {
            prop_assert!(Page::parse(&text).is_err());
        }
    }

    #[test]
    fn a_shortened_page_is_refused() {
        let whole = page(&["a".to_owned(), "b".to_owned()]).unwrap().to_jsonl();
        let (shortened, _) = whole.rsplit_once('\n').unwrap();
        assert_eq!(Page::parse(shortened).unwrap_err().why, "has a count that is not the page's");
    }

    #[test]
    fn what_is_more_than_a_page_is_not_read() {
        let whole = page(&vec!["a".to_owned(); VERSIONS_PER_PAGE]).unwrap().to_jsonl();
        let (_, row) = whole.rsplit_once('\n').unwrap();
        let error = Page::parse(&format!("{whole}\n{row}\nrubbish")).unwrap_err();
        assert_eq!(error.why, "has a count that is not the page's", "the rubbish was not reached");
    }

    #[test]
    fn a_page_is_never_empty_nor_too_long() {
        assert_eq!(page(&[]), None);
        assert_eq!(page(&vec!["a".to_owned(); VERSIONS_PER_PAGE + 1]), None);
    }

    #[test]
    fn names_read_back() {
        let name = PageName { shard: "b0p3r5a".to_owned(), epoch: 1, number: 42 };
        let key = name.key(&DeletionId::new(Uuid::from_u128(7)), 2);
        assert!(key.as_str().ends_with("/2/1-b0p3r5a-000042.jsonl.zst"));
        assert_eq!(PageName::parse(&key), Some(name));
        assert_eq!(PageName::parse(&ObjectKey::new("pages/d/2/1-b0.tail-000042.jsonl.zst")), None, "a dot");
    }
}
