//! CreateJob: a manifest of pages, given to S3 Batch Operations.

use aws_sdk_s3control::Client;
use aws_sdk_s3control::types::{
    JobManifest, JobManifestFieldName, JobManifestFormat, JobManifestLocation, JobManifestSpec, JobOperation,
    JobReport, JobReportFormat, JobReportScope, LambdaInvokeOperation,
};
use domain::ids::JobId;

use crate::{AwsError, Bucket};

const OPERATION: &str = "CreateJob";
/// The job's rank among others of the AWS account; higher is first.
const PRIORITY: i32 = 10;

/// Everything a job is made of. Nothing in it is personal data.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Makes a repeated call the same job.
    pub token: String,
    /// To find the job again.
    pub description: String,
    /// Key of the manifest in the manifest bucket.
    pub manifest_key: String,
    /// The manifest's ETag; S3 refuses the job if the manifest is another by then.
    pub manifest_etag: String,
    /// Where the completion report goes.
    pub report_prefix: String,
    /// A numbered version of the eraser, so that a running job keeps its code.
    pub eraser_arn: String,
    /// The role S3 Batch Operations assumes.
    pub role_arn: String,
}

/// Creates the job. It needs no confirmation and starts by itself.
pub async fn create_job(client: &Client, manifest: &Bucket, job: &NewJob) -> Result<JobId, AwsError> {
    let output = client
        .create_job()
        .account_id(manifest.owner.as_str())
        .client_request_token(&job.token)
        .confirmation_required(false)
        .description(&job.description)
        .manifest(manifest_of(manifest, job))
        .operation(operation(job))
        .priority(PRIORITY)
        .report(report(manifest, job))
        .role_arn(&job.role_arn)
        .send()
        .await
        .map_err(|e| AwsError::of(OPERATION, &e))?;
    let id = output.job_id.as_deref().and_then(JobId::parse);
    id.ok_or_else(|| AwsError::contradiction(OPERATION, "NoJobId"))
}

fn manifest_of(bucket: &Bucket, job: &NewJob) -> JobManifest {
    let location = JobManifestLocation::builder()
        .object_arn(format!("arn:aws:s3:::{}/{}", bucket.name, job.manifest_key))
        .e_tag(&job.manifest_etag)
        .build();
    let spec = JobManifestSpec::builder()
        .format(JobManifestFormat::S3BatchOperationsCsv20180820)
        .fields(JobManifestFieldName::Bucket)
        .fields(JobManifestFieldName::Key)
        .build();
    JobManifest::builder()
        .location(location.expect("ARN and ETag are set"))
        .spec(spec.expect("the format is set"))
        .build()
}

fn operation(job: &NewJob) -> JobOperation {
    let invoke = LambdaInvokeOperation::builder().function_arn(&job.eraser_arn).invocation_schema_version("2.0");
    JobOperation::builder().lambda_invoke(invoke.build()).build()
}

fn report(bucket: &Bucket, job: &NewJob) -> JobReport {
    JobReport::builder()
        .bucket(format!("arn:aws:s3:::{}", bucket.name))
        .format(JobReportFormat::ReportCsv20180820)
        .enabled(true)
        .prefix(&job.report_prefix)
        .report_scope(JobReportScope::AllTasks)
        .build()
}
