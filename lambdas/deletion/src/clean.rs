//! Removing the service's own objects: pages, outcomes, manifests, reports.

use aws::erase::{Terms, erase};
use aws::list_objects::list_objects;
use domain::ids::BucketName;
use domain::keys::{ObjectKey, ObjectVersion, VersionId};
use domain::layout::{manifest_key, outcomes_prefix, pages_prefix, reports_prefix};
use domain::outcome::Outcome;
use domain::record::Record;
use fault_point::planted;
use tokio::time::Instant;

use crate::{App, Stop};

/// Removes what erasing an account left in the manifest bucket. Receipt, run and job pointer stay: they name nobody.
pub async fn clean(app: &App, record: &Record, deadline: Instant) -> Result<(), Stop> {
    let mut prefixes = vec![pages_prefix(&record.deletion_id), outcomes_prefix(&record.deletion_id)];
    prefixes.extend(record.done.runs.iter().map(|run| format!("{}/", reports_prefix(run))));
    let mut keys: Vec<ObjectKey> = record.done.runs.iter().map(manifest_key).collect();
    for prefix in prefixes {
        keys.extend(list_objects(app.manifest(), &prefix, deadline).await?.into_iter().map(|object| object.key));
    }
    planted!("d20-pages-stay" => return Ok(()));
    remove_own(app, &keys, deadline).await
}

/// Removes objects of the manifest bucket, which keeps no versions.
pub async fn remove_own(app: &App, keys: &[ObjectKey], deadline: Instant) -> Result<(), Stop> {
    let name: &BucketName = &app.manifest().name;
    let versions: Vec<ObjectVersion> =
        keys.iter().map(|key| ObjectVersion::new(name.clone(), key.clone(), VersionId::null())).collect();
    // Our own objects are no part of the account's pace.
    let pace = aws::pace::Pace::new(u32::MAX);
    let outcomes = erase(app.manifest(), &versions, Terms { pace: &pace, deadline, counts: &app.counts }).await?;
    if outcomes.contains(&Outcome::Unfinished) { Err(Stop::TimeUp) } else { Ok(()) }
}
