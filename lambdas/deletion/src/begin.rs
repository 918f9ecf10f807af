//! From `claiming` to `claimed`: a scheduled claim is checked and counted first.

use domain::ids::AccountId;
use domain::keys::ObjectVersion;
use domain::record::{Asked, Record};
use domain::tally::{SetDigest, Tally};
use fault_point::planted;
use futures::FutureExt as _;
use tokio::sync::SemaphorePermit;

use crate::check::{Marked, Released, check, check_again, release_too_large};
use crate::claim::settle_claim;
use crate::desk::sign_ins;
use crate::holder::Holder;
use crate::plan::{Plan, Planned, plan};
use crate::resume::{Resumed, resume};
use crate::survey::{Survey, Versions, survey_with};
use crate::{App, Stop, Turn};

/// A claimed account that can be erased at once.
pub struct Ready<'a> {
    /// What is known of it.
    pub survey: Survey<'a>,
    /// Versions of the status that marking made.
    pub marked: Vec<ObjectVersion>,
    /// Its pages, if they are written already.
    pub plan: Option<Box<Plan>>,
    /// Its place among the accounts that are erased at the same time.
    pub place: SemaphorePermit<'a>,
}

/// Surveys an account when its turn comes. Its sign-ins are asked for before that, together with those of all accounts
/// that wait for theirs.
pub async fn prepare<'a>(app: &'a App, account: &AccountId, turn: &Turn) -> Result<Ready<'a>, Stop> {
    let sign_ins = sign_ins(app, account, turn.deadline).await?;
    let place = place(app).await;
    let survey = survey_with(app, account, sign_ins, turn.deadline).await?;
    Ok(Ready { survey, marked: Vec::new(), plan: None, place })
}

async fn place(app: &App) -> SemaphorePermit<'_> {
    app.places.acquire().await.expect("the semaphore is never closed")
}

/// Begins a deletion, or says why it does not begin: then the account is as it was before.
pub async fn begin<'a>(
    app: &'a App,
    holder: &Holder<'_>,
    survey: Option<Survey<'a>>,
    hints: &[String],
    turn: &Turn,
) -> Result<Result<Ready<'a>, Released>, Stop> {
    let record = holder.record().await;
    let is_now = planted!("claim-unchecked") || record.asked == Asked::Now;
    let checked = if is_now { Ok(Marked::default()) } else { check(app, holder, turn).boxed_local().await? };
    let marked = match checked {
        Ok(marked) => marked,
        Err(released) => return Ok(Err(released)),
    };
    let mut ready = match survey {
        Some(survey) => Ready { survey, marked: Vec::new(), plan: None, place: place(app).await },
        None => prepare(app, &record.account_id, turn).await?,
    };
    ready.marked.clone_from(&marked.versions);
    if !is_now {
        let (versions, digest) = count(app, &record, &mut ready, turn).await?;
        // Waiting for the listing, and counting, may have taken minutes.
        if let Err(released) = check_again(app, holder, &marked, turn).boxed_local().await? {
            return Ok(Err(released));
        }
        if needs_a_person(app, &record, versions, digest) {
            return release_too_large(app, holder, versions, turn).await.map(Err);
        }
    }
    ready.marked.extend(settle_claim(app, holder, &ready.survey, hints).boxed_local().await?);
    Ok(Ok(ready))
}

/// Counts what would be erased. A large account is counted by writing its pages, which nobody acts on before the record
/// says so: it is listed once.
async fn count<'a>(
    app: &'a App,
    record: &Record,
    ready: &mut Ready<'a>,
    turn: &Turn,
) -> Result<(u64, SetDigest), Stop> {
    if ready.survey.versions.count < app.settings.deletion_threshold {
        return Ok(tally(&ready.survey.versions, &ready.marked));
    }
    // Pages of a planner that died are gone on from.
    let resumed = if record.epoch > 0 { resume(app, record, turn.deadline).await? } else { Resumed::default() };
    let versions = std::mem::replace(&mut ready.survey.versions, Versions::none(turn.deadline));
    match plan(app, record, versions, resumed, &ready.marked, turn).await? {
        Planned::Whole(plan) => {
            let counted = (plan.listed().count(), plan.listed().digest);
            ready.plan = Some(plan);
            Ok(counted)
        }
        Planned::HandedOver => Err(Stop::TimeUp),
    }
}

fn tally(versions: &Versions<'_>, marked: &[ObjectVersion]) -> (u64, SetDigest) {
    let mut tally = Tally::default();
    let is_own = |version: &ObjectVersion| version.version().is_null() || !marked.contains(version);
    let listed = versions.chunks.iter().flat_map(|chunk| &chunk.listed);
    listed.filter(|listed| is_own(&listed.version)).for_each(|listed| tally.add(listed, ""));
    (tally.count(), tally.digest)
}

/// Above the ceiling a person has to look; and what they saw is all that they confirmed.
fn needs_a_person(app: &App, record: &Record, versions: u64, digest: SetDigest) -> bool {
    match record.confirmed {
        Some(confirmed) => confirmed != digest,
        None => versions > app.settings.caps.versions_per_account,
    }
}
