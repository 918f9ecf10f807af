//! Reconcile: takes up every deletion that waits and that nobody holds. When nothing waits it is one listing.

use std::collections::BTreeMap;

use aws::list_objects::list_objects;
use aws::metrics::Unit;
use domain::ids::{JobId, RunId};
use domain::layout::{RECORDS, job_key, run_key};
use domain::record::{Record, State};
use fault_point::planted;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::holder::{Holder, read};
use crate::job::{cross_check, ended, sum_up};
use crate::life::advance;
use crate::notices::tell_held;
use crate::schedule::finish as finish_errand;
use crate::settle::{Settled, settle};
use crate::submit::{Member, Run, note_job, read_run, start_job, submit};
use crate::{App, Stop, Turn};

/// Accounts worked on at the same time. Most of them only take their second look, and share its listing.
const ACCOUNTS_IN_FLIGHT: usize = 64;
/// Seconds after which a failed deletion, or one under a legal hold, is tried again.
const AGAIN_SECONDS: i64 = 86_400;

/// A record as it was read.
struct Found {
    record: Record,
    etag: String,
    modified: domain::Timestamp,
}

/// Takes up everything that waits.
pub async fn reconcile(app: &App, turn: &Turn) -> Result<Value, Stop> {
    let (found, unreadable) = records(app, turn).await?;
    measure(app, &found);
    unless_unreadable(take_up(app, found, turn).await?, unreadable)
}

/// A job ended: takes up its deletions only. An unknown job is somebody else's.
pub async fn job_ended(app: &App, job: &JobId, turn: &Turn) -> Result<Value, Stop> {
    let Some(run) = read_run(app, &job_key(job), turn.deadline).await? else {
        return Ok(json!({ "waiting": 0 }));
    };
    let (mut found, unreadable) = records(app, turn).await?;
    found.retain(|f| matches!(f.record.state, State::Submitted { run_id, .. } if run_id == run.run_id));
    unless_unreadable(take_up(app, found, turn).await?, unreadable)
}

/// Every record, and why one of them cannot be read, if so.
async fn records(app: &App, turn: &Turn) -> Result<(Vec<Found>, Option<Stop>), Stop> {
    let keys = list_objects(app.manifest(), RECORDS, turn.deadline).await?;
    let reads = keys.into_iter().map(async |object| {
        let found = read(app, &object.key, turn.deadline).await?;
        Ok::<_, Stop>(found.map(|(record, got)| Found { record, etag: got.etag, modified: got.modified }))
    });
    let read: Vec<_> = stream::iter(reads).buffer_unordered(ACCOUNTS_IN_FLIGHT).collect().await;
    let (mut found, mut unreadable) = (Vec::new(), None);
    for one in read {
        match one {
            Ok(one) => found.extend(one),
            Err(stop) => unreadable = Some(stop),
        }
    }
    Ok((found, unreadable))
}

/// Fails the invocation for a record that could not be read, after all others had their turn.
fn unless_unreadable(done: Value, unreadable: Option<Stop>) -> Result<Value, Stop> {
    unreadable.map_or(Ok(done), Err)
}

/// Works on each record nobody holds. If any of them fails the invocation fails too, after the others had their turn.
async fn take_up(app: &App, found: Vec<Found>, turn: &Turn) -> Result<Value, Stop> {
    let waiting = found.len();
    let now = app.clock.now();
    let free: Vec<Found> = found.into_iter().filter(|f| !f.record.is_held(f.modified, now)).collect();
    let (submitted, others): (Vec<_>, Vec<_>) =
        free.into_iter().partition(|f| matches!(f.record.state, State::Submitted { .. }));
    let (planned, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|f| matches!(f.record.state, State::Planned { .. }));
    let mut results = vec![submit_all(app, planned, turn).await];
    let runs = by_run(submitted);
    let runs = stream::iter(runs).map(async |(run, found)| one_run(app, run, found, turn).await);
    results.extend(runs.buffer_unordered(ACCOUNTS_IN_FLIGHT).collect::<Vec<_>>().await);
    let others = stream::iter(others).map(async |found| one(app, found, turn).await);
    results.extend(others.buffer_unordered(ACCOUNTS_IN_FLIGHT).collect::<Vec<_>>().await);
    first_failure(results)?;
    Ok(json!({ "waiting": waiting }))
}

/// The first result that is a failure. That another run was quicker is none, nor that time is up: the next reconcile
/// goes on, and an alarm tells of what is overdue.
fn first_failure(results: Vec<Result<(), Stop>>) -> Result<(), Stop> {
    let is_failure = |result: &Result<(), Stop>| result.as_ref().is_err_and(Stop::is_failure);
    results.into_iter().find(is_failure).unwrap_or(Ok(()))
}

fn by_run(found: Vec<Found>) -> BTreeMap<RunId, Vec<Found>> {
    let mut runs: BTreeMap<RunId, Vec<Found>> = BTreeMap::new();
    for f in found {
        if let State::Submitted { run_id, .. } = f.record.state {
            runs.entry(run_id).or_default().push(f);
        }
    }
    runs
}

