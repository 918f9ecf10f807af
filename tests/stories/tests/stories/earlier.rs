//! Defects of the earlier system, one short story each: here those of its runs. Each story fails on what it did.

use domain::receipt::Method;
use harness::person::status_key;
use harness::{Account, Answer, Fixture, FunctionError, Options, Photolala, Snapshot, promises};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use local_aws::{RequestInfo, s3_error};
use local_batch::Status;
use serde_json::json;

use crate::app::put_all;
use crate::gates::{Freeze, answering, request};
use crate::scheduled::{GRACE, with_grace};
use crate::stage::{Stage, by_job, only_in_memory, options};

const HOUR: i64 = 3_600;

/// Further accounts, each with so many versions.
async fn crowd(photolala: &Photolala, accounts: u64, versions: usize) -> Vec<Account> {
    let accounts: Vec<Account> = (100..100 + accounts).map(Account::seeded).collect();
    for account in &accounts {
        Fixture::of(account).versions(versions).fill(photolala).await.expect("the account is filled");
    }
    accounts
}

/// The second look has been, the accounts are gone whole, and nothing else has changed since.
async fn only_these_are_gone(photolala: &Photolala, before: &Snapshot, accounts: &[&Account]) {
    photolala.quiet().await;
    photolala.settle().await.expect("reconcile runs");
    let (scope, after) = (promises::Scope::of(photolala.environment(), accounts), photolala.snapshot().await);
    promises::no_over_deletion(before, &after, &scope, &[]);
    promises::nothing_left(&after, &scope);
    promises::silent_about_people(photolala, before, accounts).await;
    let own = [photolala.own_keys("records/").await, photolala.own_keys("requests/").await].concat();
    assert_eq!(own, [""; 0], "something still waits");
}

/// The account of the stage and these.
fn with_its_own<'a>(stage: &'a Stage, others: &'a [Account]) -> Vec<&'a Account> {
    std::iter::once(&stage.account).chain(others).collect()
}

/// The hour of the earlier system's daily run, on the next day.
fn next_night(now: Timestamp) -> Timestamp {
    let tomorrow = TimeZone::UTC.to_datetime(now).date().tomorrow().expect("a day of this century");
    let night = tomorrow.at(2, 0, 0, 0).to_zoned(TimeZone::UTC).expect("UTC has every hour");
    night.timestamp()
}

/// A run as of another moment, as this environment allows it.
async fn run_at(stage: &Stage, time: Timestamp) -> Answer {
    let event = json!({"type": "scheduled", "time": time.to_string()});
    let answer = stage.photolala.ask(event).await.expect("the run answers");
    assert_eq!(answer.status_code, 200, "{}", answer.body);
    answer
}

/// D1: it looked into today's folder only, and there only for what was due by two in the morning.
#[tokio::test]
async fn d01_entries_of_past_days_and_of_later_hours_are_served() {
    let stage = Stage::set(with_grace(options()), 12).await;
    let others = crowd(&stage.photolala, 5, 6).await;
    let (now, night) = (stage.photolala.now(), next_night(stage.photolala.now()));
    let accounts = with_its_own(&stage, &others);
    for (account, hours) in accounts.iter().zip([-300, -75, -26, -1, 7, 21]) {
        let due_in = night.as_second() - now.as_second() + hours * HOUR;
        stage.photolala.app_schedules(account, due_in).await;
    }
    let before = stage.photolala.snapshot().await;
    stage.wait().await;
    assert_eq!(run_at(&stage, night).await.body["claimed"], 4, "three past days, and the first hours of today");
    let next = night + SignedDuration::from_hours(24);
    assert_eq!(run_at(&stage, next).await.body["claimed"], 2, "the hours after the run of the day before");
    only_these_are_gone(&stage.photolala, &before, &accounts).await;
}

fn is_listing_of_entries(info: &RequestInfo) -> bool {
    let prefix = info.prefix.as_deref().unwrap_or_default();
    info.operation.starts_with("ListObject") && prefix.starts_with("scheduled-deletions/")
}

/// From now on the entries cannot be listed.
fn deny_listing_of_entries(photolala: &Photolala) {
    answering(photolala, |info, _| is_listing_of_entries(info).then(|| s3_error(403, "AccessDenied", "Access Denied")));
}

