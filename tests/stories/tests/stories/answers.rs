//! What the app is told: dry runs, status, refusals, and asking again.

use domain::event::Query;
use domain::ids::{DeletionId, JobId};
use domain::mapping::BucketKind;
use domain::receipt::ReceiptState;
use domain::record::LEASE_SECONDS;
use harness::{Answer, Photolala, Snapshot};
use serde_json::{Value, json};

use crate::app::{get, put};
use crate::gates::{Dies, Kill, request};
use crate::stage::{Stage, kind, only_in_memory, options, threshold};

const DAY: i64 = 86_400;

/// Every bucket, the service's own too.
pub async fn everything(photolala: &Photolala) -> Snapshot {
    let environment = photolala.environment();
    let mut buckets: Vec<String> = environment.buckets.iter().map(|bucket| bucket.name.to_string()).collect();
    buckets.push(environment.manifest_bucket());
    Snapshot::take(photolala.s3(), &buckets, &environment.mapping_prefixes).await
}

async fn ask(stage: &Stage, event: Value) -> Answer {
    stage.photolala.ask(event).await.expect("the function answers")
}

async fn status(stage: &Stage, query: Query) -> Answer {
    stage.photolala.status(&query).await.expect("the function answers")
}

/// P1: a dry run tells what would be erased and what that costs, and changes nothing at all.
#[tokio::test]
async fn a_dry_run_changes_nothing() {
    for (versions, method) in [(1_000, "direct"), (20, "batch")] {
        let stage = Stage::with(threshold(kind(BucketKind::Versioned), versions), |fixture| {
            fixture.versions(90).uploads(3).schedule_entry()
        });
        let stage = stage.await;
        let before = everything(&stage.photolala).await;
        let event = json!({"type": "immediate", "userId": stage.account.upper(), "dryRun": true});
        let answer = ask(&stage, event).await;
        assert_eq!(answer.status_code, 200, "{}", answer.body);
        let counts = ["objectCount", "deletedCount", "uploads", "mappings", "entries", "statuses"];
        let counts = counts.map(|field| answer.body[field].as_u64().unwrap_or(u64::MAX));
        assert_eq!(counts, [90, 0, 3, 3, 1, 1], "{}", answer.body);
        assert_eq!((&answer.body["status"], &answer.body["method"]), (&json!("dry_run"), &json!(method)));
        assert!(answer.body["cost"]["requestsUsd"].as_f64().is_some_and(|usd| usd >= 0.0), "{}", answer.body);
        assert_eq!(everything(&stage.photolala).await, before, "a dry run changed something");

        let erased = stage.delete_now().await;
        let receipt = stage.end(&erased).await;
        assert_eq!((answer.body["totalBytes"].as_u64(), receipt.versions.listed), (Some(receipt.bytes), 90));
        assert_eq!(answer.body["deleteMarkers"], receipt.versions.markers);
    }
}

/// P4: from the claim on a deletion is found by its id, by its job and by its account.
#[tokio::test]
async fn status_is_told_by_deletion_job_and_account() {
    let stage = Stage::set(threshold(options(), 20), 60).await;
    let answer = stage.delete_now().await;
    let deletion = answer.deletion_id();
    let job = answer.job_id().expect("a job erases the account");
    let queries = [Query::Deletion(deletion), Query::Job(job.clone()), Query::Account(stage.account.id())];
    for query in queries.clone() {
        let said = status(&stage, query).await;
        assert_eq!((said.status_code, &said.body["state"]), (200, &json!("erasing")), "{}", said.body);
        assert_eq!((said.deletion_id(), said.job_id()), (deletion, Some(job.clone())));
        assert_eq!((&said.body["objects"]["total"], &said.body["objects"]["failed"]), (&json!(60), &json!(0)));
    }
    stage.photolala.quiet().await;
    let said = status(&stage, Query::Deletion(deletion)).await;
    assert!(said.body["percent"].as_u64().is_some_and(|percent| percent > 90), "{}", said.body);
    stage.end(&answer).await;
    for query in queries {
        let said = status(&stage, query).await;
        assert_eq!((said.status_code, &said.body["state"]), (200, &json!("complete")), "{}", said.body);
        assert_eq!((&said.body["status"], &said.body["percent"]), (&json!("Complete"), &json!(100)));
        assert_eq!(said.body["objects"], json!({"total": 60, "erased": 60, "held": 0, "failed": 0}));
    }
}

