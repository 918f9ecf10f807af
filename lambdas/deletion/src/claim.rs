//! From `claiming` to `claimed`: what is found goes into the record, the account is marked, the receipt begins.

use aws::Cause;
use aws::get_object::{Got, get_object};
use aws::put_object::{Condition, put_object, put_own};
use aws::retry::retrying;
use domain::keys::{ObjectKey, ObjectVersion};
use domain::layout::receipt_key;
use domain::receipt::{Receipt, ReceiptState};
use domain::record::{Record, State};
use domain::status::mark;
use futures::future::try_join_all;
use tokio::time::Instant;

use crate::holder::Holder;
use crate::survey::Survey;
use crate::{App, Stop};

/// Tries to mark a status that the app keeps writing at the same time.
const MARKS_MAX: u32 = 5;

/// Finishes a claim. Delete Now has no check that could still fail, so the marks go beside the write of `claimed`;
/// both are there before anything is erased, and whoever takes over repeats the marks. Gives the versions that the
/// marks made.
pub async fn settle_claim(
    app: &App,
    holder: &Holder<'_>,
    survey: &Survey<'_>,
    hints: &[String],
) -> Result<Vec<ObjectVersion>, Stop> {
    let now = app.clock.now();
    let keys = known_keys(app, survey, hints);
    let mut claimed = holder.record().await;
    claimed.claimed_at.get_or_insert(now);
    for (bucket, key) in &keys {
        claimed.remember_mapping(&app.buckets.photos[*bucket].name, key);
    }
    claimed.state = State::Claimed;
    let receipt = receipt_of(app, &claimed, ReceiptState::Claimed);
    let (claimed_at, mappings) = (claimed.claimed_at, claimed.mappings);
    let written = holder.write(|record| {
        (record.claimed_at, record.mappings, record.state) = (claimed_at, mappings, State::Claimed);
    });
    let (marked, ()) =
        futures::try_join!(mark_all(app, survey, holder.deadline), begin_receipt(app, holder, &receipt, written))?;
    Ok(marked)
}

/// Writes the record and its first receipt side by side: nothing rests on the receipt yet.
async fn begin_receipt(
    app: &App,
    holder: &Holder<'_>,
    receipt: &Receipt,
    written: impl Future<Output = Result<(), Stop>>,
) -> Result<(), Stop> {
    futures::try_join!(written, put_receipt(app, holder, receipt)).map(|_| ())
}

/// The mappings found, and the hinted keys that lie where mappings do: a hint is looked at in every bucket.
fn known_keys(app: &App, survey: &Survey<'_>, hints: &[String]) -> Vec<(usize, ObjectKey)> {
    let is_mapping = |hint: &&String| app.settings.mapping_prefixes.iter().any(|prefix| hint.starts_with(prefix));
    let hinted = hints
        .iter()
        .filter(is_mapping)
        .flat_map(|hint| (0..app.buckets.photos.len()).map(move |bucket| (bucket, ObjectKey::new(hint.as_str()))));
    survey.sign_ins.mappings.iter().cloned().chain(hinted).collect()
}

/// Marks every existing status, so that old apps show that the account is going. Gives the versions this made.
pub async fn mark_all(app: &App, survey: &Survey<'_>, deadline: Instant) -> Result<Vec<ObjectVersion>, Stop> {
    let marks = survey.statuses.iter().map(|(bucket, key, got)| mark_one(app, *bucket, key, got.clone(), deadline));
    Ok(try_join_all(marks).await?.into_iter().flatten().collect())
}

async fn mark_one(
    app: &App,
    bucket: usize,
    key: &ObjectKey,
    mut got: Got,
    deadline: Instant,
) -> Result<Option<ObjectVersion>, Stop> {
    let bucket = &app.buckets.photos[bucket];
    for _ in 0..MARKS_MAX {
        let body = mark(&got.body, app.clock.now());
        let put = async || put_object(bucket, key, body.clone(), "application/json", Condition::Etag(&got.etag)).await;
        match retrying(deadline, put).await {
            Ok(written) => return Ok(Some(ObjectVersion::new(bucket.name.clone(), key.clone(), written.version))),
            Err(error) if matches!(error.cause, Cause::Condition | Cause::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        // Marked by a write whose answer was lost, or gone: the listing knows the versions.
        match retrying(deadline, async || get_object(bucket, key, None).await).await? {
            Some(again) if again.body != body => got = again,
            _ => return Ok(None),
        }
    }
    Err(Stop::Refused("the status keeps changing while it is marked".to_owned()))
}

/// What the record says, as a receipt in this state.
pub fn receipt_of(app: &App, record: &Record, state: ReceiptState) -> Receipt {
    Receipt::of(record, state, &app.place())
}

/// Writes a receipt in place of the one this run knows. One that a later holder wrote meanwhile stays, and this run
/// has lost: no receipt comes from a run that no longer holds the record.
pub async fn put_receipt(app: &App, holder: &Holder<'_>, receipt: &Receipt) -> Result<(), Stop> {
    let (manifest, deadline) = (app.manifest(), holder.deadline);
    let key = receipt_key(&receipt.deletion_id);
    let body = serde_json::to_vec_pretty(receipt).expect("a receipt is plain JSON");
    let mut known = holder.receipt_etag.lock().await;
    let is_first = receipt.state == ReceiptState::Claimed && receipt.attempts == 1;
    if known.is_none() && !is_first {
        let found = retrying(deadline, async || get_object(manifest, &key, None).await).await?;
        *known = found.map(|got| got.etag);
    }
    let condition = known.as_deref().map_or(Condition::Absent, Condition::Etag);
    let put = retrying(deadline, async || put_own(manifest, &key, body.clone(), condition).await).await;
    let etag = match put {
        Ok(etag) => etag,
        Err(error) if error.cause == Cause::Condition => {
            let found = retrying(deadline, async || get_object(manifest, &key, None).await).await?;
            // Our own write, whose answer was lost; or a first receipt that is there already.
            found.filter(|got| got.body == body || is_first).ok_or(Stop::Lost)?.etag
        }
        Err(error) => return Err(error.into()),
    };
    *known = Some(etag);
    Ok(())
}
