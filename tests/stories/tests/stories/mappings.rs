//! Sign-ins: whatever leads to the account is severed, and nobody else's sign-in is harmed.

use aws_sdk_s3::types::ServerSideEncryption;
use domain::mapping::BucketKind;
use harness::{Account, Fixture, Photolala, Snapshot};
use http::Response;
use local_aws::{RequestInfo, Verdict, before};
use serde_json::json;

use crate::app::{get, get_version, put, put_all, put_in_parts, somebody_writes};
use crate::stage::{Stage, kind, only_in_memory};

const KEY: &str = "identities/apple:000815.4711";
const EVERY_KIND: [BucketKind; 3] = [BucketKind::Unversioned, BucketKind::Versioned, BucketKind::Suspended];

async fn stage(bucket: BucketKind) -> Stage {
    Stage::with(kind(bucket), Fixture::without_mappings).await
}

/// Another account, as old as a sign-in can be.
fn stranger() -> Account {
    Account::seeded(99)
}

/// P2: a mapping is found in every way it may be spelled, in every kind of bucket.
#[tokio::test]
async fn every_spelling_of_a_mapping_is_severed() {
    for bucket in EVERY_KIND {
        let stage = stage(bucket).await;
        let mut severed = 0;
        for id in [stage.account.upper(), stage.account.lower()] {
            for body in [id.clone(), format!("{id}\n"), format!("{id}\r\n"), format!("  {id}\t\n")] {
                put(&stage.photolala, &format!("identities/google:{severed}"), &body).await;
                put(&stage.photolala, &format!("emails/{severed}"), &body).await;
                severed += 2;
            }
        }
        let stage = stage.taken_anew().await;
        let answer = stage.delete_now().await;
        let receipt = stage.end_settled(&answer).await;
        assert_eq!((receipt.mappings.erased, receipt.mappings.repaired), (severed, 0), "{bucket:?}");
    }
}

/// P1: a body that only contains or resembles the id leads nowhere.
#[tokio::test]
async fn what_only_resembles_a_mapping_stays() {
    let stage = stage(BucketKind::Unversioned).await;
    let (upper, bare) = (stage.account.upper(), stage.account.upper().replace('-', ""));
    let bodies = [format!("{upper},"), format!("\"{upper}\""), format!("x{upper}"), bare, upper[..35].to_owned()];
    for (number, body) in bodies.iter().enumerate() {
        put(&stage.photolala, &format!("identities/other:{number}"), body).await;
    }
    put(&stage.photolala, "subscriptions/1", &upper).await;
    let stage = stage.taken_anew().await;
    let answer = stage.delete_now().await;
    let receipt = stage.end_settled(&answer).await;
    assert_eq!(receipt.mappings.erased, 0);
    assert_eq!(get(&stage.photolala, "subscriptions/1").await, Some(upper));
}

/// P2: the ETag of an object that came in parts is no MD5, so the body is read.
#[tokio::test]
async fn a_mapping_uploaded_in_parts_is_severed() {
    only_in_memory("SeaweedFS lists another ETag for what came in parts than a read of it answers");
    for bucket in EVERY_KIND {
        let stage = stage(bucket).await;
        put_in_parts(&stage.photolala, KEY, &stage.account.upper()).await;
        let stage = stage.taken_anew().await;
        let answer = stage.delete_now().await;
        let receipt = stage.end_settled(&answer).await;
        assert_eq!(receipt.mappings.erased, 1, "{bucket:?}");
    }
}

async fn put_with_kms(stage: &Stage, key: &str, body: &str) {
    let put = stage.photolala.s3().put_object().bucket(stage.photolala.bucket()).key(key);
    let put = put.body(body.as_bytes().to_vec().into()).server_side_encryption(ServerSideEncryption::AwsKms);
    put.send().await.expect("an encrypted object is put");
}

/// Answers GetBucketEncryption as a bucket does that encrypts with a KMS key.
fn encrypt_with_kms(stage: &Stage) {
    const CONFIGURATION: &str = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
        <SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>\
        </ServerSideEncryptionConfiguration>";
    stage.photolala.local().set_gate(before(|info: RequestInfo| async move {
        match info.operation {
            "GetBucketEncryption" => Verdict::Answer(Response::new(CONFIGURATION.into())),
            _ => Verdict::Proceed,
        }
    }));
}

