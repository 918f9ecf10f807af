//! Scheduled deletions through the deployed functions: from "delete my account" to the receipt, with the time in
//! between.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::Timestamp;
use domain::day::Day;
use domain::event::Query;
use domain::layout::{DAYS, receipt_key};
use domain::notice::SOURCE;
use domain::receipt::{Receipt, ReceiptState};
use domain::record::Kind;
use harness::person::{entry, entry_key, status_key};
use harness::{Account, Answer, Fixture, Photolala, promises};
use serde_json::{Value, json};

use crate::deployed::daily;
use crate::emulator::function_arn;
use crate::stage::{Scene, Stage};
use crate::versions::BY_JOB;

/// Versions of an account that is erased directly.
const SMALL: usize = 60;
/// Longest wait for the rule and for what it starts.
const RULE_MAX: Duration = Duration::from_secs(100);

/// P1 to P6: asked for by event, left alone by an early run and a dry run, erased by the run after the grace period,
/// counted for the day, told on the notice bus.
pub async fn by_event(stage: &Stage) {
    let photolala = &stage.photolala;
    stage.emulator.keep_events(&photolala.environment().notice_bus()).await.expect("the notice bus is there");
    let scene = Scene::set(photolala, 10, |fixture| fixture.versions(SMALL)).await;
    let date = scheduled(&ask(photolala, "schedule", &scene.account).await);
    let early = photolala.ask(json!({"type": "scheduled", "time": before(date)})).await.expect("a run answers");
    assert_eq!((early.status_code, &early.body["due"]), (200, &json!(0)), "{}", early.body);
    grace(photolala).await;
    let (then, claims) = (photolala.snapshot().await, claims(photolala).await);
    let dry = photolala.ask(json!({"type": "scheduled", "dryRun": true})).await.expect("a run answers");
    assert_eq!((&dry.body["due"], &dry.body["claimed"]), (&json!(1), &json!(0)), "{}", dry.body);
    assert_eq!(line(&dry, &scene.account)["status"], "due", "{}", dry.body);
    assert_eq!(then.changes_to(&photolala.snapshot().await), [], "a dry run changes nothing");
    let run = photolala.run().await;
    assert_eq!((&run.body["claimed"], &run.body["processed"]), (&json!(1), &json!(1)), "{}", run.body);
    assert_eq!(self::claims(photolala).await, claims + 1, "the day counts what was claimed");
    let receipt = scene.end(photolala, &answer(&run, &scene.account)).await;
    assert_eq!((receipt.kind, receipt.versions.erased), (Kind::Scheduled, SMALL as u64), "{receipt:?}");
    told(stage, &receipt, &scene.account);
    assert!(stage.emulator.kept_events().await.expect("the archive is there") >= 2, "the notice bus has both notices");
}

/// P5: taken back in time, by event, by the app alone, and over the URL: nobody is erased.
pub async fn cancelled(stage: &Stage) {
    let photolala = &stage.photolala;
    let scene = Scene::set(photolala, 11, |fixture| fixture.versions(SMALL)).await;
    let account = &scene.account;
    scheduled(&ask(photolala, "schedule", account).await);
    assert_eq!(ask(photolala, "cancel", account).await.body["status"], "cancelled");
    let delete_on = photolala.app_schedules(account, grace_seconds(photolala)).await;
    photolala.app_cancels(account, delete_on).await;
    photolala.app_schedules(account, grace_seconds(photolala)).await;
    assert_eq!(by_url(photolala, account, "cancel").await.body["status"], "cancelled");
    assert_eq!(ask(photolala, "cancel", account).await.body["status"], "not_scheduled");
    grace(photolala).await;
    stays(photolala, &scene).await;
}

/// P4: what an app wrote into S3 by itself is honoured; a small account is erased directly and two large ones by one
/// job.
pub async fn large_and_small(stage: &Stage) {
    let photolala = &stage.photolala;
    let accounts = [12, 13, 14].map(Account::seeded);
    for (account, versions) in accounts.iter().zip([SMALL, BY_JOB, BY_JOB]) {
        Fixture::of(account).versions(versions).fill(photolala).await.expect("the account is filled");
        photolala.app_schedules(account, grace_seconds(photolala)).await;
    }
    let (before, jobs) = (photolala.snapshot().await, photolala.local().batch().jobs().len());
    grace(photolala).await;
    let run = photolala.run().await;
    assert_eq!((&run.body["due"], &run.body["claimed"]), (&json!(3), &json!(3)), "{}", run.body);
    let methods = accounts.each_ref().map(|account| line(&run, account)["method"].clone());
    assert_eq!(methods, ["direct", "batch", "batch"], "{}", run.body);
    let named: BTreeSet<_> = accounts[1..].iter().map(|account| line(&run, account)["jobId"].to_string()).collect();
    assert_eq!((named.len(), photolala.local().batch().jobs().len()), (1, jobs + 1), "{}", run.body);
    for account in &accounts {
        completed(photolala, &run, account).await;
    }
    let scope = promises::Scope::of(photolala.environment(), &accounts.each_ref());
    let after = photolala.snapshot().await;
    promises::no_over_deletion(&before, &after, &scope, &[]);
    promises::nothing_left(&after, &scope);
}

