//! Writing objects: straight into the store in memory, or through the SDK.

use std::error::Error;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{BucketVersioningStatus, StorageClass};
use domain::mapping::BucketKind;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use local_s3::{NewObject, Refusal, Store};

use crate::Photolala;
use crate::fault::said;
use crate::layout::{Layout, Object, Write};
use crate::start::{StartError, set_versioning};

/// Requests in flight to another S3 server.
const IN_FLIGHT: usize = 32;
/// The one part of an unfinished upload.
const PART: &[u8] = b"the first part of a photo that never arrived whole";

/// Why an account could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The store in memory refused an object.
    #[error("the local S3 refused an object: {0}")]
    Refused(#[from] Refusal),
    /// Another S3 server did.
    #[error("an object could not be written: {0}")]
    Failed(String),
    /// Versioning could not be switched.
    #[error(transparent)]
    Versioning(#[from] StartError),
}

/// Writes the history while versions are kept, then what is there today.
pub(crate) async fn seed(photolala: &Photolala, bucket: &str, layout: &Layout<'_>) -> Result<(), SeedError> {
    let is_suspended = photolala.options().kind == BucketKind::Suspended;
    if is_suspended {
        set_versioning(photolala.s3(), bucket, BucketVersioningStatus::Enabled).await?;
    }
    let is_delete = |write: &Write| matches!(write, Write::Delete(_));
    // A deletion comes after what it deletes; all else may be written in any order.
    write_all(photolala, bucket, layout.history().filter(|write| !is_delete(write))).await?;
    write_all(photolala, bucket, layout.history().filter(is_delete)).await?;
    if is_suspended {
        set_versioning(photolala.s3(), bucket, BucketVersioningStatus::Suspended).await?;
    }
    write_all(photolala, bucket, layout.present()).await
}

async fn write_all(photolala: &Photolala, bucket: &str, writes: impl Iterator<Item = Write>) -> Result<(), SeedError> {
    let mut writes = writes.inspect(|write| photolala.people().add_key(write.key()));
    if let Some(store) = photolala.local().s3_store() {
        return writes.try_for_each(|write| store_one(store, bucket, write).map_err(SeedError::from));
    }
    let sent = stream::iter(writes).map(|write| send_one(photolala.s3(), bucket, write));
    sent.buffer_unordered(IN_FLIGHT).try_collect().await
}

fn store_one(store: &Store, bucket: &str, write: Write) -> Result<(), Refusal> {
    match write {
        Write::Put(object) => store.put(bucket, &object.key.clone(), stored(object)).map(drop),
        Write::Delete(key) => store.delete(bucket, &key).map(drop),
        Write::Upload(key) => store.create_upload(bucket, &key, PART).map(drop),
    }
}

fn stored(object: Object) -> NewObject {
    let class = object.class.and_then(local_s3::StorageClass::parse).unwrap_or_default();
    let metadata = object.format.map(|format| (ORIGINAL_FORMAT.to_owned(), format)).into_iter().collect();
    NewObject { storage_class: class, metadata, ..NewObject::from(object.body) }
}

/// The metadata that the app sets on photos.
const ORIGINAL_FORMAT: &str = "original-format";

async fn send_one(s3: &Client, bucket: &str, write: Write) -> Result<(), SeedError> {
    match write {
        Write::Put(Object { key, body, class, format }) => {
            let put = s3.put_object().bucket(bucket).key(key).body(body.into());
            let put = put.set_storage_class(class.map(StorageClass::from));
            let put = put.set_metadata(format.map(|format| [(ORIGINAL_FORMAT.to_owned(), format)].into()));
            put.send().await.map(drop).map_err(|error| failed(&error))
        }
        Write::Delete(key) => {
            s3.delete_object().bucket(bucket).key(key).send().await.map(drop).map_err(|error| failed(&error))
        }
        Write::Upload(key) => begin_upload(s3, bucket, &key).await,
    }
}

async fn begin_upload(s3: &Client, bucket: &str, key: &str) -> Result<(), SeedError> {
    let begun = s3.create_multipart_upload().bucket(bucket).key(key).send().await.map_err(|error| failed(&error))?;
    let part = s3.upload_part().bucket(bucket).key(key).part_number(1).body(PART.to_vec().into());
    let sent = part.set_upload_id(begun.upload_id).send().await;
    sent.map(drop).map_err(|error| failed(&error))
}

fn failed(error: &(impl ProvideErrorMetadata + Error)) -> SeedError {
    SeedError::Failed(said(error))
}
