//! Listing what lies under the prefix.

use std::time::Duration;

use anyhow::Context as _;
use aws::list_multipart_uploads::list_multipart_uploads;
use aws::list_object_versions::list_object_versions;
use aws::retry::retrying;
use aws::{AwsError, Bucket};
use domain::keys::ObjectVersion;
use domain::look::Upload;
use tokio::time::Instant;

use super::PREFIX;
use super::inventory::Inventory;

/// How long one call is tried for.
const PATIENCE: Duration = Duration::from_mins(1);

/// Everything that lies under the prefix. The earlier system left a few objects a job, so that memory holds them all;
/// what is erased is then exactly what the digest was made from.
#[derive(Default)]
pub struct Found {
    /// What may be told.
    pub inventory: Inventory,
    /// By bucket, in the order asked.
    pub versions: Vec<Vec<ObjectVersion>>,
    /// By bucket, in the order asked.
    pub uploads: Vec<Vec<Upload>>,
}

/// Lists all of these buckets, to the end.
pub async fn list(buckets: &[Bucket]) -> anyhow::Result<Found> {
    let mut found = Found::default();
    for bucket in buckets {
        let versions = versions(bucket, &mut found.inventory).await.with_context(|| bucket.name.to_string())?;
        let uploads = uploads(bucket, &mut found.inventory).await.with_context(|| bucket.name.to_string())?;
        found.versions.push(versions);
        found.uploads.push(uploads);
    }
    Ok(found)
}

async fn versions(bucket: &Bucket, inventory: &mut Inventory) -> Result<Vec<ObjectVersion>, AwsError> {
    let (mut versions, mut after) = (Vec::new(), None);
    loop {
        let list = async || list_object_versions(bucket, PREFIX, after.as_ref()).await;
        let page = retrying(Instant::now() + PATIENCE, list).await?;
        for listed in &page.listed {
            inventory.add(listed);
        }
        versions.extend(page.listed.into_iter().map(|listed| listed.version));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(versions),
        }
    }
}

async fn uploads(bucket: &Bucket, inventory: &mut Inventory) -> Result<Vec<Upload>, AwsError> {
    let (mut uploads, mut after) = (Vec::new(), None);
    loop {
        let list = async || list_multipart_uploads(bucket, PREFIX, after.as_ref()).await;
        let (page, next) = retrying(Instant::now() + PATIENCE, list).await?;
        for upload in &page {
            inventory.add_upload(bucket.name.as_str(), upload);
        }
        uploads.extend(page);
        match next {
            Some(next) => after = Some(next),
            None => return Ok(uploads),
        }
    }
}
