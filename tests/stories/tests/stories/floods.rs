//! Events, bodies, entries and statuses of megabytes, or nested without end.

use bytes::Bytes;
use harness::person::{entry, entry_key, scheduled, status_key};
use harness::{Account, Answer, Fixture, Snapshot, promises, url_event};
use jiff::{SignedDuration, Timestamp};
use local_lambda::Outcome;
use serde_json::{Value, json};

use crate::answers::everything;
use crate::scheduled::with_grace;
use crate::stage::{Stage, options};

/// Lambda's limit of a synchronous invocation's payload is 6 MiB; a little room for what is around.
const HUGE: usize = 6 * 1024 * 1024 - 4_096;
/// Deeper than any parser should follow.
const DEPTH: usize = 50_000;

fn deep(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

/// A JSON object of that many bytes, roughly, that says this among much else.
fn padded(mut object: Value, bytes: usize) -> String {
    object["padding"] = "x".repeat(bytes).into();
    object.to_string()
}

async fn send(stage: &Stage, function: &str, payload: &str) -> Result<Value, Bytes> {
    let invoked = stage.photolala.local().lambda().invoke(function, Bytes::from(payload.to_owned())).await;
    match invoked.expect("Lambda runs it").outcome {
        Outcome::Answer(answer) => Ok(serde_json::from_slice(&answer).expect("an answer is JSON")),
        Outcome::FunctionError(error) => Err(error),
    }
}

/// P1, P8: events of megabytes and events nested without end change nothing, and whoever asks next is served.
#[tokio::test]
async fn huge_and_deep_events_are_refused() {
    let stage = Stage::set(options(), 12).await;
    let upper = stage.account.upper();
    let before = everything(&stage.photolala).await;
    let functions = &stage.photolala.environment().functions;
    let events = [
        padded(json!({"type": "immediate", "userId": upper}), HUGE),
        json!({"type": "immediate", "userId": "x".repeat(HUGE)}).to_string(),
        format!(r#"{{"type":"immediate","userId":"{upper}","hints":{}}}"#, deep(DEPTH)),
        format!(r#"{{"type":{},"userId":"{upper}"}}"#, deep(100)),
        deep(DEPTH),
        format!(r#"{{"invocationSchemaVersion":"2.0","invocationId":"i","tasks":{}}}"#, deep(DEPTH)),
        format!(r#"{{"invocationSchemaVersion":"2.0","invocationId":"i","tasks":{}}}"#, deep(100)),
        json!({"invocationSchemaVersion": "2.0", "invocationId": "i", "tasks": "x".repeat(HUGE)}).to_string(),
    ];
    for event in &events {
        if let Ok(answer) = send(&stage, &functions.deletion, event).await {
            assert_eq!(answer["statusCode"], 400, "{event:.80}: {answer:.300}");
        }
        assert!(send(&stage, &functions.eraser, event).await.is_err(), "{event:.80}");
    }
    assert_eq!(before.changes_to(&everything(&stage.photolala).await), []);
    let answer = stage.delete_now().await;
    stage.end_settled(&answer).await;
}

/// P1, P8: the same over the function URL.
#[tokio::test]
async fn huge_and_deep_bodies_are_refused() {
    let stage = Stage::set(options(), 12).await;
    let upper = stage.account.upper();
    let before = everything(&stage.photolala).await;
    let arn = format!("arn:aws:sts::123456789012:assumed-role/photolala-app-development/{upper}");
    let bodies = [
        (padded(json!({"type": "immediate"}), HUGE), 413),
        (padded(json!({"type": "immediate"}), 131_072), 413),
        (padded(json!({"type": "immediate"}), 100_000), 400),
        (deep(DEPTH), 400),
        (format!(r#"{{"type":{}}}"#, deep(DEPTH)), 400),
        (format!(r#"{{"type":{}}}"#, deep(100)), 400),
        (format!(r#"{{"type":"immediate","hints":{}}}"#, deep(100)), 400),
    ];
    for (body, expected) in &bodies {
        let answer = stage.photolala.ask(url_event("POST", "/", &arn, body)).await.expect("an answer");
        assert_eq!(answer.status_code, *expected, "{body:.80}: {}", answer.body);
    }
    assert_eq!(before.changes_to(&everything(&stage.photolala).await), []);
    let answer = stage.photolala.ask_by_url(&upper, json!({"type": "immediate"})).await.expect("an answer");
    stage.end_settled(&answer).await;
}

/// A person with an entry that is due, and with this status.
async fn due(stage: &Stage, account: &Account, entry_body: &str, status: &str, at: Timestamp) {
    Fixture::of(account).versions(6).fill(&stage.photolala).await.expect("it is filled");
    stage.photolala.put(&entry_key(&account.upper(), at), entry_body).await;
    stage.photolala.put(&status_key(&account.upper()), status).await;
}

/// P1, P7: an entry or a status that nobody can read, for depth, erases nobody, and one of megabytes does not keep the
/// next person waiting.
#[tokio::test]
async fn a_deep_entry_or_status_erases_nobody_and_stops_no_run() {
    let stage = Stage::set(with_grace(options()), 12).await;
    let at = stage.photolala.now() - SignedDuration::from_hours(48);
    let [by_entry, by_status, huge] = [61, 62, 63].map(Account::seeded);
    let deeply = |said: &Value| {
        let text = said.to_string();
        format!(r#"{},"more":{}}}"#, text.trim_end_matches('}'), deep(DEPTH))
    };
    let said = scheduled(at, at);
    due(&stage, &by_entry, &deeply(&entry(&by_entry, at, at)), &said.to_string(), at).await;
    due(&stage, &by_status, &entry(&by_status, at, at).to_string(), &deeply(&said), at).await;
    due(&stage, &huge, &padded(entry(&huge, at, at), HUGE), &padded(said.clone(), HUGE), at).await;
    due(&stage, &stage.account, &entry(&stage.account, at, at).to_string(), &said.to_string(), at).await;
    let kept = [stage.account.upper(), huge.upper()].map(|id| format!("photos/{id}/"));
    let stage = stage.taken_anew().await;
    stage.wait().await;
    let run = stage.photolala.run().await;
    let line = stage.line(&run).unwrap_or_else(|| panic!("the run does not speak of the account: {}", run.body));
    let answer = Answer { status_code: 200, body: line.clone() };
    stage.photolala.run_until_complete(answer.deletion_id()).await.expect("the deletion completes");
    let after = stage.photolala.snapshot().await;
    assert_eq!(after.count(&kept[0]), 0, "whoever is due goes");
    for account in [&by_entry, &by_status] {
        let scope = promises::Scope::of(stage.photolala.environment(), &[account]);
        let photos = |all: &Snapshot| all.0.keys().filter(|place| scope.covers(&place.key)).count();
        assert_eq!(photos(&after), photos(&stage.before), "{}", run.body);
    }
}
