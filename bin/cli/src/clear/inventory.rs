//! What lies under the prefix, counted by bucket and kind. It holds no key.

use std::fmt;

use domain::Timestamp;
use domain::look::{Listed, Upload};
use domain::tally::SetDigest;
use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use super::PREFIX;
use crate::table;

/// The folders that the earlier system wrote.
const KINDS: [&str; 3] = ["manifests/", "reports/", "metadata/"];

/// Counts, and the digest of every version and delete marker in them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// Of versions and delete markers, not of uploads.
    pub digest: SetDigest,
    /// A row a bucket and kind, sorted.
    pub rows: Vec<Row>,
}

/// What lies in one bucket of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The bucket.
    pub bucket: String,
    /// `manifests/`, `reports/`, `metadata/` or `other`.
    pub kind: &'static str,
    /// Versions of objects.
    pub versions: u64,
    /// Delete markers.
    pub delete_markers: u64,
    /// Bytes of the versions.
    pub bytes: u64,
    /// Unfinished uploads.
    pub uploads: u64,
    /// Day of the oldest version or marker, in UTC.
    pub oldest: Option<String>,
    /// Day of the newest version or marker, in UTC.
    pub newest: Option<String>,
}

impl Inventory {
    /// Counts a version or delete marker.
    pub fn add(&mut self, listed: &Listed) {
        self.digest.add(&listed.version);
        let row = self.row(listed.version.bucket().as_str(), listed.version.key().as_str());
        if listed.marker {
            row.delete_markers += 1;
        } else {
            row.versions += 1;
            row.bytes += listed.size;
        }
        let day = day(listed.modified_ms);
        row.oldest = row.oldest.take().map_or(Some(day.clone()), |oldest| Some(oldest.min(day.clone())));
        row.newest = row.newest.take().map_or(Some(day.clone()), |newest| Some(newest.max(day)));
    }

    /// Counts an unfinished upload.
    pub fn add_upload(&mut self, bucket: &str, upload: &Upload) {
        self.row(bucket, upload.key.as_str()).uploads += 1;
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn row(&mut self, bucket: &str, key: &str) -> &mut Row {
        let kind = kind(key);
        let place = self.rows.binary_search_by(|row| (row.bucket.as_str(), row.kind).cmp(&(bucket, kind)));
        let place = place.unwrap_or_else(|place| {
            self.rows.insert(place, Row { bucket: bucket.to_owned(), kind, ..Row::default() });
            place
        });
        &mut self.rows[place]
    }
}

/// The folder under the prefix that a key lies in.
fn kind(key: &str) -> &'static str {
    let rest = key.strip_prefix(PREFIX).unwrap_or_default();
    KINDS.into_iter().find(|kind| rest.starts_with(kind)).unwrap_or("other")
}

