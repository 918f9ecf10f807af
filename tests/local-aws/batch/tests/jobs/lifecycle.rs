use std::time::Duration;

use aws_sdk_s3control::types::{JobManifestFieldName as Field, JobStatus, RequestedJobStatus};
use jiff::SignedDuration;
use local_batch::{Pace, Status};

use crate::world::{ACCOUNT, World, manifest, manifest_of, numbered, succeeded};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[tokio::test(start_paused = true)]
async fn a_job_runs_through_its_statuses_and_tells_each() {
    let mut world = World::new(|_| succeeded());
    let job = world.run(&["a", "b", "c"]).await;
    assert_eq!(job.status, Status::Complete);
    let created = ("JobCreated".to_owned(), "New".to_owned());
    let changed = ["Preparing", "Ready", "Active", "Completing", "Complete"]
        .map(|status| ("JobStatusChanged".into(), status.into()));
    assert_eq!(world.told(), [vec![created], changed.to_vec()].concat());
    assert_eq!(world.invoked(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn describe_shows_what_was_asked_for_and_what_came_of_it() {
    let world = World::new(|_| succeeded());
    let id = world.run(&["a", "b"]).await.id;
    let job = world.control.describe_job().account_id(ACCOUNT).job_id(&id).send().await.unwrap().job.unwrap();
    assert_eq!(job.status, Some(JobStatus::Complete));
    assert_eq!(job.job_arn.unwrap(), format!("arn:aws:s3:us-east-1:{ACCOUNT}:job/{id}"));
    assert_eq!(job.description.unwrap(), "a job");
    assert_eq!(job.priority, 10);
    let progress = job.progress_summary.unwrap();
    assert_eq!(
        (progress.total_number_of_tasks, progress.number_of_tasks_succeeded, progress.number_of_tasks_failed),
        (Some(2), Some(2), Some(0))
    );
    assert_eq!(progress.timers.unwrap().elapsed_time_in_active_seconds, Some(0));
    assert_eq!(job.manifest.unwrap().spec.unwrap().fields.unwrap(), [Field::Bucket, Field::Key]);
    assert_eq!(job.operation.unwrap().lambda_invoke.unwrap().invocation_schema_version.unwrap(), "2.0");
    assert_eq!(job.report.unwrap().prefix.unwrap(), "p/q");
    assert_eq!(job.creation_time.unwrap().to_millis().unwrap(), 1_767_323_045_678);
    assert!(job.termination_date.is_some() && job.failure_reasons.is_none() && job.suspended_date.is_none());
}

#[tokio::test(start_paused = true)]
async fn events_have_the_envelope_of_eventbridge() {
    let mut world = World::new(|_| succeeded());
    let job = world.run(&["a"]).await;
    let event = world.events.try_recv().unwrap();
    assert_eq!(event["detail-type"], "AWS Service Event via CloudTrail");
    assert_eq!(
        (&event["source"], &event["account"], &event["version"]),
        (&"aws.s3".into(), &ACCOUNT.into(), &"0".into())
    );
    assert_eq!((&event["time"], &event["region"]), (&"2026-01-02T03:04:05Z".into(), &"us-east-1".into()));
    let detail = &event["detail"];
    assert_eq!((&detail["eventSource"], &detail["eventType"]), (&"s3.amazonaws.com".into(), &"AwsServiceEvent".into()));
    assert_eq!((&detail["readOnly"], &detail["awsRegion"]), (&false.into(), &"us-east-1".into()));
    let details = &detail["serviceEventDetails"];
    assert_eq!((&details["jobId"], &details["jobArn"]), (&job.id.into(), &job.arn.into()));
    assert_eq!(details["failureCodes"], serde_json::json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_must_be_confirmed_waits_in_suspended() {
    let mut world = World::new(|_| succeeded());
    let id = world.job(&manifest(&["a"])).confirmation_required(true).send().await.unwrap().job_id.unwrap();
    let job = world.batch.wait(&id, |job| job.status == Status::Suspended).await.unwrap();
    assert!(job.suspended.is_some() && job.progress.unwrap().total == 1);
    let ready = update(&world, &id, RequestedJobStatus::Ready).send().await.unwrap();
    assert_eq!(ready.status, Some(JobStatus::Ready));
    assert_eq!(world.batch.finished(&id).await.unwrap().status, Status::Complete);
    let statuses: Vec<String> = world.told().into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, ["New", "Preparing", "Suspended", "Ready", "Active", "Completing", "Complete"]);
    let again = update(&world, &id, RequestedJobStatus::Ready).send().await.unwrap_err().into_service_error();
    assert!(again.is_job_status_exception(), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_not_confirmed_in_thirty_days_fails() {
    let world = World::new(|_| succeeded());
    let id = world.job(&manifest(&["a"])).confirmation_required(true).send().await.unwrap().job_id.unwrap();
    world.batch.wait(&id, |job| job.status == Status::Suspended).await;
    world.pass(HOUR * (30 * 24));
    assert_eq!(world.batch.job(&id).unwrap().status, Status::Suspended);
    world.pass(HOUR);
    assert_eq!(world.batch.job(&id).unwrap().status, Status::Failing);
    assert_eq!(world.batch.finished(&id).await.unwrap().failures[0].code, "ConfirmationTimeout");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_ends_what_is_in_flight_and_writes_its_report() {
    let mut world = World::paced(Pace { concurrency: 2, ..Pace::default() }, |_| succeeded());
    let id = world.job(&numbered(20)).send().await.unwrap().job_id.unwrap();
    world.batch.wait(&id, |job| job.status == Status::Active).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let cancelled =
        update(&world, &id, RequestedJobStatus::Cancelled).status_update_reason("enough").send().await.unwrap();
    assert_eq!(
        (cancelled.status, cancelled.status_update_reason.as_deref()),
        (Some(JobStatus::Cancelling), Some("enough"))
    );
    let job = world.batch.finished(&id).await.unwrap();
    assert_eq!(job.status, Status::Cancelled);
    // One in the first second, two in the second, and the two that were in flight.
    assert_eq!(job.progress.unwrap().succeeded, 5);
    assert_eq!(world.report("succeeded").len(), 5);
    let statuses: Vec<String> = world.told().into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, ["New", "Preparing", "Ready", "Active", "Cancelling", "Cancelled"]);
    let again = update(&world, &id, RequestedJobStatus::Cancelled).send().await.unwrap_err().into_service_error();
    assert!(again.is_job_status_exception(), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_held_job_stays_where_it_is_and_can_be_cancelled_there() {
    let world = World::new(|_| succeeded());
    world.batch.hold();
    let held = world.job(&manifest(&["a"])).send().await.unwrap().job_id.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.batch.job(&held).unwrap().status, Status::New);
    update(&world, &held, RequestedJobStatus::Cancelled).send().await.unwrap();
    assert_eq!(world.batch.finished(&held).await.unwrap().status, Status::Cancelled);
    let other = world.job(&manifest(&["a"])).client_request_token("other").send().await.unwrap().job_id.unwrap();
    world.batch.release();
    assert_eq!(world.batch.finished(&other).await.unwrap().status, Status::Complete);
    assert_eq!(world.invoked(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn pauses_make_new_and_ready_visible() {
    let pause = Duration::from_secs(10);
    let world =
        World::paced(Pace { before_preparing: pause, before_active: pause, ..Pace::default() }, |_| succeeded());
    let id = world.job(&manifest(&["a"])).send().await.unwrap().job_id.unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(7)).await;
        seen.push(world.batch.job(&id).unwrap().status);
    }
    assert_eq!(seen, [Status::New, Status::Ready]);
}

#[tokio::test(start_paused = true)]
async fn ready_jobs_start_by_priority() {
    let pace = Pace { active_jobs: 1, before_active: Duration::from_secs(1), ..Pace::default() };
    let world = World::paced(pace, |_| succeeded());
    world.batch.hold();
    let mut ids = Vec::new();
    for (token, priority) in [("a", 1), ("b", 9), ("c", 1)] {
        let job = world.job(&manifest(&["k"])).client_request_token(token).priority(priority);
        ids.push(job.send().await.unwrap().job_id.unwrap());
    }
    let raised = world.control.update_job_priority().account_id(ACCOUNT).job_id(&ids[2]).priority(5).send().await;
    assert_eq!(raised.unwrap().priority, 5);
    world.batch.release();
    world.batch.finished(&ids[0]).await;
    let invocations = world.invocations.lock().unwrap();
    let order: Vec<_> = invocations.iter().map(|event| event["job"]["id"].as_str().unwrap()).collect();
    assert_eq!(order, [&ids[1], &ids[2], &ids[0]]);
}

#[tokio::test(start_paused = true)]
async fn finished_jobs_are_forgotten_after_ninety_days() {
    let world = World::new(|_| succeeded());
    let first = world.run(&["a"]).await.id;
    world.pass(HOUR * (90 * 24 - 1));
    assert!(world.batch.job(&first).is_some());
    world.pass(HOUR);
    assert!(world.batch.job(&first).is_none());
    let describe = world.control.describe_job().account_id(ACCOUNT).job_id(&first).send().await;
    assert!(describe.unwrap_err().into_service_error().is_not_found_exception());
    assert_ne!(world.run(&["a"]).await.id, first);
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_cannot_be_used_fails_the_job_with_the_reason() {
    let cases = [
        ("arn:aws:s3:::manifests/none.csv", "bkt,a\n", "ManifestNotFound", "does not exist"),
        (
            "arn:aws:s3:::denied/m.csv",
            "bkt,a\n",
            "ManifestForbidden",
            "Reading the manifest is forbidden: AccessDenied",
        ),
        ("arn:aws:s3:::manifests/m.csv", "bkt,a\nbkt\n", "InvalidManifestContent", "1 columns instead of 2 (line 2)"),
        ("arn:aws:s3:::manifests/m.csv", "Bucket,Key\nbkt,a\n", "InvalidManifestContent", "not a bucket's name"),
        ("arn:aws:s3:::manifests/m.csv", "bkt,%\n", "InvalidManifestContent", "Invalid object key format"),
    ];
    for (arn, text, code, reason) in cases {
        let mut world = World::new(|_| succeeded());
        let job = world.finished(world.job(text).manifest(manifest_of(arn, &[Field::Bucket, Field::Key]))).await;
        assert_eq!((job.status, job.failures[0].code), (Status::Failed, code));
        assert!(job.failures[0].reason.contains(reason), "{}", job.failures[0].reason);
        let statuses: Vec<String> = world.told().into_iter().map(|(_, status)| status).collect();
        assert_eq!(statuses, ["New", "Preparing", "Failing", "Failed"]);
        assert_eq!((world.invoked().len(), world.object("/reports/")), (0, None));
    }
}

#[tokio::test(start_paused = true)]
async fn another_etag_or_kms_fails_the_job() {
    let world = World::new(|_| succeeded());
    let mut overwritten = manifest_of("arn:aws:s3:::manifests/m.csv", &[Field::Bucket, Field::Key]);
    overwritten.location.as_mut().unwrap().e_tag = "other".into();
    let id = world.finished(world.job(&manifest(&["a"])).manifest(overwritten)).await.id;
    let job = world.control.describe_job().account_id(ACCOUNT).job_id(&id).send().await.unwrap().job.unwrap();
    let failure = &job.failure_reasons.unwrap()[0];
    assert_eq!(failure.failure_code.as_deref(), Some("ManifestETagMismatch"));
    assert_eq!(failure.failure_reason.as_deref(), Some("The manifest's ETag is etag, not other as given to CreateJob"));

    let create = world.job(&manifest(&["a"])).client_request_token("kms");
    let kms = [("x-amz-server-side-encryption", "aws:kms")]
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    world
        .objects
        .lock()
        .unwrap()
        .get_mut("/manifests/m.csv")
        .unwrap()
        .1
        .extend::<[(http::HeaderName, http::HeaderValue); 1]>(kms);
    assert!(world.finished(create).await.failures[0].reason.contains("SSE-KMS"));
}

fn update(
    world: &World,
    id: &str,
    to: RequestedJobStatus,
) -> aws_sdk_s3control::operation::update_job_status::builders::UpdateJobStatusFluentBuilder {
    world.control.update_job_status().account_id(ACCOUNT).job_id(id).requested_job_status(to)
}
