//! The engine is killed while jobs go on, and started again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3control::types::RequestedJobStatus;
use local_batch::{Pace, Progress, Status};

use crate::world::{ACCOUNT, Reply, World, manifest, numbered, succeeded};

const TASKS: usize = 60;
const CRASHES: usize = 12;

/// How often the function was through with each key.
type Calls = Arc<Mutex<BTreeMap<String, usize>>>;

/// Every tenth task fails for good.
fn counted(pace: Pace) -> (World, Calls) {
    let calls = Calls::default();
    let counts = Arc::clone(&calls);
    let world = World::paced(pace, move |key| {
        *counts.lock().unwrap().entry(key.to_owned()).or_default() += 1;
        if key.ends_with('7') { Reply::Result("PermanentFailure", "no".into()) } else { succeeded() }
    });
    (world, calls)
}

/// A job that nobody drives any more would be waited for without end; the clock is paused, so an hour is nothing.
async fn soon<T>(wait: impl Future<Output = Option<T>>) -> T {
    let waited = tokio::time::timeout(Duration::from_hours(1), wait).await;
    waited.expect("the job does not go on").unwrap()
}

fn keys(rows: &[String]) -> BTreeSet<&str> {
    rows.iter().map(|row| row.split(',').nth(1).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_job_outlives_crashes_and_each_task_ends_once() {
    let (mut world, calls) = counted(Pace { concurrency: 4, ..Pace::default() });
    let id = world.job(&numbered(TASKS)).send().await.unwrap().job_id.unwrap();
    for crash in 0..CRASHES {
        tokio::time::sleep(Duration::from_millis(1_700)).await;
        assert_eq!(world.batch.crash().await, 1, "the job had ended before crash {crash}");
        let progress = world.batch.job(&id).unwrap().progress.unwrap();
        assert!(progress.succeeded + progress.failed > crash as u64, "what was written down was lost: {progress:?}");
    }
    let job = soon(world.batch.finished(&id)).await;
    assert_eq!((job.status, job.progress), (Status::Complete, Some(Progress { total: 60, succeeded: 54, failed: 6 })));
    let (failed, succeeded) = (world.report("failed"), world.report("succeeded"));
    assert_eq!((failed.len(), succeeded.len()), (6, 54), "each task has one row");
    assert_eq!(keys(&failed).union(&keys(&succeeded)).count(), TASKS);
    let calls = calls.lock().unwrap();
    assert_eq!(calls.len(), TASKS);
    assert!(calls.values().sum::<usize>() >= TASKS + CRASHES, "what was in flight went on, and came again: {calls:?}");
    let statuses: Vec<String> = world.told().into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, ["New", "Preparing", "Ready", "Active", "Completing", "Complete"]);
}

#[tokio::test(start_paused = true)]
async fn a_job_goes_on_from_every_status() {
    let pause = Duration::from_secs(10);
    let (mut world, _) = counted(Pace { before_preparing: pause, before_active: pause, ..Pace::default() });
    let id = world.job(&manifest(&["a"])).confirmation_required(true).send().await.unwrap().job_id.unwrap();
    for status in [Status::New, Status::Suspended, Status::Ready, Status::Active] {
        soon(world.batch.wait(&id, |job| job.status == status)).await;
        assert_eq!(world.batch.crash().await, 1);
        if status == Status::Suspended {
            let ready = world.control.update_job_status().account_id(ACCOUNT).job_id(&id);
            ready.requested_job_status(RequestedJobStatus::Ready).send().await.unwrap();
        }
    }
    assert_eq!(soon(world.batch.finished(&id)).await.status, Status::Complete);
    let statuses: Vec<String> = world.told().into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, ["New", "Preparing", "Suspended", "Ready", "Active", "Completing", "Complete"]);
    assert_eq!(world.batch.crash().await, 0, "no job is left to go on");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_ends_cancelled_and_reports_what_had_ended() {
    let (world, _) = counted(Pace { concurrency: 2, ..Pace::default() });
    let id = world.job(&numbered(TASKS)).send().await.unwrap().job_id.unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(world.batch.cancel(&id));
    assert_eq!(world.batch.crash().await, 1);
    let job = soon(world.batch.finished(&id)).await;
    // One in the first second and two in the second; what was in flight is lost.
    assert_eq!((job.status, job.progress.unwrap().succeeded + job.progress.unwrap().failed), (Status::Cancelled, 3));
    assert_eq!(world.report("succeeded").len() + world.report("failed").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn too_many_failures_before_a_crash_are_too_many_after_it() {
    let world =
        World::paced(Pace { concurrency: 40, ..Pace::default() }, |_| Reply::Result("PermanentFailure", "no".into()));
    let id = world.job(&numbered(1_100)).send().await.unwrap().job_id.unwrap();
    while world.batch.job(&id).unwrap().progress.is_none_or(|progress| progress.failed < 1_000) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let sent = world.invoked().len();
    world.batch.crash().await;
    assert_eq!(soon(world.batch.finished(&id)).await.failures[0].code, "FailureThresholdExceeded");
    assert_eq!(world.invoked().len(), sent, "sent more although too many had failed");
}
