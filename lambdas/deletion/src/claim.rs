//! From `claiming` to `claimed`: what is found goes into the record, the account is marked, the receipt begins.

use aws::Cause;
use aws::get_object::get_object;
use aws::put_object::{Condition, put_own};
use aws::retry::retrying;
use domain::keys::{ObjectKey, ObjectVersion};
use domain::layout::receipt_key;
use domain::receipt::{Receipt, ReceiptState};
use domain::record::{Asked, Record, State};
use futures::FutureExt as _;

use crate::holder::Holder;
use crate::notices::tell_claim;
use crate::statuses::mark_all;
use crate::survey::Survey;
use crate::{App, Stop};

/// Finishes a claim. Delete Now has no check that could still fail, so marks and notice go beside the write of
/// `claimed`; all are there before anything is erased, and whoever takes over repeats them. Gives the versions that the
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
    let (claimed_at, mappings) = (claimed.claimed_at, claimed.mappings.clone());
    let written = holder.write(|record| {
        (record.claimed_at, record.mappings, record.state) = (claimed_at, mappings, State::Claimed);
    });
    let begun = begin_receipt(app, holder, &receipt, written);
    if claimed.asked == Asked::Now {
        let marks = mark_all(app, claimed.deletion_id, &survey.statuses, holder.deadline);
        let (marked, (), ()) = futures::try_join!(marks, begun, tell_claim(app, holder, &claimed))?;
        return Ok(marked);
    }
    // Marked already; and the product is told of a scheduled claim only once nothing can undo it.
    begun.boxed_local().await?;
    tell_claim(app, holder, &claimed).await?;
    Ok(Vec::new())
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
