//! `schedule`: a request is written down, then the entry and the status that apps read; asked again, it is moved.

use aws::put_object::{Condition, put_object, put_own};
use aws::retry::retrying;
use domain::Timestamp;
use domain::answer::{Answer, user_id};
use domain::due::not_before;
use domain::entry::{Entry, EntryKey};
use domain::ids::AccountId;
use domain::keys::ObjectKey;
use domain::layout::{entry_keys, request_key, status_keys};
use domain::record::{Asked, Kind, Record, State};
use domain::request::Request;
use domain::status::{Status, iso_seconds, schedule as scheduled_status, see};
use fault_point::planted;
use futures::FutureExt as _;
use serde_json::json;
use tokio::time::Instant;

use crate::answer::{as_told, of_record};
use crate::cancel::take_back;
use crate::check::read_request;
use crate::entries::{ReadEntry, read_entry, remove_as_read};
use crate::holder::{Claim, Holder, New};
use crate::statuses::{StatusObject, change_all, statuses, written_buckets};
use crate::{App, Stop, Turn, set_clock};

/// Writes down that an account is to be erased after `grace_seconds`. What is under way already is told instead.
pub async fn schedule(
    app: &App,
    account: AccountId,
    kind: Kind,
    grace_seconds: u32,
    turn: &Turn,
) -> Result<Answer, Stop> {
    set_clock(app, turn.deadline).await?;
    let accepted = app.clock.now();
    let asked = Asked::Request { accepted, not_before: not_before(accepted, grace_seconds) };
    let new = New { account, kind, asked, confirmed: None, state: State::Scheduling };
    match Holder::claim(app, new, turn.deadline).await? {
        Claim::Ours(holder) => {
            finish(app, &holder).await?;
            Ok(accepted_as(&holder.record().await))
        }
        Claim::Theirs(record, got) => busy(app, *record, &got, turn).await,
    }
}

/// Another run has the record. One that died while it wrote a request is helped; the caller asks again.
pub async fn busy(app: &App, record: Record, got: &aws::get_object::Got, turn: &Turn) -> Result<Answer, Stop> {
    let is_held = record.is_held(got.modified, app.clock.now());
    if record.state.is_errand()
        && !is_held
        && let Some(holder) = Holder::take_over(app, &record, &got.etag, turn.deadline).await?
    {
        finish(app, &holder).await?;
    }
    Ok(of_record(&as_told(record, is_held)))
}

/// Finishes what a held record announces that is no deletion yet, and gives the record up.
pub async fn finish(app: &App, holder: &Holder<'_>) -> Result<(), Stop> {
    let record = holder.record().await;
    let work = async {
        match record.state {
            State::Scheduling => write_down(app, holder, &record).await,
            State::Cancelling => take_back(app, holder).await.map(|_| ()),
            // Whoever confirmed has got no answer, and confirms again.
            State::Confirming => holder.remove().await,
            _ => Ok(()),
        }
    };
    holder.while_renewing(work.boxed_local()).await
}

/// Request, entry, status, older entries; then the record goes. Each step may be repeated.
async fn write_down(app: &App, holder: &Holder<'_>, record: &Record) -> Result<(), Stop> {
    let Asked::Request { accepted, not_before } = record.asked else {
        return Err(Stop::Refused("a request without a moment cannot be written down".to_owned()));
    };
    let (account, deadline) = (&record.account_id, holder.deadline);
    let before = statuses(app, account, deadline).await?;
    if record.epoch > 0 && was_cancelled_since(&before, accepted) {
        // Its writer died, and the person has changed their mind in another app meanwhile.
        return take_back(app, holder).await.map(|_| ());
    }
    if before.iter().any(StatusObject::is_too_large) {
        holder.remove().await?;
        return Err(Stop::Refused("a status is too large to be read, and is not written over".to_owned()));
    }
    let older = older_entries(app, account, &before, deadline).await?;
    let request = Request::new(*account, record.kind, accepted, not_before);
    planted!("claim-lost" => return Box::pin(holder.remove()).await);
    put_request(app, &request, deadline).await?;
    let entry = entry_from(app, account, &older, accepted, not_before);
    let key = put_entry(app, &entry, deadline).await?;
    put_statuses(app, account, &before, (accepted, not_before), deadline).await?;
    for (bucket, old, got) in older.iter().filter(|(bucket, old, _)| (*bucket, old) != (key.0, &key.1)) {
        remove_as_read(app, *bucket, old, &got.etag, deadline).await?;
    }
    holder.remove().await
}

