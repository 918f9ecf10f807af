//! Buckets that keep versions, and versions that S3 keeps under lock.

use std::time::Duration;

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetention, ObjectLockRetentionMode,
    VersioningConfiguration,
};
use domain::receipt::ReceiptState;
use harness::{Account, Fixture, Photolala, promises};

use crate::stage::{Scene, Stage};

/// Sign-ins that somebody else had before, and those an old phone writes over a new registration.
const REUSED: [&str; 2] = ["identities/apple:reused", "emails/reused"];
const STOLEN: [&str; 2] = ["identities/apple:stolen", "emails/stolen"];
/// From there on a job erases; above it a listing has more than one page.
pub const BY_JOB: usize = 1_050;
/// How long S3 keeps what is locked: time enough to be found held.
const LOCKED: Duration = Duration::from_secs(25);

/// P1, P2, P9: from here on the bucket keeps versions. Old versions, markers and entries go, sign-ins that led to
/// somebody else before are covered and not opened, and what an old phone writes over a new registration is put back.
pub async fn versioned(stage: &Stage) {
    let photolala = &stage.photolala;
    keep_versions(photolala).await;
    let (account, stranger) = (Account::seeded(4), Account::seeded(5));
    for key in REUSED {
        put(photolala, key, &stranger.upper()).await;
        put(photolala, key, &format!("  {}\t\n", account.upper())).await;
    }
    let scene = Scene::set(photolala, 4, |fixture| fixture.versions(60).schedule_entry()).await;
    let answer = scene.delete_now(photolala).await;
    assert_eq!((answer.status_code, &answer.body["status"]), (200, &"completed".into()), "{}", answer.body);
    let receipt = photolala.run_until_complete(answer.deletion_id()).await.expect("the deletion completes");
    promises::kept(photolala, &scene.before, &scene.account, &receipt).await;
    // A link of the claim's own second counts as older than the claim.
    tokio::time::sleep(Duration::from_secs(2)).await;
    for key in STOLEN {
        put(photolala, key, &stranger.lower()).await;
        put(photolala, key, &account.upper()).await;
    }
    scene.settled(photolala, &answer).await;
    for key in STOLEN {
        let got = photolala.s3().get_object().bucket(photolala.bucket()).key(key).send().await.expect("it is there");
        let body = got.body.collect().await.expect("a body arrives whole").to_vec();
        assert_eq!(body, stranger.lower().into_bytes(), "{key} leads to its new owner");
    }
    assert_eq!(photolala.receipt(answer.deletion_id()).await.mappings.repaired, 2);
}

/// P2, P7: of two accounts, one erased at once and one by a job, S3 keeps a version under each prefix and two sign-ins
/// for a while: both deletions are held, with the date, and complete after it.
pub async fn locked(stage: &Stage) {
    let photolala = &stage.photolala;
    let accounts = [Account::seeded(6), Account::seeded(7)];
    keep_locks(photolala).await;
    for (account, versions) in accounts.iter().zip([60, BY_JOB]) {
        let filled = Fixture::of(account).versions(versions).without_mappings().fill(photolala).await;
        filled.expect("the account is filled");
    }
    let until = std::time::SystemTime::now() + LOCKED;
    for account in &accounts {
        lock_some(photolala, account, until).await;
    }
    let before = photolala.snapshot().await;
    let mut deletions = Vec::new();
    for account in &accounts {
        deletions.push(photolala.delete_now(&account.upper()).await.expect("an answer").deletion_id());
    }
    for deletion in &deletions {
        let held = photolala.run_until(*deletion, |receipt| receipt.state == ReceiptState::Held).await;
        let receipt = held.expect("the deletion is held");
        assert!(receipt.held_until.is_some() && receipt.versions.held > 0, "{receipt:?}");
    }
    let rest = until.duration_since(std::time::SystemTime::now()).unwrap_or_default();
    tokio::time::sleep(rest + Duration::from_secs(2)).await;
    let scope = promises::Scope::of(photolala.environment(), &accounts.each_ref());
    for (account, deletion) in accounts.iter().zip(deletions) {
        let receipt = photolala.run_until_complete(deletion).await.expect("after the date it completes");
        promises::no_false_receipt(&receipt, &photolala.snapshot().await, account, &scope);
    }
    promises::no_over_deletion(&before, &photolala.snapshot().await, &scope, &[]);
}

async fn keep_versions(photolala: &Photolala) {
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let put = photolala.s3().put_bucket_versioning().bucket(photolala.bucket()).versioning_configuration(enabled);
    put.send().await.expect("versions are kept");
}

async fn keep_locks(photolala: &Photolala) {
    let enabled = ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).build();
    let put = photolala.s3().put_object_lock_configuration().bucket(photolala.bucket());
    put.object_lock_configuration(enabled).send().await.expect("a versioned bucket takes Object Lock");
}

/// One object under each account prefix, and a sign-in of each kind.
async fn lock_some(photolala: &Photolala, account: &Account, until: std::time::SystemTime) {
    let prefixes = photolala.environment().account_prefixes.iter();
    let under = prefixes.map(|prefix| prefix.replace("{account}", &account.upper()) + "locked");
    let mappings = photolala.environment().mapping_prefixes.iter();
    let leading = mappings.map(|prefix| format!("{prefix}locked-{}", account.email_hash()));
    for key in under.chain(leading) {
        let version = put(photolala, &key, &account.upper()).await;
        let retention = ObjectLockRetention::builder().mode(ObjectLockRetentionMode::Compliance);
        let retention = retention.retain_until_date(DateTime::from(until)).build();
        let lock = photolala.s3().put_object_retention().bucket(photolala.bucket()).key(&key).version_id(version);
        lock.retention(retention).send().await.expect("a retention is set");
    }
}

/// Answers the version's id.
async fn put(photolala: &Photolala, key: &str, body: &str) -> String {
    let put = photolala.s3().put_object().bucket(photolala.bucket()).key(key).body(body.as_bytes().to_vec().into());
    put.send().await.expect("the bucket takes it").version_id.unwrap_or_default()
}
