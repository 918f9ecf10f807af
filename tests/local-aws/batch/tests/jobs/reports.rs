use aws_sdk_s3control::types::{JobManifestFieldName as Field, JobReportScope};
use local_batch::Status;
use serde_json::Value;

use crate::world::{Reply, World, manifest, manifest_of, report, succeeded};

fn half(key: &str) -> Reply {
    if key == "b" { Reply::Result("PermanentFailure", "é \"no\",\nline".into()) } else { succeeded() }
}

#[tokio::test(start_paused = true)]
async fn the_report_lists_every_task_in_files_by_status() {
    let world = World::new(half);
    let id = world.run(&["a%20x", "b"]).await.id;
    let top: Value = serde_json::from_str(&world.object("/manifest.json").unwrap()).unwrap();
    assert_eq!(top["Format"], "Report_CSV_20180820");
    assert_eq!(top["ReportSchema"], "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage");
    let results = top["Results"].as_array().unwrap();
    let statuses: Vec<_> = results
        .iter()
        .map(|result| (result["TaskExecutionStatus"].as_str().unwrap(), result["Bucket"].as_str().unwrap()))
        .collect();
    assert_eq!(statuses, [("succeeded", "reports"), ("failed", "reports")]);
    let rows = |index: usize| {
        let key = results[index]["Key"].as_str().unwrap();
        assert!(key.starts_with(&format!("p/q/job-{id}/results/")), "{key}");
        let text = world.object(key).unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    assert_eq!(rows(0), [["bkt", "a%20x", "", "succeeded", "200", "", "done"]]);
    assert_eq!(rows(1), [["bkt", "b", "", "failed", "200", "PermanentFailure", "é \"no\",\nline"]]);
    let objects = world.objects.lock().unwrap();
    let written: Vec<_> = objects.iter().filter(|(path, _)| path.starts_with("/reports/")).collect();
    assert_eq!(written.len(), 3);
    assert!(written.iter().all(|(_, (_, headers))| headers["x-amz-server-side-encryption"] == "AES256"));
}

#[tokio::test(start_paused = true)]
async fn failed_tasks_only_is_honoured() {
    let world = World::new(half);
    let job = world.job(&manifest(&["a", "b"])).report(report().report_scope(JobReportScope::FailedTasksOnly).build());
    world.finished(job).await;
    assert_eq!((world.report("succeeded").len(), world.object("/results/").is_some()), (0, true));
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_not_enabled_is_not_written() {
    let world = World::new(half);
    let off = aws_sdk_s3control::types::JobReport::builder().enabled(false).build();
    let job = world.finished(world.job(&manifest(&["a"])).report(off)).await;
    assert_eq!((job.status, world.object("/reports/")), (Status::Complete, None));
}

#[tokio::test(start_paused = true)]
async fn there_is_no_report_if_no_task_was_invoked() {
    let world = World::new(half);
    let fields = [Field::Bucket, Field::Key, Field::VersionId];
    let job = world.job("bkt,a,\n").manifest(manifest_of("arn:aws:s3:::manifests/m.csv", &fields));
    let job = world.finished(job).await;
    assert_eq!((job.status, job.progress.unwrap().failed), (Status::Complete, 1));
    assert_eq!(world.object("/reports/"), None);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_cannot_be_written_fails_the_job() {
    let mut world = World::new(half);
    let job = world.job(&manifest(&["a"])).report(report().bucket("arn:aws:s3:::denied").build());
    let job = world.finished(job).await;
    assert_eq!((job.status, job.progress.unwrap().succeeded), (Status::Failed, 1));
    assert!(
        job.failures[0].reason.starts_with("The job report could not be written to your report bucket: AccessDenied")
    );
    let statuses: Vec<String> = world.told().into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses[3..], ["Active", "Completing", "Failing", "Failed"]);
}

#[tokio::test(start_paused = true)]
async fn the_expected_owner_of_the_report_bucket_is_sent() {
    let world = World::new(half);
    let job = world.job(&manifest(&["a"])).report(report().expected_bucket_owner("210987654321").build());
    world.finished(job).await;
    let objects = world.objects.lock().unwrap();
    let mut written = objects.iter().filter(|(path, _)| path.starts_with("/reports/"));
    assert!(written.all(|(_, (_, headers))| headers["x-amz-expected-bucket-owner"] == "210987654321"));
}
