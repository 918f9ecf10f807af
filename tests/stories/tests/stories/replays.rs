//! Events of jobs that somebody sends again, in another order, or about jobs that are not ours.

use domain::layout::job_key;
use harness::Fixture;
use serde_json::{Value, json};

use crate::answers::everything;
use crate::stage::{Stage, by_job};

const VERSIONS: usize = 12;

/// What EventBridge has told of all jobs so far, newest first, each twice.
fn told_again(stage: &Stage) -> Vec<Value> {
    let events = stage.photolala.local().events().of_jobs();
    events.into_iter().rev().flat_map(|event| [event.clone(), event]).collect()
}

/// Sends the events; none of them may change anything anywhere.
async fn change_nothing(stage: &Stage, events: &[Value]) {
    let before = everything(&stage.photolala).await;
    for event in events {
        let answer = stage.photolala.invoke(event.clone()).await.expect("the event is taken");
        assert_eq!(answer["waiting"], 0, "{event}");
    }
    assert_eq!(before.changes_to(&everything(&stage.photolala).await), []);
}

/// P1, P3: all events of a job come again when its deletion is over, the last one first: before the second look, after
/// it, and when the person has come back.
#[tokio::test]
async fn old_events_in_any_order_are_harmless() {
    let stage = Stage::set(by_job(5), VERSIONS).await;
    let answer = stage.delete_now().await;
    stage.end(&answer).await;
    let events = told_again(&stage);
    let statuses = events.iter().map(|event| &event["detail"]["serviceEventDetails"]["status"]);
    assert_eq!(statuses.clone().next(), Some(&json!("Complete")));
    assert_eq!(statuses.count(), 12, "six statuses, each twice");
    change_nothing(&stage, &events).await;
    stage.settled(&answer).await;
    change_nothing(&stage, &events).await;
    Fixture::of(&stage.account).versions(VERSIONS).fill(&stage.photolala).await.expect("the person comes back");
    change_nothing(&stage, &events).await;
}

/// P3: while the job runs its events come in the wrong order, and each twice: it is summed up once, at its end.
#[tokio::test]
async fn events_in_the_wrong_order_end_no_job() {
    let stage = Stage::set(by_job(5), VERSIONS).await;
    stage.photolala.local().batch().hold();
    let answer = stage.delete_now().await;
    let job = answer.job_id().expect("there is a job");
    let created = stage.photolala.local().events().of_jobs().remove(0);
    let before = everything(&stage.photolala).await;
    for status in ["Complete", "Failed", "Completing", "Cancelled", "Active", "Ready", "Preparing", "New", "Complete"] {
        let mut event = created.clone();
        event["detail"]["eventName"] = "JobStatusChanged".into();
        event["detail"]["serviceEventDetails"]["status"] = status.into();
        stage.photolala.invoke(event).await.expect("the event is taken");
    }
    assert_eq!(before.changes_to(&everything(&stage.photolala).await), [], "job {job:?} has not begun");
    stage.photolala.local().batch().release();
    let receipt = stage.end_settled(&answer).await;
    assert_eq!((receipt.attempts, receipt.versions.erased, receipt.jobs.len()), (1, VERSIONS as u64, 1));
}

/// P1, P3: jobs of another environment, of nobody, and texts that are no job's id.
#[tokio::test]
async fn events_of_jobs_that_are_not_ours_are_harmless() {
    let stage = Stage::set(by_job(5), VERSIONS).await;
    stage.photolala.local().batch().hold();
    let answer = stage.delete_now().await;
    let ours = stage.photolala.local().events().of_jobs().remove(0);
    let about = |id: &str| {
        let mut event = ours.clone();
        event["detail"]["serviceEventDetails"] = json!({"jobId": id, "status": "Complete"});
        event
    };
    let foreign = foreign_job(&stage).await;
    assert_eq!(stage.photolala.local().batch().jobs().len(), 2);
    let strangers = [about(&foreign), about("00000000-0000-4000-8000-000000000000"), about("unknown-job")];
    change_nothing(&stage, &strangers).await;
    let before = everything(&stage.photolala).await;
    let job = answer.job_id().expect("there is a job");
    let own = job_key(&job).as_str().to_owned();
    for id in
        ["", "..", "../records/x", "%2e%2e%2frecords", "x/../../y", " ", &own, &"j".repeat(37), "j\u{0}b-1", "ｊｏｂ-1"]
    {
        assert!(stage.photolala.invoke(about(id)).await.is_err(), "{id:?} is no job's id");
    }
    for (field, value) in [("source", "aws.s3.photolala"), ("source", "photolala.deletion")] {
        let mut event = about(job.as_str());
        event[field] = value.into();
        assert!(stage.photolala.invoke(event).await.is_err(), "{field} {value}");
    }
    assert_eq!(before.changes_to(&everything(&stage.photolala).await), []);
    assert!(stage.photolala.local().batch().cancel(&foreign));
    stage.photolala.local().batch().release();
    let receipt = stage.end_settled(&answer).await;
    assert_eq!((receipt.attempts, receipt.versions.erased), (1, VERSIONS as u64));
}

/// A job beside ours, as another environment makes it.
async fn foreign_job(stage: &Stage) -> String {
    let jobs = stage.photolala.local().batch().jobs();
    let control = stage.photolala.local().s3control_client();
    let described = control.describe_job().account_id(harness::environment::AWS_ACCOUNT).job_id(&jobs[0].id);
    let ours = described.send().await.expect("the job is described").job.expect("there is one");
    let create = control.create_job().account_id(harness::environment::AWS_ACCOUNT);
    let create = create.set_operation(ours.operation).set_manifest(ours.manifest).set_report(ours.report);
    let create = create.set_role_arn(ours.role_arn).priority(ours.priority).confirmation_required(false);
    let made = create.client_request_token("of another environment").send().await.expect("a job is made");
    made.job_id.expect("a job has an id")
}
