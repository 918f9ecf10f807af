//! What apps, old phones and strangers do to the buckets meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, StorageClass};
use futures::{StreamExt as _, stream};
use harness::Photolala;
use local_aws::{RequestInfo, Verdict, before};

/// Requests in flight.
const IN_FLIGHT: usize = 32;

/// Writes an object into the first bucket, and tells its version id.
pub async fn put(photolala: &Photolala, key: &str, body: &str) -> String {
    put_into(photolala.s3(), photolala.bucket(), key, body).await
}

/// The same into another bucket.
pub async fn put_into(s3: &aws_sdk_s3::Client, bucket: &str, key: &str, body: &str) -> String {
    let put = s3.put_object().bucket(bucket).key(key).body(body.as_bytes().to_vec().into());
    let sent = put.send().await.unwrap_or_else(|error| panic!("{key:?} cannot be put: {error:?}"));
    sent.version_id.unwrap_or_else(|| "null".to_owned())
}

/// Writes many objects, each under its key with the same body: straight into the S3 in memory, if it is that.
pub async fn put_all(photolala: &Photolala, keys: &[String], body: &str) {
    if let Some(store) = photolala.local().s3_store() {
        for key in keys {
            store.put(photolala.bucket(), key, body.as_bytes().to_vec()).expect("the S3 in memory takes every key");
        }
        return;
    }
    let puts = stream::iter(keys).map(|key| put(photolala, key, body));
    puts.buffer_unordered(IN_FLIGHT).collect::<Vec<_>>().await;
}

/// Writes an object in a storage class.
pub async fn put_archived(photolala: &Photolala, key: &str, class: StorageClass) {
    let put = photolala.s3().put_object().bucket(photolala.bucket()).key(key).body(key.as_bytes().to_vec().into());
    put.storage_class(class).send().await.expect("an archived object is put");
}

/// Writes an object as an upload of one part, so that its `ETag` is no MD5 of its body.
pub async fn put_in_parts(photolala: &Photolala, key: &str, body: &str) {
    let (s3, bucket) = (photolala.s3(), photolala.bucket());
    let begun = s3.create_multipart_upload().bucket(bucket).key(key).send().await.expect("an upload begins");
    let upload = begun.upload_id().expect("an upload has an id");
    let part = s3.upload_part().bucket(bucket).key(key).upload_id(upload).part_number(1);
    let part = part.body(body.as_bytes().to_vec().into()).send().await.expect("a part arrives");
    let part = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build();
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    let complete = s3.complete_multipart_upload().bucket(bucket).key(key).upload_id(upload).multipart_upload(parts);
    complete.send().await.expect("the upload is completed");
}

/// Begins an upload and never completes it.
pub async fn begin_upload(photolala: &Photolala, key: &str) {
    let begin = photolala.s3().create_multipart_upload().bucket(photolala.bucket()).key(key);
    begin.send().await.expect("an upload begins");
}

/// What a GET of a key in the first bucket answers; nothing if it answers 404.
pub async fn get(photolala: &Photolala, key: &str) -> Option<String> {
    let got = photolala.s3().get_object().bucket(photolala.bucket()).key(key).send().await;
    match got {
        Ok(got) => {
            let body = got.body.collect().await.expect("a body arrives whole").to_vec();
            Some(String::from_utf8(body).expect("the body is text"))
        }
        Err(error) if error.code() == Some("NoSuchKey") => None,
        Err(error) => panic!("{key:?} cannot be read: {error:?}"),
    }
}

/// What a GET of one version of a key answers.
pub async fn get_version(photolala: &Photolala, key: &str, version: &str) -> String {
    let get = photolala.s3().get_object().bucket(photolala.bucket()).key(key).version_id(version);
    let got = get.send().await.unwrap_or_else(|error| panic!("{key:?} {version} cannot be read: {error:?}"));
    let body = got.body.collect().await.expect("a body arrives whole").to_vec();
    String::from_utf8(body).expect("the body is text")
}

/// From now on somebody writes one object just before the first request that is meant.
pub fn somebody_writes(
    photolala: &Photolala,
    key: &str,
    body: &str,
    is_meant: impl Fn(&RequestInfo) -> bool + Send + Sync + 'static,
) {
    let (s3, bucket) = (photolala.s3().clone(), photolala.bucket().to_owned());
    let (key, body) = (key.to_owned(), body.to_owned());
    let done = Arc::new(AtomicBool::new(false));
    photolala.local().set_gate(before(move |info: RequestInfo| {
        let is_first = is_meant(&info) && !done.swap(true, Ordering::SeqCst);
        let (s3, bucket, key, body) = (s3.clone(), bucket.clone(), key.clone(), body.clone());
        async move {
            if is_first {
                put_into(&s3, &bucket, &key, &body).await;
            }
            Verdict::Proceed
        }
    }));
}
