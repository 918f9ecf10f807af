use std::{collections::HashMap, num::NonZeroU64};

use aws_sdk_s3control::types::{JobManifestFieldName as Field, JobOperation, LambdaInvokeOperation};
use local_batch::{Pace, Progress, Status};

use crate::world::{FUNCTION, Reply, World, invoke, manifest_of, numbered, succeeded};

#[tokio::test(start_paused = true)]
async fn keys_go_round_form_encoded() {
    let seen = std::sync::Arc::<std::sync::Mutex<Vec<String>>>::default();
    let keys = std::sync::Arc::clone(&seen);
    let world = World::new(move |key| {
        keys.lock().unwrap().push(key.to_owned());
        succeeded()
    });
    world.run(&["a%20b%2Bc%25d%26e%C3%A9f%22g%2Ch/i"]).await;
    assert_eq!(world.invoked(), ["a+b%2Bc%25d%26e%C3%A9f%22g%2Ch/i"]);
    assert_eq!(*seen.lock().unwrap(), ["a b+c%d&eéf\"g,h/i"]);
}

#[tokio::test(start_paused = true)]
async fn events_follow_the_schema_version() {
    let world = World::new(|_| succeeded());
    world.finished(world.job("bkt,k\n").operation(invoke("1.0"))).await;
    let arguments = LambdaInvokeOperation::builder()
        .function_arn(FUNCTION)
        .invocation_schema_version("2.0")
        .user_arguments("a", "1");
    let operation = JobOperation::builder().lambda_invoke(arguments.build()).build();
    world.finished(world.job("bkt,k\n").client_request_token("2").operation(operation)).await;
    let events = world.invocations.lock().unwrap();
    assert_eq!(
        (&events[0]["invocationSchemaVersion"], &events[1]["invocationSchemaVersion"]),
        (&"1.0".into(), &"2.0".into())
    );
    assert_eq!(
        (&events[0]["tasks"][0]["s3BucketArn"], &events[1]["tasks"][0]["s3Bucket"]),
        (&"arn:aws:s3:::bkt".into(), &"bkt".into())
    );
    assert_eq!(events[1]["job"]["userArguments"]["a"], "1");
}

#[tokio::test(start_paused = true)]
async fn versions_are_sent_and_a_missing_one_fails_its_task() {
    let world = World::new(|_| succeeded());
    let fields = [Field::Bucket, Field::Key, Field::VersionId];
    let job =
        world.job("bkt,a,v1\nbkt,b,\nbkt,c,null\n").manifest(manifest_of("arn:aws:s3:::manifests/m.csv", &fields));
    let job = world.finished(job).await;
    assert_eq!(job.progress, Some(Progress { total: 3, succeeded: 2, failed: 1 }));
    assert_eq!(world.report("failed"), ["bkt,b,,failed,400,InvalidRequest,\"Task failed due to missing VersionId\""]);
    assert_eq!(world.report("succeeded"), ["bkt,a,v1,succeeded,200,,\"done\"", "bkt,c,null,succeeded,200,,\"done\""]);
}

