//! Notices: each is a step that is repeated until the bus has taken it.

use aws::put_events::put_notice;
use aws::retry::retrying;
use domain::ids::DeletionId;
use domain::notice::Notice;
use domain::record::{Record, State};
use fault_point::planted;
use tokio::time::Instant;

use crate::holder::Holder;
use crate::{App, Stop};

/// Puts a notice on the bus.
pub async fn tell(app: &App, deletion: DeletionId, notice: Notice, deadline: Instant) -> Result<(), Stop> {
    let (bus, environment) = (&app.settings.notice_bus, &app.settings.shared.environment);
    let put = async || put_notice(&app.events, bus, environment, &deletion, notice).await;
    planted!("d21-nobody-told" => return Ok(()));
    Ok(retrying(deadline, put).await?)
}

/// Tells of the claim, before the first sign-in is severed. The record says so with its next write: a run that dies in
/// between leaves a notice that is told twice, never one that is not told.
pub async fn tell_claim(app: &App, holder: &Holder<'_>, record: &Record) -> Result<(), Stop> {
    if !record.notified {
        tell(app, record.deletion_id, Notice::Claimed(record.account_id), holder.deadline).await?;
        holder.note(|record| record.notified = true).await;
    }
    Ok(())
}

/// Tells of a hold, once.
pub async fn tell_held(app: &App, holder: &Holder<'_>) -> Result<(), Stop> {
    let record = holder.record().await;
    if !matches!(record.state, State::Held { notified: false, .. }) {
        return Ok(());
    }
    tell(app, record.deletion_id, Notice::Held, holder.deadline).await?;
    let is_told = |state: &mut State| {
        if let State::Held { notified, .. } = state {
            *notified = true;
        }
    };
    holder.write(|record| is_told(&mut record.state)).await
}
