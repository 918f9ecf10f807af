//! What is played through the deployed functions.

use std::time::Duration;

use domain::event::Query;
use domain::layout::attempt_pages_prefix;
use domain::receipt::ReceiptState;
use harness::{Account, Answer, Photolala};
use serde_json::{Value, json};

use crate::stage::{Scene, Stage};

/// As many as the largest everyday account.
const SMALL: usize = 240;
/// Three pages.
const LARGE: usize = 3_000;

/// P1, P2, P3: Delete Now of a small account with uploads and a schedule entry, at once; then status, then the second
/// look by reconcile.
pub async fn small(stage: &Stage) {
    let photolala = &stage.photolala;
    let scene = Scene::set(photolala, 1, |fixture| fixture.versions(SMALL).schedule_entry()).await;
    begin_uploads(photolala, &scene.account).await;
    let answer = scene.delete_now(photolala).await;
    let told = (answer.status_code, &answer.body["status"], &answer.body["method"]);
    assert_eq!(told, (200, &json!("completed"), &json!("direct")), "{}", answer.body);
    let status = photolala.status(&Query::Deletion(answer.deletion_id())).await.expect("an answer");
    assert_eq!((status.status_code, &status.body["state"]), (200, &json!("complete")), "{}", status.body);
    let receipt = scene.end(photolala, &answer).await;
    assert_eq!((receipt.uploads, receipt.entries), (5, 1), "{receipt:?}");
}

/// One under each account prefix.
async fn begin_uploads(photolala: &Photolala, account: &Account) {
    for prefix in &photolala.environment().account_prefixes {
        let key = prefix.replace("{account}", &account.lower()) + "unfinished";
        let begin = photolala.s3().create_multipart_upload().bucket(photolala.bucket()).key(key);
        begin.send().await.expect("an upload begins");
    }
}

/// P1, P2, P3: Delete Now of a large account, by a job under the Batch role; forged pages slipped into it erase
/// nothing; the job's event alone completes it.
pub async fn large(stage: &Stage) {
    let photolala = &stage.photolala;
    let scene = Scene::set(photolala, 2, |fixture| fixture.versions(LARGE)).await;
    photolala.local().batch().hold();
    let answer = scene.delete_now(photolala).await;
    assert_eq!(answer.body["status"], "batch_job_created", "{}", answer.body);
    let job = answer.job_id().expect("there is a job");
    forged_pages(stage, &scene, &answer).await;
    photolala.local().batch().release();
    photolala.quiet().await;
    let status = photolala.status(&Query::Job(job.clone())).await.expect("an answer");
    assert_eq!(status.body["progressSummary"]["failed"], 0, "{}", status.body);
    let events = photolala.local().events().of_jobs();
    let ended = |event: &&Value| event["detail"]["serviceEventDetails"]["status"] == "Complete";
    photolala.invoke(events.iter().find(ended).expect("the job ended").clone()).await.expect("the event is taken");
    let receipt = photolala.receipt(answer.deletion_id()).await;
    assert_eq!(receipt.state, ReceiptState::Complete, "the event alone completes the deletion");
    let receipt = scene.end(photolala, &answer).await;
    assert!(receipt.versions.erased >= LARGE as u64, "{receipt:?}");
    assert_eq!((receipt.jobs.len(), receipt.attempts), (1, 1), "{receipt:?}");
}

/// P1: pages that the service did not write, in the middle of a true deletion: another account's key, a mapping,
/// another bucket.
async fn forged_pages(stage: &Stage, scene: &Scene, answer: &Answer) {
    let photolala = &stage.photolala;
    let prefix = attempt_pages_prefix(&answer.deletion_id(), 1);
    let first = photolala.own_keys(&prefix).await.remove(0);
    let page = photolala.own_object(&first).await.expect("the page is there");
    let page = String::from_utf8(zstd::decode_all(&page[..]).expect("a page is zstd")).expect("a page is UTF-8");
    let photo = format!("photos/{}/x.dat", scene.account.neighbour().upper());
    let mapping = scene.account.mapping_keys().remove(0);
    let outside = "a key lies outside the account's prefixes";
    let cases = [
        ("another account's key", with_key(&page, &photo), outside),
        ("a mapping", with_key(&page, &mapping), outside),
        ("another bucket", page.replace(photolala.bucket(), "photolala-elsewhere"), "its bucket is not configured"),
    ];
    let bucket = photolala.environment().manifest_bucket();
    let then = photolala.snapshot().await;
    for (what, text, expected) in cases {
        let key = format!("{prefix}0-b0tail-000099.jsonl.zst");
        let body = zstd::encode_all(text.as_bytes(), 3).expect("it compresses");
        let put = photolala.s3().put_object().bucket(&bucket).key(&key).body(body.into());
        put.send().await.expect("the manifest bucket takes it");
        let (code, told) = stage.erase(&key).await;
        assert_eq!(code, "PermanentFailure", "{what}: {told}");
        assert!(told.contains(expected), "{what}: {told}");
        assert_eq!(then.changes_to(&photolala.snapshot().await), [], "{what}");
        photolala.s3().delete_object().bucket(&bucket).key(&key).send().await.expect("it goes");
        let (code, told) = stage.erase(&key).await;
        assert!(code == "PermanentFailure" && told.contains("stale"), "a page that is gone: {code} {told}");
    }
}

/// P4, P7: planning takes longer than a caller waits, since every listing takes its time: the answer comes before, the
/// function invokes itself, and that brings the job.
pub async fn handed_over(stage: &Stage) {
    let photolala = &stage.photolala;
    let scene = Scene::set(photolala, 8, |fixture| fixture.versions(LARGE)).await;
    stage.watch.delay_listings(Some(SLOW_LISTING));
    let answer = scene.delete_now(photolala).await;
    stage.watch.delay_listings(None);
    assert_eq!((answer.status_code, answer.job_id()), (202, None), "{}", answer.body);
    let query = Query::Deletion(answer.deletion_id());
    let job = async {
        while photolala.status(&query).await.expect("an answer").job_id().is_none() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(HANDED_OVER_MAX, job).await.expect("the other invocation makes the job");
    scene.end(photolala, &answer).await;
}

/// Two of them one after the other take longer than the 20 s a caller waits for planning.
const SLOW_LISTING: Duration = Duration::from_secs(11);
/// Longest wait for the invocation that goes on.
const HANDED_OVER_MAX: Duration = Duration::from_secs(90);

/// The page with this key as its only one.
fn with_key(page: &str, key: &str) -> String {
    let mut header: Value = serde_json::from_str(page.lines().next().expect("a header")).expect("it is JSON");
    header["count"] = 1.into();
    format!("{header}\n{}", json!([key, "null", 1, "STANDARD"]))
}

/// What must not happen: Delete Now through a raw invocation where the environment does not allow it.
pub async fn refused_by_mode(stage: &Stage) {
    let scene = Scene::set(&stage.photolala, 1, |fixture| fixture.versions(12)).await;
    let answer = scene.delete_now(&stage.photolala).await;
    assert_eq!(answer.status_code, 403, "{}", answer.body);
    assert_eq!(scene.before.changes_to(&stage.photolala.snapshot().await), []);
}
