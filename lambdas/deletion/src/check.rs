//! The checks before a scheduled claim: look, judge, mark, wait, look and judge again. Only then may the record say
//! `claimed`. Whoever takes over a record in `claiming` does all of it again.

use aws::get_object::get_object;
use aws::retry::retrying;
use domain::Timestamp;
use domain::due::Asked as Due;
use domain::ids::{AccountId, BucketName, DeletionId};
use domain::keys::ObjectVersion;
use domain::layout::request_key;
use domain::record::{Asked, Record};
use domain::request::Request as WrittenRequest;
use domain::verdict::{Facts, Left, Reason, Request, SeenStatus, Verdict, judge};
use fault_point::planted;
use tokio::time::Instant;

use crate::clean::clean;
use crate::desk::sign_ins;
use crate::entries::{asks, read_entry, remove_as_read};
use crate::holder::Holder;
use crate::listing::Walk;
use crate::mappings::leads_to;
use crate::schedule::put_request;
use crate::statuses::{StatusObject, mark_as_read, statuses, unmark_all};
use crate::survey::{Versions, account_roots, uploads};
use crate::{App, Stop, Turn};

/// Looks again this often when somebody writes a status at the same time.
const LOOKS_MAX: u32 = 5;

/// Why a claim came to nothing. The account is as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// The person wants to stay; what asked for the erasure is removed.
    Cancelled,
    /// It is not due, or somebody wrote meanwhile; a later run looks again.
    NotYet,
    /// What asks for it contradicts other facts; kept, and told.
    Quarantined(Reason),
    /// There is no such account any more; what asked for it is removed.
    NothingLeft,
    /// More versions than may be erased without a person, or other ones than the person saw.
    TooLarge {
        /// Versions found.
        versions: u64,
    },
}

/// What is asked about an account.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Whose.
    pub account: &'a AccountId,
    /// What the erasure rests on.
    pub asked: &'a Asked,
    /// Whether a person has confirmed it.
    pub confirmed: bool,
    /// The claim under way, whose marks are to be seen through.
    pub deletion: Option<DeletionId>,
}

impl<'a> Question<'a> {
    fn of(record: &'a Record) -> Self {
        let Record { account_id, asked, confirmed, deletion_id, .. } = record;
        Self { account: account_id, asked, confirmed: confirmed.is_some(), deletion: Some(*deletion_id) }
    }
}

/// What was seen, and what follows from it.
#[derive(Debug)]
pub struct Looked {
    /// What follows.
    pub verdict: Verdict,
    /// The statuses it rests on.
    pub statuses: Vec<StatusObject>,
    /// Whether what asked is gone, or another one by now.
    pub is_withdrawn: bool,
}

/// Reads everything that decides, and judges it.
pub async fn look(app: &App, question: Question<'_>, now: Timestamp, deadline: Instant) -> Result<Looked, Stop> {
    let place = app.looks.acquire().await.expect("the semaphore is never closed");
    let (request, statuses) =
        futures::try_join!(asked_still(app, question.account, question.asked, deadline), async {
            Ok(statuses(app, question.account, deadline).await?)
        },)?;
    drop(place);
    judge_request(app, question, request, statuses, now, deadline).await
}

/// Judges a request by these statuses; what is left of the account is looked for only if it decides.
pub async fn judge_request(
    app: &App,
    question: Question<'_>,
    request: Request,
    statuses: Vec<StatusObject>,
    now: Timestamp,
    deadline: Instant,
) -> Result<Looked, Stop> {
    let seen: Vec<SeenStatus> = statuses.iter().map(|status| status.seen(question.deletion)).collect();
    let mut facts = Facts {
        now,
        grace_seconds: app.settings.grace_seconds,
        request,
        statuses: &seen,
        // Each key was asked for by itself; a refusal would have been an error.
        statuses_complete: true,
        left: Left::NotKnown,
        confirmed: question.confirmed,
    };
    let mut verdict = judge(&facts);
    if verdict == Verdict::Quarantine(Reason::LeftNotKnown) {
        facts.left = left(app, question.account, deadline).await?;
        verdict = judge(&facts);
    }
    Ok(Looked { verdict, statuses, is_withdrawn: request == Request::Withdrawn })
}

