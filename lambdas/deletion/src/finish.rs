//! From `finishing` to `settling`: entries, receipt, and the service's own objects.

use aws::delete_object::{delete_if_match, delete_version};
use aws::get_bucket_versioning::get_bucket_versioning;
use aws::retry::retrying;
use aws::{AwsError, Bucket, Cause};
use domain::look::Listed;
use domain::mapping::BucketKind;
use domain::receipt::Receipt;
use domain::record::State;
use fault_point::planted;
use tokio::time::Instant;

use crate::claim::put_receipt;
use crate::clean::clean;
use crate::desk::sign_ins;
use crate::holder::Holder;
use crate::verify::{Entry, second_look_at};
use crate::{App, Stop};

/// Removes entries as they were read, writes the receipt, tidies up, and waits for the second look. `entries` are those
/// of the last look, where this run made it.
pub async fn finish(
    app: &App,
    holder: &Holder<'_>,
    receipt: Box<Receipt>,
    entries: Option<Vec<Entry>>,
) -> Result<(), Stop> {
    let record = holder.record().await;
    let entries = match entries {
        Some(entries) => entries,
        None => sign_ins(app, &record.account_id, holder.deadline).await?.entries,
    };
    if !planted!("finish-entries") {
        remove_entries(app, entries, holder.deadline).await?;
    }
    put_receipt(app, holder, &receipt).await?;
    clean(app, &record, holder.deadline).await?;
    let looked_at = receipt.completed_at.unwrap_or_else(|| app.clock.now());
    let second_look_at = second_look_at(app, looked_at);
    holder.write(|record| record.state = State::Settling { receipt, second_look_at }).await
}

/// Removes the account's schedule entries: by version where versions are kept, else only if unchanged since read. The
/// oldest of a key first, so that none comes to light again if this stops half way.
async fn remove_entries(app: &App, mut entries: Vec<Entry>, deadline: Instant) -> Result<(), Stop> {
    entries.sort_by_key(|(bucket, listed)| (*bucket, listed.latest, listed.modified_ms));
    for same in entries.chunk_by(|a, b| a.0 == b.0) {
        let bucket = &app.buckets.photos[same[0].0];
        let kind = retrying(deadline, async || get_bucket_versioning(bucket).await).await?;
        for (_, entry) in same {
            remove_entry(bucket, kind, entry, deadline).await?;
        }
    }
    Ok(())
}

/// Removes one version of an entry.
pub async fn remove_entry(bucket: &Bucket, kind: BucketKind, entry: &Listed, deadline: Instant) -> Result<(), Stop> {
    if kind == BucketKind::Versioned || entry.marker || !entry.version.version().is_null() {
        return gone(retrying(deadline, async || delete_version(bucket, &entry.version).await).await)
            .map_err(Stop::from);
    }
    let (key, etag) = (entry.version.key(), &entry.etag);
    match retrying(deadline, async || delete_if_match(bucket, key, etag).await).await {
        // Where versioning is suspended the conditional delete leaves a marker that names the account.
        Ok(()) if kind == BucketKind::Suspended => {
            Ok(gone(retrying(deadline, async || delete_version(bucket, &entry.version).await).await)?)
        }
        other => Ok(gone(other)?),
    }
}

/// Somebody else's later write stays: a new entry is a new request.
fn gone(removed: Result<(), AwsError>) -> Result<(), AwsError> {
    match removed {
        Err(error) if matches!(error.cause, Cause::NotFound | Cause::Condition) => Ok(()),
        other => other,
    }
}
