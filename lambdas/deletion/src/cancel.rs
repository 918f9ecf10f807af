//! `cancel`: the person stays. The record decides between a cancellation and a claim: whoever creates it has won.

use domain::answer::{Answer, user_id};
use domain::ids::AccountId;
use domain::record::{Asked, Kind, Record, State};
use domain::status::{Status, activate, see};
use fault_point::planted;
use futures::FutureExt as _;
use serde_json::json;
use tokio::time::Instant;

use crate::answer::{as_told, body_of, of_record};
use crate::check::{read_request, remove_request};
use crate::entries::{entries_of, remove_as_read};
use crate::holder::{Claim, Holder, New};
use crate::schedule::{busy, older_entries};
use crate::statuses::{StatusObject, change_all, statuses};
use crate::{App, Stop, Turn, set_clock};

/// Takes a request back, or says that it is too late.
pub async fn cancel(app: &App, account: AccountId, turn: &Turn) -> Result<Answer, Stop> {
    set_clock(app, turn.deadline).await?;
    let accepted = app.clock.now();
    let asked = Asked::Request { accepted, not_before: accepted };
    let new = New { account, kind: Kind::Scheduled, asked, confirmed: None, state: State::Cancelling };
    match Holder::claim(app, new, turn.deadline).await? {
        Claim::Ours(holder) => {
            let was_asked = holder.while_renewing(take_back(app, &holder).boxed_local()).await?;
            Ok(cancelled(&account, was_asked))
        }
        Claim::Theirs(record, _) if planted!("claim-hasty") && record.is_being_checked() => Ok(too_late(&record)),
        // Checks may yet find it cancelled: too late is it only when they are over.
        Claim::Theirs(record, got) if record.state.is_errand() || record.is_being_checked() => {
            busy(app, *record, &got, turn).await
        }
        Claim::Theirs(..) if planted!("claim-deaf") => Ok(cancelled(&account, true)),
        Claim::Theirs(record, got) => {
            let is_held = record.is_held(got.modified, app.clock.now());
            Ok(too_late(&as_told(*record, is_held)))
        }
    }
}

/// Status, entries, request; then the record goes. Each step may be repeated. Says whether there was anything to take
/// back.
pub async fn take_back(app: &App, holder: &Holder<'_>) -> Result<bool, Stop> {
    let (record, deadline) = (holder.record().await, holder.deadline);
    let account = record.account_id;
    let before = statuses(app, &account, deadline).await?;
    if was_scheduled_since(&record, &before) {
        // Who cancelled died, and the person has asked anew in another app meanwhile: only what was asked before goes.
        remove_older_request(app, &record, deadline).await?;
        holder.remove().await?;
        return Ok(false);
    }
    let mut entries = older_entries(app, &account, &before, deadline).await?;
    if entries.is_empty() {
        // No status and no request gives a date: an entry may lie anywhere.
        entries = entries_of(app, &account, deadline).await?;
    }
    let now = app.clock.now();
    let change = |body: &[u8]| {
        let is_scheduled = matches!(see(body).says, Ok(Status::Scheduled { .. }));
        is_scheduled.then(|| activate(body, now))
    };
    let changed = change_all(app, &account, deadline, change).await?;
    for (bucket, key, got) in &entries {
        remove_as_read(app, *bucket, key, &got.etag, deadline).await?;
    }
    let request = read_request(app, &account, deadline).await?;
    if let Some((_, etag)) = &request {
        remove_request(app, &account, etag, deadline).await?;
    }
    holder.remove().await?;
    Ok(changed > 0 || !entries.is_empty() || request.is_some())
}

/// A person may have confirmed the request that is taken back; what is asked anew has its own grace.
async fn remove_older_request(app: &App, record: &Record, deadline: Instant) -> Result<(), Stop> {
    let Asked::Request { accepted, .. } = record.asked else { return Ok(()) };
    match read_request(app, &record.account_id, deadline).await? {
        Some((request, etag)) if request.accepted <= accepted => {
            remove_request(app, &record.account_id, &etag, deadline).await
        }
        _ => Ok(()),
    }
}

fn was_scheduled_since(record: &Record, statuses: &[StatusObject]) -> bool {
    let Asked::Request { accepted, .. } = record.asked else { return false };
    let asks = |status: &StatusObject| {
        matches!(see(&status.got.body).says, Ok(Status::Scheduled { .. })) && status.got.modified > accepted
    };
    record.epoch > 0 && record.state == State::Cancelling && statuses.iter().any(asks)
}

fn cancelled(account: &AccountId, was_asked: bool) -> Answer {
    let message = if was_asked { "the account stays" } else { "nothing was scheduled; the account stays" };
    let body = json!({
        "status": if was_asked { "cancelled" } else { "not_scheduled" },
        "userId": user_id(account),
        "state": "active",
        "message": message,
    });
    Answer::new(200, &body)
}

/// A claim was there first.
fn too_late(record: &Record) -> Answer {
    if record.state.public_name() == "complete" {
        return Answer::new(409, &body_of(record));
    }
    let mut answer = of_record(record);
    answer.status_code = 409;
    answer
}
