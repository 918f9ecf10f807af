//! Who may ask, by which way, and what the rest of the product is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use harness::person::status_key;
use harness::{Account, Answer, Fixture, Photolala, promises, url_event};
use local_aws::Service;
use serde_json::{Value, json};

use crate::gates::answering;
use crate::scheduled::with_grace;
use crate::stage::{Stage, options};

const MODES: [(&str, u16, u16); 3] = [("allowed", 200, 200), ("next-run", 202, 403), ("denied", 403, 403)];

fn mode(name: &str) -> harness::Options {
    let mut options = with_grace(options());
    options.deletion_variables.insert("IMMEDIATE_MODE".to_owned(), name.to_owned());
    options
}

/// Delete Now by URL and by a direct invocation, in each mode.
#[tokio::test]
async fn delete_now_is_served_as_the_environment_says() {
    for (name, by_url, directly) in MODES {
        let stage = Stage::set(mode(name), 12).await;
        let user_id = stage.account.upper();
        let direct = json!({"type": "immediate", "userId": user_id});
        if directly == 403 {
            assert_eq!(stage.photolala.ask(direct).await.unwrap().status_code, 403, "{name}");
        }
        let answer = stage.photolala.ask_by_url(&user_id, json!({"type": "immediate"})).await.unwrap();
        assert_eq!(answer.status_code, by_url, "{name}: {}", answer.body);
        match by_url {
            200 => drop(stage.end(&answer).await),
            202 => {
                // The next run does it, without waiting for the grace period: its moment is the next whole second.
                stage.photolala.pass(2).await;
                let run = stage.photolala.run().await;
                let answer = Answer { status_code: 200, body: run.body["results"][0].clone() };
                let receipt = stage.end_settled(&answer).await;
                assert_eq!(receipt.kind, domain::record::Kind::Immediate);
            }
            _ => stage.is_untouched(&[]).await,
        }
    }
}

/// P1: a session asks for its own account only, and by the one way there is.
#[tokio::test]
async fn nobody_erases_somebody_else_by_url() {
    let stage = Stage::set(mode("next-run"), 12).await;
    let (victim, stranger) = (stage.account.upper(), Account::seeded(50).upper());
    for kind in ["immediate", "schedule", "cancel"] {
        let body = json!({"type": kind, "userId": victim});
        let answer = stage.photolala.ask_by_url(&stranger, body.clone()).await.unwrap();
        assert_eq!(answer.status_code, 403, "{kind}: {}", answer.body);
        for arn in [
            format!("arn:aws:iam::123456789012:user/{victim}"),
            format!("arn:aws:sts::123456789012:assumed-role/another-role/{victim}"),
            format!("arn:aws:sts::999999999999:assumed-role/photolala-app-development/{victim}"),
        ] {
            let answer = stage.photolala.ask(url_event("POST", "/", &arn, &body.to_string())).await.unwrap();
            assert_eq!(answer.status_code, 403, "{kind} by {arn}: {}", answer.body);
        }
    }
    for kind in ["scheduled", "reconcile", "confirm"] {
        let answer = stage.photolala.ask_by_url(&victim, json!({"type": kind})).await.unwrap();
        assert_eq!(answer.status_code, 400, "{kind}: {}", answer.body);
    }
    let arn = format!("arn:aws:sts::123456789012:assumed-role/photolala-app-development/{victim}");
    for (method, path, code) in [("GET", "/", 405), ("POST", "/admin", 404), ("DELETE", "/", 405)] {
        let answer = stage.photolala.ask(url_event(method, path, &arn, "{}")).await.unwrap();
        assert_eq!((answer.status_code, answer.body["error"].is_string()), (code, true), "{method} {path}");
    }
    let large = stage.photolala.ask(url_event("POST", "/", &arn, &"x".repeat(200_000))).await.unwrap();
    assert_eq!(large.status_code, 413);
    stage.is_untouched(&[]).await;
}

/// A person polls their own deletion by account, deletion and job; nobody else finds it by its ids.
#[tokio::test]
async fn by_url_everybody_is_told_of_their_own_deletion_only() {
    let stage = Stage::set(crate::stage::threshold(mode("allowed"), 5), 12).await;
    let user_id = stage.account.upper();
    let answer = stage.photolala.ask_by_url(&user_id, json!({"type": "immediate"})).await.unwrap();
    let (deletion, job) = (answer.body["deletionId"].clone(), answer.body["jobId"].clone());
    assert!(job.is_string(), "{}", answer.body);
    for question in [json!({"deletionId": deletion}), json!({"jobId": job})] {
        let mut body = question.clone();
        body["type"] = "status".into();
        let own = stage.photolala.ask_by_url(&user_id, body.clone()).await.unwrap();
        assert_eq!(own.status_code, 200, "{question}: {}", own.body);
        let other = stage.photolala.ask_by_url(&Account::seeded(50).upper(), body).await.unwrap();
        assert_eq!(other.status_code, 404, "{question}: {}", other.body);
    }
    let own = stage.photolala.ask_by_url(&user_id, json!({"type": "status"})).await.unwrap();
    assert_eq!(own.body["deletionId"], deletion, "{}", own.body);
    stage.end(&answer).await;
}

