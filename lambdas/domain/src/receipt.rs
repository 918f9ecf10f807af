//! The receipt: a statement about a deletion, without personal data.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Timestamp;
use crate::ids::{AccountId, DeletionId, JobId};
use crate::record::{Kind, Record};
use crate::tally::{Group, SetDigest, hex};

const SCHEMA: u32 = 1;

/// What a receipt says. It exists from the claim on, so that a deletion id always resolves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// 1.
    pub schema: u32,
    /// The deletion.
    pub deletion_id: DeletionId,
    /// SHA-256 of deletion id and account id: whoever knows both can check whose receipt it is, nobody else.
    /// The account id is random, so no secret is needed.
    pub proof: String,
    /// The environment's name.
    pub environment: String,
    /// Who asked.
    pub kind: Kind,
    /// `claimed`, `submitted`, `held`, `failed` or `complete`.
    pub state: ReceiptState,
    /// When the claim was made.
    pub claimed_at: Option<Timestamp>,
    /// The moment of the last look that found nothing: complete as of then.
    pub completed_at: Option<Timestamp>,
    /// When the last held version becomes erasable.
    pub held_until: Option<Timestamp>,
    /// `direct`, `batch`, or `none` where there was nothing.
    pub method: Method,
    /// Versions and delete markers.
    pub versions: Versions,
    /// Bytes listed to be erased.
    pub bytes: u64,
    /// Counts and bytes by bucket, prefix and storage class, as listed to be erased.
    pub groups: Vec<Group>,
    /// Sum modulo 2^256 of the SHA-256 of each version erased.
    pub digest: SetDigest,
    /// Unfinished uploads aborted.
    pub uploads: u64,
    /// Mappings.
    pub mappings: Mappings,
    /// Schedule entries removed.
    pub entries: u64,
    /// Jobs that took part.
    pub jobs: Vec<JobId>,
    /// Rounds of erasing.
    pub attempts: u32,
    /// Buckets looked at, by name.
    pub buckets: Vec<String>,
    /// Stores outside S3 that this deletion did not touch.
    pub other_stores: Vec<String>,
    /// When looks found nothing: the last look, then the second look.
    pub looks: Vec<Timestamp>,
    /// Whether counts are lower bounds, because a run died and another took over.
    pub at_least: bool,
    /// Version of the service.
    pub code_version: String,
}

/// Where the deletion stood when the receipt was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptState {
    /// Under way.
    Claimed,
    /// Under way, in a job.
    Submitted,
    /// Waiting for Object Lock.
    Held,
    /// Given up for now.
    Failed,
    /// Nothing was left at `completed_at`.
    Complete,
}

/// How an account was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// There was nothing to erase.
    None,
    /// By the deletion function itself.
    Direct,
    /// By S3 Batch Operations.
    Batch,
}

/// Counts of versions and delete markers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Versions {
    /// Listed to be erased, delete markers included.
    pub listed: u64,
    /// Of these, delete markers.
    pub markers: u64,
    /// Erased.
    pub erased: u64,
    /// Gone already when their turn came.
    pub absent: u64,
    /// Kept by Object Lock or legal hold.
    pub held: u64,
}

/// Counts of mappings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mappings {
    /// Severed.
    pub erased: u64,
    /// Put back to the new account after an old phone had taken them.
    pub repaired: u64,
}

impl Receipt {
    /// What can be said about a record now.
    pub fn of(record: &Record, state: ReceiptState, place: &Place) -> Self {
        let done = &record.done;
        let method = match (done.jobs.is_empty(), done.listed.count()) {
            (false, _) => Method::Batch,
            (true, 0) => Method::None,
            (true, _) => Method::Direct,
        };
        Self {
            schema: SCHEMA,
            deletion_id: record.deletion_id,
            proof: proof(&record.deletion_id, &record.account_id),
            environment: place.environment.clone(),
            kind: record.kind,
            state,
            claimed_at: record.claimed_at,
            completed_at: None,
            held_until: None,
            method,
            versions: Versions {
                listed: done.listed.count(),
                markers: done.listed.markers(),
                erased: done.erased,
                absent: done.absent,
                held: done.held,
            },
            bytes: done.listed.bytes(),
            groups: done.listed.groups(),
            digest: done.digest,
            uploads: done.uploads,
            mappings: Mappings { erased: done.mappings, repaired: done.repaired },
            entries: done.entries,
            jobs: done.jobs.clone(),
            attempts: record.attempt,
            buckets: place.buckets.clone(),
            other_stores: place.other_stores.clone(),
            looks: Vec::new(),
            at_least: done.at_least,
            code_version: place.code_version.clone(),
        }
    }

    /// Complete as of the last look.
    pub fn complete(record: &Record, place: &Place, looked_at: Timestamp) -> Self {
        let mut receipt = Self::of(record, ReceiptState::Complete, place);
        receipt.completed_at = Some(looked_at);
        receipt.looks = vec![looked_at];
        receipt
    }
}

/// What a receipt says about where it was written.
#[derive(Debug, Clone)]
pub struct Place {
    /// The environment's name.
    pub environment: String,
    /// Every bucket looked at.
    pub buckets: Vec<String>,
    /// Stores outside the scope.
    pub other_stores: Vec<String>,
    /// Version of the service.
    pub code_version: String,
}

/// SHA-256 of `{deletion id}:{canonical account id}`, in hexadecimal.
pub fn proof(deletion: &DeletionId, account: &AccountId) -> String {
    hex(&Sha256::digest(format!("{deletion}:{}", account.canonical()).as_bytes()))
}
