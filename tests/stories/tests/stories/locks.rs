//! Object Lock: what S3 keeps is told with its date, all else goes, and the deletion ends when S3 lets it.

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockRetention, ObjectLockRetentionMode as Mode,
};
use domain::mapping::BucketKind;
use domain::receipt::{Method, Receipt, ReceiptState};
use harness::{Answer, Options, Photolala};
use jiff::{SignedDuration, Timestamp};

use crate::app::put;
use crate::stage::{Stage, kind, only_in_memory, threshold};

const DAY: i64 = 86_400;
/// Directly, and by a job.
const THRESHOLDS: [(usize, Method); 2] = [(1_000, Method::Direct), (20, Method::Batch)];

async fn stage(versions: usize) -> Stage {
    Stage::set(threshold(Options { object_lock: true, ..kind(BucketKind::Versioned) }, versions), 60).await
}

/// In whole seconds, as S3 keeps dates.
fn in_days(photolala: &Photolala, days: i64) -> Timestamp {
    let now = photolala.local().clock().now();
    let then = now.saturating_add(SignedDuration::from_secs(days * DAY)).expect("a date of this century");
    Timestamp::from_second(then.as_second()).expect("a date of this century")
}

/// Adds a photo that S3 keeps in this mode until then.
async fn retained_photo(stage: &Stage, name: &str, mode: Mode, until: Timestamp) {
    let key = format!("photos/{}/{name}", stage.account.upper());
    let version = put(&stage.photolala, &key, "a photo under retention").await;
    let until = DateTime::from_secs(until.as_second());
    let retention = ObjectLockRetention::builder().mode(mode).retain_until_date(until).build();
    let put = stage.photolala.s3().put_object_retention().bucket(stage.photolala.bucket()).key(key);
    put.version_id(version).retention(retention).send().await.expect("a retention is set");
}

async fn set_legal_hold(photolala: &Photolala, key: &str, version: &str, status: ObjectLockLegalHoldStatus) {
    let hold = ObjectLockLegalHold::builder().status(status).build();
    let put = photolala.s3().put_object_legal_hold().bucket(photolala.bucket()).key(key).version_id(version);
    put.legal_hold(hold).send().await.expect("a legal hold is set");
}

/// Brings the deletion to where it is held, and checks that nothing but `kept` versions is left.
async fn held(stage: &Stage, answer: &Answer, kept: u64) -> Receipt {
    let photolala = &stage.photolala;
    let reached = photolala.run_until(answer.deletion_id(), |receipt| receipt.state == ReceiptState::Held);
    let receipt = reached.await.expect("the deletion is held");
    assert_eq!((receipt.versions.erased, receipt.versions.held), (60, kept), "{receipt:?}");
    let after = photolala.snapshot().await;
    let scope = harness::promises::Scope::of(photolala.environment(), &[&stage.account]);
    let left = after.0.iter().filter(|(place, seen)| scope.owns(place, seen)).count() as u64;
    assert_eq!(left, kept, "something but the versions under lock is left");
    harness::promises::no_over_deletion(&stage.before, &after, &scope, &[]);
    harness::promises::no_lost_request(photolala, &stage.account, receipt.deletion_id).await;
    receipt
}

/// Reconcile before the end changes nothing, after it the deletion completes.
async fn completes_after(stage: &Stage, answer: &Answer, before: i64, after: i64) {
    stage.photolala.pass(before).await;
    stage.photolala.reconcile().await.expect("reconcile runs");
    let receipt = stage.photolala.receipt(answer.deletion_id()).await;
    assert_eq!((receipt.state, receipt.attempts), (ReceiptState::Held, 1), "it was tried too early");
    stage.photolala.pass(after).await;
    let receipt = stage.end(answer).await;
    assert_eq!(receipt.held_until, None, "{receipt:?}");
    assert_eq!(receipt.versions.held, 0);
    stage.settled(answer).await;
}

async fn retention_is_told_and_ends(mode: Mode) {
    for (versions, method) in THRESHOLDS {
        let stage = stage(versions).await;
        let (first, last) = (in_days(&stage.photolala, 10), in_days(&stage.photolala, 30));
        retained_photo(&stage, "first.dat", mode.clone(), first).await;
        retained_photo(&stage, "last.dat", mode.clone(), last).await;
        let stage = stage.taken_anew().await;
        let answer = stage.delete_now().await;
        if method == Method::Direct {
            assert_eq!((answer.status_code, &answer.body["status"]), (200, &"held".into()), "{}", answer.body);
            assert_eq!(answer.body["heldUntil"], last.to_string());
            assert_eq!(answer.body["objects"]["held"], 2);
        }
        let receipt = held(&stage, &answer, 2).await;
        assert_eq!((receipt.method, receipt.held_until), (method, Some(last)));
        completes_after(&stage, &answer, 29 * DAY, 2 * DAY).await;
    }
}

