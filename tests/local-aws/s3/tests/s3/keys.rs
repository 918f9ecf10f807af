//! Keys that tools mishandle reach the store, and come back, as they are.

use aws_sdk_s3::types::EncodingType;
use local_s3::{KEY_LENGTH_MAX, Versioning};
use percent_encoding::percent_decode_str;

use crate::access::Recorder;
use crate::{BUCKET, Local, delete, identifier, refused};

const ODD: [&str; 18] = [
    ".",
    "..",
    "a/./b",
    "a/../b",
    "../a",
    "/",
    "//a//",
    "a b",
    "a+b",
    "a%20b%2Fc%",
    "a?b#c&d=e;f",
    "é/😀/\u{200d}",
    "a\tb\nc",
    "a\rb\r\nc",
    "<&>\"'",
    " leading and trailing ",
    "\\back`tick|{}^~[]@!$*(),:",
    "soap",
];
/// XML 1.0 cannot carry these.
const UNSPEAKABLE: [&str; 3] = ["a\u{1}b", "\u{0}", "a\u{1f}\u{ffff}"];

fn longest() -> String {
    "é".repeat(KEY_LENGTH_MAX / 2)
}

async fn put_and_get(local: &Local, key: &str) {
    local.put(key, "hello").await;
    assert_eq!(local.store().keys(BUCKET, key).unwrap(), [key]);
    let got = local.client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), "hello");
}

#[tokio::test]
async fn odd_keys_round_trip_one_by_one() {
    let local = Local::new(Versioning::Unversioned);
    for key in ODD.iter().chain(&UNSPEAKABLE).copied().chain([longest().as_str()]) {
        put_and_get(&local, key).await;
        local.client.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
        assert_eq!(local.store().count(BUCKET, "").unwrap(), 0, "{key:?}");
    }
}

#[tokio::test]
async fn odd_keys_round_trip_through_a_listing_and_delete_objects() {
    let local = Local::new(Versioning::Enabled);
    for key in ODD {
        local.store().put(BUCKET, key, "x").unwrap();
    }
    let listed = local.client.list_object_versions().bucket(BUCKET).send().await.unwrap();
    let asked = listed.versions().iter().map(|version| identifier(version.key().unwrap(), version.version_id()));
    let done = local.client.delete_objects().bucket(BUCKET).delete(delete(asked)).send().await.unwrap();
    let mut answered: Vec<_> = done.deleted().iter().filter_map(|deleted| deleted.key()).collect();
    let mut expected = ODD;
    answered.sort_unstable();
    expected.sort_unstable();
    assert_eq!(answered, expected);
    assert_eq!(local.store().count(BUCKET, "").unwrap(), 0);
}

#[tokio::test]
async fn control_characters_are_written_as_references() {
    let local = Local::new(Versioning::Unversioned);
    local.store().put(BUCKET, "a\rb\u{1}", "x").unwrap();
    let recorder = Recorder::new(&local);
    let listed = recorder.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(listed.contents()[0].key(), Some("a\rb\u{1}"), "the SDK reads references that XML 1.0 forbids");
    let xml = String::from_utf8(recorder.last().1.into_body().into()).unwrap();
    assert!(xml.contains("<Key>a&#13;b&#1;</Key>"), "{xml}");
}

#[tokio::test]
async fn url_encoding_shows_every_key() {
    let local = Local::new(Versioning::Unversioned);
    for key in ODD.iter().chain(&UNSPEAKABLE) {
        local.store().put(BUCKET, key, "x").unwrap();
    }
    let list = local.client.list_object_versions().bucket(BUCKET).encoding_type(EncodingType::Url);
    let listed = list.send().await.unwrap();
    let decoded = |key: &str| percent_decode_str(&key.replace('+', " ")).decode_utf8().unwrap().into_owned();
    let keys: Vec<_> = listed.versions().iter().map(|version| decoded(version.key().unwrap())).collect();
    assert_eq!(keys, local.store().keys(BUCKET, "").unwrap());
    let encoded: Vec<_> = listed.versions().iter().filter_map(|version| version.key()).collect();
    assert!(encoded.contains(&"a+b") && encoded.contains(&"a%2Bb") && encoded.contains(&"a/../b"));
}

#[tokio::test]
async fn keys_that_xml_cannot_carry_are_refused_by_delete_objects() {
    let local = Local::new(Versioning::Unversioned);
    for key in UNSPEAKABLE {
        let asked = delete([identifier(key, None)]);
        let refusal = local.client.delete_objects().bucket(BUCKET).delete(asked).send().await;
        assert_eq!(refused(refusal), (400, "MalformedXML".into()));
    }
}

#[tokio::test]
async fn a_key_has_at_most_1024_bytes() {
    let local = Local::new(Versioning::Unversioned);
    let too_long = longest() + "x";
    let put = local.client.put_object().bucket(BUCKET).key(&too_long).send().await;
    assert_eq!(refused(put), (400, "KeyTooLongError".into()));
    let asked = delete([identifier(&too_long, None)]);
    let done = local.client.delete_objects().bucket(BUCKET).delete(asked).send().await.unwrap();
    assert_eq!(done.errors()[0].code(), Some("KeyTooLongError"));
}