/// D2: what a failed or missed run was to erase was never erased by a later one.
#[tokio::test]
async fn d02_days_without_a_run_are_caught_up() {
    only_in_memory("its clock cannot be moved by days");
    let stage = Stage::set(with_grace(options()), 20).await;
    let others = crowd(&stage.photolala, 2, 8).await;
    stage.schedule().await;
    for account in &others {
        stage.photolala.app_schedules(account, GRACE.into()).await;
    }
    let stage = stage.taken_anew().await;
    stage.wait().await;
    deny_listing_of_entries(&stage.photolala);
    stage.photolala.daily().await.expect_err("the run of the day fails");
    stage.photolala.local().open_gate();
    stage.photolala.pass(9 * 24 * HOUR).await;
    stage.photolala.daily().await.expect("the first good run");
    // What the failed run had claimed already is no longer the daily run's, but reconcile's.
    stage.photolala.reconcile().await.expect("reconcile runs");
    only_these_are_gone(&stage.photolala, &stage.before, &with_its_own(&stage, &others)).await;
}

/// D3: for large accounts it asked S3 Batch Operations for an operation that does not exist, so none was ever erased.
#[tokio::test]
async fn d03_a_large_account_is_erased_by_a_job_that_is_accepted() {
    let stage = Stage::set(with_grace(by_job(20)), 60).await;
    stage.schedule().await;
    let stage = stage.taken_anew().await;
    stage.wait().await;
    let run = stage.photolala.run().await;
    let line = stage.line(&run).expect("the run speaks of the account");
    assert_eq!(line["status"], "batch_job_created", "{}", run.body);
    let receipt = stage.erased_by(run).await;
    assert_eq!((receipt.method, receipt.attempts, receipt.versions.erased), (Method::Batch, 1, 60));
    let jobs = stage.photolala.local().batch().jobs();
    let ends: Vec<_> = jobs.iter().map(|job| (job.status, job.progress.map(|tasks| tasks.failed))).collect();
    assert_eq!(ends, [(Status::Complete, Some(0))]);
}

/// D13: it read one page of a day's entries, so that the 1,001st person of the day was never erased.
#[tokio::test]
async fn d13_entries_and_requests_on_further_pages_are_served() {
    only_in_memory("its pages are of its own size");
    let stage = Stage::set(Options { page_size: 5, ..with_grace(options()) }, 2).await;
    let others = crowd(&stage.photolala, 12, 2).await;
    stage.schedule().await;
    for (number, account) in others.iter().enumerate() {
        if number.is_multiple_of(2) {
            stage.photolala.app_schedules(account, 0).await;
        } else {
            let event = json!({"type": "schedule", "userId": account.upper()});
            stage.photolala.ask(event).await.expect("the function answers");
        }
    }
    let stage = stage.taken_anew().await;
    assert!(stage.photolala.own_keys("requests/").await.len() > 5, "the requests fit on a page");
    stage.wait().await;
    let run = stage.photolala.run().await;
    assert_eq!((&run.body["due"], &run.body["claimed"]), (&json!(13), &json!(13)), "{}", run.body);
    only_these_are_gone(&stage.photolala, &stage.before, &with_its_own(&stage, &others)).await;
}

/// D14: for each account it read every mapping of all users, one after the other, until its time was up.
#[tokio::test]
async fn d14_mappings_of_other_people_are_not_read() {
    let stage = Stage::set(with_grace(options()), 12).await;
    let others = crowd(&stage.photolala, 2, 6).await;
    let keys: Vec<String> = (0..300).map(|number| format!("identities/stranger:{number:03}")).collect();
    put_all(&stage.photolala, &keys, &Account::seeded(99).upper()).await;
    let accounts = with_its_own(&stage, &others);
    for account in &accounts {
        stage.photolala.app_schedules(account, 0).await;
    }
    let before = stage.photolala.snapshot().await;
    stage.wait().await;
    stage.photolala.local().recorder().start();
    let run = stage.photolala.run().await;
    let records = stage.photolala.local().recorder().stop();
    assert_eq!(run.body["claimed"], 3, "{}", run.body);
    let function = stage.photolala.environment().functions.deletion.as_str();
    let is_read = |info: &&RequestInfo| {
        matches!(info.operation, "GetObject" | "HeadObject") && info.calling_function() == Some(function)
    };
    let read: Vec<&str> =
        records.iter().map(|record| &record.info).filter(is_read).filter_map(|info| info.key.as_deref()).collect();
    assert!(read.contains(&status_key(&stage.account.upper()).as_str()), "nothing was recorded");
    assert!(!read.iter().any(|key| keys.iter().any(|other| other == key)), "{read:?}");
    only_these_are_gone(&stage.photolala, &before, &accounts).await;
}

