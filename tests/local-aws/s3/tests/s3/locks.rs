//! Object Lock: what holds a version, and how a refusal shows.

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    BucketVersioningStatus, DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockLegalHold,
    ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode, ObjectLockRule,
    VersioningConfiguration,
};
use jiff::Timestamp;
use local_s3::{Mode, NewObject, Retention, Versioning};

use crate::{BUCKET, KEY, Local, START, delete, identifier, refused};

fn locked_bucket() -> Local {
    let local = Local::new(Versioning::Enabled);
    local.store().enable_object_lock(BUCKET, None).unwrap();
    local
}

fn put_retained(local: &Local, key: &str, mode: Mode) -> String {
    let until = Timestamp::from_second(START + 100).unwrap();
    let object = NewObject { retention: Some(Retention { mode, until }), ..NewObject::from("x") };
    local.store().put(BUCKET, key, object).unwrap()
}

#[tokio::test]
async fn compliance_holds_until_its_date() {
    let local = locked_bucket();
    let version = put_retained(&local, KEY, Mode::Compliance);
    let erase = || local.client.delete_object().bucket(BUCKET).key(KEY).version_id(&version);
    assert_eq!(refused(erase().bypass_governance_retention(true).send().await), (403, "AccessDenied".into()));
    local.client.delete_object().bucket(BUCKET).key(KEY).send().await.expect("a marker may always be added");
    local.pass(100);
    erase().send().await.unwrap();
}

#[tokio::test]
async fn delete_objects_fails_for_the_held_versions_only() {
    let local = locked_bucket();
    let free = local.put("free", "x").await.unwrap();
    let governed = put_retained(&local, "governed", Mode::Governance);
    let bound = put_retained(&local, "bound", Mode::Compliance);
    let ask = || {
        let asked = [("free", &free), ("governed", &governed), ("bound", &bound)];
        let asked = asked.map(|(key, version)| identifier(key, Some(version)));
        local.client.delete_objects().bucket(BUCKET).delete(delete(asked))
    };
    let done = ask().send().await.unwrap();
    let errors: Vec<_> = done.errors().iter().map(|error| (error.key().unwrap(), error.code().unwrap())).collect();
    assert_eq!(errors, [("governed", "AccessDenied"), ("bound", "AccessDenied")]);
    assert_eq!(done.deleted()[0].key(), Some("free"));
    let bypassed = ask().bypass_governance_retention(true).send().await.unwrap();
    assert_eq!(bypassed.errors().len(), 1);
    assert_eq!(local.store().keys(BUCKET, "").unwrap(), ["bound"]);
}

#[tokio::test]
async fn a_legal_hold_is_set_read_and_lifted() {
    let local = locked_bucket();
    let version = local.put(KEY, "x").await.unwrap();
    let get = || local.client.get_object_legal_hold().bucket(BUCKET).key(KEY);
    assert_eq!(refused(get().send().await), (404, "NoSuchObjectLockConfiguration".into()));
    let set = |status| {
        let hold = ObjectLockLegalHold::builder().status(status).build();
        local.client.put_object_legal_hold().bucket(BUCKET).key(KEY).legal_hold(hold).send()
    };
    set(ObjectLockLegalHoldStatus::On).await.unwrap();
    let held = get().send().await.unwrap();
    assert_eq!(held.legal_hold().unwrap().status(), Some(&ObjectLockLegalHoldStatus::On));
    let erase = || local.client.delete_object().bucket(BUCKET).key(KEY).version_id(&version).send();
    assert_eq!(refused(erase().await), (403, "AccessDenied".into()));
    set(ObjectLockLegalHoldStatus::Off).await.unwrap();
    erase().await.unwrap();
}

#[tokio::test]
async fn a_retention_is_read_and_may_only_get_stronger() {
    let local = locked_bucket();
    local.put(KEY, "x").await;
    let get = || local.client.get_object_retention().bucket(BUCKET).key(KEY);
    assert_eq!(refused(get().send().await), (404, "NoSuchObjectLockConfiguration".into()));
    let set = |mode, seconds| {
        let until = DateTime::from_secs(START + seconds);
        let retention = ObjectLockRetention::builder().mode(mode).retain_until_date(until).build();
        local.client.put_object_retention().bucket(BUCKET).key(KEY).retention(retention)
    };
    set(ObjectLockRetentionMode::Governance, 100).send().await.unwrap();
    assert_eq!(refused(set(ObjectLockRetentionMode::Governance, 50).send().await), (403, "AccessDenied".into()));
    set(ObjectLockRetentionMode::Governance, 50).bypass_governance_retention(true).send().await.unwrap();
    assert_eq!(refused(set(ObjectLockRetentionMode::Compliance, 0).send().await), (400, "InvalidArgument".into()));
    let retention = get().send().await.unwrap().retention.unwrap();
    assert_eq!(retention.retain_until_date(), Some(&DateTime::from_secs(START + 50)));
    let head = local.client.head_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert_eq!(head.object_lock_mode(), Some(&ObjectLockMode::Governance));
}

#[tokio::test]
async fn a_bucket_without_object_lock_takes_none() {
    let local = Local::new(Versioning::Enabled);
    let put = local.client.put_object().bucket(BUCKET).key(KEY);
    let put = put.object_lock_legal_hold_status(ObjectLockLegalHoldStatus::On).send().await;
    assert_eq!(refused(put), (400, "InvalidRequest".into()));
    let get = local.client.get_object_lock_configuration().bucket(BUCKET).send().await;
    assert_eq!(refused(get), (404, "ObjectLockConfigurationNotFoundError".into()));
}

#[tokio::test]
async fn a_default_retention_holds_new_versions_and_versioning_stays_on() {
    let local = Local::new(Versioning::Enabled);
    let default = DefaultRetention::builder().mode(ObjectLockRetentionMode::Governance).days(2).build();
    let rule = ObjectLockRule::builder().default_retention(default).build();
    let configuration =
        ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).rule(rule).build();
    let put = local.client.put_object_lock_configuration().bucket(BUCKET);
    put.object_lock_configuration(configuration.clone()).send().await.unwrap();
    let got = local.client.get_object_lock_configuration().bucket(BUCKET).send().await.unwrap();
    assert_eq!(got.object_lock_configuration(), Some(&configuration));
    local.put(KEY, "x").await;
    let retention = local.client.get_object_retention().bucket(BUCKET).key(KEY).send().await.unwrap();
    let until = DateTime::from_secs(START + 2 * 86_400);
    assert_eq!(retention.retention().unwrap().retain_until_date(), Some(&until));
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
    let suspend = local.client.put_bucket_versioning().bucket(BUCKET).versioning_configuration(suspended);
    assert_eq!(refused(suspend.send().await), (409, "InvalidBucketState".into()));
}
