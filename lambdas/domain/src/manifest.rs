//! The manifest of a job: one row a page, for S3 Batch Operations
//! (S3 User Guide, "Creating an S3 Batch Operations job", CSV manifests).

use fault_point::planted;
use sha2::{Digest as _, Sha256};

use crate::ids::{BucketName, RunId};
use crate::keys::{ObjectKey, encode};
use crate::tally::hex;

/// Characters of a key cell (S3 User Guide, "Invoke AWS Lambda function").
const KEY_CELL_MAX: usize = 1_024;
/// Characters of a client request token (API reference, CreateJob).
const TOKEN_MAX: usize = 64;

/// A manifest, whole. The same pages give the same bytes, in whatever order they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    csv: String,
    rows: usize,
}

impl Manifest {
    /// A row a page. `None` if there is no page, or a key is longer than a cell may be.
    pub fn of(bucket: &BucketName, mut pages: Vec<ObjectKey>) -> Option<Self> {
        pages.sort();
        pages.dedup();
        let cell = |key: &str| if planted!("d19-keys-unencoded") { key.to_owned() } else { encode(key) };
        let cells: Vec<String> = pages.iter().map(|key| cell(key.as_str())).collect();
        if cells.is_empty() || cells.iter().any(|cell| cell.len() > KEY_CELL_MAX) {
            return None;
        }
        let rows: Vec<String> = cells.iter().map(|cell| format!("{bucket},{cell}\n")).collect();
        let csv = rows.concat();
        Some(Self { csv, rows: cells.len() })
    }

    /// The CSV: no header, no quotes, one bucket and one key a row.
    pub fn csv(&self) -> &str {
        &self.csv
    }

    /// Rows, which are tasks.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The token that makes a repeated CreateJob the same job: the run, and the beginning of the manifest's SHA-256.
    pub fn token(&self, run: &RunId) -> String {
        let digest = hex(&Sha256::digest(self.csv.as_bytes()));
        let token = format!("{run}-{}", &digest[..16]);
        debug_assert!(token.len() <= TOKEN_MAX);
        token
    }
}

/// How a job describes itself: enough to find it again by ListJobs, nothing about a person.
pub fn job_description(environment: &str, run: &RunId) -> String {
    format!("photolala-deletion {environment} run {run}")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn rows_are_encoded_sorted_and_stable() {
        let bucket = BucketName::parse("manifests").unwrap();
        let keys = |texts: &[&str]| texts.iter().map(|t| ObjectKey::new(*t)).collect();
        let manifest = Manifest::of(&bucket, keys(&["b/\n,x", "a b+c"])).unwrap();
        assert_eq!(manifest.csv(), "manifests,a%20b%2Bc\nmanifests,b/%0A%2Cx\n");
        let again = Manifest::of(&bucket, keys(&["a b+c", "b/\n,x", "a b+c"])).unwrap();
        let run = RunId::new(Uuid::from_u128(1));
        assert_eq!(again.token(&run), manifest.token(&run));
        assert!(manifest.token(&run).len() <= TOKEN_MAX);
    }

    #[test]
    fn there_is_no_empty_manifest_and_no_overlong_cell() {
        let bucket = BucketName::parse("manifests").unwrap();
        assert_eq!(Manifest::of(&bucket, Vec::new()), None);
        assert_eq!(Manifest::of(&bucket, vec![ObjectKey::new("é".repeat(200))]), None);
    }
}
