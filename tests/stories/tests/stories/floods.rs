//! Events, bodies, entries and statuses of megabytes, or nested without end.

use bytes::Bytes;
use harness::person::{active, entry, entry_key, scheduled, status_key};
use harness::{Account, Answer, Fixture, Snapshot, promises, url_event};
use jiff::{SignedDuration, Timestamp};
use local_lambda::Outcome;
use serde_json::{Value, json};

use crate::answers::everything;
use crate::scheduled::with_grace;
use crate::stage::{Stage, options};

/// Lambda's limit of a synchronous invocation's payload is 6 MiB; a little room for what is around.
const HUGE: usize = 6 * 1024 * 1024 - 4_096;
/// What others write is read up to here.
const READ_MAX: usize = 256 * 1024;
/// A status has to leave room for a mark.
const STATUS_MAX: usize = 252 * 1024;
/// Deeper than any parser should follow.
const DEPTH: usize = 50_000;

fn deep(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

/// A JSON object of that many bytes that says this among much else.
fn padded(mut object: Value, bytes: usize) -> String {
    object["padding"] = "".into();
    let rest = object.to_string().len();
    object["padding"] = "x".repeat(bytes.saturating_sub(rest)).into();
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
        (padded(json!({"type": "immediate"}), 131_073), 413),
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

/// P1, P7: an entry or a status that nobody can read, for depth or size, erases nobody, and does not keep the next
/// person waiting.
#[tokio::test]
async fn what_nobody_can_read_erases_nobody_and_stops_no_run() {
    let stage = Stage::set(with_grace(options()), 12).await;
    let at = stage.photolala.now() - SignedDuration::from_hours(48);
    let deeply = |said: &Value| {
        let text = said.to_string();
        format!(r#"{},"more":{}}}"#, text.trim_end_matches('}'), deep(DEPTH))
    };
    let kept = [61, 62, 63, 64, 65, 66].map(Account::seeded);
    let bodies = |n: usize| -> [String; 2] {
        let (entry, status) = (entry(&kept[n], at, at), scheduled(at, at));
        match n {
            0 => [deeply(&entry), status.to_string()],
            1 => [entry.to_string(), deeply(&status)],
            2 => [padded(entry, HUGE), padded(status, HUGE)],
            3 => [padded(entry, READ_MAX + 1), status.to_string()],
            4 => [entry.to_string(), padded(status, READ_MAX + 1)],
            _ => [entry.to_string(), padded(status, STATUS_MAX + 1)],
        }
    };
    for (n, account) in kept.iter().enumerate() {
        let [entry, status] = bodies(n);
        due(&stage, account, &entry, &status, at).await;
    }
    let (entry, status) = (entry(&stage.account, at, at), scheduled(at, at));
    due(&stage, &stage.account, &padded(entry, READ_MAX), &padded(status, STATUS_MAX), at).await;
    let stage = stage.taken_anew().await;
    stage.wait().await;
    let run = stage.photolala.run().await;
    assert_eq!((&run.body["claimed"], &run.body["quarantined"]), (&json!(1), &json!(6)), "{}", run.body);
    let line = stage.line(&run).unwrap_or_else(|| panic!("the run does not speak of the account: {}", run.body));
    let answer = Answer { status_code: 200, body: line.clone() };
    stage.photolala.run_until_complete(answer.deletion_id()).await.expect("the deletion completes");
    let after = stage.photolala.snapshot().await;
    assert_eq!(after.count(&format!("photos/{}/", stage.account.upper())), 0, "whoever is due goes");
    for account in &kept {
        let scope = promises::Scope::of(stage.photolala.environment(), &[account]);
        let all = |all: &Snapshot| all.0.keys().filter(|place| scope.covers(&place.key)).count();
        assert_eq!(all(&after), all(&stage.before), "{}", run.body);
    }
}

/// A status that cannot be read is not written over: nobody knows what the app keeps in it.
#[tokio::test]
async fn a_status_too_large_to_be_read_is_not_written_over() {
    let stage = Stage::set(with_grace(options()), 12).await;
    for bytes in [STATUS_MAX + 1, READ_MAX + 1] {
        let status = padded(active(stage.photolala.now()), bytes);
        stage.photolala.put(&status_key(&stage.account.upper()), &status).await;
        let before = everything(&stage.photolala).await;
        let schedule = json!({"type": "schedule", "userId": stage.account.upper()});
        let answer = stage.photolala.ask(schedule).await.expect("an answer");
        assert_eq!(answer.status_code, 500, "{}", answer.body);
        assert_eq!(before.changes_to(&everything(&stage.photolala).await), []);
        assert!(!stage.photolala.has_record(&stage.account).await);
    }
}
