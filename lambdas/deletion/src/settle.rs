//! The second look: what old clients wrote meanwhile is found, and the deletion reopened; or the record goes, and
//! with it the last object that names the account.

use aws::delete_object::delete_own;
use aws::retry::retrying;
use domain::layout::request_key;
use domain::notice::Notice;
use domain::record::State;
use fault_point::planted;
use futures::FutureExt as _;

use crate::claim::{put_receipt, receipt_of};
use crate::clean::clean;
use crate::holder::Holder;
use crate::notices::tell;
use crate::verify::look;
use crate::{App, Stop};

/// How a second look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The record is gone.
    Gone,
    /// Nothing was found, but it is too early to be sure.
    NotYet,
    /// Something was found: the deletion goes on.
    Reopened,
}

/// Looks again at a held record in `settling`, and keeps the lease meanwhile.
pub async fn settle(app: &App, holder: &Holder<'_>) -> Result<Settled, Stop> {
    holder.while_renewing(look_again(app, holder).boxed_local()).await
}

async fn look_again(app: &App, holder: &Holder<'_>) -> Result<Settled, Stop> {
    let record = holder.record().await;
    let State::Settling { receipt, second_look_at } = &record.state else { return Ok(Settled::NotYet) };
    let left = look(app, &record.account_id, holder.deadline).await?;
    if !planted!("d9-no-second-look") && (!left.is_empty() || !left.entries.is_empty()) {
        tracing::warn!(deletion = %record.deletion_id, versions = left.versions, uploads = left.uploads,
            mappings = left.mappings, entries = left.entries.len(), "the second look found something: reopened");
        holder
            .write(|record| {
                record.tries = 0;
                record.try_again();
            })
            .await?;
        let record = holder.record().await;
        put_receipt(app, holder, &receipt_of(app, &record, domain::receipt::ReceiptState::Claimed)).await?;
        return Ok(Settled::Reopened);
    }
    let mut receipt = receipt.clone();
    if left.looked_at < *second_look_at {
        put_receipt(app, holder, &receipt).await?;
        holder.release().await?;
        return Ok(Settled::NotYet);
    }
    receipt.looks.push(left.looked_at);
    put_receipt(app, holder, &receipt).await?;
    // A planner that slept may have written a page since the first time.
    clean(app, &record, holder.deadline).await?;
    let request = request_key(&record.account_id);
    if !planted!("finish-request") {
        retrying(holder.deadline, async || delete_own(app.manifest(), &request).await).await?;
    }
    tell(app, record.deletion_id, Notice::Completed, holder.deadline).await?;
    if !planted!("finish-record") {
        holder.remove().await?;
    }
    Ok(Settled::Gone)
}