/// The day of a moment in milliseconds since 1970, in UTC.
pub fn day(modified_ms: i64) -> String {
    let at = Timestamp::from_millisecond(modified_ms).unwrap_or_default();
    at.to_string().chars().take("2026-01-02".len()).collect()
}

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = ["bucket", "kind", "versions", "delete markers", "bytes", "uploads", "oldest", "newest"];
        let mut table = table::with_header(columns);
        for row in &self.rows {
            let count = |count: u64| HumanCount(count).to_string();
            let bytes = HumanBytes(row.bytes).to_string();
            let date = |day: &Option<String>| day.clone().unwrap_or_default();
            let Row { bucket, kind, versions, delete_markers, uploads, oldest, newest, .. } = row;
            let counts = [count(*versions), count(*delete_markers), bytes, count(*uploads)];
            table.add_row(
                [bucket.clone(), (*kind).to_owned()].into_iter().chain(counts).chain([date(oldest), date(newest)]),
            );
        }
        write!(f, "{table}\ndigest of the versions and delete markers: {}", self.digest.to_hex())
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::BucketName;
    use domain::keys::{ObjectKey, ObjectVersion, VersionId};

    use super::*;

    const JANUARY_2: i64 = 1_767_312_000_000;
    const DAY: i64 = 86_400_000;

    fn listed(bucket: &str, key: &str, size: u64, modified_ms: i64) -> Listed {
        let bucket = BucketName::parse(bucket).unwrap();
        Listed {
            version: ObjectVersion::new(bucket, ObjectKey::new(key), VersionId::new("v1").unwrap()),
            marker: size == 0,
            latest: true,
            size,
            class: String::new(),
            etag: String::new(),
            modified_ms,
        }
    }

    #[test]
    fn kinds_are_the_folders_of_the_earlier_system() {
        assert_eq!(kind("batch-jobs/manifests/1/A-manifest.csv"), "manifests/");
        assert_eq!(kind("batch-jobs/reports/1/A/job-x/manifest.json"), "reports/");
        assert_eq!(kind("batch-jobs/metadata/x.json"), "metadata/");
        for key in ["batch-jobs/", "batch-jobs/manifests", "batch-jobs/manifestsx/1", "batch-jobs/x/metadata/1"] {
            assert_eq!(kind(key), "other", "{key}");
        }
    }

    #[test]
    fn rows_tell_counts_bytes_and_days_by_bucket_and_kind() {
        let mut inventory = Inventory::default();
        inventory.add(&listed("photolala-one", "batch-jobs/reports/1", 5, JANUARY_2 + DAY));
        inventory.add(&listed("photolala-one", "batch-jobs/reports/2", 7, JANUARY_2));
        inventory.add(&listed("photolala-one", "batch-jobs/reports/3", 0, JANUARY_2 + 2 * DAY));
        inventory.add(&listed("photolala-one", "batch-jobs/metadata/1", 9, JANUARY_2));
        inventory.add(&listed("photolala-eno", "batch-jobs/reports/1", 11, JANUARY_2));
        let upload = Upload { key: ObjectKey::new("batch-jobs/manifests/1"), id: "u".to_owned() };
        inventory.add_upload("photolala-one", &upload);
        let told: Vec<_> = inventory.rows.iter().map(|r| (&r.bucket[10..], r.kind, r.versions, r.bytes)).collect();
        assert_eq!(
            told,
            [
                ("eno", "reports/", 1, 11),
                ("one", "manifests/", 0, 0),
                ("one", "metadata/", 1, 9),
                ("one", "reports/", 2, 12)
            ]
        );
        let reports = &inventory.rows[3];
        assert_eq!(
            (reports.delete_markers, reports.oldest.as_deref(), reports.newest.as_deref()),
            (1, Some("2026-01-02"), Some("2026-01-04"))
        );
        assert_eq!((inventory.rows[1].uploads, &inventory.rows[1].oldest), (1, &None));
    }

    #[test]
    fn what_is_printed_holds_no_key() {
        let mut inventory = Inventory::default();
        inventory.add(&listed("photolala-one", "batch-jobs/reports/SOMEBODY", 5, JANUARY_2));
        inventory.add(&listed("photolala-one", "batch-jobs/SOMEBODY", 5, JANUARY_2));
        let printed = format!("{inventory} {inventory:?} {}", serde_json::to_string(&inventory).unwrap());
        assert!(!printed.contains("SOMEBODY"), "{printed}");
    }

    #[test]
    fn the_digest_tells_versions_apart_and_knows_no_order() {
        let (one, other) =
            (listed("photolala-one", "batch-jobs/1", 5, 0), listed("photolala-two", "batch-jobs/1", 5, 0));
        let of = |all: [&Listed; 2]| {
            let mut inventory = Inventory::default();
            for listed in all {
                inventory.add(listed);
            }
            inventory.digest
        };
        assert_eq!(of([&one, &other]), of([&other, &one]));
        assert_ne!(of([&one, &one]), of([&one, &other]));
    }
}
