//! Jobs as S3 Batch Operations may run them: events late, early, twice or never; tasks twice; failures of every kind.

use std::num::NonZeroU64;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use domain::layout::{manifest_key, record_key, reports_prefix};
use domain::mapping::BucketKind;
use domain::receipt::{Receipt, ReceiptState};
use domain::record::Record;
use harness::{Account, Answer, Fixture, Options, promises};
use http::Response;
use jiff::{SignedDuration, Timestamp};
use local_aws::s3_error;
use local_batch::{Pace, Status};
use serde_json::{Value, json};

use crate::gates::{Dies, Kill, Point, Slow, answering, first, request};
use crate::stage::{Stage, by_job, only_in_memory};

const VERSIONS: usize = 12;
/// Looks at something that is on its way, before it counts as lost.
const LOOKS_MAX: u32 = 1_000;

fn with_events() -> Options {
    Options { job_events: true, ..by_job(5) }
}

/// An event about a job, as EventBridge delivers it.
fn event(job: &str, status: &str) -> Value {
    json!({
        "version": "0", "id": "e", "detail-type": "AWS Service Event via CloudTrail", "source": "aws.s3",
        "account": "123456789012", "time": "2026-01-05T00:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {
            "eventSource": "s3.amazonaws.com", "eventName": "JobStatusChanged",
            "serviceEventDetails": { "jobId": job, "status": status },
        },
    })
}

async fn record(stage: &Stage, account: &Account) -> Record {
    let body = stage.photolala.own_object(record_key(&account.id()).as_str()).await;
    Record::parse(&body.expect("the record is there")).expect("a record can be read")
}

