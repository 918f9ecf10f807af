//! The life of a deletion: from the state its record is in, step by step, as far as this run gets.

use aws::invoke::invoke_later;
use aws::metrics::Unit;
use aws::retry::retrying;
use domain::receipt::ReceiptState;
use domain::record::{Record, State};
use fault_point::planted;
use futures::FutureExt as _;
use serde_json::json;

use crate::begin::{Ready, begin, prepare};
use crate::check::Released;
use crate::claim::{put_receipt, receipt_of};
use crate::erase::{Round, round};
use crate::finish::finish;
use crate::holder::Holder;
use crate::mappings::note_moves;
use crate::notices::tell_claim;
use crate::statuses::mark_all;
use crate::submit::submit;
use crate::survey::Survey;
use crate::verify::{count_late_actives, verify};
use crate::{App, Stop, Turn};

/// How far a run took a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The record tells.
    Stands,
    /// The claim came to nothing, and the record is gone.
    Released(Released),
}

/// Takes a held deletion as far as this run can: to its receipt, into a job, or to a state that waits. In the end
/// the record is put down, whatever happened; a failure that trying again does not mend becomes its state.
/// `survey` is what the caller asked beside the claim, if it got an answer; `hints` are mappings it was told of.
pub async fn advance<'a>(
    app: &'a App,
    holder: &Holder<'_>,
    survey: Option<Survey<'a>>,
    hints: &[String],
    turn: &Turn,
) -> Result<End, Stop> {
    let started = std::time::Instant::now();
    let result = holder.while_renewing(steps(app, holder, survey, hints, turn).boxed_local()).await;
    if let Err(stop) = &result {
        put_down(app, holder, stop).await;
    }
    measure(app, &holder.record().await, started);
    result
}

async fn steps<'a>(
    app: &'a App,
    holder: &Holder<'_>,
    mut survey: Option<Survey<'a>>,
    hints: &[String],
    turn: &Turn,
) -> Result<End, Stop> {
    let (mut ready, mut entries) = (None, None);
    loop {
        let record = holder.record().await;
        match record.state.clone() {
            State::Claiming => match begin(app, holder, survey.take(), hints, turn).boxed_local().await? {
                Ok(begun) => ready = Some(begun),
                Err(released) => return Ok(End::Released(released)),
            },
            State::Claimed => {
                let ready = match ready.take() {
                    Some(ready) => ready,
                    None => survey_again(app, holder, record, turn).boxed_local().await?,
                };
                match round(app, holder, ready, turn).boxed_local().await? {
                    Round::Direct(direct) => entries = Some(verify(app, holder, Some(*direct)).await?),
                    Round::Planned => {}
                    Round::HandedOver => return hand_over(app, holder, turn).await.map(|()| End::Stands),
                }
            }
            State::Planned { .. } if turn.gathers => return Ok(End::Stands),
            State::Planned { .. } => return submit(app, &[holder], turn.deadline).await.map(|()| End::Stands),
            State::Verifying => entries = Some(verify(app, holder, None).await?),
            State::Finishing { receipt } => finish(app, holder, receipt, entries.take()).await?,
            State::Settling { .. } | State::Held { .. } | State::Submitted { .. } => {
                return holder.release().await.map(|()| End::Stands);
            }
            State::Failed { reason } => return Err(Stop::Refused(reason)),
            State::Scheduling | State::Cancelling | State::Confirming => {
                return Err(Stop::Refused("a request that is being written is no deletion yet".to_owned()));
            }
        }
    }
}

