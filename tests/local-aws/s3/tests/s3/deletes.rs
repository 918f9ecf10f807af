//! What deletes do in each versioning state, alone and by the thousand.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use local_s3::Versioning;

use crate::{BUCKET, KEY, Local, delete, identifier, refused};

#[tokio::test]
async fn without_versioning_a_delete_is_for_good() {
    let local = Local::new(Versioning::Unversioned);
    local.put(KEY, "one").await;
    local.put(KEY, "two").await;
    assert_eq!(local.history(), [(KEY.into(), "null".into(), false)]);
    let done = local.client.delete_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert_eq!((done.delete_marker(), done.version_id()), (None, None));
    assert_eq!(local.history(), []);
    local.put(KEY, "three").await;
    let by_id = local.client.delete_object().bucket(BUCKET).key(KEY).version_id("null").send().await.unwrap();
    assert_eq!(by_id.version_id(), Some("null"));
    assert_eq!(local.history(), []);
}

#[tokio::test]
async fn with_versioning_a_delete_adds_a_marker_and_an_erasure_removes_one_version() {
    let local = Local::new(Versioning::Enabled);
    let one = local.put(KEY, "one").await.unwrap();
    let two = local.put(KEY, "two").await.unwrap();
    let done = local.client.delete_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert_eq!(done.delete_marker(), Some(true));
    let marker = done.version_id().unwrap().to_owned();
    let erase = |id: &str| local.client.delete_object().bucket(BUCKET).key(KEY).version_id(id).send();
    let history = |entries: &[(&str, bool)]| -> Vec<_> {
        entries.iter().map(|(id, marker)| (KEY.to_owned(), (*id).to_owned(), *marker)).collect()
    };
    assert_eq!(local.history(), history(&[(&marker, true), (&two, false), (&one, false)]));
    assert_eq!(erase(&two).await.unwrap().delete_marker(), None);
    assert_eq!(erase(&marker).await.unwrap().delete_marker(), Some(true));
    assert_eq!(local.history(), history(&[(&one, false)]));
    assert_eq!(local.store().body(BUCKET, KEY).unwrap(), "one", "the version below is current again");
    assert_eq!(erase(&two).await.unwrap().version_id(), Some(two.as_str()), "again: as good as done");
}

#[tokio::test]
async fn a_delete_of_nothing_adds_a_marker_under_versioning() {
    let local = Local::new(Versioning::Enabled);
    local.client.delete_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert_eq!(local.store().count(BUCKET, "").unwrap(), 1);
}

#[tokio::test]
async fn suspended_versioning_replaces_the_null_version_only() {
    let local = Local::new(Versioning::Unversioned);
    local.put(KEY, "before").await;
    local.store().set_versioning(BUCKET, Versioning::Enabled).unwrap();
    let kept = local.put(KEY, "kept").await.unwrap();
    local.store().set_versioning(BUCKET, Versioning::Suspended).unwrap();
    let entry = |id: &str, marker| (KEY.to_owned(), id.to_owned(), marker);
    assert_eq!(local.history(), [entry(&kept, false), entry("null", false)]);
    assert_eq!(local.put(KEY, "null").await.as_deref(), Some("null"));
    assert_eq!(local.history(), [entry("null", false), entry(&kept, false)]);
    let done = local.client.delete_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert_eq!((done.delete_marker(), done.version_id()), (Some(true), Some("null")));
    assert_eq!(local.history(), [entry("null", true), entry(&kept, false)]);
}

#[tokio::test]
async fn conditional_deletes_look_at_the_current_version() {
    let local = Local::new(Versioning::Enabled);
    let delete = |etag: &str| local.client.delete_object().bucket(BUCKET).key(KEY).if_match(etag).send();
    assert_eq!(refused(delete("*").await), (404, "NoSuchKey".into()));
    local.put(KEY, "hello").await;
    assert_eq!(refused(delete("\"0\"").await), (412, "PreconditionFailed".into()));
    delete("\"5d41402abc4b2a76b9719d911017c592\"").await.unwrap();
    assert_eq!(refused(delete("*").await), (412, "PreconditionFailed".into()), "the current one is a marker");
    local.put(KEY, "hello").await;
    delete("*").await.unwrap();
    assert_eq!(local.store().count(BUCKET, "").unwrap(), 4);
}