/// What asks for the erasure, as it is now.
async fn asked_still(app: &App, account: &AccountId, asked: &Asked, deadline: Instant) -> Result<Request, Stop> {
    match asked {
        Asked::Now => Err(Stop::Refused("a deletion that is not scheduled has no request to check".to_owned())),
        Asked::Request { accepted, not_before } => {
            let due = Due::Record { accepted: *accepted, not_before: *not_before };
            let still = read_request(app, account, deadline).await?.is_some_and(|(request, _)| request.due() == due);
            Ok(if still { Request::Asked(due) } else { Request::Withdrawn })
        }
        Asked::Entry { bucket, key, etag } => {
            let index = index_of(app, bucket)?;
            match read_entry(app, index, key, deadline).await?.filter(|got| got.etag == *etag) {
                Some(got) => Ok(asks(app, key, &got).map_or_else(Request::Malformed, Request::Asked)),
                None => Ok(Request::Withdrawn),
            }
        }
    }
}

/// A record may be older than the settings.
fn index_of(app: &App, bucket: &BucketName) -> Result<usize, Stop> {
    let index = app.buckets.photo_index(bucket);
    index.ok_or_else(|| Stop::Refused("an entry lies in a bucket that is not ours".to_owned()))
}

/// The request that this service wrote down for an account, and its ETag.
pub async fn read_request(
    app: &App,
    account: &AccountId,
    deadline: Instant,
) -> Result<Option<(WrittenRequest, String)>, Stop> {
    let key = request_key(account);
    let got = retrying(deadline, async || get_object(app.manifest(), &key, None).await).await?;
    let Some(got) = got else { return Ok(None) };
    let request = WrittenRequest::parse(&got.body).map_err(Stop::Refused)?;
    if request.account_id != *account {
        return Err(Stop::Refused("a request names another account than its key".to_owned()));
    }
    Ok(Some((request, got.etag)))
}

/// Whether anything of the account is left: versions, markers, uploads, mappings.
async fn left(app: &App, account: &AccountId, deadline: Instant) -> Result<Left, Stop> {
    let walk = Walk::new(account_roots(app, &app.prefixes(account)), deadline);
    let (versions, uploads, found) = futures::try_join!(
        Versions::list(walk, 1),
        uploads(app, account, deadline),
        sign_ins(app, account, deadline),
    )?;
    let mut is_left = versions.count > 0 || uploads.iter().any(|uploads| !uploads.is_empty());
    for (bucket, key) in &found.mappings {
        let place = &app.buckets.photos[*bucket];
        is_left |= leads_to(place, found.etags_are_md5[*bucket], key, account, deadline).await?;
    }
    Ok(if is_left { Left::Something } else { Left::Nothing })
}

/// What a check has marked.
#[derive(Debug, Default)]
pub struct Marked {
    /// The versions that this made.
    pub versions: Vec<ObjectVersion>,
    /// How many statuses bear the mark.
    statuses: usize,
}

/// Checks a claim, or has released the record and says why.
pub async fn check(app: &App, holder: &Holder<'_>, turn: &Turn) -> Result<Result<Marked, Released>, Stop> {
    let record = holder.record().await;
    let marked = match mark(app, &record, turn).await? {
        Ok(marked) => marked,
        Err(verdict) => return release(app, holder, verdict, turn).await.map(Err),
    };
    tokio::time::sleep(std::time::Duration::from_secs(app.settings.confirm_seconds.into())).await;
    Ok(check_again(app, holder, &marked, turn).await?.map(|()| marked))
}

/// Looks once more at a claim that was marked. Everything must be as marking left it, or the record is released.
pub async fn check_again(
    app: &App,
    holder: &Holder<'_>,
    marked: &Marked,
    turn: &Turn,
) -> Result<Result<(), Released>, Stop> {
    let record = holder.record().await;
    planted!("d6-first-look-alone" => return Ok(Ok(())));
    let looked = look(app, Question::of(&record), turn.now(app), turn.deadline).await?;
    let untouched = looked.statuses.iter().all(|status| status.seen(Some(record.deletion_id)).is_our_mark)
        && looked.statuses.len() == marked.statuses;
    let verdict = match looked.verdict {
        Verdict::Proceed if untouched => return Ok(Ok(())),
        // Written anew, but not against the deletion: the next run judges it from the beginning.
        Verdict::Proceed => Verdict::NotYet { until: turn.now(app) },
        verdict => verdict,
    };
    release(app, holder, verdict, turn).await.map(Err)
}