#[tokio::test(start_paused = true)]
async fn temporary_failures_are_redriven_after_the_others() {
    let mut tries = HashMap::<String, u32>::new();
    let world = World::new(move |key| {
        let tries = tries.entry(key.to_owned()).or_default();
        *tries += 1;
        match key {
            "twice" if *tries <= 2 => Reply::Result("TemporaryFailure", format!("try {tries}")),
            "never" => Reply::Result("TemporaryFailure", format!("try {tries}")),
            _ => succeeded(),
        }
    });
    let job = world.run(&["a", "twice", "never", "b"]).await;
    assert_eq!((job.status, job.progress), (Status::Complete, Some(Progress { total: 4, succeeded: 3, failed: 1 })));
    assert_eq!(world.report("failed"), ["bkt,never,,failed,200,TemporaryFailure,\"try 5\""]);
    assert_eq!(world.invoked().len(), 2 + 3 + 5);
    let events = world.invocations.lock().unwrap();
    let last: Vec<_> = events[4..].iter().map(|event| event["tasks"][0]["s3Key"].as_str().unwrap()).collect();
    assert!(!last.contains(&"a") && !last.contains(&"b"), "{last:?}");
    let ids: Vec<_> = events
        .iter()
        .filter(|event| event["tasks"][0]["s3Key"] == "never")
        .map(|event| &event["tasks"][0]["taskId"])
        .collect();
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(start_paused = true)]
async fn what_is_final_is_not_sent_again() {
    let world = World::new(|key| match key {
        "permanent" => Reply::Result("PermanentFailure", "say \"no\"".into()),
        "json" => Reply::Raw("\"ok\"".into()),
        "error" => Reply::FunctionError(r#"{"errorMessage":"x Task timed out after 3.00 seconds"}"#.into()),
        "gone" => Reply::Refused(404, "ResourceNotFoundException"),
        "left-out" => Reply::Missing(Some("PermanentFailure")),
        "left-out-well" => Reply::Missing(Some("Succeeded")),
        _ => succeeded(),
    });
    let job = world.run(&["permanent", "json", "error", "gone", "left-out", "left-out-well", "z"]).await;
    assert_eq!(job.progress, Some(Progress { total: 7, succeeded: 2, failed: 5 }));
    assert_eq!(world.invoked().len(), 7);
    assert_eq!(
        world.report("failed"),
        [
            r#"bkt,error,,failed,200,PermanentFailure,"Lambda returned function error: {""errorMessage"":""x Task timed out after 3.00 seconds""}""#,
            r#"bkt,gone,,failed,404,PermanentFailure,"Lambda invocation failed: ResourceNotFoundException: no""#,
            r#"bkt,json,,failed,200,PermanentFailure,"Invalid JSON returned in Lambda payload""#,
            r#"bkt,left-out,,failed,200,PermanentFailure,"The Lambda payload has no result for this task""#,
            r#"bkt,permanent,,failed,200,PermanentFailure,"say ""no""""#,
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_missing_task_id_is_a_temporary_failure_and_unknown_ones_are_ignored() {
    let mut first = true;
    let world = World::new(move |_| {
        if !std::mem::take(&mut first) {
            return succeeded();
        }
        Reply::Raw(
            r#"{"invocationSchemaVersion":"2.0","results":[{"taskId":"unknown","resultCode":"PermanentFailure"}]}"#
                .into(),
        )
    });
    let job = world.run(&["a"]).await;
    assert_eq!(job.progress, Some(Progress { total: 1, succeeded: 1, failed: 0 }));
    assert_eq!(world.invoked(), ["a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn throttles_are_waited_out_and_never_count() {
    let mut throttles = 50;
    let world = World::paced(Pace { redrives: 0, ..Pace::default() }, move |_| {
        if throttles == 0 {
            return succeeded();
        }
        throttles -= 1;
        Reply::Refused(429, "TooManyRequestsException")
    });
    let job = world.run(&["a", "b", "c"]).await;
    assert_eq!(job.progress, Some(Progress { total: 3, succeeded: 3, failed: 0 }));
    assert_eq!(world.invoked().len(), 53);
}

#[tokio::test(start_paused = true)]
async fn an_unwell_lambda_is_tried_again() {
    let mut failures = 2;
    let world = World::new(move |_| {
        if failures == 0 {
            return succeeded();
        }
        failures -= 1;
        Reply::Refused(500, "ServiceException")
    });
    assert_eq!(world.run(&["a"]).await.progress, Some(Progress { total: 1, succeeded: 1, failed: 0 }));
}

#[tokio::test(start_paused = true)]
async fn more_than_half_of_a_thousand_failures_fail_the_job() {
    let mut calls = 0;
    let mut world = World::paced(Pace { concurrency: 4, ..Pace::default() }, move |_| {
        calls += 1;
        if calls % 2 == 1 || calls == 2 { Reply::Result("PermanentFailure", "no".into()) } else { succeeded() }
    });
    let job = world.finished(world.job(&numbered(3000))).await;
    assert_eq!((job.status, job.failures[0].code), (Status::Failed, "FailureThresholdExceeded"));
    let progress = job.progress.unwrap();
    // At 1,000 it is 501 to 499; up to three more were in flight and ended.
    assert!((1000..=1003).contains(&(progress.succeeded + progress.failed)), "{progress:?}");
    assert_eq!(world.report("failed").len() as u64, progress.failed);
    let statuses: Vec<String> = world.told().into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, ["New", "Preparing", "Ready", "Active", "Failing", "Failed"]);
}

#[tokio::test(start_paused = true)]
async fn exactly_half_is_allowed_and_so_is_everything_below_a_thousand() {
    let mut calls = 0;
    let world = World::new(move |_| {
        calls += 1;
        if calls % 2 == 0 { Reply::Result("PermanentFailure", "no".into()) } else { succeeded() }
    });
    let job = world.finished(world.job(&numbered(1000))).await;
    assert_eq!((job.status, job.progress.unwrap().failed), (Status::Complete, 500));

    let world = World::new(|_| Reply::Result("PermanentFailure", "no".into()));
    let job = world.finished(world.job(&numbered(999))).await;
    assert_eq!((job.status, job.progress.unwrap().failed), (Status::Complete, 999));
}

#[tokio::test(start_paused = true)]
async fn deliveries_can_be_doubled() {
    let mut seen = std::collections::HashSet::new();
    let world = World::paced(Pace { duplicate_every: NonZeroU64::new(2), ..Pace::default() }, move |key| {
        Reply::Result("Succeeded", if seen.insert(key.to_owned()) { "first".into() } else { "second".into() })
    });
    let job = world.run(&["a", "b", "c", "d"]).await;
    assert_eq!(job.progress.unwrap().succeeded, 4);
    assert_eq!(world.invoked().len(), 6);
    assert_eq!(world.report("succeeded").iter().filter(|line| line.contains("second")).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn several_tasks_can_share_an_invocation() {
    let world = World::paced(Pace { tasks_per_invocation: 3, ..Pace::default() }, |key| match key {
        "3" => Reply::Result("PermanentFailure", "no".into()),
        _ => succeeded(),
    });
    let job = world.finished(world.job(&numbered(7))).await;
    assert_eq!(job.progress, Some(Progress { total: 7, succeeded: 6, failed: 1 }));
    let mut sizes: Vec<usize> =
        world.invocations.lock().unwrap().iter().map(|event| event["tasks"].as_array().unwrap().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 3, 3]);
    assert_eq!(world.report("failed"), ["bkt,3,,failed,200,PermanentFailure,\"no\""]);
}