fn was_cancelled_since(statuses: &[StatusObject], accepted: Timestamp) -> bool {
    let cancels =
        |status: &StatusObject| see(&status.got.body).says == Ok(Status::Active) && status.got.modified > accepted;
    statuses.iter().any(cancels)
}

/// Writes a request; the record is held, so nobody else writes one.
pub async fn put_request(app: &App, request: &Request, deadline: Instant) -> Result<(), Stop> {
    let key = request_key(&request.account_id);
    let put = async || put_own(app.manifest(), &key, request.to_json(), Condition::None).await;
    retrying(deadline, put).await?;
    Ok(())
}

/// The account's entries where an app would look for them: under the day of each status's date and of the request that
/// waits. Any other is met by a run, which judges it by the statuses.
pub async fn older_entries(
    app: &App,
    account: &AccountId,
    statuses: &[StatusObject],
    deadline: Instant,
) -> Result<Vec<ReadEntry>, Stop> {
    let mut dates: Vec<Timestamp> = statuses.iter().filter_map(scheduled_for).collect();
    dates.extend(read_request(app, account, deadline).await?.map(|(request, _)| request.not_before));
    let mut found = Vec::new();
    for key in entry_keys(&app.settings.schedule_prefix, account, &dates) {
        for (bucket, _) in written_buckets(app) {
            let got = read_entry(app, bucket, &key, deadline).await?;
            found.extend(got.map(|got| (bucket, key.clone(), got)));
        }
    }
    Ok(found)
}

fn scheduled_for(status: &StatusObject) -> Option<Timestamp> {
    match see(&status.got.body).says {
        Ok(Status::Scheduled { delete_date }) => Some(delete_date),
        _ => None,
    }
}

/// The new entry, with what an older one says beside its moments.
fn entry_from(
    app: &App,
    account: &AccountId,
    older: &[ReadEntry],
    accepted: Timestamp,
    not_before: Timestamp,
) -> Entry {
    let read = |(_, key, got): &ReadEntry| {
        let key = EntryKey::parse(&app.settings.schedule_prefix, key).ok()?;
        Entry::parse(&key, &got.body).ok()
    };
    let known = older.iter().find_map(read);
    known.map_or_else(|| Entry::new(*account, accepted, not_before), |entry| entry.moved(accepted, not_before))
}

/// Writes an entry into the first bucket that apps write to.
async fn put_entry(app: &App, entry: &Entry, deadline: Instant) -> Result<(usize, ObjectKey), Stop> {
    let (index, bucket) = primary(app)?;
    let key = entry.key(&app.settings.schedule_prefix);
    let put = async || put_object(bucket, &key, entry.to_json(), "application/json", Condition::None).await;
    retrying(deadline, put).await?;
    Ok((index, key))
}

fn primary(app: &App) -> Result<(usize, &aws::Bucket), Stop> {
    written_buckets(app).next().ok_or_else(|| Stop::Refused("no bucket is written by apps".to_owned()))
}

/// Writes every status, or the one the app would look for if there is none.
async fn put_statuses(
    app: &App,
    account: &AccountId,
    before: &[StatusObject],
    (accepted, not_before): (Timestamp, Timestamp),
    deadline: Instant,
) -> Result<(), Stop> {
    let body = |body: &[u8]| scheduled_status(body, accepted, not_before);
    if before.is_empty() {
        let (_, bucket) = primary(app)?;
        let keys = status_keys(account);
        let put = async || put_object(bucket, &keys[0], body(b""), "application/json", Condition::Absent).await;
        match retrying(deadline, put).await {
            Ok(_) => return Ok(()),
            // Written by the app meanwhile, or by ourselves with an answer that was lost.
            Err(error) if error.cause == aws::Cause::Condition => {}
            Err(error) => return Err(error.into()),
        }
    }
    let change = |now: &[u8]| Some(body(now)).filter(|next| next != now);
    change_all(app, account, deadline, change).await.map(|_| ())
}

fn accepted_as(record: &Record) -> Answer {
    let Asked::Request { not_before, .. } = record.asked else { return of_record(record) };
    let (status_code, message) = match record.kind {
        Kind::Scheduled => (200, "the account is erased by the first run after this date, unless it is cancelled"),
        Kind::Immediate => (202, "the account is erased by the next scheduled run"),
    };
    let body = json!({
        "status": "scheduled",
        "userId": user_id(&record.account_id),
        "state": "requested",
        "deleteDate": iso_seconds(not_before),
        "message": message,
    });
    Answer::new(status_code, &body)
}
