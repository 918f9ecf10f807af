use aws_sdk_s3control::types::{JobStatus, OperationName, RequestedJobStatus, S3Tag};
use bytes::Bytes;
use http::Request;

use crate::world::{ACCOUNT, World, manifest, succeeded};

const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

#[tokio::test(start_paused = true)]
async fn an_unknown_job_is_not_found() {
    let World { control, .. } = World::new(|_| succeeded());
    let describe = control.describe_job().account_id(ACCOUNT).job_id(NOBODY).send().await.unwrap_err();
    assert_eq!(describe.raw_response().unwrap().status().as_u16(), 400);
    let describe = describe.into_service_error();
    assert!(describe.is_not_found_exception());
    assert_eq!(
        (describe.meta().code(), describe.meta().message()),
        (Some("NotFoundException"), Some(&*format!("No such job: {NOBODY}")))
    );
    let status = control
        .update_job_status()
        .account_id(ACCOUNT)
        .job_id(NOBODY)
        .requested_job_status(RequestedJobStatus::Cancelled);
    assert!(status.send().await.unwrap_err().into_service_error().is_not_found_exception());
    let priority = control.update_job_priority().account_id(ACCOUNT).job_id(NOBODY).priority(1);
    assert!(priority.send().await.unwrap_err().into_service_error().is_not_found_exception());
    let tags = control.get_job_tagging().account_id(ACCOUNT).job_id(NOBODY);
    assert!(tags.send().await.unwrap_err().into_service_error().is_not_found_exception());
    let untag = control.delete_job_tagging().account_id(ACCOUNT).job_id(NOBODY);
    assert!(untag.send().await.unwrap_err().into_service_error().is_not_found_exception());
}

#[tokio::test(start_paused = true)]
async fn malformed_ids_and_values_are_bad_requests() {
    let world = World::new(|_| succeeded());
    let World { control, .. } = &world;
    for id in ["abcd", "x".repeat(37).as_str(), "a b c"] {
        let describe =
            control.describe_job().account_id(ACCOUNT).job_id(id).send().await.unwrap_err().into_service_error();
        assert!(describe.is_bad_request_exception(), "{id}");
    }
    let id = world.run(&["a"]).await.id;
    let status = || control.update_job_status().account_id(ACCOUNT).job_id(&id);
    for update in [
        status().requested_job_status("Paused".into()),
        status().requested_job_status(RequestedJobStatus::Ready).status_update_reason("x".repeat(257)),
    ] {
        assert!(update.send().await.unwrap_err().into_service_error().is_bad_request_exception());
    }
    let priority = control.update_job_priority().account_id(ACCOUNT).job_id(&id).priority(-1);
    assert!(priority.send().await.unwrap_err().into_service_error().is_bad_request_exception());
}

#[tokio::test(start_paused = true)]
async fn jobs_are_listed_in_pages_newest_first() {
    let world = World::new(|_| succeeded());
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.insert(
            0,
            world.job(&manifest(&["a"])).client_request_token(n.to_string()).send().await.unwrap().job_id.unwrap(),
        );
    }
    let mut pages = Vec::new();
    let mut next = None;
    loop {
        let page =
            world.control.list_jobs().account_id(ACCOUNT).max_results(2).set_next_token(next).send().await.unwrap();
        pages.push(page.jobs.unwrap().into_iter().map(|job| job.job_id.unwrap()).collect::<Vec<_>>());
        next = page.next_token;
        if next.is_none() {
            break;
        }
        // A job made meanwhile shifts nothing.
        world.job(&manifest(&["a"])).client_request_token(format!("late {}", pages.len())).send().await.unwrap();
    }
    assert_eq!(pages, [ids[..2].to_vec(), ids[2..4].to_vec(), ids[4..].to_vec()]);
}