/// P6: an entry of an account without a status is kept and told, until a person confirms what the dry run shows.
pub async fn confirmed(stage: &Stage) {
    let photolala = &stage.photolala;
    let (account, now) = (Account::seeded(15), photolala.now());
    photolala.put(&format!("photos/{}/1.dat", account.upper()), "a photo").await;
    let key = entry_key(&account.upper(), now);
    photolala.put(&key, &entry(&account, now, now).to_string()).await;
    let before = photolala.snapshot().await;
    grace(photolala).await;
    let run = photolala.run().await;
    assert_eq!((&run.body["quarantined"], &run.body["claimed"]), (&json!(1), &json!(0)), "{}", run.body);
    assert_eq!(before.changes_to(&photolala.snapshot().await), [], "what is in quarantine is not touched");
    let shown = photolala.ask(json!({"type": "immediate", "userId": account.upper(), "dryRun": true})).await;
    let digest = shown.expect("a dry run answers").body["digest"].clone();
    let confirm = json!({"type": "confirm", "userId": account.upper(), "digest": digest});
    let confirmed = photolala.ask(confirm).await.expect("the function answers");
    assert_eq!((confirmed.status_code, &confirmed.body["status"]), (200, &json!("confirmed")), "{}", confirmed.body);
    let run = photolala.run().await;
    assert_eq!(run.body["claimed"], 1, "{}", run.body);
    let receipt = completed(photolala, &run, &account).await;
    promises::kept(photolala, &before, &account, &receipt).await;
}

/// P4: the deployed rule alone brings it: EventBridge's own event, by the rule's target, to the receipt.
pub async fn by_rule(stage: &Stage) {
    let photolala = &stage.photolala;
    let environment = photolala.environment();
    let scene = Scene::set(photolala, 16, |fixture| fixture.versions(SMALL)).await;
    scheduled(&ask(photolala, "schedule", &scene.account).await);
    grace(photolala).await;
    let rules = stage.emulator.rules(&function_arn(&environment.functions.deletion)).await.expect("there are rules");
    let rule = &daily(&rules, &environment.schedule_expression).expect("there is a daily rule").name;
    stage.emulator.reschedule(rule, "rate(1 minute)").await.expect("a rule can be changed");
    let begun = tokio::time::timeout(RULE_MAX, begun(photolala, &scene.account)).await;
    stage.emulator.reschedule(rule, &environment.schedule_expression).await.expect("a rule can be changed");
    let receipt = scene.end(photolala, &begun.expect("the rule starts a run")).await;
    assert_eq!(receipt.kind, Kind::Scheduled);
}

