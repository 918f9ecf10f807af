//! The record: the durable state and the one mutex of an account's deletion.
//!
//! `scheduling`, `cancelling` and `confirming` hold it for a moment, while a request is written. A deletion goes
//! `claiming → claimed → planned → submitted → verifying → finishing → settling → gone`, with `held` and `failed`
//! waiting for reconcile. An account under the threshold goes from `claimed` to `verifying` without a job, and
//! from there straight to `settling` if nothing is left to tidy up.

use fault_point::planted;
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{AccountId, BucketName, DeletionId, JobId, Nonce, RunId};
use crate::keys::{ObjectKey, VersionId};
use crate::outcome::PageOutcome;
use crate::receipt::Receipt;
use crate::tally::{SetDigest, Tally};

/// Seconds a holder keeps the record without renewing.
pub const LEASE_SECONDS: i64 = 90;
/// Seconds between renewals.
pub const RENEW_SECONDS: u64 = 30;
/// Times leftovers are erased anew before the deletion is `failed` and waits for a person or the next day.
pub const ATTEMPTS_MAX: u32 = 5;
const SCHEMA: u32 = 1;

/// The record of one account's deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    schema: u32,
    /// The deletion.
    pub deletion_id: DeletionId,
    /// The account. The record is the last object that names it.
    pub account_id: AccountId,
    /// Who asked.
    pub kind: Kind,
    /// What it rests on: whoever takes over before `claimed` checks it again.
    pub asked: Asked,
    /// The digest of what a person has looked at and wants erased, if one had to.
    pub confirmed: Option<SetDigest>,
    /// Fresh with every write: reading it back tells a write whose answer was lost from one that failed.
    pub nonce: Nonce,
    /// Who works on it. The lease runs from the record's `LastModified`, which S3's own clock writes.
    pub holder: Option<Nonce>,
    /// Where it stands.
    pub state: State,
    /// When the claim was made.
    pub claimed_at: Option<Timestamp>,
    /// Rounds of erasing, from 1. Pages and outcomes are kept apart by it.
    pub attempt: u32,
    /// Rounds that left something behind since the last time a day or a hold was waited for.
    pub tries: u32,
    /// How often the record was taken over; names pages of different planners apart.
    pub epoch: u32,
    /// Whether the notice of the claim was accepted.
    pub notified: bool,
    /// Mappings that led to the account, and where they lead now.
    pub mappings: Vec<KnownMapping>,
    /// What has been done so far.
    pub done: Done,
}

/// Who asked for the deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// "Delete Now", whether served at once or by the next run.
    Immediate,
    /// Scheduled, and not cancelled in time.
    Scheduled,
}

/// What a deletion rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Asked {
    /// A person who waits for the answer.
    Now,
    /// A request that this service wrote down.
    Request {
        /// When S3 wrote it down.
        accepted: Timestamp,
        /// From when on it may be acted on.
        not_before: Timestamp,
    },
    /// A schedule entry that an app wrote by itself.
    Entry {
        /// Its bucket.
        bucket: BucketName,
        /// Its key.
        key: ObjectKey,
        /// Its ETag as it was read: another one is another entry.
        etag: String,
    },
}

/// Where a deletion stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum State {
    /// A request is being written down: entry and status are to follow. Nothing is erased from here.
    Scheduling,
    /// A cancellation was accepted: status and entries are to follow. Nothing is erased from here.
    Cancelling,
    /// A person's confirmation is being written down. Nothing is erased from here.
    Confirming,
    /// Asked for; checks not done yet. Whoever takes over does them all again.
    Claiming,
    /// Will be erased. Nothing was erased before this was written.
    Claimed,
    /// All pages are written.
    Planned {
        /// Versions on them.
        versions: u64,
    },
    /// In a run's job, or about to be.
    Submitted {
        /// The run.
        run_id: RunId,
        /// Versions on the pages of this attempt.
        versions: u64,
    },
    /// Everything asked for was answered; status and last look remain.
    Verifying,
    /// The last look found nothing; entries, receipt, pages remain.
    Finishing {
        /// What the receipt will say.
        receipt: Box<Receipt>,
    },
    /// The receipt is written, or follows from here; a second look is due.
    Settling {
        /// What the receipt says.
        receipt: Box<Receipt>,
        /// When the second look is due.
        second_look_at: Timestamp,
    },
    /// Versions under Object Lock or legal hold remain.
    Held {
        /// When the last of them becomes erasable; `None` for a legal hold.
        until: Option<Timestamp>,
        /// Whether the notice of it was accepted.
        notified: bool,
    },
    /// Given up for now; reconcile tries again a day later.
    Failed {
        /// Why, without personal data.
        reason: String,
    },
}

