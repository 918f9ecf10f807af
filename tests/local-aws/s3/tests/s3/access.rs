//! Who may ask, how a bucket may be named, and what is not served.

use std::sync::{Arc, Mutex};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Credentials;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use local_s3::{Address, Versioning, in_process, sdk_config};

use crate::{BUCKET, KEY, Local, delete, identifier, refused};

type Exchange = (Request<Bytes>, Response<Bytes>);

/// A client whose last exchange can be looked at.
pub struct Recorder {
    pub client: Client,
    last: Arc<Mutex<Option<Exchange>>>,
}

impl Recorder {
    pub fn new(local: &Local) -> Self {
        Self::at(local, "http://s3.local")
    }

    /// The SDK signs the chunks of a streamed body where the endpoint is not `https`.
    pub fn at(local: &Local, endpoint: &str) -> Self {
        let last = Arc::new(Mutex::new(None));
        let (s3, kept) = (local.s3.clone(), last.clone());
        let call = move |request: Request<Bytes>| {
            let (s3, kept) = (s3.clone(), kept.clone());
            async move {
                let response = s3.call(request.clone()).await;
                *kept.lock().unwrap() = Some((request, response.clone()));
                response
            }
        };
        let client =
            Client::from_conf(sdk_config(&local.s3).http_client(in_process(call)).endpoint_url(endpoint).build());
        Self { client, last }
    }

    pub fn last(&self) -> Exchange {
        self.last.lock().unwrap().take().unwrap()
    }
}

fn text(response: Response<Bytes>) -> String {
    String::from_utf8(response.into_body().into()).unwrap()
}

#[tokio::test]
async fn wrong_keys_are_refused() {
    let local = Local::new(Versioning::Enabled);
    let client = |id: &str, secret: &str| {
        let credentials = Credentials::new(id, secret, None, None, "wrong");
        Client::from_conf(sdk_config(&local.s3).credentials_provider(credentials).build())
    };
    let wrong_secret = client("test", "guess").list_objects_v2().bucket(BUCKET).send().await;
    assert_eq!(refused(wrong_secret), (403, "SignatureDoesNotMatch".into()));
    let wrong_id = client("guess", "test").list_objects_v2().bucket(BUCKET).send().await;
    assert_eq!(refused(wrong_id), (403, "InvalidAccessKeyId".into()));
    let asked = delete([identifier(KEY, None)]);
    let deletion = client("test", "guess").delete_objects().bucket(BUCKET).delete(asked).send().await;
    assert_eq!(refused(deletion), (403, "SignatureDoesNotMatch".into()));
}

#[tokio::test]
async fn anonymous_and_altered_requests_are_refused() {
    let local = Local::new(Versioning::Enabled);
    let recorder = Recorder::new(&local);
    recorder.client.delete_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    let (original, _) = recorder.last();
    let mut anonymous = original.clone();
    anonymous.headers_mut().remove("authorization");
    let response = local.s3.call(anonymous).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let body = text(response);
    assert!(body.contains("<Code>AccessDenied</Code>") && body.contains("<RequestId>"), "{body}");
    let mut altered = original;
    *altered.uri_mut() = format!("http://s3.local/{BUCKET}/other").parse().unwrap();
    let body = text(local.s3.call(altered).await);
    assert!(body.contains("<Code>SignatureDoesNotMatch</Code><Message>The request signature"), "{body}");
    assert_eq!(local.store().count(BUCKET, "").unwrap(), 1, "the marker of the first request");
}

#[tokio::test]
async fn anonymous_delete_objects_is_refused() {
    let local = Local::new(Versioning::Unversioned);
    local.put(KEY, "hello").await;
    let recorder = Recorder::new(&local);
    let asked = delete([identifier("other", None)]);
    recorder.client.delete_objects().bucket(BUCKET).delete(asked).send().await.unwrap();
    let (mut request, _) = recorder.last();
    request.headers_mut().remove("authorization");
    assert_eq!(local.s3.call(request.clone()).await.status(), StatusCode::FORBIDDEN);
    request.headers_mut().remove("x-amz-checksum-crc32");
    let body = text(local.s3.call(request).await);
    assert!(body.contains("Content-MD5 OR x-amz-checksum"), "{body}");
}

