//! ListJobs: finding a job whose CreateJob answer was lost.

use aws_sdk_s3control::Client;
use domain::ids::{AwsAccountId, JobId};

use crate::AwsError;

const OPERATION: &str = "ListJobs";

/// The job with this description, if there is one among the active ones and those of the last 90 days.
pub async fn find_job(client: &Client, owner: &AwsAccountId, description: &str) -> Result<Option<JobId>, AwsError> {
    let mut token = None;
    loop {
        let request = client.list_jobs().account_id(owner.as_str()).max_results(1_000);
        let output = request.set_next_token(token).send().await.map_err(|e| AwsError::of(OPERATION, &e))?;
        let mut jobs = output.jobs.unwrap_or_default().into_iter();
        if let Some(job) = jobs.find(|job| job.description.as_deref() == Some(description)) {
            return Ok(job.job_id.as_deref().and_then(JobId::parse));
        }
        match output.next_token {
            Some(next) => token = Some(next),
            None => return Ok(None),
        }
    }
}
