//! What an operator asks of the deployed function.

use std::process::Output;

use harness::{Account, Fixture, Options, Photolala};
use serde_json::{Value, json};

use crate::{environments, run, told};

/// Longer than development's grace period.
const AFTER_GRACE_SECONDS: i64 = 200;

async fn ask(photolala: &Photolala, arguments: &[&str]) -> Output {
    let folder = environments();
    run(&photolala.local().endpoint(), folder.path().to_owned(), arguments).await
}

/// The answer's body of a command with --json.
async fn body(photolala: &Photolala, arguments: &[&str]) -> Value {
    let output = ask(photolala, &[arguments, &["--json"]].concat()).await;
    assert!(output.status.success(), "{}", told(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    answer["body"].clone()
}

/// An entry for an account without a status: it contradicts what is there, so that a person has to look.
async fn fill(photolala: &Photolala, account: &Account) {
    Fixture::of(account).versions(24).uploads(2).fill(photolala).await.unwrap();
    let (store, bucket, upper) = (photolala.local().s3_store().unwrap(), photolala.bucket(), account.upper());
    store.delete(bucket, &format!("users/{upper}/status.json")).unwrap();
    let entry = json!({ "userId": upper, "scheduledAt": "2025-01-02T03:04:05Z", "deleteOn": "2025-01-05T03:04:05Z" });
    store.put(bucket, &format!("scheduled-deletions/2025-01-05/{upper}.json"), entry.to_string().into_bytes()).unwrap();
}

#[tokio::test]
async fn a_deletion_that_waits_for_a_person_is_shown_counted_and_confirmed() {
    let photolala = Photolala::start(Options::default()).await.unwrap();
    let (account, stranger) = (Account::seeded(1), Account::seeded(2));
    let (upper, lower) = (account.upper(), account.lower());
    fill(&photolala, &account).await;
    let before = photolala.snapshot().await;
    assert_eq!(body(&photolala, &["due", "development"]).await["processed"], 0, "the grace period is not over");

    photolala.pass(AFTER_GRACE_SECONDS).await;
    let due = ask(&photolala, &["due", "development"]).await;
    assert!(due.status.success(), "{}", told(&due));
    assert!(told(&due).contains(&upper) && told(&due).contains("no status, but objects"), "{}", told(&due));

    let shown = ask(&photolala, &["dry-run", "development", &lower]).await;
    assert!(shown.status.success(), "{}", told(&shown));
    let counted = body(&photolala, &["dry-run", "development", &lower]).await;
    assert_eq!(
        (&counted["objectCount"], &counted["uploads"], &counted["mappings"]),
        (&json!(23), &json!(2), &json!(3))
    );
    let digest = counted["digest"].as_str().unwrap();
    assert!(told(&shown).contains(&format!("confirm development {upper} {digest}")), "{}", told(&shown));
    assert_eq!(before.changes_to(&photolala.snapshot().await), [], "a dry run changed something");

    let other = ask(&photolala, &["confirm", "development", &upper, &"0".repeat(64)]).await;
    assert_eq!(other.status.code(), Some(1), "{}", told(&other));
    assert!(told(&other).contains("(409)"), "{}", told(&other));
    let none = body(&photolala, &["dry-run", "development", &stranger.upper()]).await;
    let none = none["digest"].as_str().unwrap();
    let none = ask(&photolala, &["confirm", "development", &stranger.upper(), none, "--json"]).await;
    assert_eq!(none.status.code(), Some(1), "nobody is erased who never asked: {}", told(&none));

    let confirmed = ask(&photolala, &["confirm", "development", &lower, digest]).await;
    assert!(confirmed.status.success() && told(&confirmed).contains("confirmed"), "{}", told(&confirmed));
    let due = body(&photolala, &["due", "development"]).await;
    assert_eq!((&due["due"], &due["quarantined"], &due["results"][0]["status"]), (&json!(1), &json!(0), &json!("due")));
    assert_eq!(before.changes_to(&photolala.snapshot().await), [], "a confirmation alone erases nothing");
    photolala.shutdown().await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let photolala = Photolala::start(Options { bootstraps: None, ..Options::default() }).await.unwrap();
    let output = ask(&photolala, &["due", "development"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("invoking photolala-deletion-development"), "{}", told(&output));
    for arguments in [
        ["dry-run", "development", "somebody"].as_slice(),
        &["confirm", "development", &Account::seeded(1).upper(), "12"],
    ] {
        let output = ask(&photolala, arguments).await;
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
        assert!(told(&output).contains("must be"), "{}", told(&output));
    }
    photolala.shutdown().await;
}