#[tokio::test(start_paused = true)]
async fn listing_filters_by_status_and_shows_progress() {
    let world = World::new(|_| succeeded());
    let done = world.run(&["a"]).await.id;
    world.batch.hold();
    let new = world.job(&manifest(&["a"])).client_request_token("2").send().await.unwrap().job_id.unwrap();
    let list = |statuses: Vec<JobStatus>| {
        world.control.list_jobs().account_id(ACCOUNT).set_job_statuses(Some(statuses)).send()
    };
    let complete = list(vec![JobStatus::Complete, JobStatus::Failed]).await.unwrap().jobs.unwrap();
    assert_eq!(complete.len(), 1);
    assert_eq!(
        (complete[0].job_id.as_ref(), &complete[0].operation),
        (Some(&done), &Some(OperationName::LambdaInvoke))
    );
    assert_eq!(complete[0].progress_summary.as_ref().unwrap().number_of_tasks_succeeded, Some(1));
    let waiting = list(vec![JobStatus::New]).await.unwrap().jobs.unwrap();
    assert_eq!((waiting[0].job_id.as_ref(), waiting[0].progress_summary.is_none()), (Some(&new), true));
    assert!(list(vec!["Odd".into()]).await.unwrap_err().into_service_error().is_invalid_request_exception());
    let wrong =
        world.control.list_jobs().account_id(ACCOUNT).next_token("x").send().await.unwrap_err().into_service_error();
    assert!(wrong.is_invalid_next_token_exception());
    let many =
        world.control.list_jobs().account_id(ACCOUNT).max_results(1001).send().await.unwrap_err().into_service_error();
    assert!(many.is_invalid_request_exception());
}

#[tokio::test(start_paused = true)]
async fn tags_are_put_read_and_removed() {
    let world = World::new(|_| succeeded());
    let tag = |n: usize| S3Tag::builder().key(format!("key {n}")).value("é").build().unwrap();
    let id = world.finished(world.job(&manifest(&["a"])).tags(tag(0))).await.id;
    let get = || async {
        world.control.get_job_tagging().account_id(ACCOUNT).job_id(&id).send().await.unwrap().tags.unwrap()
    };
    assert_eq!(get().await, [tag(0)]);
    let put = |count| {
        world
            .control
            .put_job_tagging()
            .account_id(ACCOUNT)
            .job_id(&id)
            .set_tags(Some((1..=count).map(tag).collect()))
            .send()
    };
    put(2).await.unwrap();
    assert_eq!(get().await, [tag(1), tag(2)]);
    assert!(put(51).await.unwrap_err().into_service_error().is_too_many_tags_exception());
    world.control.delete_job_tagging().account_id(ACCOUNT).job_id(&id).send().await.unwrap();
    assert_eq!(get().await, []);
}

#[tokio::test(start_paused = true)]
async fn the_priority_of_a_finished_job_stays() {
    let world = World::new(|_| succeeded());
    let id = world.run(&["a"]).await.id;
    let update = world.control.update_job_priority().account_id(ACCOUNT).job_id(&id).priority(1).send().await;
    assert!(update.unwrap_err().into_service_error().is_bad_request_exception());
    assert_eq!(world.batch.job(&id).unwrap().priority, 10);
}

#[tokio::test(start_paused = true)]
async fn requests_that_no_operation_has_are_refused_by_name() {
    let World { batch, .. } = World::new(|_| succeeded());
    let unknown = batch
        .call(Request::delete("/v20180820/jobs/abcde").header("x-amz-account-id", ACCOUNT).body(Bytes::new()).unwrap())
        .await;
    assert_eq!(unknown.status(), 501);
    assert!(
        String::from_utf8_lossy(unknown.body())
            .contains("<Code>NotImplemented</Code><Message>DELETE /v20180820/jobs/abcde")
    );
    let nobody = batch.call(Request::get("/v20180820/jobs").body(Bytes::new()).unwrap()).await;
    assert!(String::from_utf8_lossy(nobody.body()).contains("x-amz-account-id is missing"));
    let odd = batch
        .call(Request::get("/v20180820/jobs?color=red").header("x-amz-account-id", ACCOUNT).body(Bytes::new()).unwrap())
        .await;
    assert!(String::from_utf8_lossy(odd.body()).contains("InvalidRequestException"));
}