/// P1, P2: in a bucket that encrypts with a KMS key no ETag tells anything, so bodies are read.
#[tokio::test]
async fn a_mapping_under_a_kms_key_is_severed() {
    only_in_memory("a server without KMS cannot hold such objects");
    let stage = stage(BucketKind::Unversioned).await;
    put_with_kms(&stage, KEY, &stage.account.lower()).await;
    put_with_kms(&stage, "emails/somebody", &stranger().lower()).await;
    let stage = stage.taken_anew().await;
    encrypt_with_kms(&stage);
    let answer = stage.delete_now().await;
    let receipt = stage.end_settled(&answer).await;
    assert_eq!(receipt.mappings.erased, 1);
    assert_eq!(get(&stage.photolala, "emails/somebody").await, Some(stranger().lower()));
}

/// P1, P9: a sign-in that was registered anew before it is severed stays with the new account.
#[tokio::test]
async fn a_new_registration_meanwhile_stays() {
    for (bucket, moment) in [(BucketKind::Unversioned, "DeleteObject"), (BucketKind::Versioned, "DeleteObjects")] {
        let stage = stage(bucket).await;
        put(&stage.photolala, KEY, &stage.account.upper()).await;
        let stage = stage.taken_anew().await;
        let is_severing =
            move |info: &RequestInfo| info.operation == moment && info.key.as_deref().is_none_or(|key| key == KEY);
        somebody_writes(&stage.photolala, KEY, &stranger().upper(), is_severing);
        let answer = stage.delete_now().await;
        stage.end_but(&answer, &[KEY]).await;
        assert_eq!(get(&stage.photolala, KEY).await, Some(stranger().upper()), "{bucket:?}");
        stage.settled(&answer).await;
        assert_eq!(get(&stage.photolala, KEY).await, Some(stranger().upper()), "{bucket:?}");
    }
}

/// P9: an old phone's write over a new registration is undone where versions are kept.
#[tokio::test]
async fn an_old_phones_write_over_a_new_registration_is_undone() {
    let stage = stage(BucketKind::Versioned).await;
    put(&stage.photolala, KEY, &stage.account.upper()).await;
    let stage = stage.taken_anew().await;
    let answer = stage.delete_now().await;
    stage.end(&answer).await;
    // A link of the claim's own second counts as older than the claim.
    stage.photolala.pass(2).await;
    put(&stage.photolala, KEY, &stranger().lower()).await;
    put(&stage.photolala, KEY, &stage.account.upper()).await;
    stage.photolala.settle().await.expect("reconcile runs");
    let receipt = stage.end_but(&answer, &[KEY]).await;
    assert_eq!(receipt.mappings.repaired, 1, "{receipt:?}");
    assert_eq!(get(&stage.photolala, KEY).await, Some(stranger().lower()));
    stage.settled(&answer).await;
    assert_eq!(get(&stage.photolala, KEY).await, Some(stranger().lower()));
}

/// P9: without versions, a new registration that an earlier look saw is put back from memory.
#[tokio::test]
async fn without_versions_a_registration_seen_before_is_put_back() {
    let stage = stage(BucketKind::Unversioned).await;
    put(&stage.photolala, KEY, &stage.account.upper()).await;
    let stage = stage.taken_anew().await;
    let answer = stage.delete_now().await;
    stage.end(&answer).await;
    put(&stage.photolala, KEY, &stranger().upper()).await;
    // What reopens the deletion, so that it looks at the mapping too.
    put(&stage.photolala, &format!("photos/{}/late.dat", stage.account.upper()), "a late photo").await;
    stage.photolala.settle().await.expect("reconcile runs");
    stage.end_but(&answer, &[KEY]).await;
    put(&stage.photolala, KEY, &stage.account.lower()).await;
    stage.photolala.settle().await.expect("reconcile runs");
    let receipt = stage.end_but(&answer, &[KEY]).await;
    assert_eq!(receipt.mappings.repaired, 1, "{receipt:?}");
    assert_eq!(get(&stage.photolala, KEY).await, Some(stranger().upper()));
    stage.settled(&answer).await;
}