/// P10: after the second look the deletion is still known by its ids, and the account is not known any more.
#[tokio::test]
async fn after_the_second_look_only_ids_without_a_person_are_known() {
    let stage = Stage::set(threshold(options(), 20), 60).await;
    let answer = stage.delete_now().await;
    stage.end_settled(&answer).await;
    let job = answer.job_id().expect("a job erases the account");
    for query in [Query::Deletion(answer.deletion_id()), Query::Job(job)] {
        let said = status(&stage, query).await;
        assert_eq!((said.status_code, &said.body["state"]), (200, &json!("complete")), "{}", said.body);
        assert!(!said.body.to_string().contains(&stage.account.upper()), "{}", said.body);
    }
    let said = status(&stage, Query::Account(stage.account.id())).await;
    assert_eq!((said.status_code, &said.body["status"]), (404, &json!("NotFound")), "{}", said.body);
}

/// Unknown ids are not found, and say so in the way the app expects.
#[tokio::test]
async fn unknown_ids_are_not_found() {
    let stage = Stage::set(options(), 12).await;
    let deletion = DeletionId::parse("00000000-0000-4000-8000-000000000000").expect("a UUID");
    let job = JobId::parse("00000000-0000-4000-8000-000000000000").expect("a job id");
    for query in [Query::Deletion(deletion), Query::Job(job), Query::Account(stage.account.id())] {
        let said = status(&stage, query).await;
        assert_eq!((said.status_code, &said.body["status"]), (404, &json!("NotFound")), "{}", said.body);
        assert!(said.body["error"].is_string() && said.body["progressSummary"]["totalTasks"] == 0, "{}", said.body);
    }
}

