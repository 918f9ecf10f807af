//! PutEvents: a notice on the notice bus.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use domain::ids::DeletionId;
use domain::notice::{Notice, SOURCE};

use crate::error::tidy;
use crate::{AwsError, Cause};

const OPERATION: &str = "PutEvents";

/// Puts one notice on a bus. EventBridge answers 200 for an entry it did not take, too: that is tried again like any
/// passing failure (EventBridge User Guide, "Handling failures with PutEvents").
pub async fn put_notice(
    client: &Client,
    bus: &str,
    environment: &str,
    deletion: &DeletionId,
    notice: Notice,
) -> Result<(), AwsError> {
    let detail = notice.detail(deletion, environment).to_string();
    let entry = PutEventsRequestEntry::builder().event_bus_name(bus).source(SOURCE);
    let entry = entry.detail_type(notice.detail_type()).detail(detail).build();
    let output = client.put_events().entries(entry).send().await.map_err(|e| AwsError::of(OPERATION, &e))?;
    let refused = output.entries.unwrap_or_default().into_iter().find_map(|entry| entry.error_code);
    if output.failed_entry_count == 0 && refused.is_none() {
        return Ok(());
    }
    let code = tidy(refused.as_deref().unwrap_or("EntryNotTaken"));
    Err(AwsError { operation: OPERATION, code, status: None, request_id: None, cause: Cause::Transient })
}
