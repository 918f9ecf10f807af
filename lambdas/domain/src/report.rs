//! Completion reports of S3 Batch Operations, read as a cross-check
//! (S3 User Guide, "Examples: S3 Batch Operations completion reports").

use serde::Deserialize;

/// The report's `manifest.json`: which result files there are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReportManifest {
    /// The result files.
    pub results: Vec<ResultFile>,
}

/// One result file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResultFile {
    /// `succeeded` or `failed`.
    pub task_execution_status: String,
    /// Its key in the report bucket.
    pub key: String,
}

/// Rows of a result file by status: (succeeded, failed). AWS's own text and samples disagree on the order of
/// columns five and six, so only the fourth, the status, is read. Rows are counted even if quotes are off.
pub fn count_rows(csv_text: &[u8]) -> (u64, u64) {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(csv_text);
    let mut counts = (0, 0);
    for row in reader.byte_records().flatten() {
        match row.get(3) {
            Some(b"succeeded") => counts.0 += 1,
            _ => counts.1 += 1,
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_by_status_whatever_the_order_of_codes() {
        let report = b"b,k,,succeeded,200,,\"ok \"\"x\"\"\"\nb,l,,failed,PermanentFailure,200,\"no\"\nb,m,,failed,200,PermanentFailure,no\n";
        assert_eq!(count_rows(report), (1, 2));
    }
}