/// P2, P7: what compliance retention keeps is told with its last date, and goes after it.
#[tokio::test]
async fn compliance_retention_is_told_with_its_date() {
    only_in_memory("its clock cannot be moved past a retention");
    retention_is_told_and_ends(Mode::Compliance).await;
}

/// P1, P7: governance retention is somebody's decision, and is not bypassed.
#[tokio::test]
async fn governance_retention_is_not_bypassed() {
    only_in_memory("its clock cannot be moved past a retention");
    retention_is_told_and_ends(Mode::Governance).await;
}

/// P7: a legal hold has no date; it is tried again every day, and completes when the hold is off.
#[tokio::test]
async fn a_legal_hold_is_tried_again_every_day() {
    only_in_memory("its clock cannot be moved by a day");
    for (versions, method) in THRESHOLDS {
        let stage = stage(versions).await;
        let key = format!("photos/{}/evidence.dat", stage.account.upper());
        let version = put(&stage.photolala, &key, "evidence").await;
        set_legal_hold(&stage.photolala, &key, &version, ObjectLockLegalHoldStatus::On).await;
        let stage = stage.taken_anew().await;
        let answer = stage.delete_now().await;
        let receipt = held(&stage, &answer, 1).await;
        assert_eq!((receipt.method, receipt.held_until), (method, None));
        stage.photolala.reconcile().await.expect("reconcile runs");
        assert_eq!(stage.photolala.receipt(answer.deletion_id()).await.attempts, 1, "it was tried on the same day");
        stage.photolala.pass(DAY + 60).await;
        stage.photolala.reconcile().await.expect("reconcile runs");
        stage.photolala.run_until(answer.deletion_id(), |r| r.state == ReceiptState::Held).await.expect("held again");
        let receipt = stage.photolala.receipt(answer.deletion_id()).await;
        assert_eq!((receipt.attempts, receipt.versions.held), (2, 1), "{receipt:?}");
        set_legal_hold(&stage.photolala, &key, &version, ObjectLockLegalHoldStatus::Off).await;
        stage.photolala.pass(DAY + 60).await;
        stage.end(&answer).await;
        stage.settled(&answer).await;
    }
}

/// P7: a retention beside a legal hold does not promise a date.
#[tokio::test]
async fn a_legal_hold_beside_a_retention_has_no_date() {
    only_in_memory("a server of its own clock keeps the photo for days");
    let stage = stage(1_000).await;
    retained_photo(&stage, "retained.dat", Mode::Compliance, in_days(&stage.photolala, 5)).await;
    let key = format!("photos/{}/evidence.dat", stage.account.upper());
    let version = put(&stage.photolala, &key, "evidence").await;
    set_legal_hold(&stage.photolala, &key, &version, ObjectLockLegalHoldStatus::On).await;
    let stage = stage.taken_anew().await;
    let answer = stage.delete_now().await;
    assert_eq!(answer.body["status"], "held");
    assert_eq!(answer.body["heldUntil"], serde_json::Value::Null);
    assert_eq!(held(&stage, &answer, 2).await.held_until, None);
}

/// P7: a mapping under retention holds the deletion up as a photo does; meanwhile nobody signs in with it.
#[tokio::test]
async fn a_mapping_under_retention_is_told_with_its_date() {
    only_in_memory("its clock cannot be moved past a retention");
    let stage = stage(1_000).await;
    let key = stage.account.mapping_keys().remove(0);
    let until = DateTime::from_secs(in_days(&stage.photolala, 5).as_second());
    let retention = ObjectLockRetention::builder().mode(Mode::Compliance).retain_until_date(until).build();
    let put = stage.photolala.s3().put_object_retention().bucket(stage.photolala.bucket()).key(&key);
    put.retention(retention).send().await.expect("a retention is set");
    let answer = stage.delete_now().await;
    assert_eq!(answer.body["status"], "held", "{}", answer.body);
    stage.photolala.pass(6 * DAY).await;
    stage.end(&answer).await;
    stage.settled(&answer).await;
}
