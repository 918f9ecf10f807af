//! The promises that look into the manifest bucket, over objects put there by hand. No functions run here.

use std::panic::AssertUnwindSafe;

use domain::ids::DeletionId;
use domain::layout::{pages_prefix, receipt_key, record_key};
use futures::FutureExt as _;
use harness::promises::{no_lost_request, silent_about_people, tidied_up};
use harness::{Account, Fixture, Options, Photolala};

async fn start() -> Photolala {
    Photolala::start(Options { bootstraps: None, ..Options::default() }).await.unwrap()
}

fn put(photolala: &Photolala, key: &str, body: impl Into<Vec<u8>>) {
    let store = photolala.local().s3_store().unwrap();
    store.put(&photolala.environment().manifest_bucket(), key, body.into()).unwrap();
}

fn deletion() -> DeletionId {
    DeletionId::parse("11111111-2222-4333-8444-555555555555").unwrap()
}

/// The message of the panic, if it comes to one.
async fn panic_of(check: impl Future<Output = ()>) -> Option<String> {
    let panic = AssertUnwindSafe(check).catch_unwind().await.err()?;
    Some(panic.downcast_ref::<String>().unwrap().clone())
}

#[tokio::test]
async fn whatever_names_a_person_breaks_p10() {
    let photolala = start().await;
    let account = Account::seeded(1);
    Fixture::of(&account).fill(&photolala).await.unwrap();
    let before = photolala.snapshot().await;
    let file = before.0.keys().find(|place| place.key.starts_with("photos/")).unwrap().key.rsplit('/').next().unwrap();
    put(&photolala, record_key(&account.id()).as_str(), account.upper());
    put(&photolala, "pages/1", account.upper());
    put(&photolala, "receipts/1.json", account.neighbour().upper());
    assert_eq!(panic_of(silent_about_people(&photolala, &before, &[&account])).await, None);
    for secret in account.secrets().iter().map(String::as_str).chain([file]) {
        put(&photolala, "receipts/1.json", format!("{{\"told\":\"{secret}\"}}"));
        let text = panic_of(silent_about_people(&photolala, &before, &[&account])).await.unwrap();
        assert!(text.starts_with("P10") && text.contains("receipts/1.json"), "{text}");
    }
    put(&photolala, "receipts/1.json", "{}");
}

#[tokio::test]
async fn no_service_goes_that_told_of_somebody() {
    let photolala = start().await;
    let account = Account::seeded(1);
    Fixture::of(&account).fill(&photolala).await.unwrap();
    put(&photolala, record_key(&account.id()).as_str(), account.upper());
    put(&photolala, "receipts/1.json", account.lower());
    let panic = std::panic::catch_unwind(AssertUnwindSafe(|| drop(photolala))).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.starts_with("P10") && text.contains("receipts/1.json"), "{text}");
}

#[tokio::test]
async fn an_unfinished_deletion_without_a_record_breaks_p4() {
    let photolala = start().await;
    let account = Account::seeded(1);
    let receipt = |state: &str| receipt().replace("STATE", state);
    put(&photolala, receipt_key(&deletion()).as_str(), receipt("complete"));
    assert_eq!(panic_of(no_lost_request(&photolala, &account, deletion())).await, None);
    put(&photolala, receipt_key(&deletion()).as_str(), receipt("submitted"));
    let text = panic_of(no_lost_request(&photolala, &account, deletion())).await.unwrap();
    assert!(text.starts_with("P4"), "{text}");
    put(&photolala, record_key(&account.id()).as_str(), "{}");
    assert_eq!(panic_of(no_lost_request(&photolala, &account, deletion())).await, None);
}

#[tokio::test]
async fn a_page_that_is_left_is_told() {
    let photolala = start().await;
    assert_eq!(panic_of(tidied_up(&photolala, deletion())).await, None);
    put(&photolala, &format!("{}1/page", pages_prefix(&deletion())), "");
    assert!(panic_of(tidied_up(&photolala, deletion())).await.unwrap().contains("/1/page"));
}

fn receipt() -> String {
    let nothing = "0".repeat(64);
    format!(
        r#"{{"schema":1,"deletionId":"{}","proof":"","environment":"development","kind":"immediate","state":"STATE",
        "claimedAt":null,"completedAt":null,"heldUntil":null,"method":"batch","bytes":0,"groups":[],"uploads":0,
        "versions":{{"listed":0,"markers":0,"erased":0,"absent":0,"held":0}},"digest":"{nothing}",
        "mappings":{{"erased":0,"repaired":0}},"entries":0,"jobs":[],"attempts":1,"buckets":[],"otherStores":[],
        "looks":[],"atLeast":false,"codeVersion":"0.1.0"}}"#,
        deletion()
    )
}