/// Looks, and marks exactly what was looked at; or says what stands against it.
async fn mark(app: &App, record: &Record, turn: &Turn) -> Result<Result<Marked, Verdict>, Stop> {
    for _ in 0..LOOKS_MAX {
        let looked = look(app, Question::of(record), turn.now(app), turn.deadline).await?;
        if looked.verdict != Verdict::Proceed {
            return Ok(Err(looked.verdict));
        }
        let statuses = looked.statuses.len();
        if let Some(versions) = mark_as_read(app, record.deletion_id, &looked.statuses, turn.deadline).await? {
            return Ok(Ok(Marked { versions, statuses }));
        }
    }
    Ok(Err(Verdict::NotYet { until: turn.now(app) }))
}

/// Puts the account back as it was and gives the record up. What asked for the erasure goes only if it is settled.
async fn release(app: &App, holder: &Holder<'_>, verdict: Verdict, turn: &Turn) -> Result<Released, Stop> {
    let record = holder.record().await;
    undo(app, &record, turn).await?;
    let released = match verdict {
        Verdict::Cancelled => Released::Cancelled,
        Verdict::NothingLeft => Released::NothingLeft,
        Verdict::Quarantine(reason) => Released::Quarantined(reason),
        Verdict::NotYet { .. } | Verdict::Proceed => Released::NotYet,
    };
    if matches!(released, Released::Cancelled | Released::NothingLeft) {
        withdraw(app, &record.account_id, &record.asked, turn.deadline).await?;
    }
    holder.remove().await?;
    Ok(released)
}

/// What a claim has left so far: the pages it was counted by, and the marks.
async fn undo(app: &App, record: &Record, turn: &Turn) -> Result<(), Stop> {
    clean(app, record, turn.deadline).await?;
    unmark_all(app, &record.account_id, record.deletion_id, turn.deadline).await
}

/// Removes what asked for an erasure, if it is still what was read.
pub async fn withdraw(app: &App, account: &AccountId, asked: &Asked, deadline: Instant) -> Result<(), Stop> {
    match asked {
        Asked::Now => Ok(()),
        Asked::Entry { bucket, key, etag } => {
            remove_as_read(app, index_of(app, bucket)?, key, etag, deadline).await.map(|_| ())
        }
        Asked::Request { accepted, not_before } => {
            let due = Due::Record { accepted: *accepted, not_before: *not_before };
            match read_request(app, account, deadline).await? {
                Some((request, etag)) if request.due() == due => remove_request(app, account, &etag, deadline).await,
                _ => Ok(()),
            }
        }
    }
}

/// Removes a request as it was read.
pub async fn remove_request(app: &App, account: &AccountId, etag: &str, deadline: Instant) -> Result<(), Stop> {
    let key = request_key(account);
    let remove = async || aws::delete_object::delete_if_match(app.manifest(), &key, etag).await;
    match retrying(deadline, remove).await {
        Err(error) if matches!(error.cause, aws::Cause::Condition | aws::Cause::NotFound) => Ok(()),
        other => Ok(other?),
    }
}

/// Gives up a claim on an account that a person has to look at first. What was counted is written down as a request,
/// so that the next run need not count again.
pub async fn release_too_large(app: &App, holder: &Holder<'_>, versions: u64, turn: &Turn) -> Result<Released, Stop> {
    let record = holder.record().await;
    undo(app, &record, turn).await?;
    let now = turn.now(app);
    let (accepted, not_before) = match record.asked {
        Asked::Request { accepted, not_before } => (accepted, not_before),
        Asked::Entry { .. } | Asked::Now => (now, now),
    };
    let mut request = WrittenRequest::new(record.account_id, record.kind, accepted, not_before);
    request.too_large = Some(versions);
    put_request(app, &request, turn.deadline).await?;
    holder.remove().await?;
    Ok(Released::TooLarge { versions })
}
