//! A job from `CreateJob` to its events, with a real function behind it.

use std::path::Path;

use aws_sdk_s3control::types::{
    JobManifest, JobManifestFieldName, JobManifestFormat, JobManifestLocation, JobManifestSpec, JobOperation,
    JobReport, JobReportFormat, JobReportScope, LambdaInvokeOperation,
};
use local_aws::{Input, LocalAws, Options, Rule, Service, When};
use local_batch::{Job, Status};
use local_lambda::Function;
use local_s3::Versioning;

const ACCOUNT: &str = "123456789012";

async fn start() -> LocalAws {
    let echo = Function::new("echo", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/echo"));
    let rule = Rule { name: "job-status".into(), target: "echo".into(), input: Input::Envelope, when: When::JobStatus };
    let options = Options { functions: vec![echo], rules: vec![rule], ..Options::default() };
    let aws = LocalAws::start(options).await.unwrap();
    aws.s3_store().unwrap().create_bucket("manifests", Versioning::Enabled).unwrap();
    aws
}

fn manifest(etag: &str) -> JobManifest {
    let spec = JobManifestSpec::builder()
        .format(JobManifestFormat::S3BatchOperationsCsv20180820)
        .fields(JobManifestFieldName::Bucket)
        .fields(JobManifestFieldName::Key);
    let location = JobManifestLocation::builder().object_arn("arn:aws:s3:::manifests/m.csv").e_tag(etag);
    JobManifest::builder().spec(spec.build().unwrap()).location(location.build().unwrap()).build()
}

/// Runs a job with a task for each key.
async fn job(aws: &LocalAws, keys: &[&str]) -> Job {
    let rows = keys.iter().map(|key| format!("manifests,{key}\n")).collect::<Vec<_>>().concat();
    let put = aws.s3_client().put_object().bucket("manifests").key("m.csv").body(rows.into_bytes().into());
    let etag = put.send().await.unwrap().e_tag.unwrap();
    let function = format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:echo:1");
    let invoke = LambdaInvokeOperation::builder().function_arn(function).invocation_schema_version("2.0").build();
    let report = JobReport::builder()
        .enabled(true)
        .bucket("arn:aws:s3:::manifests")
        .prefix("reports")
        .format(JobReportFormat::ReportCsv20180820)
        .report_scope(JobReportScope::AllTasks);
    let created = aws
        .s3control_client()
        .create_job()
        .account_id(ACCOUNT)
        .client_request_token("token")
        .confirmation_required(false)
        .operation(JobOperation::builder().lambda_invoke(invoke).build())
        .manifest(manifest(&etag))
        .report(report.build())
        .priority(1)
        .role_arn(format!("arn:aws:iam::{ACCOUNT}:role/batch"))
        .send()
        .await
        .unwrap();
    aws.batch().finished(&created.job_id.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_job_runs_through_the_port_and_tells_of_its_status() {
    let aws = start().await;
    let job = job(&aws, &["a", "b%20c", "d"]).await;
    assert_eq!((job.status, job.failures.len()), (Status::Complete, 0));
    assert_eq!(aws.s3_store().unwrap().count("manifests", "reports").unwrap(), 2);
    let counts = aws.recorder().counts();
    let engines = counts.iter().filter(|(count, _)| count.caller.as_deref() == Some("s3-batch-operations"));
    let invokes: u64 = engines.filter(|(count, _)| count.service == Service::Lambda).map(|(_, n)| n).sum();
    assert_eq!(invokes, 3);
    let version = aws.lambda().processes("echo").iter().any(|process| process.version == "1");
    assert!(version);
}

#[tokio::test]
async fn job_status_rules_get_each_change_as_an_envelope() {
    let aws = start().await;
    let job = job(&aws, &["a"]).await;
    while aws
        .rules()
        .firings()
        .last()
        .is_none_or(|last| last.payload["detail"]["serviceEventDetails"]["status"] != "Complete")
    {
        tokio::task::yield_now().await;
    }
    aws.lambda().settled().await;
    let firings = aws.rules().firings();
    assert!(firings.iter().all(|firing| firing.payload["detail"]["eventName"] == "JobStatusChanged"));
    assert!(firings.iter().all(|firing| firing.payload["detail"]["serviceEventDetails"]["jobId"] == job.id.as_str()));
    assert!(firings.iter().all(|firing| firing.result.is_ok()) && aws.lambda().dead_letters().is_empty());
    let events = aws.events().of_jobs();
    assert_eq!(events[0]["detail"]["eventName"], "JobCreated");
    assert_eq!(events.len(), firings.len() + 1);
}