#[tokio::test]
async fn another_owner_than_expected_is_refused_by_every_operation() {
    let local = Local::new(Versioning::Enabled);
    local.put(KEY, "hello").await;
    let (client, other) = (&local.client, "210987654321");
    let denied = (403, "AccessDenied".to_owned());
    let asked = delete([identifier(KEY, None)]);
    let many = client.delete_objects().bucket(BUCKET).expected_bucket_owner(other).delete(asked.clone());
    assert_eq!(refused(many.send().await), denied);
    let one = client.delete_object().bucket(BUCKET).key(KEY).expected_bucket_owner(other);
    assert_eq!(refused(one.send().await), denied);
    assert_eq!(refused(client.get_object().bucket(BUCKET).key(KEY).expected_bucket_owner(other).send().await), denied);
    assert_eq!(refused(client.put_object().bucket(BUCKET).key(KEY).expected_bucket_owner(other).send().await), denied);
    let versions = client.list_object_versions().bucket(BUCKET).expected_bucket_owner(other);
    assert_eq!(refused(versions.send().await), denied);
    let uploads = client.list_multipart_uploads().bucket(BUCKET).expected_bucket_owner(other);
    assert_eq!(refused(uploads.send().await), denied);
    assert_eq!(refused(client.head_bucket().bucket(BUCKET).expected_bucket_owner(other).send().await).0, 403);
    assert_eq!(local.store().count(BUCKET, "").unwrap(), 1);
    let ours = client.delete_objects().bucket(BUCKET).expected_bucket_owner("123456789012").delete(asked);
    ours.send().await.unwrap();
    local.store().set_owner(BUCKET, other).unwrap();
    let ours = client.list_object_versions().bucket(BUCKET).expected_bucket_owner("123456789012");
    assert_eq!(refused(ours.send().await), denied);
}

#[tokio::test]
async fn buckets_are_found_in_the_host_name() {
    let local = Local::new(Versioning::Enabled);
    let config = sdk_config(&local.s3).endpoint_url("http://s3.amazonaws.com").force_path_style(false);
    let client = Client::from_conf(config.build());
    let version = client.put_object().bucket(BUCKET).key("a/../b").send().await.unwrap().version_id;
    assert_eq!(local.store().keys(BUCKET, "").unwrap(), ["a/../b"]);
    let asked = delete([identifier("a/../b", version.as_deref())]);
    client.delete_objects().bucket(BUCKET).delete(asked).send().await.unwrap();
    assert!(client.list_object_versions().bucket(BUCKET).send().await.unwrap().versions().is_empty());
}

#[tokio::test]
async fn requests_are_named() {
    let local = Local::new(Versioning::Enabled);
    let recorder = Recorder::new(&local);
    let asked = delete([identifier(KEY, None)]);
    recorder.client.delete_objects().bucket(BUCKET).delete(asked).send().await.unwrap();
    let (parts, _) = recorder.last().0.into_parts();
    assert_eq!(local.s3.operation(&parts), "DeleteObjects");
    assert_eq!(local.s3.address(&parts), Address { bucket: Some(BUCKET.into()), key: None, prefix: None });
    recorder.client.get_object_tagging().bucket(BUCKET).key("a b").send().await.unwrap_err();
    let (parts, _) = recorder.last().0.into_parts();
    assert_eq!(local.s3.operation(&parts), "GetObjectTagging");
    assert_eq!(local.s3.address(&parts).key.as_deref(), Some("a b"));
}

#[tokio::test]
async fn what_is_not_served_says_so() {
    let local = Local::new(Versioning::Unversioned);
    let not_implemented = (501, "NotImplemented".to_owned());
    let acl = local.client.get_bucket_acl().bucket(BUCKET).send().await;
    assert_eq!(refused(acl), not_implemented);
    let lifecycle = local.client.delete_bucket_lifecycle().bucket(BUCKET).send().await;
    assert_eq!(refused(lifecycle), not_implemented);
    let inventory = local.client.list_bucket_inventory_configurations().bucket(BUCKET).send().await;
    assert_eq!(refused(inventory), not_implemented);
    let metadata = local.client.delete_bucket_metadata_configuration().bucket(BUCKET).send().await;
    assert_eq!(refused(metadata), not_implemented, "s3s would delete the bucket");
    let sized = local.client.delete_object().bucket(BUCKET).key(KEY).if_match_size(3).send().await;
    assert_eq!(refused(sized), not_implemented);
    assert_eq!(local.store().buckets(), [BUCKET]);
}

#[tokio::test]
async fn a_missing_bucket_is_named_as_such() {
    let local = Local::new(Versioning::Unversioned);
    let list = local.client.list_objects_v2().bucket("nowhere").send().await;
    assert_eq!(refused(list), (404, "NoSuchBucket".into()));
    let asked = delete([identifier(KEY, None)]);
    let deletion = local.client.delete_objects().bucket("nowhere").delete(asked).send().await;
    assert_eq!(refused(deletion), (404, "NoSuchBucket".into()));
}