/// A further round, or one that another run began: everything is asked anew, and what is found goes into the record
/// before anything is erased.
async fn survey_again<'a>(
    app: &'a App,
    holder: &Holder<'_>,
    mut record: Record,
    turn: &Turn,
) -> Result<Ready<'a>, Stop> {
    let mut ready = prepare(app, &record.account_id, turn).await?;
    note_moves(app, &mut record, turn.deadline).await?;
    for (bucket, key) in &ready.survey.sign_ins.mappings {
        record.remember_mapping(&app.buckets.photos[*bucket].name, key);
    }
    let now = app.clock.now();
    holder
        .write(|held| {
            held.mappings.clone_from(&record.mappings);
            held.claimed_at.get_or_insert(now);
        })
        .await?;
    count_late_actives(app, &record, &ready.survey.statuses);
    tell_claim(app, holder, &record).await?;
    ready.marked = mark_all(app, record.deletion_id, &ready.survey.statuses, turn.deadline).await?;
    Ok(ready)
}

/// Planning goes on in another invocation, so that the caller gets an answer. Reconcile would find the record too;
/// the invocation only makes it sooner.
async fn hand_over(app: &App, holder: &Holder<'_>, turn: &Turn) -> Result<(), Stop> {
    holder.release().await?;
    let event = json!({ "type": "reconcile" });
    let invoked = retrying(turn.deadline, async || invoke_later(&app.lambda, &turn.function, &event).await).await;
    if let Err(error) = invoked {
        tracing::warn!(%error, "could not hand over; the next reconcile goes on");
    }
    Ok(())
}

/// Leaves the record as a later run should find it. Failures here are only logged: the lease ends by itself.
async fn put_down(app: &App, holder: &Holder<'_>, stop: &Stop) {
    let deletion = holder.record().await.deletion_id;
    planted!("tell-tale" => tracing::warn!(account = Box::pin(holder.record()).await.account_id.canonical(), "stops"));
    tracing::warn!(%deletion, reason = %stop, "the deletion stops for now");
    let is_unchecked = holder.record().await.is_being_checked();
    let final_reason = match stop {
        Stop::Lost => return,
        // Whatever went wrong, the next run begins with the checks.
        _ if is_unchecked => None,
        Stop::Aws(error) if !error.is_passing() => Some(error.to_string()),
        Stop::Refused(reason) => Some(reason.clone()),
        Stop::Aws(_) | Stop::TimeUp => None,
    };
    let put = async {
        holder
            .write(|record| {
                record.holder = None;
                if let Some(reason) = final_reason.clone() {
                    record.state = State::Failed { reason };
                }
            })
            .await?;
        let record = holder.record().await;
        if matches!(record.state, State::Failed { .. }) {
            put_receipt(app, holder, &receipt_of(app, &record, ReceiptState::Failed)).await?;
        }
        Ok::<_, Stop>(())
    };
    planted!("d4-record-taken-away" => return drop(Box::pin(holder.remove()).await));
    if let Err(stop) = put.await {
        tracing::warn!(%deletion, reason = %stop, "the record could not be put down; its lease will end");
    }
}

fn measure(app: &App, record: &Record, started: std::time::Instant) {
    let count = |is: bool| u64::from(is);
    let taken = |counter: &std::sync::atomic::AtomicU64| counter.swap(0, std::sync::atomic::Ordering::Relaxed);
    let direct = record.done.runs.is_empty();
    let metrics = [
        ("DeletionsCompleted", Unit::Count, count(matches!(record.state, State::Settling { .. }))),
        ("DeletionsFailed", Unit::Count, count(matches!(record.state, State::Failed { .. }))),
        ("DeletionsHeld", Unit::Count, count(matches!(record.state, State::Held { .. }))),
        // What a job erases is measured by its erasers.
        ("VersionsErased", Unit::Count, if direct { record.done.erased } else { 0 }),
        ("BytesErased", Unit::Bytes, if direct { record.done.listed.bytes() } else { 0 }),
        ("Retries", Unit::Count, taken(&app.counts.retries)),
        ("Throttles", Unit::Count, taken(&app.counts.throttles)),
        ("Duration", Unit::Milliseconds, u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)),
    ];
    app.measure(Some(&record.deletion_id), &metrics);
}