/// All planned deletions go into one job.
async fn submit_all(app: &App, planned: Vec<Found>, turn: &Turn) -> Result<(), Stop> {
    let holders = take_all(app, &planned, turn).await?;
    if holders.is_empty() {
        return Ok(());
    }
    let holders: Vec<&Holder<'_>> = holders.iter().collect();
    submit(app, &holders, turn.deadline).await
}

async fn take_all<'a>(app: &'a App, found: &[Found], turn: &Turn) -> Result<Vec<Holder<'a>>, Stop> {
    let mut holders = Vec::new();
    for f in found {
        holders.extend(Holder::take_over(app, &f.record, &f.etag, turn.deadline).await?);
    }
    Ok(holders)
}

/// A run: without a job it gets one, with one that has ended its deletions go on.
async fn one_run(app: &App, run_id: RunId, found: Vec<Found>, turn: &Turn) -> Result<(), Stop> {
    let known = read_run(app, &run_key(&run_id), turn.deadline).await?;
    let mut run = known.ok_or_else(|| Stop::Refused(format!("run {run_id} has no object")))?;
    let Some(job) = run.job_id.clone() else {
        return give_job(app, &mut run, &found, turn).await;
    };
    if !ended(app, &run, &job, turn.deadline).await? {
        return Ok(());
    }
    cross_check(app, &run, turn.deadline).await?;
    let each = stream::iter(found).map(async |f| {
        let taken = Holder::take_over(app, &f.record, &f.etag, turn.deadline).await?;
        let Some(holder) = taken else { return Ok(()) };
        if !holder.record().await.done.jobs.contains(&job) {
            holder.write(|record| record.done.jobs.push(job.clone())).await?;
        }
        sum_up(app, &holder).await?;
        advance(app, &holder, None, &[], turn).await.map(|_| ())
    });
    first_failure(each.buffer_unordered(ACCOUNTS_IN_FLIGHT).collect().await)
}

/// The run died between its records and its job: the records that name it are its members.
async fn give_job(app: &App, run: &mut Run, found: &[Found], turn: &Turn) -> Result<(), Stop> {
    let member = |f: &Found| Member { deletion_id: f.record.deletion_id, attempt: f.record.attempt };
    run.members = found.iter().map(member).collect();
    let job = start_job(app, run, turn.deadline).await?;
    for holder in take_all(app, found, turn).await? {
        note_job(app, &holder, &job).await?;
    }
    Ok(())
}

/// Any other state: it goes on if it is due.
async fn one(app: &App, found: Found, turn: &Turn) -> Result<(), Stop> {
    if !is_due(app, &found) {
        return Ok(());
    }
    let Some(holder) = Holder::take_over(app, &found.record, &found.etag, turn.deadline).await? else {
        return Ok(());
    };
    match found.record.state {
        ref state if state.is_errand() => return finish_errand(app, &holder).await,
        State::Held { notified: false, .. } if !is_over(app, &found) => {
            tell_held(app, &holder).await?;
            return holder.release().await;
        }
        State::Settling { .. } if settle(app, &holder).await? != Settled::Reopened => return Ok(()),
        State::Held { .. } | State::Failed { .. } => {
            holder
                .write(|record| {
                    record.tries = 0;
                    record.try_again();
                })
                .await?;
        }
        _ => {}
    }
    advance(app, &holder, None, &[], turn).await.map(|_| ())
}

fn is_due(app: &App, found: &Found) -> bool {
    matches!(found.record.state, State::Held { notified: false, .. }) || is_over(app, found)
}

/// Whether what the record waits for is over.
fn is_over(app: &App, found: &Found) -> bool {
    let now = app.clock.now();
    let a_day_old = now.as_second() >= found.modified.as_second() + AGAIN_SECONDS;
    match &found.record.state {
        State::Settling { second_look_at, .. } => now >= *second_look_at,
        State::Held { until: Some(until), .. } => !planted!("held-for-ever") && now > *until,
        State::Held { until: None, .. } | State::Failed { .. } => !planted!("finish-never") && a_day_old,
        _ => true,
    }
}

/// How things stand, for the alarms: they hold as long as it is so.
fn measure(app: &App, found: &[Found]) {
    if found.is_empty() {
        return;
    }
    let count = |is: fn(&State) -> bool| found.iter().filter(|f| is(&f.record.state)).count() as u64;
    let oldest = found.iter().filter_map(|f| overdue_seconds(app, f)).max().unwrap_or_default();
    let metrics = [
        ("RecordsHeld", Unit::Count, count(|state| matches!(state, State::Held { .. }))),
        ("RecordsFailed", Unit::Count, count(|state| matches!(state, State::Failed { .. }))),
        ("OldestOverdueSeconds", Unit::Count, oldest),
    ];
    app.measure(None, &metrics);
}

/// How long a deletion has been under way; one that is held or over is not late.
fn overdue_seconds(app: &App, found: &Found) -> Option<u64> {
    if matches!(found.record.state, State::Held { .. } | State::Finishing { .. } | State::Settling { .. }) {
        return None;
    }
    let since = found.record.claimed_at.unwrap_or(found.modified);
    u64::try_from(app.clock.now().as_second() - since.as_second()).ok()
}
