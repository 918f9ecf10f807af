//! Defects of the earlier system, one short story each: here of who asks, who may, and who is told.

use domain::environment::ImmediateMode;
use domain::event::Query;
use domain::ids::JobId;
use harness::person::{active, entry, entry_key, status_key};
use harness::{Account, FunctionError, Photolala, environment};
use jiff::SignedDuration;
use local_aws::s3_control_error;
use serde_json::{Value, json};

use crate::app::{get, put};
use crate::gates::{Freeze, answering, first, request};
use crate::scheduled::with_grace;
use crate::stage::{Stage, by_job, options};

const DAY: i64 = 86_400;

/// The keys of schedule entries when the stage was set.
fn entries(stage: &Stage) -> Vec<String> {
    let keys = stage.before.0.keys().map(|place| &place.key);
    keys.filter(|key| key.starts_with("scheduled-deletions/")).cloned().collect()
}

async fn ask(photolala: &Photolala, event: Value) -> harness::Answer {
    photolala.ask(event).await.expect("the function answers")
}

/// D5: the entry alone decided: who had cancelled was erased if the entry had stayed, for whatever reason.
#[tokio::test]
async fn d05_an_entry_beside_an_active_status_erases_nobody() {
    let stage = Stage::set(with_grace(options()), 12).await;
    let photolala = &stage.photolala;
    let [kept, twice, half] = [101, 102, 103].map(Account::seeded);
    for account in [&kept, &twice, &half] {
        harness::Fixture::of(account).versions(6).fill(photolala).await.expect("the account is filled");
    }
    // The entry could not be deleted; there were two dates, and one was cancelled; the status was never written.
    photolala.app_schedules(&kept, 0).await;
    photolala.put(&status_key(&kept.upper()), &active(photolala.now()).to_string()).await;
    photolala.app_schedules(&twice, -DAY).await;
    let second = photolala.app_schedules(&twice, 0).await;
    photolala.app_cancels(&twice, second).await;
    let now = photolala.now();
    photolala.put(&entry_key(&half.upper(), now), &entry(&half, now, now).to_string()).await;
    let cancel = ask(photolala, json!({"type": "cancel", "userId": half.upper()})).await;
    assert_eq!((cancel.status_code, &cancel.body["status"]), (200, &json!("cancelled")), "{}", cancel.body);
    let stage = stage.taken_anew().await;
    stage.wait().await;
    let run = stage.photolala.run().await;
    assert_eq!((&run.body["cancelled"], &run.body["claimed"]), (&json!(2), &json!(0)), "{}", run.body);
    let entries = entries(&stage);
    assert_eq!(entries.len(), 2, "the cancellation found the entry that no status dates");
    stage.is_untouched(&entries.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

/// Where a run is when cancel is pressed (operation, start of the key, text in the body), and how that is answered: in
/// time, not decided yet, or too late.
const MOMENTS: [(&str, &str, &str, u16); 4] = [
    ("PutObject", "records/", "\"claiming\"", 200),
    ("PutObject", "users/", "", 503),
    ("PutObject", "records/", "\"claimed\"", 503),
    ("DeleteObjects", "", "", 409),
];

/// D6: it checked and then erased without a claim, so that a cancellation in between left half an account.
#[tokio::test]
async fn d06_cancel_during_a_run_stops_it_or_is_refused() {
    for (operation, key, text, answered) in MOMENTS {
        let stage = Stage::set(with_grace(options()), 30).await;
        stage.schedule().await;
        let stage = stage.taken_anew().await;
        stage.wait().await;
        let function = &stage.photolala.environment().functions.deletion;
        let freeze = Freeze::set(&stage.photolala, request(function, operation, key, text));
        let pressed = async {
            freeze.frozen().await;
            let answer = stage.cancel().await;
            freeze.resume();
            answer
        };
        let (run, cancel) = tokio::join!(stage.photolala.run(), pressed);
        assert_eq!(cancel.status_code, answered, "at {operation} {key} {text}: {}", cancel.body);
        if answered == 200 {
            assert_eq!(cancel.body["status"], "cancelled");
            let status = status_key(&stage.account.upper());
            stage.is_untouched(&[&status, &entries(&stage)[0]]).await;
            let says = get(&stage.photolala, &status).await.expect("the status is there");
            assert!(says.contains("\"active\""), "{says}");
        } else {
            assert!(answered == 409 || cancel.body["retryAfterSeconds"].is_u64(), "{}", cancel.body);
            let late = stage.cancel().await;
            assert_eq!(late.status_code, 409, "asked again after {operation} {key} {text}: {}", late.body);
            stage.erased_by(run).await;
        }
    }
}

/// D11: whoever could write an entry, or knew an id, had anybody erased.
#[tokio::test]
async fn d11_nobody_has_somebody_else_erased() {
    let stage = Stage::set(with_grace(options()), 30).await;
    let (photolala, victim, stranger) = (&stage.photolala, &stage.account, Account::seeded(77));
    let days_ago = |days: i64| photolala.now() - SignedDuration::from_hours(24 * days);
    let forgeries = [(victim, &stranger, 2), (&stranger, victim, 3), (victim, victim, 4)];
    let forgeries = forgeries.map(|(file, body, days)| {
        let then = days_ago(days);
        (entry_key(&file.upper(), then), entry(body, then, then).to_string())
    });
    for (key, body) in &forgeries {
        put(photolala, key, body).await;
    }
    stage.wait().await;
    let run = photolala.run().await;
    assert_eq!((&run.body["quarantined"], &run.body["claimed"]), (&json!(2), &json!(0)), "{}", run.body);
    for kind in ["immediate", "schedule", "cancel"] {
        let event = json!({"type": kind, "userId": victim.upper()});
        let answer = photolala.ask_by_url(&stranger.upper(), event).await.expect("the function answers");
        assert_eq!(answer.status_code, 403, "{kind}: {}", answer.body);
    }
    stage.is_untouched(&forgeries.each_ref().map(|(key, _)| key.as_str())).await;
}

/// D12: the phone's clock decided when the grace period was over: one that ran 30 days slow had its owner erased at once.
#[tokio::test]
async fn d12_the_grace_period_is_counted_by_s3() {
    let stage = Stage::set(with_grace(options()), 30).await;
    let delete_on = stage.photolala.app_schedules(&stage.account, -30 * DAY).await;
    let early = stage.photolala.run().await;
    assert_eq!((&early.body["due"], &early.body["claimed"]), (&json!(0), &json!(0)), "{}", early.body);
    let upper = stage.account.upper();
    stage.is_untouched(&[&entry_key(&upper, delete_on), &status_key(&upper)]).await;
    let stage = stage.taken_anew().await;
    stage.wait().await;
    stage.erased_by(stage.photolala.run().await).await;
}

/// D15: it took any text for an id and removed the first entry whose key held it: a stranger's request vanished.
#[tokio::test]
async fn d15_a_part_of_a_key_is_nobodys_id() {
    let stage = Stage::set(with_grace(options()), 30).await;
    stage.photolala.app_schedules(&stage.account, -DAY).await;
    stage.photolala.app_schedules(&stage.account, 0).await;
    let stage = stage.taken_anew().await;
    let entries = entries(&stage);
    assert_eq!(entries.len(), 2, "{entries:?}");
    let upper = stage.account.upper();
    let day = entries[0].split('/').nth(1).expect("an entry lies under its day");
    for text in [day, &day[..7], ".json", "scheduled-deletions", "-", &upper[..8], &format!("{day}/{upper}"), ""] {
        let answer = ask(&stage.photolala, json!({"type": "immediate", "userId": text})).await;
        assert_eq!((answer.status_code, &answer.body["field"]), (400, &json!("userId")), "{text}: {}", answer.body);
    }
    stage.is_untouched(&[]).await;
    stage.wait().await;
    // Both entries go with the account.
    stage.erased_by(stage.photolala.run().await).await;
}

async fn status_of(photolala: &Photolala, job: &JobId) -> harness::Answer {
    photolala.status(&Query::Job(job.clone())).await.expect("the function answers")
}

/// D17: for an unknown job, and for whatever else DescribeJob failed with, it broke in the same way.
#[tokio::test]
async fn d17_an_unknown_job_is_not_a_broken_service() {
    let stage = Stage::set(by_job(5), 12).await;
    let unknown = JobId::parse("00000000-0000-4000-8000-000000000000").expect("a job id");
    let said = status_of(&stage.photolala, &unknown).await;
    assert_eq!((said.status_code, &said.body["status"]), (404, &json!("NotFound")), "{}", said.body);
    let answer = stage.delete_now().await;
    let job = answer.job_id().expect("there is a job");
    answering(&stage.photolala, |info, _| {
        (info.operation == "DescribeJob").then(|| s3_control_error(403, "AccessDenied", "Access Denied"))
    });
    let said = status_of(&stage.photolala, &job).await;
    assert_eq!((said.status_code, &said.body["status"]), (500, &Value::Null), "{}", said.body);
    let point = first(2, Box::new(|info, _| info.operation == "DescribeJob"));
    answering(&stage.photolala, move |info, body| {
        point(info, body).then(|| s3_control_error(500, "InternalError", "We encountered an internal error."))
    });
    let said = status_of(&stage.photolala, &job).await;
    assert_eq!((said.status_code, &said.body["state"]), (200, &json!("erasing")), "{}", said.body);
    stage.photolala.local().open_gate();
    stage.end_settled(&answer).await;
    let said = status_of(&stage.photolala, &job).await;
    assert_eq!((said.status_code, &said.body["state"]), (200, &json!("complete")), "{}", said.body);
}

/// D21: it promised messages and had no code for them: nobody was ever told.
#[tokio::test]
async fn d21_the_back_end_is_told_of_the_claim_and_of_the_end() {
    let stage = Stage::set(with_grace(options()), 30).await;
    stage.schedule().await;
    let stage = stage.taken_anew().await;
    stage.wait().await;
    stage.photolala.local().recorder().start();
    let run = stage.photolala.run().await;
    let records = stage.photolala.local().recorder().stop();
    let number = |is_meant: fn(&str) -> bool| {
        let infos = records.iter().map(|record| &record.info);
        infos.filter(|info| is_meant(info.operation)).map(|info| info.number).min().expect("the run did it")
    };
    let (told, erased) = (number(|o| o == "PutEvents"), number(|o| o.starts_with("DeleteObject")));
    assert!(told < erased, "the address was gone before anybody could keep it");
    let receipt = stage.erased_by(run).await;
    let notices = stage.photolala.local().events().put();
    let bus = &stage.photolala.environment().name;
    let told: Vec<_> = notices.iter().map(|notice| &notice.envelope).collect();
    let kinds: Vec<_> = told.iter().map(|notice| notice["detail-type"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds, ["claimed", "completed"]);
    assert_eq!(told[0]["detail"]["userId"], stage.account.upper());
    for (notice, envelope) in notices.iter().zip(&told) {
        assert!(notice.bus.ends_with(bus), "{}", notice.bus);
        assert_eq!(envelope["detail"]["deletionId"], receipt.deletion_id.to_string());
    }
}

/// D24: where a variable was missing the gate stood open, whatever the bucket.
#[tokio::test]
async fn d24_without_its_variables_the_function_does_not_start() {
    let mut settings = options();
    settings.environment.immediate_mode = ImmediateMode::Denied;
    let stage = Stage::set(settings, 12).await;
    let (lambda, upper) = (stage.photolala.local().lambda(), stage.account.upper());
    let name = &stage.photolala.environment().functions.deletion;
    let answer = stage.delete_now().await;
    assert_eq!(answer.status_code, 403, "{}", answer.body);
    let functions = lambda.functions();
    let deployed = functions.into_iter().find(|function| function.name == *name).expect("it is deployed");
    for variable in ["IMMEDIATE_MODE", "ENVIRONMENT", "BUCKETS"] {
        let mut function = deployed.clone();
        assert!(function.variables.remove(variable).is_some(), "{variable} is no variable");
        lambda.add(function);
        let started = stage.photolala.delete_now(&upper).await;
        assert!(matches!(started, Err(FunctionError::Failed { .. })), "without {variable}: {started:?}");
        let lines = lambda.logs(name);
        assert!(lines.iter().any(|line| line.text.contains(&format!("{variable}: is missing"))), "{variable}");
    }
    stage.is_untouched(&[]).await;
    let production = environment::load("production").expect("there is such an environment");
    assert_ne!(production.immediate_mode, ImmediateMode::Allowed);
}
