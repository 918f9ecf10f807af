//! May this page be acted on? Everything it says is checked against what the eraser knows by itself.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use aws::clients::Buckets;
use aws::get_object::get_object;
use aws::retry::retrying;
use aws::{AwsError, Bucket};
use domain::ids::{AccountId, DeletionId};
use domain::layout::{AccountPrefix, record_key};
use domain::page::{Header, Page};
use domain::record::Awaited;
use domain::settings::SharedSettings;
use fault_point::planted;
use tokio::time::Instant;

/// How long a record once read is believed.
const BELIEVED: Duration = Duration::from_mins(1);

/// Why a page is not acted on. None of the texts names an account or a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The deletion has moved on: a task delivered late.
    Stale,
    /// The page is not what this service writes: alarmed.
    Forged(&'static str),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stale => f.write_str("stale: the deletion does not wait for this page"),
            Self::Forged(why) => write!(f, "refused: {why}"),
        }
    }
}

/// What a record was seen to permit.
#[derive(Debug, Clone, Copy)]
pub struct Permit {
    deletion: DeletionId,
    attempt: u32,
    seen: Instant,
}

/// What records were seen to permit, by account.
pub type Permits = Mutex<HashMap<AccountId, Permit>>;

/// Checks bucket, region and every key of a page, and gives the bucket to erase in.
pub fn page<'b>(page: &Page, settings: &SharedSettings, buckets: &'b Buckets) -> Result<&'b Bucket, Refusal> {
    let header = &page.header;
    let bucket = buckets.photo_bucket(&header.bucket).ok_or(Refusal::Forged("its bucket is not configured"))?;
    if bucket.region != header.region {
        return Err(Refusal::Forged("its region is not the bucket's"));
    }
    let prefixes = AccountPrefix::all(&settings.account_prefixes, &header.account_id);
    let ours = page.rows.iter().all(|row| prefixes.iter().any(|prefix| prefix.covers(row.version.key())));
    planted!("page-unchecked" => return Ok(bucket));
    if ours { Ok(bucket) } else { Err(Refusal::Forged("a key lies outside the account's prefixes")) }
}

/// Why the record does not permit a page.
#[derive(Debug)]
pub enum RecordError {
    /// It says otherwise.
    Refused(Refusal),
    /// It could not be read; to be tried again.
    Aws(AwsError),
}

/// Checks that the account's record names this deletion and attempt, and waits for its job.
pub async fn record(
    header: &Header,
    manifest: &Bucket,
    permits: &Permits,
    deadline: Instant,
) -> Result<(), RecordError> {
    let known = permits.lock().expect("nothing panics while holding it").get(&header.account_id).copied();
    if known
        .is_some_and(|p| (p.deletion, p.attempt) == (header.deletion_id, header.attempt) && p.seen.elapsed() < BELIEVED)
    {
        return Ok(());
    }
    planted!("page-stale" => return Ok(()));
    let key = record_key(&header.account_id);
    let got = retrying(deadline, async || get_object(manifest, &key, None).await).await.map_err(RecordError::Aws)?;
    let awaited = got.and_then(|got| Awaited::parse(&got.body));
    let permit = awaited.map(|a| Permit { deletion: a.deletion_id, attempt: a.attempt, seen: Instant::now() });
    let mut permits = permits.lock().expect("nothing panics while holding it");
    // One account at a time is the rule, so the map stays small; an old entry is worth nothing.
    permits.retain(|_, p| p.seen.elapsed() < BELIEVED);
    match permit {
        Some(p) if (p.deletion, p.attempt) == (header.deletion_id, header.attempt) => {
            permits.insert(header.account_id, p);
            Ok(())
        }
        _ => Err(RecordError::Refused(Refusal::Stale)),
    }
}
