//! Writing, reading, copying, tagging; buckets.

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{
    BucketVersioningStatus, ServerSideEncryption, StorageClass, Tag, Tagging, VersioningConfiguration,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use local_s3::Versioning;

use crate::access::Recorder;
use crate::{BUCKET, KEY, Local, START, refused};

#[tokio::test]
async fn an_object_comes_back_as_it_was_written() {
    let local = Local::new(Versioning::Unversioned);
    let put = local.client.put_object().bucket(BUCKET).key(KEY).body(ByteStream::from_static(b"hello"));
    let put = put.content_type("image/jpeg").metadata("from", "a friend").cache_control("no-store").tagging("a=1&b=2");
    let put = put.storage_class(StorageClass::StandardIa).send().await.unwrap();
    assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(put.version_id(), None);
    let got = local.client.get_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert_eq!(got.content_type(), Some("image/jpeg"));
    assert_eq!(got.cache_control(), Some("no-store"));
    assert_eq!(got.metadata().unwrap()["from"], "a friend");
    assert_eq!(got.storage_class(), Some(&StorageClass::StandardIa));
    assert_eq!(got.server_side_encryption(), Some(&ServerSideEncryption::Aes256));
    assert_eq!(got.last_modified(), Some(&DateTime::from_secs(START)));
    assert_eq!(got.tag_count(), Some(2));
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), "hello");
    let head = local.client.head_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert_eq!(head.content_length(), Some(5));
}

#[tokio::test]
async fn a_part_of_an_object_can_be_read() {
    let local = Local::new(Versioning::Unversioned);
    local.put(KEY, "hello").await;
    let got = local.client.get_object().bucket(BUCKET).key(KEY).range("bytes=1-3").send().await.unwrap();
    assert_eq!(got.content_range(), Some("bytes 1-3/5"));
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), "ell");
    let beyond = local.client.get_object().bucket(BUCKET).key(KEY).range("bytes=5-").send().await;
    assert_eq!(refused(beyond), (416, "InvalidRange".into()));
}

#[tokio::test]
async fn an_etag_under_kms_is_not_the_md5() {
    let local = Local::new(Versioning::Unversioned);
    let put = local.client.put_object().bucket(BUCKET).key(KEY).body(ByteStream::from_static(b"hello"));
    let put = put.server_side_encryption(ServerSideEncryption::AwsKms).send().await.unwrap();
    assert_ne!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let head = local.client.head_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert_eq!((head.e_tag(), head.server_side_encryption()), (put.e_tag(), Some(&ServerSideEncryption::AwsKms)));
}

#[tokio::test]
async fn first_writer_wins_under_if_none_match() {
    let local = Local::new(Versioning::Enabled);
    let put = || local.client.put_object().bucket(BUCKET).key(KEY).if_none_match("*");
    put().send().await.unwrap();
    assert_eq!(refused(put().send().await), (412, "PreconditionFailed".into()));
    local.store().delete(BUCKET, KEY).unwrap();
    put().send().await.expect("a delete marker is not an object");
}

#[tokio::test]
async fn compare_and_swap_under_if_match() {
    let local = Local::new(Versioning::Unversioned);
    let swap = |etag: &str| local.client.put_object().bucket(BUCKET).key(KEY).if_match(etag);
    assert_eq!(refused(swap("\"0\"").send().await), (404, "NoSuchKey".into()));
    local.put(KEY, "hello").await;
    assert_eq!(refused(swap("\"0\"").send().await), (412, "PreconditionFailed".into()));
    let swapped = swap("\"5d41402abc4b2a76b9719d911017c592\"").send().await;
    swapped.expect("the entity tag matches");
}

#[tokio::test]
async fn conditional_reads() {
    let local = Local::new(Versioning::Unversioned);
    local.put(KEY, "hello").await;
    let get = || local.client.get_object().bucket(BUCKET).key(KEY);
    let etag = "\"5d41402abc4b2a76b9719d911017c592\"";
    assert_eq!(refused(get().if_none_match(etag).send().await).0, 304);
    assert_eq!(refused(get().if_match("\"0\"").send().await), (412, "PreconditionFailed".into()));
    get().if_match(etag).if_none_match("\"0\"").send().await.unwrap();
    assert_eq!(refused(get().if_modified_since(DateTime::from_secs(START)).send().await).0, 304);
}