/// One running deletion an account: repeated calls answer the same one, whatever they ask for.
#[tokio::test]
async fn repeated_calls_answer_the_same_deletion() {
    let stage = Stage::set(crate::stage::threshold(mode("allowed"), 5), 12).await;
    let user_id = stage.account.upper();
    let first = stage.photolala.ask_by_url(&user_id, json!({"type": "immediate"})).await.unwrap();
    for kind in ["immediate", "schedule", "immediate"] {
        let again = stage.photolala.ask_by_url(&user_id, json!({"type": kind})).await.unwrap();
        assert_eq!(again.deletion_id(), first.deletion_id(), "{kind}: {}", again.body);
    }
    let late = stage.photolala.ask_by_url(&user_id, json!({"type": "cancel"})).await.unwrap();
    assert_eq!((late.status_code, late.deletion_id()), (409, first.deletion_id()), "{}", late.body);
    stage.end(&first).await;
}

/// D21: the product is told of the claim before a sign-in is severed, and of the end; nobody is named but at the claim.
#[tokio::test]
async fn the_product_is_told_of_claim_and_end() {
    let stage = Stage::set(mode("allowed"), 12).await;
    stage.photolala.local().recorder().start();
    let answer = stage.delete_now().await;
    let records = stage.photolala.local().recorder().stop();
    let at = |is: &dyn Fn(&local_aws::Record) -> bool| records.iter().position(is).expect("the request was made");
    let told = at(&|record| record.info.service == Service::Events);
    let severed = at(&|record| {
        record.info.operation == "DeleteObject"
            && record.info.key.as_deref().is_some_and(|key| key.starts_with("identities/"))
    });
    assert!(told < severed, "severed before the product was told");
    let receipt = stage.end_settled(&answer).await;
    let notices = notices(&stage.photolala);
    let kinds: Vec<&Value> = notices.iter().map(|notice| &notice["detail-type"]).collect();
    assert_eq!(kinds, ["claimed", "completed"]);
    for notice in &notices {
        assert_eq!(notice["source"], "photolala.deletion");
        assert_eq!(notice["detail"]["deletionId"], json!(receipt.deletion_id));
    }
    assert_eq!(notices[0]["detail"]["userId"], json!(stage.account.upper()));
    assert_eq!(notices[1]["detail"]["userId"], Value::Null);
}

fn notices(photolala: &Photolala) -> Vec<Value> {
    photolala.local().events().put().into_iter().map(|put| put.envelope).collect()
}

/// P4: a bus that takes nothing for a while: nothing is severed before it does, and no notice is lost.
#[tokio::test]
async fn a_notice_is_repeated_until_the_bus_takes_it() {
    let stage = Stage::set(mode("allowed"), 12).await;
    let refused = Arc::new(AtomicU64::new(0));
    let counted = refused.clone();
    answering(&stage.photolala, move |info, _| {
        (info.service == Service::Events).then(|| {
            counted.fetch_add(1, Ordering::SeqCst);
            http::Response::builder().status(503).body(bytes::Bytes::from("{}")).expect("a response")
        })
    });
    let answer = stage.delete_now().await;
    assert!(refused.load(Ordering::SeqCst) > 1, "tried once only");
    let mapping = &stage.account.mapping_keys()[0];
    assert!(crate::app::get(&stage.photolala, mapping).await.is_some(), "severed before the product was told");
    stage.photolala.local().open_gate();
    stage.end_settled(&answer).await;
    assert_eq!(notices(&stage.photolala).iter().filter(|notice| notice["detail-type"] == "claimed").count(), 1);
}

/// P9: a person who registers again during the deletion, under a new account with the same sign-in, is not harmed by
/// an old phone that goes on writing for the old account.
#[tokio::test]
async fn who_registers_again_during_the_deletion_is_not_harmed() {
    let stage = Stage::set(crate::stage::threshold(with_grace(options()), 5), 12).await;
    let new = Account::seeded(51);
    stage.schedule().await;
    stage.wait().await;
    let run = stage.photolala.run().await;
    let answer = Answer { status_code: 200, body: run.body["results"][0].clone() };
    // The sign-in leads nowhere any more: the back end makes a new account, and fills it.
    let mapping = stage.account.mapping_keys().remove(0);
    assert_eq!(crate::app::get(&stage.photolala, &mapping).await, None, "severed at once");
    Fixture::of(&new).versions(6).fill(&stage.photolala).await.expect("the new account is filled");
    stage.photolala.put(&mapping, &new.upper()).await;
    stage.photolala.reconcile().await.expect("reconcile runs");
    // The old phone wakes.
    stage.photolala.put(&status_key(&stage.account.upper()), r#"{"accountStatus":"active"}"#).await;
    stage.photolala.put(&format!("photos/{}/late.dat", stage.account.upper()), "a late photo").await;
    let before = stage.photolala.snapshot().await;
    stage.photolala.run_until_complete(answer.deletion_id()).await.expect("the deletion completes");
    stage.photolala.settle().await.expect("reconcile runs");
    let scope = promises::Scope::of(stage.photolala.environment(), &[&stage.account]);
    let after = stage.photolala.snapshot().await;
    promises::no_over_deletion(&before, &after, &scope, &[]);
    promises::nothing_left(&after, &scope);
    assert_eq!(crate::app::get(&stage.photolala, &mapping).await, Some(new.upper()));
}
