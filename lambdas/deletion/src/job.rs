//! The end of a job: outcomes are summed up, and only if every version was answered for does the deletion go on to
//! its last look. `Complete` does not mean success.

use std::collections::BTreeMap;

use aws::describe_job::{Job, describe_job};
use aws::get_object::get_object;
use aws::list_objects::{Object, list_objects};
use aws::retry::retrying;
use domain::Timestamp;
use domain::ids::{DeletionId, JobId};
use domain::keys::ObjectKey;
use domain::layout::{attempt_outcomes_prefix, attempt_pages_prefix, reports_prefix};
use domain::outcome::{Hold, PageOutcome};
use domain::page::PageName;
use domain::record::{ATTEMPTS_MAX, Record, State};
use domain::report::{ReportManifest, count_rows};
use fault_point::planted;
use serde::Deserialize;
use tokio::time::Instant;

use crate::holder::Holder;
use crate::submit::Run;
use crate::{App, Stop};

/// How the outcomes of an attempt add up.
#[derive(Debug, Default)]
pub struct Sums {
    /// Over all pages answered for.
    pub outcome: PageOutcome,
    /// Names of pages with an outcome.
    pub pages: u64,
    held: Vec<ObjectKey>,
}

/// One listing sums up an attempt. A page delivered twice has two outcomes if the counts differ; the later one counts.
pub async fn sums(app: &App, deletion: &DeletionId, attempt: u32, deadline: Instant) -> Result<Sums, Stop> {
    let prefix = attempt_outcomes_prefix(deletion, attempt);
    let mut by_page: BTreeMap<String, (Object, PageOutcome)> = BTreeMap::new();
    for object in list_objects(app.manifest(), &prefix, deadline).await? {
        let Some((page, outcome)) = PageOutcome::parse(&object.key) else { continue };
        let newer = by_page.get(&page).is_none_or(|(known, _)| known.modified <= object.modified);
        if newer {
            by_page.insert(page, (object, outcome));
        }
    }
    let mut sums = Sums { pages: by_page.len() as u64, ..Sums::default() };
    for (object, outcome) in by_page.into_values() {
        sums.outcome.add(&outcome);
        if outcome.held > 0 {
            sums.held.push(object.key);
        }
    }
    Ok(sums)
}

/// What S3 Batch Operations says of a run's job. A job it does not know yet is not ended; one it knows no more, 90
/// days later, is.
pub async fn ended(app: &App, run: &Run, job: &JobId, deadline: Instant) -> Result<bool, Stop> {
    const REMEMBERED_SECONDS: i64 = 89 * 86_400;
    let owner = &app.settings.shared.aws_account;
    let said: Option<Job> = retrying(deadline, async || describe_job(&app.jobs, owner, job).await).await?;
    let age = app.clock.now().as_second() - run.created_at.as_second();
    Ok(!planted!("d18-end-unnoticed") && said.map_or(age > REMEMBERED_SECONDS, |job| job.is_ended()))
}

/// Sums up the attempt of a held record whose job has ended.
pub async fn sum_up(app: &App, holder: &Holder<'_>) -> Result<(), Stop> {
    let record = holder.record().await;
    let State::Submitted { versions, .. } = record.state else { return Ok(()) };
    let sums = sums(app, &record.deletion_id, record.attempt, holder.deadline).await?;
    let prefix = attempt_pages_prefix(&record.deletion_id, record.attempt);
    let pages = list_objects(app.manifest(), &prefix, holder.deadline).await?;
    let named = pages.iter().filter(|object| PageName::parse(&object.key).is_some()).count() as u64;
    let whole = planted!("sums-trusted") || sums.pages == named && sums.outcome.total() == versions;
    holder.write(|record| conclude(record, &sums.outcome, whole)).await
}

/// Every version answered for: on to the last look. Otherwise another round finds out by listing what is left.
fn conclude(record: &mut Record, outcome: &PageOutcome, whole: bool) {
    record.done.add(outcome);
    if whole && outcome.denied == 0 {
        record.state = State::Verifying;
        return;
    }
    record.done.at_least |= !whole;
    record.tries += 1;
    if outcome.denied > 0 || record.tries >= ATTEMPTS_MAX {
        let reason = if outcome.denied > 0 { format!("S3 refused {} versions", outcome.denied) } else { gave_up() };
        record.state = State::Failed { reason };
    } else {
        record.try_again();
    }
}

/// Why a deletion with leftovers is given up for now.
pub fn gave_up() -> String {
    format!("something was left after {ATTEMPTS_MAX} rounds")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeldBody {
    held_until: Option<Timestamp>,
    legal_hold: bool,
}

/// The hold that ends last among the versions an attempt had to leave, from the outcomes that have some.
pub async fn last_hold(app: &App, record: &Record, deadline: Instant) -> Result<Option<Hold>, Stop> {
    let sums = sums(app, &record.deletion_id, record.attempt, deadline).await?;
    let mut last = None;
    for key in &sums.held {
        let got = retrying(deadline, async || get_object(app.manifest(), key, None).await).await?;
        let Some(body) = got.and_then(|got| serde_json::from_slice::<HeldBody>(&got.body).ok()) else { continue };
        let hold = if body.legal_hold { Some(Hold::Legal) } else { body.held_until.map(Hold::Until) };
        last = Hold::later(last, hold);
    }
    Ok(last)
}

/// Compares the completion report with the number of tasks, as a cross-check: what counts are the outcomes.
pub async fn cross_check(app: &App, run: &Run, deadline: Instant) -> Result<(), Stop> {
    let prefix = format!("{}/", reports_prefix(&run.run_id));
    let objects = list_objects(app.manifest(), &prefix, deadline).await?;
    let Some(top) = objects.iter().find(|o| is_top(&o.key)) else {
        tracing::warn!(run = %run.run_id, "the job left no report");
        return Ok(());
    };
    let read = async |key: &ObjectKey| retrying(deadline, async || get_object(app.manifest(), key, None).await).await;
    let manifest = read(&top.key).await?.and_then(|got| serde_json::from_slice::<ReportManifest>(&got.body).ok());
    let (mut succeeded, mut failed) = (0, 0);
    for file in manifest.map(|m| m.results).unwrap_or_default() {
        if let Some(got) = read(&ObjectKey::new(file.key)).await? {
            let rows = count_rows(&got.body);
            (succeeded, failed) = (succeeded + rows.0, failed + rows.1);
        }
    }
    tracing::info!(run = %run.run_id, succeeded, failed, "completion report");
    Ok(())
}

/// AWS's pages name the top file both ways.
fn is_top(key: &ObjectKey) -> bool {
    key.as_str().ends_with("/manifest.json") || key.as_str().ends_with("/report.json")
}
