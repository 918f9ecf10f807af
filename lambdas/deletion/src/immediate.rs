//! Delete Now.

use domain::answer::Answer;
use domain::environment::ImmediateMode;
use domain::ids::AccountId;
use domain::record::{Asked, Kind, Record, State};
use fault_point::planted;
use futures::FutureExt as _;

use crate::answer::{as_told, of_record};
use crate::dry_run::dry_run as only_count;
use crate::holder::{Claim, Holder, New, read};
use crate::life::{End, advance};
use crate::schedule::{busy, schedule};
use crate::settle::settle;
use crate::survey::{Survey, survey};
use crate::{App, Stop, Turn};

/// Erases an account now, or says what another run is doing about it. Asking again is always safe: there is one
/// deletion an account.
pub async fn immediate(
    app: &App,
    account: AccountId,
    dry_run: bool,
    hints: &[String],
    turn: &Turn,
) -> Result<Answer, Stop> {
    if dry_run {
        return only_count(app, &account, turn).await;
    }
    match app.settings.immediate_mode {
        ImmediateMode::Allowed => now_or_under_way(app, account, hints, turn).await,
        ImmediateMode::NextRun => schedule(app, account, Kind::Immediate, 0, turn).await,
        ImmediateMode::Denied => Ok(Answer::error(403, "immediate deletion is not allowed in this environment")),
    }
}

async fn now_or_under_way(app: &App, account: AccountId, hints: &[String], turn: &Turn) -> Result<Answer, Stop> {
    let new = New { account, kind: Kind::Immediate, asked: Asked::Now, confirmed: None, state: State::Claiming };
    // The survey only reads, so it need not wait for the claim; it is used after it.
    let (claim, survey) = tokio::join!(Holder::claim(app, new, turn.deadline), survey(app, &account, turn.deadline));
    match claim? {
        // A survey that failed is made again after the claim.
        Claim::Ours(holder) => go_on(app, &holder, survey.ok(), hints, turn).await,
        Claim::Theirs(record, got) => {
            if record.state.is_errand() {
                return busy(app, *record, &got, turn).await;
            }
            if record.is_held(got.modified, app.clock.now()) {
                return Ok(of_record(&as_told(*record, true)));
            }
            take_up(app, &record, &got.etag, hints, turn).await
        }
    }
}

async fn go_on<'a>(
    app: &'a App,
    holder: &Holder<'_>,
    survey: Option<Survey<'a>>,
    hints: &[String],
    turn: &Turn,
) -> Result<Answer, Stop> {
    match advance(app, holder, survey, hints, turn).await {
        // A scheduled claim that another run had left came to nothing; this person asks now.
        Ok(End::Released(_)) => {
            let account = holder.record().await.account_id;
            now_or_under_way(app, account, hints, turn).boxed_local().await
        }
        Err(Stop::Lost) => now(app, &holder.record().await, turn).await,
        // If it stopped early the record says why, and a later run goes on.
        Ok(_) | Err(_) => Ok(of_record(&holder.record().await)),
    }
}

/// Answers with the record as another run left it.
async fn now(app: &App, record: &Record, turn: &Turn) -> Result<Answer, Stop> {
    let key = domain::layout::record_key(&record.account_id);
    let (record, got) = read(app, &key, turn.deadline).await?.ok_or(Stop::Lost)?;
    let is_held = record.is_held(got.modified, app.clock.now());
    Ok(of_record(&as_told(record, is_held)))
}

/// Takes up a deletion that nobody holds. One that is complete already is looked at again at once: the person may have
/// used the account since, and must not be told "completed" while something is there.
async fn take_up(app: &App, record: &Record, etag: &str, hints: &[String], turn: &Turn) -> Result<Answer, Stop> {
    if matches!(record.state, State::Submitted { .. } | State::Held { .. }) {
        return Ok(of_record(record));
    }
    let Some(holder) = Holder::take_over(app, record, etag, turn.deadline).await? else {
        return now(app, record, turn).await;
    };
    if !planted!("answer-stale") && matches!(record.state, State::Settling { .. }) {
        settle(app, &holder).await?;
    }
    if matches!(record.state, State::Failed { .. }) {
        holder.write(Record::try_again).await?;
    }
    if matches!(holder.record().await.state, State::Settling { .. }) {
        return Ok(of_record(&holder.record().await));
    }
    let answer = go_on(app, &holder, None, hints, turn).await?;
    let is_settling = matches!(holder.record().await.state, State::Settling { .. });
    if matches!(record.state, State::Finishing { .. }) && is_settling {
        // The last look was another run's, some time ago.
        return now_or_under_way(app, record.account_id, hints, turn).boxed_local().await;
    }
    Ok(answer)
}