impl State {
    /// Whether the record is held only to write a request, and no deletion has begun.
    pub fn is_errand(&self) -> bool {
        matches!(self, Self::Scheduling | Self::Cancelling | Self::Confirming)
    }

    /// The state's name, as the record spells it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Scheduling => "scheduling",
            Self::Cancelling => "cancelling",
            Self::Confirming => "confirming",
            Self::Claiming => "claiming",
            Self::Claimed => "claimed",
            Self::Planned { .. } => "planned",
            Self::Submitted { .. } => "submitted",
            Self::Verifying => "verifying",
            Self::Finishing { .. } => "finishing",
            Self::Settling { .. } => "settling",
            Self::Held { .. } => "held",
            Self::Failed { .. } => "failed",
        }
    }

    /// What callers are told: erasing is one thing to them, and what follows the receipt is complete.
    pub fn public_name(&self) -> &'static str {
        match self {
            Self::Scheduling | Self::Confirming => "requested",
            Self::Cancelling => "cancelling",
            Self::Claiming => "claiming",
            Self::Claimed | Self::Planned { .. } | Self::Submitted { .. } => "erasing",
            Self::Verifying => "verifying",
            Self::Finishing { .. } | Self::Settling { .. } => "complete",
            Self::Held { .. } => "held",
            Self::Failed { .. } => "failed",
        }
    }
}

/// A mapping that led to the account when it was last seen, or did before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KnownMapping {
    /// Its bucket.
    pub bucket: BucketName,
    /// Its key.
    pub key: ObjectKey,
    /// The body it had when it was seen to lead to a new account: what an old phone's write is undone to.
    pub moved_to: Option<String>,
}

/// What has been done, over all attempts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Done {
    /// What the listings to erase by have shown, by bucket, prefix and class.
    pub listed: Tally,
    /// Versions erased.
    pub erased: u64,
    /// Versions that were gone already.
    pub absent: u64,
    /// Digest of those erased.
    pub digest: SetDigest,
    /// Versions under Object Lock or legal hold at the last attempt.
    pub held: u64,
    /// Versions of the status that were listed and wait for the end, where a job erases the rest.
    pub statuses: u64,
    /// Versions of the status that marking the account made: erased in the end, but nothing the account had.
    pub marks: Vec<VersionId>,
    /// Unfinished uploads aborted.
    pub uploads: u64,
    /// Mappings severed.
    pub mappings: u64,
    /// Mappings an old phone had taken back and that lead to the new account again.
    pub repaired: u64,
    /// Schedule entries removed.
    pub entries: u64,
    /// Jobs that took part.
    pub jobs: Vec<JobId>,
    /// Runs that made them, whose manifests and reports are to be removed.
    pub runs: Vec<RunId>,
    /// Whether a run died in between, so that counts are lower bounds.
    pub at_least: bool,
}

impl Done {
    /// Adds what a page, or a direct attempt, came to.
    pub fn add(&mut self, outcome: &PageOutcome) {
        self.erased += outcome.erased;
        self.absent += outcome.absent;
        self.held = outcome.held;
        self.digest.add_digest(&outcome.digest);
    }
}

impl Record {
    /// A new record in `state`, held by `holder`.
    pub fn new(
        ids: (DeletionId, AccountId),
        (kind, asked): (Kind, Asked),
        state: State,
        holder: Nonce,
        nonce: Nonce,
    ) -> Self {
        Self {
            schema: SCHEMA,
            deletion_id: ids.0,
            account_id: ids.1,
            kind,
            asked,
            confirmed: None,
            nonce,
            holder: Some(holder),
            state,
            claimed_at: None,
            attempt: 1,
            tries: 0,
            epoch: 0,
            notified: false,
            mappings: Vec::new(),
            done: Done::default(),
        }
    }