/// How many runs were whole: the alarm of silence counts them.
fn whole_runs(photolala: &Photolala) -> f64 {
    let metrics = photolala.local().lambda().metrics();
    metrics.iter().filter(|metric| metric.name == "ScheduledRuns").flat_map(|metric| &metric.values).sum()
}

/// D16: a run that could not even list answered 200 with an error inside, so no alarm and no retry ever saw it.
#[tokio::test]
async fn d16_a_run_that_fails_is_a_failed_invocation() {
    let stage = Stage::set(with_grace(options()), 20).await;
    stage.photolala.app_schedules(&stage.account, 0).await;
    let stage = stage.taken_anew().await;
    stage.wait().await;
    deny_listing_of_entries(&stage.photolala);
    let failed = stage.photolala.daily().await;
    assert!(matches!(failed, Err(FunctionError::Failed { .. })), "{failed:?}");
    assert!(whole_runs(&stage.photolala) < 1.0, "a failed run counts as one");
    stage.is_untouched(&[]).await;
    stage.photolala.local().open_gate();
    let daily = stage.photolala.daily().await.expect("the next run is whole");
    assert!(whole_runs(&stage.photolala) > 0.0, "a whole run does not count");
    stage.erased_by(Answer::decode(&daily).expect("a run answers")).await;
}

/// D22: runs overlapped without a lock, and made two jobs for one account.
#[tokio::test]
async fn d22_runs_that_overlap_are_one_deletion_with_one_job() {
    let stage = Stage::set(with_grace(by_job(5)), 12).await;
    stage.schedule().await;
    let stage = stage.taken_anew().await;
    stage.wait().await;
    let function = &stage.photolala.environment().functions.deletion;
    let freeze = Freeze::set(&stage.photolala, request(function, "CreateJob", "", ""));
    let meanwhile = async {
        freeze.frozen().await;
        let others = tokio::join!(stage.photolala.run(), stage.photolala.run());
        freeze.resume();
        others
    };
    let (run, (second, third)) = tokio::join!(stage.photolala.run(), meanwhile);
    let claimed = [&run, &second, &third].map(|run| run.body["claimed"].as_u64());
    assert_eq!(claimed, [Some(1), Some(0), Some(0)]);
    let receipt = stage.erased_by(run).await;
    assert_eq!((receipt.jobs.len(), receipt.attempts), (1, 1));
    assert_eq!(stage.photolala.local().batch().jobs().len(), 1, "a second job");
    assert_eq!(stage.photolala.own_keys("receipts/").await.len(), 1, "a second deletion");
}

/// D23: it served accounts one after the other in one invocation, so that a huge one starved those behind it.
#[tokio::test]
async fn d23_a_huge_account_does_not_starve_the_small_ones() {
    let stage = Stage::set(with_grace(by_job(30)), 300).await;
    let small = crowd(&stage.photolala, 6, 8).await;
    let accounts = with_its_own(&stage, &small);
    for account in &accounts {
        stage.photolala.app_schedules(account, 0).await;
    }
    let before = stage.photolala.snapshot().await;
    stage.wait().await;
    stage.photolala.local().batch().hold();
    let run = stage.photolala.run().await;
    assert_eq!(run.body["claimed"], 7, "{}", run.body);
    for account in &small {
        let lines = run.body["results"].as_array().expect("a run answers with results");
        let line = lines.iter().find(|line| line["userId"] == account.upper()).expect("the run speaks of the account");
        assert_eq!((&line["status"], &line["method"]), (&json!("completed"), &json!("direct")), "{line}");
    }
    let small: Vec<&Account> = small.iter().collect();
    let scope = promises::Scope::of(stage.photolala.environment(), &small);
    promises::nothing_left(&stage.photolala.snapshot().await, &scope);
    stage.photolala.local().batch().release();
    let huge = Answer { status_code: 200, body: stage.line(&run).expect("the huge one is told too").clone() };
    assert_eq!(huge.body["method"], "batch", "{}", huge.body);
    stage.photolala.run_until_complete(huge.deletion_id()).await.expect("the job erases the huge one");
    only_these_are_gone(&stage.photolala, &before, &accounts).await;
}
