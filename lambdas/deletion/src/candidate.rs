//! One account of a scheduled run: met in a listing, judged, claimed and taken as far as the run gets.

use std::rc::Rc;

use aws::get_object::Got;
use domain::Timestamp;
use domain::due::{grace_end, is_far_off};
use domain::entry::{EntryFault, EntryKey, KeyFault};
use domain::ids::AccountId;
use domain::keys::ObjectKey;
use domain::layout::record_key;
use domain::record::{Asked, Kind, Record, State};
use domain::request::Request;
use domain::tally::SetDigest;
use domain::verdict::{Reason, Verdict};
use fault_point::planted;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Stop;
use crate::answer::body_of;
use crate::check::{Question, Released, look, read_request, withdraw};
use crate::due::Asking;
use crate::entries::{ListedEntry, asks, read_entry};
use crate::holder::{Claim, Holder, New, read as read_record};
use crate::life::{End, advance};
use crate::scheduled::Progress;

/// What a listing led to.
pub enum Met {
    /// Nothing that is due.
    Nothing,
    /// An entry for a day that no phone with a sound clock would name.
    FarOff(Line),
    /// Something that cannot be read as a request.
    Malformed(Line),
    /// A request whose time has come.
    Due(Box<DueRequest>),
}

/// A request whose time has come.
pub struct DueRequest {
    /// Whose.
    pub account: AccountId,
    kind: Kind,
    asked: Asked,
    confirmed: Option<SetDigest>,
    needs_a_person: bool,
    /// Seconds since it became due.
    pub overdue_seconds: u64,
}

/// What became of it in this run.
pub enum Fate {
    /// Another run has it, or it is not to be acted on yet.
    Elsewhere,
    /// The run stopped claiming before its turn came.
    Remaining,
    /// Claimed; a planned one is told with its job.
    Claimed(Option<Line>),
    /// The person stays.
    Cancelled(Line),
    /// A person has to look.
    Quarantined(Line),
    /// A person has to confirm it.
    Unconfirmed(Line),
    /// Nothing to be done.
    Told(Line),
}

/// A line of a run's answer. Answers may name accounts, as they always did; logs may not.
pub struct Line(pub Value);

impl Line {
    /// What is to be said of an account.
    pub fn new(account: &AccountId, status: &str, message: &str) -> Self {
        Self(json!({ "userId": account.canonical(), "status": status, "message": message }))
    }

    /// What a record says.
    pub fn of_record(record: &Record) -> Self {
        Self(serde_json::to_value(body_of(record)).expect("bodies are plain JSON"))
    }
}

/// Looks at what was listed, and reads it if its time can have come.
pub async fn meet(run: &Progress<'_>, asking: Asking) -> Result<Met, Stop> {
    match asking {
        Asking::Request(request) => Ok(meet_request(run, &request)),
        Asking::Entry(listed) => meet_entry(run, &listed).await,
    }
}

fn meet_request(run: &Progress<'_>, request: &Request) -> Met {
    let now = run.turn.now(run.app);
    let is_missed = planted!("d2-never-caught-up") && now.as_second() - request.not_before.as_second() > 1_000;
    if now < request.not_before || is_missed {
        return Met::Nothing;
    }
    Met::Due(Box::new(DueRequest {
        account: request.account_id,
        kind: request.kind,
        asked: request.asked(),
        confirmed: request.confirmed,
        needs_a_person: request.needs_a_person(),
        overdue_seconds: seconds_between(request.not_before, now),
    }))
}

fn seconds_between(due: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.as_second() - due.as_second()).unwrap_or_default()
}

async fn meet_entry(run: &Progress<'_>, listed: &ListedEntry) -> Result<Met, Stop> {
    let (app, now, deadline) = (run.app, run.turn.now(run.app), run.turn.deadline);
    let key = match EntryKey::parse(&app.settings.schedule_prefix, &listed.key) {
        Ok(key) => key,
        Err(KeyFault::Folder) => return Ok(Met::Nothing),
        Err(fault) => return Ok(malformed(&listed.key, fault.into())),
    };
    let grace_end = grace_end(listed.modified, app.settings.grace_seconds);
    if key.day() > utc_day(now) || planted!("d1-only-today") && key.day() != utc_day(now) {
        let is_far_off = is_far_off(key.day(), listed.modified, app.settings.grace_seconds);
        let line = || Line::new(&key.account(), "far_off", &format!("waits until {}", key.day()));
        return Ok(if is_far_off { Met::FarOff(line()) } else { Met::Nothing });
    }
    if now < grace_end {
        return Ok(Met::Nothing);
    }
    let account = key.account();
    if read_request(app, &account, deadline).await?.is_some() {
        // The request decides, and is met by itself.
        return Ok(Met::Nothing);
    }
    let Some(got) = read_entry(app, listed.bucket, &listed.key, deadline).await? else { return Ok(Met::Nothing) };
    let due = match asks(app, &listed.key, &got) {
        Ok(due) => due,
        Err(fault) => return Ok(Met::Malformed(Line::new(&account, "quarantined", &Reason::from(fault).to_string()))),
    };
    let due_at = due.due_at(app.settings.grace_seconds);
    if now < due_at {
        return Ok(Met::Nothing);
    }
    let bucket = app.buckets.photos[listed.bucket].name.clone();
    Ok(Met::Due(Box::new(DueRequest {
        account,
        kind: Kind::Scheduled,
        asked: Asked::Entry { bucket, key: listed.key.clone(), etag: got.etag },
        confirmed: None,
        needs_a_person: false,
        overdue_seconds: seconds_between(due_at, now),
    })))
}

