//! `confirm`: a person has looked at what a run would not act on by itself, and wants it erased.

use domain::Timestamp;
use domain::answer::{Answer, user_id};
use domain::due::{Asked as Due, grace_end};
use domain::ids::AccountId;
use domain::record::{Asked, Kind, State};
use domain::request::Request;
use domain::tally::SetDigest;
use domain::verdict::{Request as Asks, Verdict};
use futures::FutureExt as _;
use serde_json::json;

use crate::check::{Question, judge_request, read_request};
use crate::dry_run::digest_of;
use crate::entries::{asks, entries_of};
use crate::holder::{Claim, Holder, New};
use crate::schedule::{busy, put_request};
use crate::statuses::statuses;
use crate::{App, Stop, Turn};

/// Writes the confirmation into the request that waits, or makes a request out of an entry that is in quarantine.
/// Without either there is nothing to confirm: nobody is erased who never asked. The record is held meanwhile, so that
/// a cancellation comes before or after it, never in between.
pub async fn confirm(app: &App, account: AccountId, digest: SetDigest, turn: &Turn) -> Result<Answer, Stop> {
    let new = New { account, kind: Kind::Scheduled, asked: Asked::Now, confirmed: None, state: State::Confirming };
    match Holder::claim(app, new, turn.deadline).await? {
        Claim::Ours(holder) => {
            let work = async {
                let answer = write_down(app, &account, digest, turn).await;
                holder.remove().await?;
                answer
            };
            holder.while_renewing(work.boxed_local()).await
        }
        Claim::Theirs(record, got) if record.state.is_errand() => busy(app, *record, &got, turn).await,
        Claim::Theirs(..) => Ok(Answer::error(409, "a deletion of this account is under way already")),
    }
}

async fn write_down(app: &App, account: &AccountId, digest: SetDigest, turn: &Turn) -> Result<Answer, Stop> {
    if digest_of(app, account, turn).await? != digest {
        return Ok(Answer::error(409, "digest: what the account has is not what the dry run showed; make another one"));
    }
    let known = read_request(app, account, turn.deadline).await?.map(|(request, _)| request);
    let request = match known {
        Some(request) => Some(request),
        None => from_entry(app, account, turn).await?,
    };
    let Some(mut request) = request else {
        return Ok(Answer::error(404, "userId: nothing asks for the deletion of this account"));
    };
    request.confirmed = Some(digest);
    if let Some(refusal) = refusal(app, &request, turn).await? {
        return Ok(refusal);
    }
    put_request(app, &request, turn.deadline).await?;
    Ok(confirmed(account))
}

/// A request in place of an entry that a run has put into quarantine, not due before the entry would have been.
async fn from_entry(app: &App, account: &AccountId, turn: &Turn) -> Result<Option<Request>, Stop> {
    let entries = entries_of(app, account, turn.deadline).await?;
    let grace = app.settings.grace_seconds;
    let due_at = |key, got: &aws::get_object::Got| -> Timestamp {
        asks(app, key, got).map_or_else(|_| grace_end(got.modified, grace), |asked| asked.due_at(grace))
    };
    let due_at = entries.iter().map(|(_, key, got)| due_at(key, got)).max();
    let now = app.clock.now();
    Ok(due_at.map(|due_at| Request::new(*account, Kind::Scheduled, now, due_at.max(now))))
}

/// What would stand against it all the same: then a confirmation would promise what no run will do.
async fn refusal(app: &App, request: &Request, turn: &Turn) -> Result<Option<Answer>, Stop> {
    let (account, due) = (&request.account_id, request.due());
    let asked = request.asked();
    let question = Question { account, asked: &asked, confirmed: true, deletion: None };
    let Due::Record { not_before, .. } = due else { return Ok(None) };
    let (now, found) = (app.clock.now().max(not_before), statuses(app, account, turn.deadline).await?);
    let looked = judge_request(app, question, Asks::Asked(due), found, now, turn.deadline).await?;
    let reason = match looked.verdict {
        Verdict::Proceed | Verdict::NotYet { .. } => return Ok(None),
        Verdict::Quarantine(reason) => reason.to_string(),
        Verdict::Cancelled => "the status says active: the person wants to stay".to_owned(),
        Verdict::NothingLeft => "there is nothing left to erase".to_owned(),
    };
    Ok(Some(Answer::error(409, &format!("cannot be confirmed: {reason}"))))
}

fn confirmed(account: &AccountId) -> Answer {
    let body = json!({
        "status": "confirmed",
        "userId": user_id(account),
        "message": "the next scheduled run that finds it due erases the account, unless it has changed by then",
    });
    Answer::new(200, &body)
}
