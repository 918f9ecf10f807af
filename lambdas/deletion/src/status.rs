//! How far is it? A deletion id or job id resolves for ever, an account only while it has a record.

use aws::describe_job::describe_job;
use aws::get_object::get_object;
use aws::retry::retrying;
use domain::answer::{Answer, Objects, ProgressSummary, StatusBody, not_found, percent};
use domain::event::Query;
use domain::ids::{AccountId, DeletionId, JobId};
use domain::layout::{job_key, receipt_key, record_key};
use domain::receipt::{Receipt, ReceiptState, proof};
use domain::record::{Record, State};
use domain::request::Request;
use fault_point::planted;
use tokio::time::Instant;

use crate::answer::objects;
use crate::check::read_request;
use crate::holder::read;
use crate::job::sums;
use crate::submit::read_run;
use crate::{App, Stop};

/// Answers a status request. A caller who is known is told of their own deletions only; nobody else's id can be guessed.
pub async fn status(app: &App, query: &Query, caller: Option<AccountId>, deadline: Instant) -> Result<Answer, Stop> {
    match query {
        Query::Account(account) => by_account(app, account, deadline).await,
        Query::Deletion(deletion) => match receipt(app, deadline, *deletion).await?.filter(|r| is_of(r, caller)) {
            Some(receipt) => Ok(Answer::new(200, &of_receipt(app, &receipt, deadline).await?)),
            None => Ok(not_found("deletion with this id")),
        },
        Query::Job(job) => by_job(app, job, caller, deadline).await,
    }
}

async fn by_account(app: &App, account: &AccountId, deadline: Instant) -> Result<Answer, Stop> {
    let Some((record, _)) = read(app, &record_key(account), deadline).await? else {
        return match read_request(app, account, deadline).await? {
            Some((request, _)) => Ok(Answer::new(200, &of_request(&request))),
            None => Ok(not_found("deletion of this account")),
        };
    };
    let mut body = of_record(&record);
    if let State::Submitted { .. } = record.state {
        add_progress(app, &mut body, record.attempt, deadline).await?;
    }
    Ok(Answer::new(200, &body))
}

fn is_of(receipt: &Receipt, caller: Option<AccountId>) -> bool {
    caller.is_none_or(|account| receipt.proof == proof(&receipt.deletion_id, &account))
}

async fn by_job(app: &App, job: &JobId, caller: Option<AccountId>, deadline: Instant) -> Result<Answer, Stop> {
    let Some(run) = read_run(app, &job_key(job), deadline).await? else {
        planted!("d17-unknown-is-internal" => return Err(Stop::Refused("no job".to_owned())));
        return Ok(not_found("job with this id"));
    };
    let mut bodies = Vec::new();
    for member in &run.members {
        if let Some(receipt) = receipt(app, deadline, member.deletion_id).await?.filter(|r| is_of(r, caller)) {
            bodies.push(of_receipt(app, &receipt, deadline).await?);
        }
    }
    let Some(mut body) = merge(bodies) else { return Ok(not_found("deletion of this job")) };
    body.job_id = Some(job.clone());
    let owner = &app.settings.shared.aws_account;
    match retrying(deadline, async || describe_job(&app.jobs, owner, job).await).await? {
        Some(said) => {
            body.status = said.status;
            body.progress_summary =
                ProgressSummary { total_tasks: said.total, succeeded: said.succeeded, failed: said.failed };
        }
        // S3 Batch Operations shows a job a moment after it was made, and forgets it after 90 days.
        None if body.state == "complete" => "Complete".clone_into(&mut body.status),
        None => "New".clone_into(&mut body.status),
    }
    Ok(Answer::new(200, &body))
}

async fn receipt(app: &App, deadline: Instant, deletion: DeletionId) -> Result<Option<Receipt>, Stop> {
    let key = receipt_key(&deletion);
    let got = retrying(deadline, async || get_object(app.manifest(), &key, None).await).await?;
    let Some(got) = got else { return Ok(None) };
    let receipt = serde_json::from_slice(&got.body);
    receipt.map(Some).map_err(|_| aws::AwsError::contradiction("GetObject", "UnreadableReceipt").into())
}

/// A request that waits: nothing is erased yet.
fn of_request(request: &Request) -> StatusBody {
    StatusBody {
        job_id: None,
        status: "Active".to_owned(),
        progress_summary: ProgressSummary::default(),
        deletion_id: None,
        deletions: Vec::new(),
        state: "requested".to_owned(),
        objects: Objects::default(),
        percent: 0,
        estimated_end: None,
        not_before: Some(request.not_before),
        held_until: None,
        created_at: Some(request.accepted),
    }
}

