//! The local S3 through the real SDK, in memory.

mod access;
mod deletes;
mod keys;
mod listings;
mod locks;
mod model;
mod multipart;
mod objects;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::Timestamp;
use local_s3::{Options, S3, Store, Versioning, sdk_client};

pub const BUCKET: &str = "photos";
pub const KEY: &str = "users/1/photo.jpg";
/// 2026-01-01T00:00:00Z.
pub const START: i64 = 1_767_225_600;

/// An S3 with one bucket, a client of it, and its clock.
pub struct Local {
    pub s3: S3,
    pub client: Client,
    clock: Arc<AtomicI64>,
}

impl Local {
    pub fn new(versioning: Versioning) -> Self {
        Self::with_pages_of(versioning, 1_000)
    }

    pub fn with_pages_of(versioning: Versioning, page_size: usize) -> Self {
        let clock = Arc::new(AtomicI64::new(START));
        let read = clock.clone();
        let now = Arc::new(move || Timestamp::from_second(read.load(Ordering::Relaxed)).unwrap());
        let virtual_host_domains = vec!["s3.amazonaws.com".to_owned()];
        let s3 = S3::new(Options { now, page_size, virtual_host_domains, ..Options::default() });
        s3.store().create_bucket(BUCKET, versioning).unwrap();
        let client = sdk_client(&s3);
        Self { s3, client, clock }
    }

    pub fn store(&self) -> &Store {
        self.s3.store()
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    pub async fn put(&self, key: &str, body: &'static str) -> Option<String> {
        let put = self.client.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(body.as_bytes()));
        put.send().await.unwrap().version_id
    }

    /// Key, version id and kind of everything in the bucket, as the store has it.
    pub fn history(&self) -> Vec<(String, String, bool)> {
        let versions = self.store().versions(BUCKET, "").unwrap();
        let shown = versions.into_iter().map(|listed| {
            let is_marker = listed.version.is_delete_marker();
            (listed.key, listed.version_id, is_marker)
        });
        shown.collect()
    }
}

/// Status and code of a failure. HEAD has a status only.
pub fn refused<T: std::fmt::Debug, E>(result: Result<T, SdkError<E, HttpResponse>>) -> (u16, String)
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    let error = result.expect_err("a refusal");
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    (status, error.code().unwrap_or_default().to_owned())
}

pub fn identifier(key: &str, version_id: Option<&str>) -> ObjectIdentifier {
    ObjectIdentifier::builder().key(key).set_version_id(version_id.map(str::to_owned)).build().unwrap()
}

pub fn delete(objects: impl IntoIterator<Item = ObjectIdentifier>) -> Delete {
    Delete::builder().set_objects(Some(objects.into_iter().collect())).build().unwrap()
}