#[tokio::test]
async fn a_delete_marker_hides_the_object_and_shows_itself() {
    let local = Local::new(Versioning::Enabled);
    let version = local.put(KEY, "hello").await.unwrap();
    let marker = local.store().delete(BUCKET, KEY).unwrap().unwrap();
    let get = || local.client.get_object().bucket(BUCKET).key(KEY);
    let hidden = get().send().await.unwrap_err();
    let headers = hidden.raw_response().unwrap().headers();
    assert_eq!(headers.get("x-amz-delete-marker"), Some("true"));
    assert_eq!(headers.get("x-amz-version-id"), Some(marker.as_str()));
    assert_eq!(refused(get().send().await), (404, "NoSuchKey".into()));
    assert_eq!(refused(get().version_id(&marker).send().await), (405, "MethodNotAllowed".into()));
    get().version_id(&version).send().await.expect("the version is still there");
    let head = local.client.head_object().bucket(BUCKET).key(KEY).version_id(&marker).send().await;
    assert_eq!(refused(head).0, 405);
}

#[tokio::test]
async fn version_ids_that_are_not_there() {
    let local = Local::new(Versioning::Enabled);
    let gone = local.put(KEY, "hello").await.unwrap();
    local.store().erase(BUCKET, KEY, &gone).unwrap();
    let get = |id: &str| local.client.get_object().bucket(BUCKET).key(KEY).version_id(id);
    assert_eq!(refused(get(&gone).send().await), (404, "NoSuchVersion".into()));
    assert_eq!(refused(get("v1").send().await), (400, "InvalidArgument".into()));
}

#[tokio::test]
async fn archived_objects_are_erased_without_a_restore() {
    let local = Local::new(Versioning::Unversioned);
    for class in [StorageClass::Glacier, StorageClass::DeepArchive] {
        local.client.put_object().bucket(BUCKET).key(KEY).storage_class(class).send().await.unwrap();
        let got = local.client.get_object().bucket(BUCKET).key(KEY).send().await;
        assert_eq!(refused(got), (403, "InvalidObjectState".into()));
        local.client.head_object().bucket(BUCKET).key(KEY).send().await.unwrap();
        local.client.delete_object().bucket(BUCKET).key(KEY).send().await.unwrap();
        assert_eq!(local.store().count(BUCKET, "").unwrap(), 0);
    }
    local.client.put_object().bucket(BUCKET).key(KEY).storage_class(StorageClass::GlacierIr).send().await.unwrap();
    local.client.get_object().bucket(BUCKET).key(KEY).send().await.expect("instant retrieval");
}

#[tokio::test]
async fn a_copy_keeps_metadata_and_tags() {
    let local = Local::new(Versioning::Enabled);
    let put = local.client.put_object().bucket(BUCKET).key(KEY).body(ByteStream::from_static(b"hello"));
    put.metadata("a", "1").tagging("t=1").send().await.unwrap();
    let copy = local.client.copy_object().bucket(BUCKET).key("copy").copy_source(format!("{BUCKET}/{KEY}"));
    copy.send().await.unwrap();
    let got = local.client.get_object().bucket(BUCKET).key("copy").send().await.unwrap();
    assert_eq!((got.metadata().unwrap()["a"].as_str(), got.tag_count()), ("1", Some(1)));
    let onto_itself = local.client.copy_object().bucket(BUCKET).key(KEY).copy_source(format!("{BUCKET}/{KEY}"));
    assert_eq!(refused(onto_itself.send().await), (400, "InvalidRequest".into()));
}

#[tokio::test]
async fn tags_can_be_set_read_and_deleted() {
    let local = Local::new(Versioning::Enabled);
    let version = local.put(KEY, "hello").await;
    let tag = Tag::builder().key("k").value("v").build().unwrap();
    let tagging = Tagging::builder().tag_set(tag.clone()).build().unwrap();
    let put = local.client.put_object_tagging().bucket(BUCKET).key(KEY).tagging(tagging).send().await.unwrap();
    assert_eq!(put.version_id, version);
    let get = || local.client.get_object_tagging().bucket(BUCKET).key(KEY).send();
    assert_eq!(get().await.unwrap().tag_set(), [tag]);
    local.client.delete_object_tagging().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert!(get().await.unwrap().tag_set().is_empty());
}

