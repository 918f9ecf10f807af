//! DescribeJob: how far a job is.

use aws_sdk_s3control::Client;
use domain::ids::{AwsAccountId, JobId};

use crate::{AwsError, Cause};

/// What S3 Batch Operations says of a job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its status, such as `Active`.
    pub status: String,
    /// Tasks of the manifest, once it was read.
    pub total: u64,
    /// Tasks that succeeded.
    pub succeeded: u64,
    /// Tasks that failed.
    pub failed: u64,
}

impl Job {
    /// Whether it will change no more. `Complete` does not mean success.
    pub fn is_ended(&self) -> bool {
        matches!(self.status.as_str(), "Complete" | "Failed" | "Cancelled")
    }
}

/// Asks about a job. `None` if S3 Batch Operations does not know it: not yet, or no more after 90 days.
pub async fn describe_job(client: &Client, owner: &AwsAccountId, job: &JobId) -> Result<Option<Job>, AwsError> {
    let request = client.describe_job().account_id(owner.as_str()).job_id(job.as_str());
    let job = match request.send().await.map_err(|e| AwsError::of("DescribeJob", &e)) {
        Ok(output) => output.job.ok_or_else(|| AwsError::contradiction("DescribeJob", "NoJob"))?,
        Err(error) if error.cause == Cause::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let progress = job.progress_summary;
    let count = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
    Ok(Some(Job {
        status: job.status.map(|s| s.as_str().to_owned()).unwrap_or_default(),
        total: count(progress.as_ref().and_then(|p| p.total_number_of_tasks)),
        succeeded: count(progress.as_ref().and_then(|p| p.number_of_tasks_succeeded)),
        failed: count(progress.as_ref().and_then(|p| p.number_of_tasks_failed)),
    }))
}