#[tokio::test]
async fn delete_objects_answers_for_each_key() {
    let local = Local::new(Versioning::Enabled);
    let version = local.put(KEY, "hello").await.unwrap();
    let marker = local.store().delete(BUCKET, "marked").unwrap().unwrap();
    let asked = [identifier(KEY, Some(&version)), identifier("marked", Some(&marker)), identifier("missing", None)];
    let done = local.client.delete_objects().bucket(BUCKET).delete(delete(asked)).send().await.unwrap();
    let [data, marked, missing] = done.deleted() else { panic!("{:?}", done.deleted()) };
    assert_eq!((data.version_id(), data.delete_marker()), (Some(version.as_str()), None));
    assert_eq!((marked.delete_marker(), marked.delete_marker_version_id()), (Some(true), Some(marker.as_str())));
    assert_eq!((missing.delete_marker(), missing.version_id()), (Some(true), None));
    assert!(done.errors().is_empty());
    assert_eq!(local.store().count(BUCKET, "").unwrap(), 1, "the marker of the missing key");
}

#[tokio::test]
async fn delete_objects_takes_what_is_gone_for_deleted() {
    let local = Local::new(Versioning::Unversioned);
    let asked = delete([identifier("a", None), identifier("b", Some("null"))]);
    let done = local.client.delete_objects().bucket(BUCKET).delete(asked).send().await.unwrap();
    assert_eq!((done.deleted().len(), done.errors().len()), (2, 0));
}

#[tokio::test]
async fn a_malformed_version_id_is_an_error_of_its_key() {
    let local = Local::new(Versioning::Enabled);
    let one = local.client.delete_object().bucket(BUCKET).key(KEY).version_id("v1").send().await;
    assert_eq!(refused(one), (400, "InvalidArgument".into()));
    let asked = delete([identifier(KEY, Some("v1")), identifier("other", None)]);
    let done = local.client.delete_objects().bucket(BUCKET).delete(asked).send().await.unwrap();
    assert_eq!((done.errors()[0].code(), done.deleted().len()), (Some("NoSuchVersion"), 1));
}

#[tokio::test]
async fn delete_objects_checks_conditions_key_by_key_and_stays_quiet() {
    let local = Local::new(Versioning::Unversioned);
    for key in ["any", "match", "other"] {
        local.put(key, "hello").await;
    }
    let conditional = |key: &str, etag: &str| ObjectIdentifier::builder().key(key).e_tag(etag).build().unwrap();
    let asked = [
        conditional("any", "*"),
        conditional("match", "\"5d41402abc4b2a76b9719d911017c592\""),
        conditional("other", "\"0\""),
        conditional("missing", "*"),
    ];
    let asked = Delete::builder().set_objects(Some(asked.into())).quiet(true).build().unwrap();
    let done = local.client.delete_objects().bucket(BUCKET).delete(asked).send().await.unwrap();
    assert!(done.deleted().is_empty());
    let errors: Vec<_> = done.errors().iter().map(|error| (error.key().unwrap(), error.code().unwrap())).collect();
    assert_eq!(errors, [("other", "PreconditionFailed"), ("missing", "NoSuchKey")]);
    assert_eq!(local.store().keys(BUCKET, "").unwrap(), ["other"]);
}

#[tokio::test]
async fn delete_objects_takes_a_thousand_keys_and_no_more() {
    let local = Local::new(Versioning::Unversioned);
    let keys: Vec<String> = (0..=1_000).map(|number| format!("k{number:04}")).collect();
    for key in &keys {
        local.store().put(BUCKET, key, "x").unwrap();
    }
    let ask = |keys: &[String]| {
        let asked = delete(keys.iter().map(|key| identifier(key, None)));
        local.client.delete_objects().bucket(BUCKET).delete(asked).send()
    };
    assert_eq!(refused(ask(&keys).await), (400, "MalformedXML".into()));
    assert_eq!(ask(&keys[..1_000]).await.unwrap().deleted().len(), 1_000);
    assert_eq!(local.store().keys(BUCKET, "").unwrap(), ["k1000"]);
}