    /// Reads a record; an unknown schema or field is an error, since acting on half a record is not safe.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let record: Self = serde_json::from_slice(json)
            // Where, not what: serde repeats values, and a record has an account id in it.
            .map_err(|e| format!("the record cannot be read at line {}, column {}", e.line(), e.column()))?;
        if record.schema != SCHEMA {
            return Err(format!("the record has schema {}, this version knows {SCHEMA}", record.schema));
        }
        Ok(record)
    }

    /// The record as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record is plain JSON")
    }

    /// Whether somebody holds it at `now`, given when S3 wrote it. Both moments are S3's.
    pub fn is_held(&self, written: Timestamp, now: Timestamp) -> bool {
        self.holder.is_some() && (planted!("claim-forever") || now.as_second() < written.as_second() + LEASE_SECONDS)
    }

    /// Whether a scheduled deletion has its checks before it: nothing is decided yet, and the claim may come to nothing.
    pub fn is_being_checked(&self) -> bool {
        self.state == State::Claiming && self.asked != Asked::Now
    }

    /// What a new holder writes to take over: nothing of the state changes, the epoch tells its pages apart.
    /// Counts become lower bounds if the last holder may have erased something it did not write down.
    pub fn taken_over(&self, holder: Nonce, nonce: Nonce) -> Self {
        let died = self.holder.is_some() && matches!(self.state, State::Claimed | State::Verifying);
        let mut record = Self { nonce, holder: Some(holder), epoch: self.epoch + 1, ..self.clone() };
        record.done.at_least |= died;
        record
    }

    /// Another round of erasing: fresh pages, fresh counts of what is held.
    pub fn try_again(&mut self) {
        self.attempt += 1;
        self.done.held = 0;
        // What was never claimed has its checks before it.
        let is_claimed = self.claimed_at.is_some() || self.asked == Asked::Now;
        self.state = if is_claimed { State::Claimed } else { State::Claiming };
    }

    /// Remembers a mapping that leads to the account; each once.
    pub fn remember_mapping(&mut self, bucket: &BucketName, key: &ObjectKey) {
        if !self.mappings.iter().any(|m| m.bucket == *bucket && m.key == *key) {
            self.mappings.push(KnownMapping { bucket: bucket.clone(), key: key.clone(), moved_to: None });
        }
    }
}

/// What the eraser needs of a record, and no more: a job keeps the eraser it was created with, so this must be
/// readable in records that a later version of the deletion function writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// The deletion.
    pub deletion_id: DeletionId,
    /// The attempt whose pages may be acted on.
    pub attempt: u32,
}

impl Awaited {
    /// `None` unless the record waits for a job.
    pub fn parse(json: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire {
            schema: u32,
            deletion_id: DeletionId,
            attempt: u32,
            state: Name,
        }
        #[derive(Deserialize)]
        struct Name {
            name: String,
        }
        let wire: Wire = serde_json::from_slice(json).ok()?;
        let waits = wire.schema == SCHEMA && wire.state.name == "submitted";
        waits.then_some(Self { deletion_id: wire.deletion_id, attempt: wire.attempt })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn record() -> Record {
        let account = AccountId::parse("0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9").unwrap();
        let (holder, nonce) = (Nonce::new(Uuid::from_u128(2)), Nonce::new(Uuid::from_u128(3)));
        let ids = (DeletionId::new(Uuid::from_u128(1)), account);
        Record::new(ids, (Kind::Immediate, Asked::Now), State::Claiming, holder, nonce)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_record_reads_back_and_refuses_what_it_does_not_know() {
        let record = record();
        assert_eq!(Record::parse(&record.to_json()).unwrap(), record);
        let mut json: serde_json::Value = serde_json::from_slice(&record.to_json()).unwrap();
        json["surprise"] = true.into();
        assert!(Record::parse(json.to_string().as_bytes()).unwrap_err().contains("column"));
        json.as_object_mut().unwrap().remove("surprise");
        json["schema"] = 2.into();
        assert!(Record::parse(json.to_string().as_bytes()).unwrap_err().contains("schema 2"));
    }

    #[test]
    fn an_eraser_reads_records_of_later_versions_but_acts_only_on_submitted_ones() {
        let mut record = record();
        assert_eq!(Awaited::parse(&record.to_json()), None);
        record.state = State::Submitted { run_id: RunId::new(Uuid::from_u128(4)), versions: 7 };
        let mut json: serde_json::Value = serde_json::from_slice(&record.to_json()).unwrap();
        json["surprise"] = true.into();
        let awaited = Awaited { deletion_id: record.deletion_id, attempt: 1 };
        assert_eq!(Awaited::parse(json.to_string().as_bytes()), Some(awaited));
    }

    #[test]
    fn a_lease_ends_ninety_seconds_after_s3_wrote_it() {
        let mut record = record();
        assert!(record.is_held(at(1_000), at(1_089)));
        assert!(!record.is_held(at(1_000), at(1_090)));
        record.holder = None;
        assert!(!record.is_held(at(1_000), at(1_000)));
    }

    #[test]
    fn what_was_never_claimed_is_checked_again() {
        let mut record = record();
        record.asked = Asked::Request { accepted: at(0), not_before: at(0) };
        record.try_again();
        assert_eq!(record.state, State::Claiming);
        record.claimed_at = Some(at(1));
        record.try_again();
        assert_eq!(record.state, State::Claimed);
    }

    #[test]
    fn counts_after_a_takeover_are_lower_bounds() {
        let nonce = Nonce::new(Uuid::from_u128(9));
        let mut record = record();
        record.state = State::Claimed;
        assert!(record.taken_over(nonce, nonce).done.at_least);
        record.holder = None;
        assert!(!record.taken_over(nonce, nonce).done.at_least, "it was put down, nothing is unknown");
        assert_eq!(record.taken_over(nonce, nonce).epoch, 1);
    }
}
