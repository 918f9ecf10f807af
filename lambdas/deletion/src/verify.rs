//! The last look: status goes, then everything is listed again, and only an empty answer is complete.

use aws::metrics::Unit;
use domain::Timestamp;
use domain::ids::AccountId;
use domain::keys::ObjectVersion;
use domain::layout::status_keys;
use domain::look::Listed;
use domain::outcome::Hold;
use domain::receipt::{Receipt, ReceiptState};
use domain::record::{ATTEMPTS_MAX, Asked, Record, State};
use fault_point::planted;
use futures::future::try_join_all;
use tokio::time::Instant;

use crate::claim::{put_receipt, receipt_of};
use crate::desk::sign_ins;
use crate::erase::{Direct, erase_versions};
use crate::holder::Holder;
use crate::job::{gave_up, last_hold};
use crate::listing::Walk;
use crate::mappings::leads_to;
use crate::notices::tell_held;
use crate::statuses::{StatusObject, late_actives, statuses as statuses_of};
use crate::survey::{account_roots, uploads};
use crate::{App, Stop};

/// A version of a schedule entry, and the index of its bucket.
pub type Entry = (usize, Listed);

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftovers {
    /// Versions and markers under the account's prefixes, status included.
    pub versions: u64,
    /// Unfinished uploads.
    pub uploads: u64,
    /// Mappings that lead to the account.
    pub mappings: u64,
    /// Schedule entries of the account. They go after the last look, so they are no leftover yet.
    pub entries: Vec<Entry>,
    /// When the look began: whatever it found was true then or later.
    pub looked_at: Timestamp,
}

impl Leftovers {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.versions == 0 && (planted!("look-uploads") || self.uploads == 0) && self.mappings == 0
    }
}

/// Lists everything again.
pub async fn look(app: &App, account: &AccountId, deadline: Instant) -> Result<Leftovers, Stop> {
    let looked_at = app.clock.now();
    let own = async {
        // As many requests as four looks at a request.
        let _place = app.looks.acquire_many(4).await.expect("the semaphore is never closed");
        let walk = Walk::new(account_roots(app, &app.prefixes(account)), deadline);
        futures::try_join!(count(walk), async { Ok(uploads(app, account, deadline).await?) })
    };
    let ((versions, uploads), found) = futures::try_join!(own, async { Ok(sign_ins(app, account, deadline).await?) })?;
    let leads = found.mappings.iter().map(async |(bucket, key)| {
        leads_to(&app.buckets.photos[*bucket], found.etags_are_md5[*bucket], key, account, deadline).await
    });
    let leads = try_join_all(leads).await?.into_iter().filter(|leads| *leads && !planted!("look-sign-ins"));
    Ok(Leftovers {
        versions,
        uploads: uploads.iter().map(|u| u.len() as u64).sum(),
        mappings: leads.count() as u64,
        entries: found.entries,
        looked_at,
    })
}

async fn count(mut walk: Walk<'_>) -> Result<u64, Stop> {
    let mut count = 0;
    while let Some(chunk) = walk.next().await? {
        count += chunk.listed.len() as u64;
    }
    Ok(count)
}

/// Erases the status, looks, and decides what the record becomes. Gives the schedule entries that were seen.
pub async fn verify(app: &App, holder: &Holder<'_>, direct: Option<Direct>) -> Result<Vec<Entry>, Stop> {
    let record = holder.record().await;
    if record.asked != Asked::Now {
        let statuses = statuses_of(app, &record.account_id, holder.deadline).await?;
        count_late_actives(app, &record, &statuses);
    }
    let (mut direct, by_job) = match direct {
        Some(direct) => (direct, false),
        None => (statuses(app, &record, holder.deadline).await?, true),
    };
    erase_statuses(app, &mut direct, holder.deadline).await?;
    let mut record = with_round(record, &direct);
    let mut left = look(app, &record.account_id, holder.deadline).await?;
    let mut hold = direct.hold.clone();
    if by_job && record.done.held > 0 {
        hold = Hold::later(hold, last_hold(app, &record, holder.deadline).await?);
    }
    record.state = decide(app, &mut record, &left, direct.outcome.denied, (direct.severed.held, hold));
    conclude(app, holder, record).await?;
    Ok(std::mem::take(&mut left.entries))
}

/// After a scheduled claim an old app may still write `active`, without asking. The deletion goes on, and somebody is
/// told.
pub fn count_late_actives(app: &App, record: &Record, statuses: &[StatusObject]) {
    let late = late_actives(statuses);
    if record.asked != Asked::Now && late > 0 {
        tracing::warn!(deletion = %record.deletion_id, late, "a status says active after the claim");
        app.measure(Some(&record.deletion_id), &[("LateActive", Unit::Count, late)]);
    }
}

