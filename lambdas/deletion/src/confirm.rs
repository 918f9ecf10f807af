//! `confirm`: a person has looked at what a run would not act on by itself, and wants it erased.

use aws::Cause;
use aws::put_object::{Condition, put_own};
use aws::retry::retrying;
use domain::answer::{Answer, user_id};
use domain::ids::AccountId;
use domain::layout::{record_key, request_key};
use domain::record::Kind;
use domain::request::Request;
use domain::tally::SetDigest;
use serde_json::json;

use crate::check::read_request;
use crate::desk::sign_ins;
use crate::dry_run::digest_of;
use crate::holder::read;
use crate::{App, Stop, Turn};

/// Writes the confirmation into the request that waits, or makes a request out of an entry that is in quarantine.
/// Without either there is nothing to confirm: nobody is erased who never asked.
pub async fn confirm(app: &App, account: AccountId, digest: SetDigest, turn: &Turn) -> Result<Answer, Stop> {
    if read(app, &record_key(&account), turn.deadline).await?.is_some() {
        return Ok(Answer::error(409, "a deletion of this account is under way already"));
    }
    if digest_of(app, &account, turn).await? != digest {
        let error = "digest: what the account has is not what the dry run showed; make another one";
        return Ok(Answer::error(409, error));
    }
    let known = read_request(app, &account, turn.deadline).await?;
    let (mut request, etag) = match known {
        Some((request, etag)) => (request, Some(etag)),
        None if has_entry(app, &account, turn).await? => {
            let now = app.clock.now();
            (Request::new(account, Kind::Scheduled, now, now), None)
        }
        None => return Ok(Answer::error(404, "userId: nothing asks for the deletion of this account")),
    };
    request.confirmed = Some(digest);
    let (key, condition) = (request_key(&account), etag.as_deref().map_or(Condition::Absent, Condition::Etag));
    let put = async || put_own(app.manifest(), &key, request.to_json(), condition).await;
    match retrying(turn.deadline, put).await {
        Ok(_) => Ok(confirmed(&account)),
        Err(error) if error.cause == Cause::Condition => {
            Ok(Answer::error(409, "the request has changed meanwhile; look again"))
        }
        Err(error) => Err(error.into()),
    }
}

async fn has_entry(app: &App, account: &AccountId, turn: &Turn) -> Result<bool, Stop> {
    Ok(!sign_ins(app, account, turn.deadline).await?.entries.is_empty())
}

fn confirmed(account: &AccountId) -> Answer {
    let body = json!({
        "status": "confirmed",
        "userId": user_id(account),
        "message": "the next scheduled run erases the account, unless it has changed by then",
    });
    Answer::new(200, &body)
}
