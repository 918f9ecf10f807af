//! The same request several times at once.

use domain::ids::JobId;
use domain::mapping::BucketKind;
use domain::receipt::Method;
use futures::future::join_all;
use harness::Answer;

use crate::stage::{Stage, kind, options};

/// Requests at once: fewer than Lambda runs of one function here.
const TOGETHER: usize = 6;

/// Asks so often at once, and gives the answers, which all speak of one deletion.
async fn ask_together(stage: &Stage) -> Vec<Answer> {
    let answers = join_all((0..TOGETHER).map(|_| stage.delete_now())).await;
    for answer in &answers {
        assert!(matches!(answer.status_code, 200 | 202), "{} {}", answer.status_code, answer.body);
        assert_eq!(answer.deletion_id(), answers[0].deletion_id(), "one deletion: {}", answer.body);
    }
    let records = stage.photolala.own_keys("records/").await;
    assert_eq!(records, [domain::layout::record_key(&stage.account.id()).as_str()]);
    answers
}

/// P1, P2, P3: six requests at once for a small account are one deletion.
#[tokio::test]
async fn six_requests_for_a_small_account_are_one_deletion() {
    let stage = Stage::set(options(), 60).await;
    let answers = ask_together(&stage).await;
    let receipt = stage.end_settled(&answers[0]).await;
    assert_eq!((receipt.method, receipt.attempts, receipt.versions.erased), (Method::Direct, 1, 60));
    assert_eq!(stage.photolala.own_keys("receipts/").await.len(), 1, "one receipt");
    assert!(stage.photolala.local().batch().jobs().is_empty(), "no job");
}

/// P1, P2, P3: six requests at once for a large account are one deletion with one job.
#[tokio::test]
async fn six_requests_for_a_large_account_are_one_job() {
    let stage = Stage::set(kind(BucketKind::Versioned), 1_400).await;
    let answers = ask_together(&stage).await;
    let receipt = stage.end_settled(&answers[0]).await;
    assert_eq!((receipt.method, receipt.attempts, receipt.versions.erased), (Method::Batch, 1, 1_400));
    let jobs = stage.photolala.local().batch().jobs();
    assert_eq!(jobs.len(), 1, "one job");
    assert_eq!(receipt.jobs.iter().map(JobId::as_str).collect::<Vec<_>>(), [jobs[0].id.as_str()]);
}
