//! Delete Now on accounts of different sizes.

use domain::mapping::BucketKind;
use domain::receipt::Method;

use crate::stage::{Stage, kind, options};

/// P2, P3: a small account is erased before the answer comes.
#[tokio::test]
async fn a_small_account_is_erased_at_once() {
    let stage = Stage::set(options(), 240).await;
    let answer = stage.delete_now().await;
    assert_eq!(answer.status_code, 200, "{}", answer.body);
    assert_eq!(answer.body["status"], "completed");
    assert_eq!(answer.body["method"], "direct");
    assert_eq!(answer.body["objectCount"], 240);
    assert_eq!(answer.body["deletedCount"], 240);
    let receipt = stage.end_settled(&answer).await;
    assert_eq!((receipt.method, receipt.versions.erased), (Method::Direct, 240));
}

/// P2, P3: a large account is erased by a job.
#[tokio::test]
async fn a_large_account_is_erased_by_a_job() {
    let stage = Stage::set(kind(BucketKind::Versioned), 3_300).await;
    let answer = stage.delete_now().await;
    assert_eq!(answer.status_code, 200, "{}", answer.body);
    assert_eq!(answer.body["status"], "batch_job_created");
    assert_eq!(answer.body["method"], "batch");
    assert!(answer.job_id().is_some());
    let receipt = stage.end_settled(&answer).await;
    assert_eq!((receipt.method, receipt.versions.erased), (Method::Batch, 3_300));
}

/// Exactly at the threshold it is a job.
#[tokio::test]
async fn the_threshold_is_a_thousand() {
    for (versions, method) in [(999, Method::Direct), (1_000, Method::Batch), (1_001, Method::Batch)] {
        let stage = Stage::set(options(), versions).await;
        let answer = stage.delete_now().await;
        let receipt = stage.end(&answer).await;
        assert_eq!(receipt.method, method, "{versions} versions");
        assert_eq!(receipt.versions.erased, versions as u64);
    }
}

/// An account with nothing gets a receipt too.
#[tokio::test]
async fn an_empty_account_completes() {
    let stage = Stage::with(options(), |fixture| fixture.versions(0).without_mappings()).await;
    let answer = stage.delete_now().await;
    assert_eq!(answer.body["status"], "completed");
    assert_eq!(answer.body["method"], "none");
    assert_eq!(answer.body["deletedCount"], 0);
    stage.end_settled(&answer).await;
}