#[tokio::test]
async fn a_body_that_is_not_what_its_digest_says_is_refused() {
    let local = Local::new(Versioning::Unversioned);
    let put = || local.client.put_object().bucket(BUCKET).key(KEY).body(ByteStream::from_static(b"hello"));
    assert_eq!(refused(put().content_md5("1B2M2Y8AsgTpgAmY7PhCfg==").send().await), (400, "BadDigest".into()));
    assert_eq!(refused(put().content_md5("hello").send().await), (400, "InvalidDigest".into()));
    assert_eq!(refused(put().checksum_crc32("AAAAAA==").send().await), (400, "BadDigest".into()));
    put().content_md5("XUFAKrxLKna5cZ2REBfFkg==").send().await.unwrap();
}

#[tokio::test]
async fn a_streamed_body_is_checked_against_what_comes_behind_it() {
    let local = Local::new(Versioning::Unversioned);
    for (endpoint, code) in [("https://s3.local", "BadDigest"), ("http://s3.local", "SignatureDoesNotMatch")] {
        let recorder = Recorder::at(&local, endpoint);
        let body = SdkBody::from_body_1_x(http_body_util::Full::new(Bytes::from_static(b"hello")));
        let put = recorder.client.put_object().bucket(BUCKET).key(KEY).body(ByteStream::new(body));
        put.send().await.unwrap();
        assert_eq!(local.store().body(BUCKET, KEY).unwrap(), "hello");
        let head = local.client.head_object().bucket(BUCKET).key(KEY).send().await.unwrap();
        assert_eq!(head.content_encoding(), None);
        let altered = recorder.last().0.map(|body| {
            let text = String::from_utf8(body.into()).unwrap();
            assert!(text.contains("hello") && text.contains("x-amz-checksum-crc32"), "{text}");
            Bytes::from(text.replace("hello", "hullo"))
        });
        let answer = local.s3.call(altered).await;
        let answer = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(answer.contains(&format!("<Code>{code}</Code>")), "{answer}");
    }
}

#[tokio::test]
async fn buckets_are_made_described_and_removed() {
    let local = Local::new(Versioning::Unversioned);
    local.client.create_bucket().bucket("second").send().await.unwrap();
    let names = local.client.list_buckets().send().await.unwrap();
    let names: Vec<_> = names.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert_eq!(names, [BUCKET, "second"]);
    local.client.head_bucket().bucket("second").send().await.unwrap();
    let location = local.client.get_bucket_location().bucket("second").send().await.unwrap();
    assert_eq!(location.location_constraint().map(|region| region.as_str()), Some(""));
    let encryption = local.client.get_bucket_encryption().bucket("second").send().await.unwrap();
    assert_eq!(encryption.server_side_encryption_configuration().unwrap().rules().len(), 1);
    let replication = local.client.get_bucket_replication().bucket("second").send().await;
    assert_eq!(refused(replication), (404, "ReplicationConfigurationNotFoundError".into()));
    local.put(KEY, "hello").await;
    let delete = |bucket: &str| local.client.delete_bucket().bucket(bucket).send();
    assert_eq!(refused(delete(BUCKET).await), (409, "BucketNotEmpty".into()));
    delete("second").await.unwrap();
    assert_eq!(refused(local.client.head_bucket().bucket("second").send().await).0, 404);
    assert_eq!(refused(delete("second").await), (404, "NoSuchBucket".into()));
}

#[tokio::test]
async fn versioning_is_set_and_told() {
    let local = Local::new(Versioning::Unversioned);
    let status = || async { local.client.get_bucket_versioning().bucket(BUCKET).send().await.unwrap().status };
    assert_eq!(status().await, None);
    for wanted in [BucketVersioningStatus::Enabled, BucketVersioningStatus::Suspended] {
        let configuration = VersioningConfiguration::builder().status(wanted.clone()).build();
        let put = local.client.put_bucket_versioning().bucket(BUCKET).versioning_configuration(configuration);
        put.send().await.unwrap();
        assert_eq!(status().await, Some(wanted));
    }
}