/// Without any reconcile: waits until the receipt says complete.
async fn complete_by_itself(stage: &Stage, answer: &Answer) -> Receipt {
    for _ in 0..LOOKS_MAX {
        let receipt = stage.photolala.receipt(answer.deletion_id()).await;
        if receipt.state == ReceiptState::Complete {
            stage.photolala.quiet().await;
            return receipt;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing came by itself: {:?}", stage.photolala.receipt(answer.deletion_id()).await);
}

fn statuses(stage: &Stage) -> Vec<Status> {
    stage.photolala.local().batch().jobs().iter().map(|job| job.status).collect()
}

fn by_eraser(stage: &Stage, operation: &'static str, key: &'static str) -> Point {
    request(&stage.photolala.environment().functions.eraser, operation, key, "")
}

fn failing(stage: &Stage, point: Point) {
    answering(&stage.photolala, move |info, body| {
        point(info, body).then(|| s3_error(500, "InternalError", "We encountered an internal error."))
    });
}

/// P4: nobody hears of the end of the job; reconcile notices.
#[tokio::test]
async fn a_lost_event_is_noticed_by_reconcile() {
    let stage = Stage::set(by_job(5), VERSIONS).await;
    let answer = stage.delete_now().await;
    stage.photolala.quiet().await;
    assert_eq!(stage.photolala.receipt(answer.deletion_id()).await.state, ReceiptState::Submitted);
    stage.photolala.reconcile().await.expect("reconcile runs");
    assert_eq!(stage.photolala.receipt(answer.deletion_id()).await.state, ReceiptState::Complete);
    stage.end_settled(&answer).await;
}

/// P7: the job's event alone completes a deletion.
#[tokio::test]
async fn an_event_completes_without_reconcile() {
    let stage = Stage::set(with_events(), VERSIONS).await;
    let answer = stage.delete_now().await;
    let receipt = complete_by_itself(&stage, &answer).await;
    promises::kept(&stage.photolala, &stage.before, &stage.account, &receipt).await;
    assert!(stage.photolala.local().lambda().dead_letters().is_empty());
    stage.end_settled(&answer).await;
}

/// P3: events that come early, twice, late, or about a job of somebody else change nothing.
#[tokio::test]
async fn early_and_doubled_and_foreign_events_are_harmless() {
    let stage = Stage::set(by_job(5), VERSIONS).await;
    let batch = stage.photolala.local().batch();
    batch.hold();
    let answer = stage.delete_now().await;
    let job = answer.job_id().expect("there is a job");
    let then = record(&stage, &stage.account).await;
    for event in [event(job.as_str(), "Active"), event(job.as_str(), "Complete"), event("no-such-job", "Complete")] {
        stage.photolala.invoke(event).await.expect("the event is taken");
    }
    assert_eq!(record(&stage, &stage.account).await, then, "the job has not ended");
    batch.release();
    stage.photolala.quiet().await;
    let twice = || stage.photolala.invoke(event(job.as_str(), "Complete"));
    let (one, two, three) = tokio::join!(twice(), twice(), twice());
    for taken in [one, two, three] {
        taken.expect("the event is taken");
    }
    let receipt = stage.end_settled(&answer).await;
    assert_eq!((receipt.attempts, receipt.versions.erased), (1, VERSIONS as u64));
    stage.photolala.invoke(event(job.as_str(), "Complete")).await.expect("a late event is taken");
}

/// P3: every task is delivered twice, and every version is counted once.
#[tokio::test]
async fn tasks_delivered_twice_count_once() {
    let pace = Pace { duplicate_every: NonZeroU64::new(1), ..Pace::default() };
    let stage = Stage::set(Options { kind: BucketKind::Versioned, pace, ..crate::stage::options() }, 2_200).await;
    let answer = stage.delete_now().await;
    let receipt = stage.end_settled(&answer).await;
    assert_eq!((receipt.attempts, receipt.versions.erased + receipt.versions.absent), (1, 2_200));
}

/// P2, P7: S3 fails under the erasers for a while.
#[tokio::test]
async fn a_task_that_fails_for_a_while_is_tried_again() {
    for (operation, key, times) in [("DeleteObjects", "", 2), ("GetObject", "pages/", 2), ("PutObject", "outcomes/", 2)]
    {
        let stage = Stage::set(by_job(5), VERSIONS).await;
        failing(&stage, first(times, by_eraser(&stage, operation, key)));
        let answer = stage.delete_now().await;
        let receipt = stage.end_settled(&answer).await;
        assert_eq!((receipt.attempts, receipt.versions.listed), (1, VERSIONS as u64), "{operation}");
        assert!(
            stage.photolala.local().recorder().count_by(&stage.photolala.environment().functions.eraser, operation)
                > times
        );
    }
}

/// P3, P7: S3 fails for as long as the job runs. No receipt; the attempt after the fault completes.
#[tokio::test]
async fn a_task_that_fails_for_good_is_done_by_the_next_attempt() {
    let pace = Pace { redrive_delay: Duration::from_millis(1), ..Pace::default() };
    let stage = Stage::set(Options { pace, ..by_job(5) }, VERSIONS).await;
    failing(&stage, by_eraser(&stage, "GetObject", "pages/"));
    let answer = stage.delete_now().await;
    stage.photolala.quiet().await;
    assert_eq!(statuses(&stage), [Status::Complete], "complete does not mean success");
    assert_eq!(stage.photolala.receipt(answer.deletion_id()).await.state, ReceiptState::Submitted);
    stage.photolala.local().open_gate();
    let receipt = stage.end_settled(&answer).await;
    assert_eq!(receipt.attempts, 2);
}

/// An answer to DeleteObjects that fails every key in turn, and leaves the last out.
fn every_key_fails(body: &Bytes) -> Response<Bytes> {
    let body = String::from_utf8_lossy(body);
    let objects: Vec<&str> = body
        .split("<Object>")
        .skip(1)
        .filter_map(|part| part.split_once("</Object>"))
        .map(|(object, _)| object)
        .collect();
    let codes = ["InternalError", "SlowDown"];
    let errors = objects.iter().skip(1).zip(codes.iter().cycle());
    let errors = errors.map(|(object, code)| format!("<Error>{object}<Code>{code}</Code></Error>"));
    let errors = errors.collect::<Vec<_>>().concat();
    Response::new(Bytes::from(format!("<DeleteResult>{errors}</DeleteResult>")))
}

/// P2, P3: errors about single keys inside a 200, and a key that the answer leaves out, are asked about again: by the
/// eraser and by the deletion function.
#[tokio::test]
async fn errors_of_single_keys_are_asked_again() {
    for options in [by_job(5), crate::stage::options()] {
        let stage = Stage::set(options, VERSIONS).await;
        let point = first(2, Box::new(|info, _| info.operation == "DeleteObjects"));
        answering(&stage.photolala, move |info, body| point(info, body).then(|| every_key_fails(body)));
        let answer = stage.delete_now().await;
        let receipt = stage.end_settled(&answer).await;
        assert_eq!((receipt.attempts, receipt.versions.erased), (1, VERSIONS as u64));
        let metrics = stage.photolala.local().lambda().metrics();
        let throttles: f64 = metrics.iter().filter(|m| m.name == "Throttles").flat_map(|m| &m.values).sum();
        assert!(throttles > 0.0, "SlowDown inside a 200 is counted");
    }
}

/// P7: the manifest is another by the time the job reads it: the job fails, and the next attempt completes.
#[tokio::test]
async fn a_failed_job_is_followed_by_another() {
    let stage = Stage::set(by_job(5), VERSIONS).await;
    stage.photolala.local().batch().hold();
    let answer = stage.delete_now().await;
    let run = record(&stage, &stage.account).await.done.runs[0];
    let bucket = stage.photolala.environment().manifest_bucket();
    let put = stage.photolala.s3().put_object().bucket(bucket).key(manifest_key(&run).as_str());
    put.body(Vec::from(*b"photolala-dev,photos/x").into()).send().await.expect("it is overwritten");
    stage.photolala.local().batch().release();
    stage.photolala.quiet().await;
    assert_eq!(statuses(&stage), [Status::Failed]);
    let receipt = stage.end_settled(&answer).await;
    assert_eq!((receipt.attempts, receipt.jobs.len(), statuses(&stage)[1]), (2, 2, Status::Complete));
}

/// P7: an operator cancels the job: the next attempt completes.
#[tokio::test]
async fn a_cancelled_job_is_followed_by_another() {
    let stage = Stage::set(by_job(5), VERSIONS).await;
    stage.photolala.local().batch().hold();
    let answer = stage.delete_now().await;
    let control = stage.photolala.local().s3control_client();
    let cancel = control.update_job_status().account_id(harness::environment::AWS_ACCOUNT);
    let job = answer.job_id().expect("there is a job");
    let cancel = cancel.job_id(job.as_str()).requested_job_status("Cancelled".into());
    cancel.send().await.expect("it is cancelled");
    stage.photolala.local().batch().release();
    stage.photolala.quiet().await;
    assert_eq!(statuses(&stage), [Status::Cancelled]);
    assert_eq!(stage.end_settled(&answer).await.attempts, 2);
}

/// P4, P7: nobody looked for 91 days, and S3 Batch Operations has forgotten the job: its outcomes are still there.
#[tokio::test]
async fn a_forgotten_job_counts_as_ended() {
    only_in_memory("its clock cannot be moved by 91 days");
    let stage = Stage::set(by_job(5), VERSIONS).await;
    let answer = stage.delete_now().await;
    stage.photolala.quiet().await;
    stage.photolala.local().advance(SignedDuration::from_hours(91 * 24));
    assert!(statuses(&stage).is_empty(), "the job is forgotten");
    let receipt = stage.end_settled(&answer).await;
    assert_eq!((receipt.attempts, receipt.versions.erased), (1, VERSIONS as u64));
}

/// P3: the completion report is only a cross-check: without it the deletion completes.
#[tokio::test]
async fn a_missing_report_is_no_hindrance() {
    let stage = Stage::set(by_job(5), VERSIONS).await;
    let answer = stage.delete_now().await;
    stage.photolala.quiet().await;
    let run = record(&stage, &stage.account).await.done.runs[0];
    let reports = stage.photolala.own_keys(&reports_prefix(&run)).await;
    assert!(!reports.is_empty(), "there is a report to lose");
    for key in reports {
        let bucket = stage.photolala.environment().manifest_bucket();
        stage.photolala.s3().delete_object().bucket(bucket).key(key).send().await.expect("it goes");
    }
    assert_eq!(stage.end_settled(&answer).await.attempts, 1);
}

/// P7: CreateJob is throttled at first.
#[tokio::test]
async fn a_throttled_create_job_is_tried_again() {
    let stage = Stage::set(by_job(5), VERSIONS).await;
    let point = first(2, Box::new(|info, _| info.operation == "CreateJob"));
    answering(&stage.photolala, move |info, body| {
        point(info, body).then(|| s3_error(503, "SlowDown", "Please reduce your request rate."))
    });
    let answer = stage.delete_now().await;
    assert_eq!(answer.body["status"], "batch_job_created", "{}", answer.body);
    assert_eq!(stage.end_settled(&answer).await.attempts, 1);
    assert_eq!(statuses(&stage).len(), 1);
}

/// P7: planning takes longer than a caller waits. The answer comes in time and names no job yet; the rest comes by
/// itself.
#[tokio::test]
async fn a_slow_planner_answers_in_time_and_goes_on_by_itself() {
    only_in_memory("its pages are of its own size");
    let stage = Stage::set(with_events(), 160).await;
    let planner = OnceLock::new();
    let slow: Point = Box::new(move |info, _| {
        // The first process that lists is the one a caller waits for.
        info.operation == "ListObjectVersions"
            && info.calling_function().is_some_and(|function| function.contains("deletion"))
            && planner.get_or_init(|| info.caller.clone()) == &info.caller
    });
    stage.photolala.local().set_gate(Slow { point: slow, wait: Duration::from_millis(5_200) });
    let answer = stage.delete_now().await;
    assert_eq!((answer.status_code, answer.job_id()), (202, None), "{}", answer.body);
    let receipt = complete_by_itself(&stage, &answer).await;
    promises::kept(&stage.photolala, &stage.before, &stage.account, &receipt).await;
    stage.end_settled(&answer).await;
}

/// P1, P3, P7: three planned deletions go into one job. One of them has a version under Object Lock: it ends held,
/// with its date, the others complete; after the date it completes too.
#[tokio::test]
async fn one_locked_account_does_not_hold_up_its_job() {
    only_in_memory("its clock cannot be moved past a retention");
    let options = Options { kind: BucketKind::Versioned, object_lock: true, ..by_job(5) };
    let stage = Stage::set(options, VERSIONS).await;
    let others = [Account::seeded(2), Account::seeded(3)];
    for account in &others {
        Fixture::of(account).versions(VERSIONS).fill(&stage.photolala).await.expect("it is filled");
    }
    let until = stage.photolala.local().clock().now() + SignedDuration::from_hours(48);
    lock(&stage, until).await;
    for account in [&stage.account, &others[0], &others[1]] {
        plan_only(&stage, account).await;
    }
    stage.photolala.pass(domain::record::LEASE_SECONDS + 1).await;
    stage.photolala.reconcile().await.expect("reconcile runs");
    assert_eq!(stage.photolala.local().batch().jobs().len(), 1, "one job for all three");
    let deletions =
        [&stage.account, &others[0], &others[1]].map(|account| async { record(&stage, account).await.deletion_id });
    let [held, one, two] = deletions;
    let (held, one, two) = (held.await, one.await, two.await);
    for (account, deletion) in others.iter().zip([one, two]) {
        let receipt = stage.photolala.run_until_complete(deletion).await.expect("the others complete");
        assert_eq!(receipt.versions.erased, VERSIONS as u64);
        let scope = promises::Scope::of(stage.photolala.environment(), &[account]);
        promises::nothing_left(&stage.photolala.snapshot().await, &scope);
    }
    let receipt = stage.photolala.run_until(held, |r| r.state == ReceiptState::Held).await.expect("it is held");
    assert_eq!(receipt.held_until.map(Timestamp::as_second), Some(until.as_second()));
    stage.photolala.pass(49 * 3_600).await;
    let receipt = stage.photolala.run_until_complete(held).await.expect("after its date it completes");
    let all = promises::Scope::of(stage.photolala.environment(), &[&stage.account, &others[0], &others[1]]);
    let after = stage.photolala.snapshot().await;
    promises::no_over_deletion(&stage.before, &after, &all, &[]);
    promises::no_false_receipt(&receipt, &after, &stage.account, &all);
}

/// Locks one version of the account.
async fn lock(stage: &Stage, until: Timestamp) {
    let prefix = format!("photos/{}/", stage.account.upper());
    let (place, _) = stage
        .before
        .0
        .iter()
        .find(|(place, seen)| place.key.starts_with(&prefix) && !seen.marker && !place.upload)
        .expect("the account has a photo");
    let retention = aws_sdk_s3::types::ObjectLockRetention::builder()
        .mode(aws_sdk_s3::types::ObjectLockRetentionMode::Compliance)
        .retain_until_date(aws_sdk_s3::primitives::DateTime::from_secs(until.as_second()))
        .build();
    let put = stage.photolala.s3().put_object_retention().bucket(&place.bucket).key(&place.key);
    put.version_id(&place.id).retention(retention).send().await.expect("it is locked");
}

/// Lets the function die once the plan is written down.
async fn plan_only(stage: &Stage, account: &Account) {
    let function = &stage.photolala.environment().functions.deletion;
    let kill = Kill::set(&stage.photolala, request(function, "PutObject", "records/", "\"planned\""), Dies::After);
    assert!(stage.photolala.delete_now(&account.upper()).await.is_err(), "the function dies");
    assert!(kill.struck());
    stage.photolala.local().open_gate();
}
