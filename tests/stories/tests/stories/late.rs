//! What old clients write while an account goes, and after.

use domain::mapping::BucketKind;
use domain::receipt::ReceiptState;
use harness::Answer;

use crate::app::{get, put};
use crate::stage::{Stage, kind, options, threshold};

const BUCKETS: [BucketKind; 2] = [BucketKind::Unversioned, BucketKind::Versioned];

/// The second look finds something and reopens the deletion, which completes again; the next one finds nothing.
async fn reopened_and_settled(stage: &Stage, answer: &Answer) {
    stage.photolala.settle().await.expect("reconcile runs");
    assert!(stage.photolala.has_record(&stage.account).await, "the second look found nothing");
    let receipt = stage.end(answer).await;
    assert!(receipt.attempts > 1, "{receipt:?}");
    stage.settled(answer).await;
}

/// P2, P3: a photo that arrives after planning, while the job runs, is gone before the receipt says complete.
#[tokio::test]
async fn an_upload_during_the_job_is_erased_before_the_receipt() {
    for bucket in BUCKETS {
        let stage = Stage::set(threshold(kind(bucket), 20), 60).await;
        let answer = stage.delete_now().await;
        assert!(answer.job_id().is_some(), "{}", answer.body);
        put(&stage.photolala, &format!("photos/{}/late.dat", stage.account.upper()), "a late photo").await;
        let receipt = stage.end_settled(&answer).await;
        assert_eq!((receipt.versions.erased, receipt.attempts), (61, 2), "{receipt:?}");
    }
}

/// P9: a photo that arrives after the receipt is found by the second look.
#[tokio::test]
async fn an_upload_after_the_receipt_is_erased_by_the_second_look() {
    for versions in [1_000, 20] {
        let stage = Stage::set(threshold(options(), versions), 60).await;
        let answer = stage.delete_now().await;
        stage.end(&answer).await;
        put(&stage.photolala, &format!("photos/{}/late.dat", stage.account.lower()), "a late photo").await;
        reopened_and_settled(&stage, &answer).await;
        let receipt = stage.photolala.receipt(answer.deletion_id()).await;
        assert_eq!((receipt.state, receipt.versions.erased), (ReceiptState::Complete, 61));
    }
}

/// P9: an old phone that writes status and mapping again brings nothing back.
#[tokio::test]
async fn status_and_mapping_of_an_old_phone_go_again() {
    for bucket in BUCKETS {
        let stage = Stage::set(kind(bucket), 60).await;
        let answer = stage.delete_now().await;
        stage.end(&answer).await;
        let mapping = stage.account.mapping_keys().remove(0);
        put(&stage.photolala, &mapping, &stage.account.upper()).await;
        let status = format!("users/{}/status.json", stage.account.upper());
        put(&stage.photolala, &status, r#"{"accountStatus":"active"}"#).await;
        reopened_and_settled(&stage, &answer).await;
        assert_eq!(get(&stage.photolala, &mapping).await, None);
        assert_eq!(get(&stage.photolala, &status).await, None);
    }
}

/// P9: each of the things an old phone may write reopens the deletion by itself.
#[tokio::test]
async fn whatever_is_written_late_reopens_the_deletion() {
    let stage = Stage::set(options(), 30).await;
    let (upper, lower) = (stage.account.upper(), stage.account.lower());
    let answer = stage.delete_now().await;
    stage.end(&answer).await;
    let late = [
        (format!("users/{upper}/status.json"), "{}".to_owned()),
        (stage.account.mapping_keys().remove(1), format!("{lower}\n")),
        (format!("scheduled-deletions/2026-02-03/{upper}.json"), "{}".to_owned()),
        (format!("metadata/{lower}/1.plist"), "<plist/>".to_owned()),
    ];
    for (key, body) in late {
        put(&stage.photolala, &key, &body).await;
        stage.photolala.settle().await.expect("reconcile runs");
        assert!(stage.photolala.has_record(&stage.account).await, "the second look overlooked {key}");
        stage.end(&answer).await;
        assert_eq!(get(&stage.photolala, &key).await, None, "{key} is still there");
    }
    stage.settled(&answer).await;
}