/// Versions of the status in every bucket, in both spellings. Planning listed the oldest of them; what came after,
/// marks above all, is erased too but counts for nothing.
async fn statuses(app: &App, record: &Record, deadline: Instant) -> Result<Direct, Stop> {
    let keys = status_keys(&record.account_id);
    let roots = app.buckets.photos.iter().enumerate().flat_map(|(bucket_index, bucket)| {
        keys.iter().map(move |key| crate::listing::Root { bucket, bucket_index, prefix: key.as_str().to_owned() })
    });
    let mut walk = Walk::new(roots.collect(), deadline);
    let mut listed = Vec::new();
    while let Some(chunk) = walk.next().await? {
        listed.extend(chunk.listed.into_iter().filter(|l| keys.contains(l.version.key())));
    }
    // Oldest first: within a second the listing has the newest first.
    listed.reverse();
    listed.sort_by_key(|l| l.modified_ms);
    let all = listed.into_iter().map(|l| l.version);
    let (mut marks, mut versions): (Vec<_>, Vec<_>) = all.partition(|v| record.done.marks.contains(v.version()));
    let known = versions.len().min(usize::try_from(record.done.statuses).unwrap_or(usize::MAX));
    marks.extend(versions.split_off(known));
    Ok(Direct { statuses: versions, marks, ..Direct::default() })
}

/// Erases what is known of the status, which comes after everything else the account has.
pub async fn erase_statuses(app: &App, direct: &mut Direct, deadline: Instant) -> Result<(), Stop> {
    let (statuses, mut marks) = (std::mem::take(&mut direct.statuses), std::mem::take(&mut direct.marks));
    marks.retain(|mark| !statuses.contains(mark));
    for bucket in &app.buckets.photos {
        let of_bucket = |versions: &[ObjectVersion]| -> Vec<ObjectVersion> {
            versions.iter().filter(|v| *v.bucket() == bucket.name).cloned().collect()
        };
        let (outcome, hold) = erase_versions(app, bucket, of_bucket(&statuses), of_bucket(&marks), deadline).await?;
        direct.outcome.add(&outcome);
        direct.hold = Hold::later(direct.hold.take(), hold);
    }
    Ok(())
}

/// The record with what this round did.
fn with_round(mut record: Record, direct: &Direct) -> Record {
    let held_before = record.done.held;
    record.done.listed.merge(&direct.listed);
    if !planted!("sums-lost") {
        record.done.add(&direct.outcome);
    }
    record.done.held += held_before;
    record.done.uploads += direct.uploads;
    record.done.mappings += direct.severed.severed;
    record.done.repaired += direct.severed.repaired;
    record
}

/// What follows from a look. Nothing left: the receipt. Only what Object Lock keeps: held. Anything else: another
/// round, within the bound.
fn decide(
    app: &App,
    record: &mut Record,
    left: &Leftovers,
    denied: u64,
    (held_mappings, hold): (u64, Option<Hold>),
) -> State {
    if planted!("d9-no-last-look") || left.is_empty() {
        // S3 may refuse a request that it is sent again although the first had its effect: what was refused, and is
        // not there any more, is gone.
        record.done.absent += denied + std::mem::take(&mut record.done.held);
        record.done.entries += left.entries.len() as u64;
        let receipt = Box::new(Receipt::complete(record, &app.place(), left.looked_at));
        let has_own_objects = !record.done.runs.is_empty() || record.attempt > 1;
        if !left.entries.is_empty() || has_own_objects {
            return State::Finishing { receipt };
        }
        return State::Settling { receipt, second_look_at: second_look_at(app, left.looked_at) };
    }
    if denied > 0 {
        return State::Failed { reason: format!("S3 refused {denied} versions") };
    }
    if let Some(hold) = hold
        && left.uploads == 0
        && left.mappings <= held_mappings
        && left.versions <= record.done.held
    {
        return State::Held { until: hold.end(), notified: false };
    }
    record.tries += 1;
    if record.tries >= ATTEMPTS_MAX {
        return State::Failed { reason: gave_up() };
    }
    record.try_again();
    State::Claimed
}

/// When the second look is due.
pub fn second_look_at(app: &App, looked_at: Timestamp) -> Timestamp {
    looked_at + std::time::Duration::from_secs(app.settings.settle_seconds.into())
}

/// Writes the record, then the receipt that follows from it.
async fn conclude(app: &App, holder: &Holder<'_>, next: Record) -> Result<(), Stop> {
    holder
        .write(|record| {
            // Nothing but the receipt follows these, so the record is put down in the same write.
            let waits = matches!(next.state, State::Settling { .. } | State::Held { .. });
            let (nonce, holder) = (record.nonce, record.holder.filter(|_| !waits));
            *record = next;
            (record.nonce, record.holder) = (nonce, holder);
        })
        .await?;
    let record = holder.record().await;
    match &record.state {
        State::Settling { receipt, .. } => put_receipt(app, holder, receipt).await,
        State::Held { until, .. } => {
            let mut receipt = receipt_of(app, &record, ReceiptState::Held);
            receipt.held_until = *until;
            put_receipt(app, holder, &receipt).await?;
            if let Err(stop) = tell_held(app, holder).await {
                tracing::warn!(deletion = %record.deletion_id, reason = %stop, "the notice waits for reconcile");
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
