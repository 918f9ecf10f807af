//! From `finishing` to `settling`: entries, receipt, and the service's own objects.

use aws::delete_object::{delete_if_match, delete_version};
use aws::get_bucket_versioning::get_bucket_versioning;
use aws::retry::retrying;
use aws::{AwsError, Bucket, Cause};
use domain::ids::AccountId;
use domain::layout::is_schedule_entry;
use domain::look::Listed;
use domain::mapping::BucketKind;
use domain::receipt::Receipt;
use domain::record::State;
use tokio::time::Instant;

use crate::claim::put_receipt;
use crate::clean::clean;
use crate::holder::Holder;
use crate::listing::{Root, Walk};
use crate::verify::second_look_at;
use crate::{App, Stop};

/// Removes entries as they were read, writes the receipt, tidies up, and waits for the second look.
pub async fn finish(app: &App, holder: &Holder<'_>, receipt: Box<Receipt>) -> Result<(), Stop> {
    let record = holder.record().await;
    remove_entries(app, &record.account_id, holder.deadline).await?;
    put_receipt(app, holder, &receipt).await?;
    clean(app, &record, holder.deadline).await?;
    let looked_at = receipt.completed_at.unwrap_or_else(|| app.clock.now());
    let second_look_at = second_look_at(app, looked_at);
    holder.write(|record| record.state = State::Settling { receipt, second_look_at }).await
}

/// Removes the account's schedule entries: by version where versions are kept, else only if unchanged since read.
async fn remove_entries(app: &App, account: &AccountId, deadline: Instant) -> Result<(), Stop> {
    for (bucket_index, bucket) in app.buckets.photos.iter().enumerate() {
        let root = Root { bucket, bucket_index, prefix: app.settings.schedule_prefix.clone() };
        let mut walk = Walk::new(vec![root], deadline);
        let mut entries: Vec<Listed> = Vec::new();
        while let Some(chunk) = walk.next().await? {
            let ours = |l: &Listed| is_schedule_entry(l.version.key(), &app.settings.schedule_prefix, account);
            entries.extend(chunk.listed.into_iter().filter(ours));
        }
        if entries.is_empty() {
            continue;
        }
        let kind = retrying(deadline, async || get_bucket_versioning(bucket).await).await?;
        for entry in &entries {
            remove_entry(bucket, kind, entry, deadline).await?;
        }
    }
    Ok(())
}

/// Removes one version of an entry.
pub async fn remove_entry(bucket: &Bucket, kind: BucketKind, entry: &Listed, deadline: Instant) -> Result<(), Stop> {
    let by_version = kind == BucketKind::Versioned || entry.marker || !entry.version.version().is_null();
    if !by_version {
        let (key, etag) = (entry.version.key(), &entry.etag);
        gone(retrying(deadline, async || delete_if_match(bucket, key, etag).await).await)?;
    }
    // Where versioning is suspended the conditional delete leaves a marker that names the account.
    if by_version || kind == BucketKind::Suspended {
        gone(retrying(deadline, async || delete_version(bucket, &entry.version).await).await)?;
    }
    Ok(())
}

/// Somebody else's later write stays: a new entry is a new request.
fn gone(removed: Result<(), AwsError>) -> Result<(), AwsError> {
    match removed {
        Err(error) if matches!(error.cause, Cause::NotFound | Cause::Condition) => Ok(()),
        other => other,
    }
}