/// Events that cannot be served as they are, with the field that is wrong.
fn bad_events(upper: &str) -> Vec<(Value, &'static str)> {
    let with_id = |id: Value| (json!({"type": "immediate", "userId": id}), "userId");
    let with = |field: &str, value: Value| json!({"type": "immediate", "userId": upper, field: value});
    let ids = [
        json!(null),
        json!(""),
        json!(" "),
        json!(".."),
        json!("*"),
        json!(&upper[..8]),
        json!(&upper[..35]),
        json!(format!("{upper}0")),
        json!(format!("{upper}/")),
        json!(format!("photos/{upper}")),
        json!(upper.replace('-', "")),
        json!(format!("{{{upper}}}")),
        json!("00000000-0000-0000-0000-000000000000"),
        json!("x".repeat(10_000)),
        json!(42),
        json!([upper]),
    ];
    let mut events: Vec<(Value, &'static str)> = ids.into_iter().map(with_id).collect();
    events.extend([
        (json!([]), "event"),
        (json!("immediate"), "event"),
        (json!(null), "event"),
        (json!({"userId": upper}), "event"),
        (json!({"type": "scheduled", "userId": upper}), "event"),
        (json!({"type": "scheduled", "time": "now"}), "time"),
        (json!({"type": "confirm", "userId": upper, "digest": "0"}), "digest"),
        (json!({"type": "cancel", "userId": upper, "dryRun": true}), "event"),
        (json!({"type": "Immediate", "userId": upper}), "type"),
        (json!({"type": ["immediate"], "userId": upper}), "type"),
        (json!({"type": "immediate"}), "userId"),
        (with("dryrun", json!(true)), "event"),
        (with("bucket", json!("another")), "event"),
        (with("dryRun", json!("yes")), "dryRun"),
        (with("dryRun", json!(1)), "dryRun"),
        (with("hints", json!("emails/1")), "hints"),
        (with("hints", json!([""])), "hints"),
        (with("hints", json!([1])), "hints"),
        (with("hints", json!(["x".repeat(1_025)])), "hints"),
        (with("hints", json!(vec!["emails/1"; 101])), "hints"),
        (json!({"type": "status"}), "jobId"),
        (json!({"type": "status", "jobId": "job-1", "userId": upper}), "jobId"),
        (json!({"type": "status", "jobId": "../x"}), "jobId"),
        (json!({"type": "status", "deletionId": ".."}), "deletionId"),
        (json!({"type": "status", "userId": "x"}), "userId"),
    ]);
    events
}

/// P1: a request that is wrong is refused by field, touches nothing and leaves no record.
#[tokio::test]
async fn bad_requests_are_refused_and_touch_nothing() {
    let stage = Stage::set(options(), 24).await;
    let before = everything(&stage.photolala).await;
    for (event, field) in bad_events(&stage.account.upper()) {
        let answer = ask(&stage, event.clone()).await;
        assert_eq!(answer.status_code, 400, "{event:.200}: {}", answer.body);
        assert_eq!(answer.body["field"], field, "{event:.200}: {}", answer.body);
        let error = answer.body["error"].as_str().expect("the error is a sentence");
        assert!(error.len() < 300, "{event:.200}: {error:.400}");
    }
    let unknown = ask(&stage, json!({"type": "erase"})).await;
    assert!(unknown.body["error"].as_str().is_some_and(|error| error.contains("unknown type")), "{}", unknown.body);
    assert_eq!(everything(&stage.photolala).await, before, "a bad request changed something");
}

/// P1: where Delete Now is not served at once, nobody may ask for another person by a direct invocation. A dry run, which
/// an operator needs before confirming, changes nothing.
#[tokio::test]
async fn a_direct_invocation_asks_for_nobody_where_delete_now_is_not_served() {
    for mode in ["denied", "next-run"] {
        let mut options = options();
        options.deletion_variables.insert("IMMEDIATE_MODE".to_owned(), mode.to_owned());
        let stage = Stage::set(options, 24).await;
        let before = everything(&stage.photolala).await;
        for kind in ["immediate", "schedule", "cancel"] {
            let answer = ask(&stage, json!({"type": kind, "userId": stage.account.upper()})).await;
            assert_eq!(answer.status_code, 403, "{mode} {kind}: {}", answer.body);
            assert!(answer.body["error"].is_string(), "{}", answer.body);
        }
        let dry_run = json!({"type": "immediate", "userId": stage.account.upper(), "dryRun": true});
        assert_eq!(ask(&stage, dry_run).await.body["objectCount"], 24);
        assert_eq!(everything(&stage.photolala).await, before, "a refused request changed something");
    }
}

/// P4: asking again before the second look answers for the same deletion, and erases what came meanwhile.
#[tokio::test]
async fn asking_again_before_the_second_look_erases_what_came_meanwhile() {
    for (versions, is_by_job) in [(1_000, false), (20, true)] {
        let stage = Stage::set(threshold(options(), versions), 60).await;
        let first = stage.delete_now().await;
        stage.end(&first).await;
        let second = stage.delete_now().await;
        assert_eq!((second.status_code, &second.body["status"]), (200, &json!("completed")), "{}", second.body);
        assert_eq!((second.deletion_id(), second.body["state"].as_str()), (first.deletion_id(), Some("complete")));
        put(&stage.photolala, &format!("photos/{}/new.dat", stage.account.upper()), "a new photo").await;
        let third = stage.delete_now().await;
        assert_eq!((third.status_code, &third.body["status"]), (200, &json!("completed")), "{}", third.body);
        assert_eq!((third.deletion_id(), third.job_id().is_some()), (first.deletion_id(), is_by_job));
        let receipt = stage.end_settled(&third).await;
        assert_eq!((receipt.state, receipt.versions.erased), (ReceiptState::Complete, 61));
    }
}

/// P2: a deletion died between its last look and its end, and the person has used the account since: asking again erases
/// that too, before anybody says "completed".
#[tokio::test]
async fn asking_again_after_a_death_at_the_end_erases_what_came_meanwhile() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    let stage = Stage::set(options(), 12).await;
    let (photolala, account) = (&stage.photolala, &stage.account);
    photolala.app_schedules(account, DAY).await;
    let point = request(&photolala.environment().functions.deletion, "PutObject", "records/", "\"settling\"");
    let kill = Kill::set(photolala, point, Dies::Before);
    let _ = photolala.invoke(json!({"type": "immediate", "userId": account.upper()})).await;
    photolala.local().open_gate();
    assert!(kill.struck());
    photolala.pass(LEASE_SECONDS + 1).await;
    let photo = format!("photos/{}/new.dat", account.upper());
    put(photolala, &photo, "a new photo").await;
    let again = stage.delete_now().await;
    assert_eq!((again.status_code, &again.body["status"]), (200, &json!("completed")), "{}", again.body);
    assert_eq!(get(photolala, &photo).await, None, "told that all is erased");
    stage.end_settled(&again).await;
}

/// P4: asking again after the second look is a new deletion, of nothing or of what came since.
#[tokio::test]
async fn asking_again_after_the_second_look_is_a_new_deletion() {
    let stage = Stage::set(options(), 60).await;
    let first = stage.delete_now().await;
    stage.end_settled(&first).await;
    let second = stage.delete_now().await;
    assert_eq!((&second.body["status"], &second.body["method"]), (&json!("completed"), &json!("none")));
    assert_ne!(second.deletion_id(), first.deletion_id());
    stage.end_settled(&second).await;
    put(&stage.photolala, &format!("photos/{}/new.dat", stage.account.upper()), "a new photo").await;
    let third = stage.delete_now().await;
    assert_eq!((&third.body["status"], &third.body["deletedCount"]), (&json!("completed"), &json!(1)));
    stage.end_settled(&third).await;
}
