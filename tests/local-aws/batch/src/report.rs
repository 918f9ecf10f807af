use std::fmt::Write as _;

use aws_sdk_s3::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata},
    primitives::ByteStream,
    types::ServerSideEncryption,
};
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::{
    job::{Report, ReportScope},
    ledger::{Final, Ledger},
    manifest::Task,
};

/// The columns as AWS's reports name them.
/// AWS's own rows have the HTTP status before the error code, and so have these.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-examples-reports.html>.
const SCHEMA: &str = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage";

/// One object of a report.
#[derive(Debug)]
pub(crate) struct File {
    key: String,
    content_type: &'static str,
    body: Vec<u8>,
}

/// The report's files, its `manifest.json` last so that it names only what is there.
pub(crate) fn files(report: &Report, job_id: &str, ledger: &Ledger, now: Timestamp, rows_max: usize) -> Vec<File> {
    let folder = folder(report, job_id);
    let statuses: &[bool] = if report.scope == ReportScope::AllTasks { &[true, false] } else { &[false] };
    let (mut files, mut results) = (Vec::new(), Vec::new());
    for succeeded in statuses {
        let rows: Vec<String> = ledger
            .ended()
            .filter(|(_, last)| last.succeeded == *succeeded)
            .map(|(task, last)| row(task, last))
            .collect();
        for part in rows.chunks(rows_max.max(1)) {
            let file = File {
                key: format!("{folder}/results/{}.csv", file_name(job_id, files.len())),
                content_type: "text/csv",
                body: part.concat().into_bytes(),
            };
            results.push(result(report, *succeeded, &file));
            files.push(file);
        }
    }
    let top = json!({ "Format": "Report_CSV_20180820", "ReportCreationDate": now.to_string(), "Results": results, "ReportSchema": SCHEMA });
    files.push(File {
        key: format!("{folder}/manifest.json"),
        content_type: "application/json",
        body: top.to_string().into_bytes(),
    });
    files
}

/// Puts the files, always with SSE-S3; the error says which one could not be written.
pub(crate) async fn write(s3: &Client, report: &Report, files: Vec<File>) -> Result<(), String> {
    for file in files {
        let put = s3.put_object().bucket(&report.bucket).key(&file.key).content_type(file.content_type);
        let put = put
            .server_side_encryption(ServerSideEncryption::Aes256)
            .set_expected_bucket_owner(report.expected_bucket_owner.clone());
        put.body(ByteStream::from(file.body)).send().await.map_err(|error| match error.code() {
            Some(code) => format!("{code}: {}", file.key),
            None => format!("{}: {}", file.key, DisplayErrorContext(&error)),
        })?;
    }
    Ok(())
}

fn folder(report: &Report, job_id: &str) -> String {
    match report.prefix.as_deref().map(|prefix| prefix.trim_end_matches('/')) {
        None | Some("") => format!("job-{job_id}"),
        Some(prefix) => format!("{prefix}/job-{job_id}"),
    }
}

fn result(report: &Report, succeeded: bool, file: &File) -> Value {
    json!({ "TaskExecutionStatus": status(succeeded), "Bucket": report.bucket, "MD5Checksum": hex(&Md5::digest(&file.body)), "Key": file.key })
}

/// The key stands as in the manifest, encoded; AWS does not say which form its reports have.
fn row(task: &Task, last: &Final) -> String {
    let version = task.version.as_deref().unwrap_or_default();
    let Final { succeeded, http, error, message } = last;
    format!(
        "{},{},{version},{},{http},{error},\"{}\"\n",
        task.bucket,
        task.cell,
        status(*succeeded),
        message.replace('"', "\"\"")
    )
}

fn status(succeeded: bool) -> &'static str {
    if succeeded { "succeeded" } else { "failed" }
}

/// Forty hexadecimal digits, as AWS's files have; the same when a report is written again.
fn file_name(job_id: &str, number: usize) -> String {
    let digits = ["a", "b"].map(|half| hex(&Md5::digest(format!("{job_id} {number} {half}")))).concat();
    digits[..40].into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value;

    use super::{Final, Ledger, Report, ReportScope, Task, files};

    fn report(scope: ReportScope, prefix: Option<&str>) -> Report {
        Report {
            bucket: "rpt".into(),
            bucket_arn: "arn:aws:s3:::rpt".into(),
            prefix: prefix.map(Into::into),
            scope,
            expected_bucket_owner: None,
        }
    }

    fn ended(succeeded: bool, message: &str) -> Final {
        Final { succeeded, http: 200, error: if succeeded { "" } else { "PermanentFailure" }, message: message.into() }
    }

    fn made(report: &Report, rows_max: usize) -> Vec<(String, String)> {
        let tasks: Vec<Task> =
            (0..4).map(|n| Task { bucket: "bkt".into(), cell: format!("k%20{n}").into(), version: None }).collect();
        let mut ledger = Ledger::of(tasks);
        ledger.conclude(3, ended(true, "yes"));
        ledger.conclude(1, ended(false, "a \"b\", c"));
        ledger.conclude(0, ended(true, ""));
        let files = files(report, "j", &ledger, Timestamp::UNIX_EPOCH, rows_max);
        files.into_iter().map(|file| (file.key, String::from_utf8(file.body).unwrap())).collect()
    }

    #[test]
    fn succeeded_and_failed_tasks_are_in_separate_files() {
        let made = made(&report(ReportScope::AllTasks, Some("a/b/")), 10);
        assert_eq!(made.len(), 3);
        assert_eq!(made[0].1, "bkt,k%200,,succeeded,200,,\"\"\nbkt,k%203,,succeeded,200,,\"yes\"\n");
        assert_eq!(made[1].1, "bkt,k%201,,failed,200,PermanentFailure,\"a \"\"b\"\", c\"\n");
        assert_eq!(made[2].0, "a/b/job-j/manifest.json");
        let top: Value = serde_json::from_str(&made[2].1).unwrap();
        assert_eq!(top["Results"][1]["Key"], made[1].0);
        assert_eq!(top["Results"][1]["TaskExecutionStatus"], "failed");
        assert_eq!(top["ReportCreationDate"], "1970-01-01T00:00:00Z");
        let name = made[0].0.strip_prefix("a/b/job-j/results/").and_then(|name| name.strip_suffix(".csv")).unwrap();
        assert!(name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn failed_tasks_only_leaves_the_others_out() {
        let made = made(&report(ReportScope::FailedTasksOnly, None), 10);
        assert_eq!(made.len(), 2);
        assert!(made[0].0.starts_with("job-j/results/") && made[0].1.contains("failed"));
    }

    #[test]
    fn long_reports_have_several_files() {
        let made = made(&report(ReportScope::AllTasks, None), 1);
        assert_eq!(made.len(), 4);
        assert_eq!(made[..3].iter().map(|(_, body)| body.lines().count()).sum::<usize>(), 3);
    }
}