/// An entry without a readable account: the answer names its key, so that a person finds it.
fn malformed(key: &ObjectKey, fault: EntryFault) -> Met {
    let message = Reason::from(fault).to_string();
    Met::Malformed(Line(json!({ "userId": null, "entry": key, "status": "quarantined", "message": message })))
}

fn utc_day(at: Timestamp) -> jiff::civil::Date {
    TimeZone::UTC.to_datetime(at).date()
}

/// Judges a request that is due, and claims its account if nothing stands against it.
pub async fn act(run: &Progress<'_>, due: Box<DueRequest>) -> Result<Fate, Stop> {
    if Instant::now() >= run.claims_until {
        return Ok(Fate::Remaining);
    }
    let (app, now) = (run.app, run.turn.now(run.app));
    let DueRequest { account, asked, confirmed, .. } = &*due;
    if let Some((record, got)) = read_record(app, &record_key(account), run.turn.deadline).await? {
        return under_way(run, account, &record, &got).await;
    }
    let question = Question { account, asked, confirmed: confirmed.is_some(), deletion: None };
    let looked = look(app, question, now, run.turn.deadline).await?;
    if looked.is_withdrawn {
        // Another request or entry may ask by now; it is met by itself.
        return Ok(Fate::Elsewhere);
    }
    match looked.verdict {
        Verdict::NotYet { .. } | Verdict::Proceed if due.needs_a_person => Ok(Fate::Unconfirmed(unconfirmed(account))),
        Verdict::NotYet { .. } => Ok(Fate::Elsewhere),
        Verdict::Quarantine(reason) => Ok(Fate::Quarantined(quarantined(account, reason))),
        verdict @ (Verdict::Cancelled | Verdict::NothingLeft) => settle(run, &due, verdict).await,
        Verdict::Proceed if run.dry_run && !planted!("claim-dry") => {
            Ok(Fate::Told(Line::new(account, "due", "would be claimed")))
        }
        Verdict::Proceed => claim(run, &due).await,
    }
}

fn quarantined(account: &AccountId, reason: Reason) -> Line {
    Line::new(account, "quarantined", &reason.to_string())
}

fn unconfirmed(account: &AccountId) -> Line {
    Line::new(account, "unconfirmed", "more than may be erased unseen, or changed since; a person has to confirm it")
}

/// Removes what asks for an erasure that is not to be.
async fn settle(run: &Progress<'_>, due: &DueRequest, verdict: Verdict) -> Result<Fate, Stop> {
    if planted!("dry-run-writes") || !run.dry_run {
        withdraw(run.app, &due.account, &due.asked, run.turn.deadline).await?;
    }
    Ok(match verdict {
        Verdict::NothingLeft => Fate::Told(Line::new(&due.account, "completed", "there was nothing to erase")),
        _ => Fate::Cancelled(Line::new(&due.account, "cancelled", "the account stays")),
    })
}

async fn claim(run: &Progress<'_>, due: &DueRequest) -> Result<Fate, Stop> {
    if !run.budget.take().await? {
        return Ok(Fate::Remaining);
    }
    let DueRequest { account, kind, asked, confirmed, .. } = due;
    let new =
        New { account: *account, kind: *kind, asked: asked.clone(), confirmed: *confirmed, state: State::Claiming };
    match Holder::claim(run.app, new, run.turn.deadline).await? {
        Claim::Ours(holder) => go_on(run, account, *holder).await,
        Claim::Theirs(..) => {
            run.budget.put_back().await;
            Ok(Fate::Elsewhere)
        }
    }
}

async fn go_on<'a>(run: &Progress<'a>, account: &AccountId, holder: Holder<'a>) -> Result<Fate, Stop> {
    let holder = Rc::new(holder);
    match advance(run.app, &holder, None, &[], &run.turn).await? {
        End::Released(released) => {
            run.budget.put_back().await;
            Ok(fate(account, released))
        }
        End::Stands => Ok(Fate::Claimed(stands(run, holder).await)),
    }
}

/// A deletion of the account is under way. A claim that another run made and could not finish is taken over, and begins
/// with its checks again; what is further on is reconcile's.
async fn under_way(run: &Progress<'_>, account: &AccountId, record: &Record, got: &Got) -> Result<Fate, Stop> {
    let is_free = !record.is_held(got.modified, run.app.clock.now());
    if run.dry_run || !is_free || !record.is_being_checked() {
        return Ok(Fate::Elsewhere);
    }
    if !run.budget.take().await? {
        return Ok(Fate::Remaining);
    }
    if let Some(holder) = Holder::take_over(run.app, record, &got.etag, run.turn.deadline).await? {
        return go_on(run, account, holder).await;
    }
    run.budget.put_back().await;
    Ok(Fate::Elsewhere)
}

async fn stands<'a>(run: &Progress<'a>, holder: Rc<Holder<'a>>) -> Option<Line> {
    let record = holder.record().await;
    if matches!(record.state, State::Planned { .. }) {
        run.planned.borrow_mut().push(holder);
        return None;
    }
    Some(Line::of_record(&record))
}

fn fate(account: &AccountId, released: Released) -> Fate {
    match released {
        Released::Cancelled => Fate::Cancelled(Line::new(account, "cancelled", "the account stays")),
        Released::NotYet => Fate::Elsewhere,
        Released::Quarantined(reason) => Fate::Quarantined(quarantined(account, reason)),
        Released::NothingLeft => Fate::Told(Line::new(account, "completed", "there was nothing to erase")),
        Released::TooLarge { .. } => Fate::Unconfirmed(unconfirmed(account)),
    }
}