/// The deletion of the account, once it has a receipt.
async fn begun(photolala: &Photolala, account: &Account) -> Answer {
    loop {
        let answer = photolala.status(&Query::Account(account.id())).await.expect("an answer");
        if answer.body["deletionId"].is_string()
            && photolala.own_object(receipt_key(&answer.deletion_id()).as_str()).await.is_some()
        {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// P1, P5, where an invocation may not ask in a person's place: over the URL everybody schedules and cancels their own
/// deletion, and nobody else's.
pub async fn over_the_url(stage: &Stage) {
    let photolala = &stage.photolala;
    let scene = Scene::set(photolala, 11, |fixture| fixture.versions(SMALL)).await;
    let stranger = Account::seeded(3).upper();
    for kind in ["schedule", "cancel", "immediate"] {
        let direct = ask(photolala, kind, &scene.account).await;
        assert_eq!(direct.status_code, 403, "{kind}: {}", direct.body);
        let body = json!({"type": kind, "userId": scene.account.upper()});
        let forged = photolala.ask_by_url(&stranger, body).await.expect("the function answers");
        assert_eq!(forged.status_code, 403, "{kind}: {}", forged.body);
    }
    assert_eq!(scene.before.changes_to(&photolala.snapshot().await), []);
    scheduled(&by_url(photolala, &scene.account, "schedule").await);
    let run = photolala.run().await;
    assert_eq!((&run.body["due"], &run.body["claimed"]), (&json!(0), &json!(0)), "{}", run.body);
    assert_eq!(by_url(photolala, &scene.account, "cancel").await.body["status"], "cancelled");
    stays(photolala, &scene).await;
}

/// P1 to P3, where Delete Now waits for the next run: asked for over the URL, erased by that run in every bucket. The
/// second look comes after an hour, which nobody waits for here.
pub async fn by_the_next_run(stage: &Stage) {
    let photolala = &stage.photolala;
    for bucket in &photolala.environment().buckets[1..] {
        let elsewhere = Fixture::of(&Account::seeded(10)).versions(SMALL).in_bucket(bucket.name.to_string());
        elsewhere.fill(photolala).await.expect("the account is filled");
    }
    let scene = Scene::set(photolala, 10, |fixture| fixture.versions(SMALL)).await;
    let answer = by_url(photolala, &scene.account, "immediate").await;
    assert_eq!((answer.status_code, &answer.body["status"]), (202, &json!("scheduled")), "{}", answer.body);
    // Its moment is the next whole second.
    photolala.pass(2).await;
    let run = photolala.run().await;
    assert_eq!((&run.body["due"], &run.body["claimed"]), (&json!(1), &json!(1)), "{}", run.body);
    let receipt = completed(photolala, &run, &scene.account).await;
    promises::kept(photolala, &scene.before, &scene.account, &receipt).await;
    let erased = SMALL * photolala.environment().buckets.len();
    assert_eq!((receipt.kind, receipt.versions.erased), (Kind::Immediate, erased as u64), "{receipt:?}");
}

/// A run after the date leaves the account as it was, but for the status that was written meanwhile.
async fn stays(photolala: &Photolala, scene: &Scene) {
    let run = photolala.run().await;
    assert_eq!((&run.body["due"], &run.body["processed"]), (&json!(0), &json!(0)), "{}", run.body);
    let nobody = promises::Scope::of(photolala.environment(), &[]);
    let status = status_key(&scene.account.upper());
    promises::no_over_deletion(&scene.before, &photolala.snapshot().await, &nobody, &[&status]);
    let got = photolala.s3().get_object().bucket(photolala.bucket()).key(&status).send().await.expect("it is there");
    let body = got.body.collect().await.expect("a body arrives whole").to_vec();
    let says: Value = serde_json::from_slice(&body).expect("a status is JSON");
    assert_eq!((&says["accountStatus"], &says["deleteDate"]), (&json!("active"), &Value::Null));
    assert!(!photolala.has_record(&scene.account).await, "a record was left");
}

/// P10 too: the notices of a deletion, of which that of the claim alone names the account.
fn told(stage: &Stage, receipt: &Receipt, account: &Account) {
    let bus = stage.photolala.environment().notice_bus();
    let mut notices = stage.watch.notices();
    notices.retain(|notice| notice.detail["deletionId"] == json!(receipt.deletion_id));
    // Each may come more than once.
    notices.dedup();
    let kinds: Vec<&str> = notices.iter().map(|notice| notice.kind.as_str()).collect();
    assert_eq!(kinds, ["claimed", "completed"]);
    assert!(notices.iter().all(|notice| notice.bus == bus && notice.source == SOURCE), "{notices:?}");
    assert_eq!(notices[0].detail["userId"], json!(account.upper()));
    assert_eq!(notices[1].detail["userId"], Value::Null);
}

async fn completed(photolala: &Photolala, run: &Answer, account: &Account) -> Receipt {
    let receipt = photolala.run_until_complete(answer(run, account).deletion_id()).await;
    let receipt = receipt.expect("the deletion completes");
    assert_eq!(receipt.state, ReceiptState::Complete);
    receipt
}

async fn ask(photolala: &Photolala, kind: &str, account: &Account) -> Answer {
    photolala.ask(json!({"type": kind, "userId": account.upper()})).await.expect("the function answers")
}

async fn by_url(photolala: &Photolala, account: &Account, kind: &str) -> Answer {
    photolala.ask_by_url(&account.upper(), json!({"type": kind})).await.expect("the function answers")
}

/// The date of an answer that says when.
fn scheduled(answer: &Answer) -> Timestamp {
    assert_eq!((answer.status_code, &answer.body["status"]), (200, &json!("scheduled")), "{}", answer.body);
    answer.body["deleteDate"].as_str().expect("a date").parse().expect("a moment")
}

/// A moment at which nothing was due yet, whatever time the requests take.
fn before(date: Timestamp) -> String {
    Timestamp::from_second(date.as_second() - 600).expect("a moment of our time").to_string()
}

fn grace_seconds(photolala: &Photolala) -> i64 {
    photolala.environment().grace_seconds.into()
}

/// The grace period passes. Moments have whole seconds, and the emulator's may be one behind.
async fn grace(photolala: &Photolala) {
    photolala.pass(grace_seconds(photolala) + 2).await;
}

/// What a run says of the account.
fn line<'a>(run: &'a Answer, account: &Account) -> &'a Value {
    let lines = run.body["results"].as_array().expect("a run answers with results");
    let line = lines.iter().find(|line| line["userId"] == account.upper());
    line.unwrap_or_else(|| panic!("the run does not speak of the account: {}", run.body))
}

fn answer(run: &Answer, account: &Account) -> Answer {
    Answer { status_code: 200, body: line(run, account).clone() }
}

/// What was claimed on any day.
async fn claims(photolala: &Photolala) -> u32 {
    let mut claims = 0;
    for key in photolala.own_keys(DAYS).await {
        let day = photolala.own_object(&key).await.expect("counts stay");
        claims += Day::parse(&day).expect("a count can be read").claims;
    }
    claims
}