/// P1: erasing a link must not open somebody's older one below it; the older version itself is not ours to erase.
#[tokio::test]
async fn somebody_elses_older_link_stays_closed() {
    let stage = stage(BucketKind::Versioned).await;
    let theirs = put(&stage.photolala, KEY, &stranger().upper()).await;
    put(&stage.photolala, KEY, &stage.account.upper()).await;
    put(&stage.photolala, KEY, &stage.account.lower()).await;
    let stage = stage.taken_anew().await;
    let answer = stage.delete_now().await;
    stage.end_settled(&answer).await;
    assert_eq!(get(&stage.photolala, KEY).await, None, "somebody's old sign-in is open again");
    assert_eq!(get_version(&stage.photolala, KEY, &theirs).await, stranger().upper());
}

/// P1: a link of somebody else above ours is the present one, and stays it.
#[tokio::test]
async fn somebody_elses_newer_link_stays_open() {
    let stage = stage(BucketKind::Versioned).await;
    put(&stage.photolala, KEY, &stage.account.upper()).await;
    put(&stage.photolala, KEY, &stranger().upper()).await;
    let stage = stage.taken_anew().await;
    let answer = stage.delete_now().await;
    let receipt = stage.end_settled(&answer).await;
    assert_eq!(receipt.mappings.erased, 1);
    assert_eq!(get(&stage.photolala, KEY).await, Some(stranger().upper()));
}

/// Everything in the first bucket, without reading bodies: ETags tell enough.
async fn listed(photolala: &Photolala) -> Snapshot {
    Snapshot::take(photolala.s3(), &[photolala.bucket().to_owned()], &[]).await
}

/// P1, P8: nobody else's sign-in is read, however many there are.
#[tokio::test]
async fn strangers_sign_ins_are_not_read() {
    let stage = stage(BucketKind::Unversioned).await;
    let keys: Vec<String> = (0..3_000).map(|number| format!("identities/stranger:{number:04}")).collect();
    put_all(&stage.photolala, &keys, &stranger().upper()).await;
    let before = listed(&stage.photolala).await;
    stage.photolala.local().recorder().start();
    let answer = stage.delete_now().await;
    let records = stage.photolala.local().recorder().stop();
    assert_eq!(answer.body["status"], "completed", "{}", answer.body);
    let function = stage.photolala.environment().functions.deletion.as_str();
    let is_read = |info: &RequestInfo| matches!(info.operation, "GetObject" | "HeadObject");
    let infos = records.iter().map(|record| &record.info).filter(|info| info.calling_function() == Some(function));
    let read: Vec<&str> = infos.filter(|info| is_read(info)).filter_map(|info| info.key.as_deref()).collect();
    assert!(read.iter().any(|key| key.ends_with("status.json")), "nothing was recorded");
    assert!(!read.iter().any(|key| key.starts_with("identities/")), "{read:?}");
    let after = listed(&stage.photolala).await;
    assert_eq!(before.count("identities/stranger:"), 3_000);
    assert!(before.changes_to(&after).iter().all(|change| !change.place().key.starts_with("identities/")));
}

/// P1: a hint is looked at where mappings lie, and nothing is taken on trust.
#[tokio::test]
async fn hints_are_only_hints() {
    for bucket in EVERY_KIND {
        let stage = stage(bucket).await;
        let photo = format!("photos/{}/1.dat", stage.account.neighbour().upper());
        put(&stage.photolala, &photo, &stage.account.upper()).await;
        put(&stage.photolala, "emails/stranger", &stranger().upper()).await;
        put(&stage.photolala, KEY, &stage.account.upper()).await;
        let stage = stage.taken_anew().await;
        let hints = json!([KEY, "emails/stranger", "emails/nothing", "identities/", photo, "../x", "x".repeat(1_024)]);
        let event = json!({"type": "immediate", "userId": stage.account.upper(), "hints": hints});
        let answer = stage.photolala.ask(event).await.expect("the function answers");
        assert_eq!(answer.status_code, 200, "{}", answer.body);
        let receipt = stage.end_settled(&answer).await;
        assert_eq!(receipt.mappings.erased, 1, "{bucket:?}");
    }
}