fn of_record(record: &Record) -> StatusBody {
    let objects = objects(record);
    let held_until = if let State::Held { until, .. } = record.state { until } else { None };
    let is_over = record.state.public_name() == "complete";
    StatusBody {
        job_id: record.done.jobs.last().cloned(),
        status: if is_over { "Complete" } else { "Active" }.to_owned(),
        progress_summary: ProgressSummary::default(),
        deletion_id: Some(record.deletion_id),
        deletions: vec![record.deletion_id],
        state: record.state.public_name().to_owned(),
        percent: if is_over { 100 } else { percent(objects.erased, objects.total.max(1)) },
        objects,
        estimated_end: None,
        not_before: None,
        held_until,
        created_at: record.claimed_at,
    }
}

async fn of_receipt(app: &App, receipt: &Receipt, deadline: Instant) -> Result<StatusBody, Stop> {
    let versions = receipt.versions;
    let objects = Objects {
        total: versions.listed,
        erased: (versions.erased + versions.absent).min(versions.listed),
        held: versions.held,
        failed: 0,
    };
    let is_over = receipt.state == ReceiptState::Complete;
    let state = match receipt.state {
        ReceiptState::Claimed | ReceiptState::Submitted => "erasing",
        ReceiptState::Held => "held",
        ReceiptState::Failed => "failed",
        ReceiptState::Complete => "complete",
    };
    let mut body = StatusBody {
        job_id: receipt.jobs.last().cloned(),
        status: if is_over { "Complete" } else { "Active" }.to_owned(),
        progress_summary: ProgressSummary::default(),
        deletion_id: Some(receipt.deletion_id),
        deletions: vec![receipt.deletion_id],
        state: state.to_owned(),
        percent: if is_over { 100 } else { percent(objects.erased, objects.total.max(1)) },
        objects,
        estimated_end: None,
        not_before: None,
        held_until: receipt.held_until,
        created_at: receipt.claimed_at,
    };
    if receipt.state == ReceiptState::Submitted {
        add_progress(app, &mut body, receipt.attempts, deadline).await?;
    }
    Ok(body)
}

/// Adds what the erasers of the running attempt have reported: one listing.
async fn add_progress(app: &App, body: &mut StatusBody, attempt: u32, deadline: Instant) -> Result<(), Stop> {
    let Some(deletion) = body.deletion_id else { return Ok(()) };
    let sums = sums(app, &deletion, attempt, deadline).await?;
    let Objects { total, erased, .. } = body.objects;
    body.objects.erased = (erased + sums.outcome.erased + sums.outcome.absent).min(total);
    body.objects.held = sums.outcome.held;
    body.objects.failed = sums.outcome.denied;
    body.progress_summary.succeeded = sums.pages;
    body.percent = percent(body.objects.erased, total.max(1));
    body.estimated_end = estimated_end(app, body);
    Ok(())
}

/// At the speed since the claim, the rest takes as long again in proportion.
fn estimated_end(app: &App, body: &StatusBody) -> Option<domain::Timestamp> {
    let now = app.clock.now();
    let elapsed = now.as_second() - body.created_at?.as_second();
    let rest = i64::try_from(body.objects.total.saturating_sub(body.objects.erased)).ok()?;
    let erased = i64::try_from(body.objects.erased).ok().filter(|erased| *erased > 0)?;
    domain::Timestamp::from_second(now.as_second() + elapsed.checked_mul(rest)? / erased).ok()
}

/// One body for all deletions of a job: counts added up, the least advanced state.
fn merge(bodies: Vec<StatusBody>) -> Option<StatusBody> {
    let several = bodies.len() > 1;
    bodies
        .into_iter()
        .reduce(|mut a, b| {
            a.deletions.extend(b.deletions);
            a.objects.total += b.objects.total;
            a.objects.erased += b.objects.erased;
            a.objects.held += b.objects.held;
            a.objects.failed += b.objects.failed;
            if a.state == "complete" {
                a.state = b.state;
            }
            a.percent = percent(a.objects.erased, a.objects.total.max(1));
            a.estimated_end = a.estimated_end.max(b.estimated_end);
            a.held_until = a.held_until.max(b.held_until);
            a
        })
        .map(|body| StatusBody { deletion_id: body.deletion_id.filter(|_| !several), ..body })
}
