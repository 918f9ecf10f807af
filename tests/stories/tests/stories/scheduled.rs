//! From "delete my account" to the receipt, with the time in between.

use domain::mapping::BucketKind;
use domain::receipt::ReceiptState;
use domain::record::Kind;
use harness::person::{active, entry, entry_key, scheduled, status_key};
use harness::{Account, Answer, Fixture, Options, Photolala, promises};
use serde_json::{Value, json};

use crate::app::{get, put};
use crate::gates::answering;
use crate::stage::{Stage, kind, only_in_memory, options};

/// Seconds a person has to change their mind here: short enough to be waited for on a server with its own clock.
pub const GRACE: u32 = 4;

/// Options with that grace period.
pub fn with_grace(options: Options) -> Options {
    let mut options = options;
    options.environment.grace_seconds = GRACE;
    options
}

impl Stage {
    /// The app asks for the erasure after the grace period.
    pub async fn schedule(&self) -> Answer {
        let event = json!({"type": "schedule", "userId": self.account.upper()});
        self.photolala.ask(event).await.expect("the function answers")
    }

    /// The app says that the person stays.
    pub async fn cancel(&self) -> Answer {
        let event = json!({"type": "cancel", "userId": self.account.upper()});
        self.photolala.ask(event).await.expect("the function answers")
    }

    /// The grace period passes.
    pub async fn wait(&self) {
        self.photolala.pass(i64::from(GRACE) + 2).await;
    }

    /// What a run says of the account.
    pub fn line<'a>(&self, answer: &'a Answer) -> Option<&'a Value> {
        let lines = answer.body["results"].as_array().expect("a run answers with results");
        lines.iter().find(|line| line["userId"] == self.account.upper())
    }

    /// The run erases the account, and nothing else.
    pub async fn erased_by(&self, run: Answer) -> domain::receipt::Receipt {
        let line = self.line(&run).unwrap_or_else(|| panic!("the run does not speak of the account: {}", run.body));
        let answer = Answer { status_code: 200, body: line.clone() };
        let receipt = self.end_settled(&answer).await;
        assert_eq!(receipt.kind, Kind::Scheduled);
        receipt
    }

    /// Nothing has changed since the snapshot, but what the story did itself.
    pub async fn is_untouched(&self, but: &[&str]) {
        let scope = promises::Scope::of(self.photolala.environment(), &[]);
        promises::no_over_deletion(&self.before, &self.photolala.snapshot().await, &scope, but);
        assert!(!self.photolala.has_record(&self.account).await, "a record was left");
    }
}

async fn keys_of(photolala: &Photolala, prefix: &str) -> Vec<String> {
    let listed = photolala.s3().list_objects_v2().bucket(photolala.bucket()).prefix(prefix).send().await;
    let listed = listed.expect("a listing answers");
    listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
}

/// P6, P2: asked for, waited for, erased; not a second early.
#[tokio::test]
async fn scheduled_then_waited_then_erased() {
    for bucket in [BucketKind::Unversioned, BucketKind::Versioned] {
        let stage = Stage::set(with_grace(kind(bucket)), 60).await;
        let answer = stage.schedule().await;
        assert_eq!((answer.status_code, &answer.body["status"]), (200, &json!("scheduled")), "{}", answer.body);
        let early = stage.photolala.run().await;
        assert_eq!(early.body["due"], 0, "{}", early.body);
        assert_eq!(keys_of(&stage.photolala, "scheduled-deletions/").await.len(), 1);
        stage.wait().await;
        let run = stage.photolala.run().await;
        assert_eq!((&run.body["claimed"], &run.body["processed"]), (&json!(1), &json!(1)), "{}", run.body);
        let receipt = stage.erased_by(run).await;
        // Where versions are kept, the status that says "scheduled" is one more.
        let versions = if bucket == BucketKind::Versioned { 61 } else { 60 };
        assert_eq!((receipt.state, receipt.versions.erased), (ReceiptState::Complete, versions), "{receipt:?}");
        assert_eq!(stage.photolala.own_keys("requests/").await, [""; 0], "the request outlived the account");
    }
}

/// What this service writes is what the app reads: the entry under the day of the status's date, whole seconds.
#[tokio::test]
async fn the_app_finds_what_was_scheduled_for_it() {
    let stage = Stage::set(with_grace(options()), 10).await;
    let answer = stage.schedule().await;
    let status: Value =
        serde_json::from_str(&get(&stage.photolala, &status_key(&stage.account.upper())).await.unwrap())
            .expect("the status is JSON");
    assert_eq!(status["accountStatus"], "scheduled_for_deletion");
    assert_eq!(status["deleteDate"], answer.body["deleteDate"]);
    let date = status["deleteDate"].as_str().expect("a date").parse().expect("a moment");
    let body = get(&stage.photolala, &entry_key(&stage.account.upper(), date)).await.expect("the entry is there");
    let body: Value = serde_json::from_str(&body).expect("the entry is JSON");
    assert_eq!((&body["deleteOn"], &body["userId"]), (&status["deleteDate"], &json!(stage.account.upper())));
    let status = stage.photolala.ask(json!({"type": "status", "userId": stage.account.lower()})).await.unwrap();
    assert_eq!((status.status_code, &status.body["state"]), (200, &json!("requested")), "{}", status.body);
}

/// P4: an app that writes S3 by itself is served, in both kinds of buckets, with v1's spelling too.
#[tokio::test]
async fn what_an_app_wrote_by_itself_is_honoured() {
    for bucket in [BucketKind::Unversioned, BucketKind::Versioned] {
        honoured(bucket).await;
    }
}

/// The same where versioning was switched off again: the marker that a conditional delete leaves goes too.
#[tokio::test]
async fn what_an_app_wrote_into_a_suspended_bucket_is_honoured() {
    only_in_memory("SeaweedFS does not erase a null delete marker by its version id");
    honoured(BucketKind::Suspended).await;
}

async fn honoured(bucket: BucketKind) {
    let stage = Stage::set(with_grace(kind(bucket)), 40).await;
    stage.photolala.app_schedules(&stage.account, GRACE.into()).await;
    let stage = stage.taken_anew().await;
    assert_eq!(stage.photolala.run().await.body["due"], 0);
    stage.wait().await;
    stage.erased_by(stage.photolala.run().await).await;
}

/// P5: cancelled in time by the event, by the app alone, and after having been scheduled by the app alone.
#[tokio::test]
async fn cancelled_in_time_nothing_is_erased() {
    let stage = Stage::set(with_grace(kind(BucketKind::Versioned)), 30).await;
    let status = status_key(&stage.account.upper());
    stage.schedule().await;
    let answer = stage.cancel().await;
    assert_eq!((answer.status_code, &answer.body["status"]), (200, &json!("cancelled")), "{}", answer.body);
    let delete_on = stage.photolala.app_schedules(&stage.account, GRACE.into()).await;
    stage.photolala.app_cancels(&stage.account, delete_on).await;
    stage.photolala.app_schedules(&stage.account, GRACE.into()).await;
    assert_eq!(stage.cancel().await.body["status"], "cancelled");
    assert_eq!(stage.cancel().await.body["status"], "not_scheduled");
    stage.wait().await;
    let run = stage.photolala.run().await;
    assert_eq!((&run.body["claimed"], &run.body["processed"]), (&json!(0), &json!(0)), "{}", run.body);
    let entry = entry_key(&stage.account.upper(), delete_on);
    stage.is_untouched(&[&status, &entry]).await;
    let says: Value = serde_json::from_str(&get(&stage.photolala, &status).await.unwrap()).unwrap();
    assert_eq!((&says["accountStatus"], &says["deleteDate"]), (&json!("active"), &Value::Null));
}

/// D5: the entry survived its cancellation, the status says active: the entry goes, the person stays.
#[tokio::test]
async fn an_entry_that_survived_its_cancellation_erases_nobody() {
    for bucket in [BucketKind::Unversioned, BucketKind::Versioned] {
        let stage = Stage::set(with_grace(kind(bucket)), 30).await;
        let delete_on = stage.photolala.app_schedules(&stage.account, 0).await;
        let (upper, now) = (stage.account.upper(), stage.photolala.now());
        put(&stage.photolala, &status_key(&upper), &active(now).to_string()).await;
        let stage = stage.taken_anew().await;
        stage.wait().await;
        let run = stage.photolala.run().await;
        assert_eq!(run.body["cancelled"], 1, "{}", run.body);
        stage.is_untouched(&[&entry_key(&upper, delete_on)]).await;
        assert_eq!(get(&stage.photolala, &entry_key(&upper, delete_on)).await, None);
        assert_eq!(stage.photolala.run().await.body["due"], 0);
    }
}

/// D11: an entry that a stranger forged: with another id inside, and with the victim's own.
#[tokio::test]
async fn an_entry_forged_for_a_stranger_erases_nobody() {
    let stage = Stage::set(with_grace(options()), 30).await;
    let (victim, stranger) = (stage.account.clone(), Account::seeded(77));
    let past = stage.photolala.now().checked_sub(jiff::SignedDuration::from_hours(48)).unwrap();
    let key = entry_key(&victim.upper(), past);
    put(&stage.photolala, &key, &entry(&stranger, past, past).to_string()).await;
    stage.wait().await;
    let run = stage.photolala.run().await;
    assert_eq!((&run.body["quarantined"], &run.body["claimed"]), (&json!(1), &json!(0)), "{}", run.body);
    put(&stage.photolala, &key, &entry(&victim, past, past).to_string()).await;
    stage.wait().await;
    let run = stage.photolala.run().await;
    assert_eq!((&run.body["cancelled"], &run.body["claimed"]), (&json!(1), &json!(0)), "{}", run.body);
    stage.is_untouched(&[&key]).await;
}

/// D12: a phone 40 days slow is not erased early; one 40 days fast waits, and somebody is told.
#[tokio::test]
async fn a_phone_with_a_wrong_clock_erases_nobody_early() {
    let stage = Stage::set(with_grace(options()), 30).await;
    let forty_days = 40 * 86_400;
    stage.photolala.app_schedules(&stage.account, -forty_days).await;
    let fast = Account::seeded(78);
    Fixture::of(&fast).versions(10).fill(&stage.photolala).await.expect("the account is filled");
    stage.photolala.app_schedules(&fast, forty_days).await;
    let stage = stage.taken_anew().await;
    assert_eq!(stage.photolala.run().await.body["due"], 0, "the grace period is S3's");
    stage.wait().await;
    let run = stage.photolala.run().await;
    assert_eq!((&run.body["due"], &run.body["claimed"]), (&json!(1), &json!(1)), "{}", run.body);
    stage.erased_by(run).await;
    assert!(stage.photolala.largest("FarOff") > 0.0);
}

/// Asked twice, the request moves; only the last entry is left, and the first date passes without effect.
#[tokio::test]
async fn scheduled_twice_the_later_date_counts() {
    let stage = Stage::set(with_grace(kind(BucketKind::Versioned)), 30).await;
    let first = stage.schedule().await;
    stage.photolala.pass(i64::from(GRACE) - 1).await;
    let second = stage.schedule().await;
    assert_ne!(first.body["deleteDate"], second.body["deleteDate"]);
    assert!(keys_of(&stage.photolala, "scheduled-deletions/").await.len() == 1);
    stage.photolala.pass(2).await;
    assert_eq!(stage.photolala.run().await.body["due"], 0);
    stage.wait().await;
    stage.erased_by(stage.photolala.run().await).await;
}

/// A person whom only an e-mail mapping knows: no status, no entry of an app.
#[tokio::test]
async fn a_person_known_by_e_mail_alone_is_erased() {
    let stage = Stage::with(with_grace(options()), |fixture| fixture.versions(0)).await;
    let mapping = format!("emails/{}", stage.account.email_hash());
    put(&stage.photolala, &mapping, &stage.account.lower()).await;
    let stage = stage.taken_anew().await;
    assert_eq!(stage.schedule().await.status_code, 200);
    stage.wait().await;
    let receipt = stage.erased_by(stage.photolala.run().await).await;
    assert!(receipt.mappings.erased >= 1, "{receipt:?}");
    assert_eq!(get(&stage.photolala, &mapping).await, None);
}

/// Scheduled in one spelling, active in the other: nobody is erased, and a person is asked to look.
#[tokio::test]
async fn statuses_that_contradict_each_other_erase_nobody() {
    let stage = Stage::set(with_grace(options()), 30).await;
    let delete_on = stage.photolala.app_schedules(&stage.account, 0).await;
    put(&stage.photolala, &status_key(&stage.account.lower()), &active(delete_on).to_string()).await;
    let stage = stage.taken_anew().await;
    stage.wait().await;
    let run = stage.photolala.run().await;
    let line = stage.line(&run).expect("the run speaks of the account");
    assert_eq!((&run.body["quarantined"], &line["status"]), (&json!(1), &json!("quarantined")), "{}", run.body);
    assert!(line["message"].as_str().is_some_and(|text| text.contains("contradict")), "{line}");
    stage.is_untouched(&[]).await;
    // Both say so: erased.
    let later = scheduled(delete_on, delete_on).to_string();
    put(&stage.photolala, &status_key(&stage.account.lower()), &later).await;
    let stage = stage.taken_anew().await;
    stage.wait().await;
    stage.erased_by(stage.photolala.run().await).await;
}

/// A sign-in that led to the account and leads to a new one by now stays with the new one.
#[tokio::test]
async fn a_mapping_that_moved_to_a_new_account_stays() {
    for bucket in [BucketKind::Unversioned, BucketKind::Versioned] {
        let stage = Stage::set(with_grace(kind(bucket)), 30).await;
        stage.photolala.app_schedules(&stage.account, 0).await;
        let (mapping, new) = (stage.account.mapping_keys().remove(0), Account::seeded(79));
        put(&stage.photolala, &mapping, &new.upper()).await;
        let stage = stage.taken_anew().await;
        stage.wait().await;
        stage.erased_by(stage.photolala.run().await).await;
        assert_eq!(get(&stage.photolala, &mapping).await, Some(new.upper()));
    }
}

/// P5, P6: an old app cancels a request that this service wrote down, and later somebody writes a status with a date
/// long past: the grace period of that word counts, not the old request.
#[tokio::test]
async fn a_request_that_an_old_app_cancelled_waives_nobodys_grace() {
    let stage = Stage::set(with_grace(options()), 30).await;
    let answer = stage.schedule().await;
    let delete_on = answer.body["deleteDate"].as_str().and_then(|text| text.parse().ok()).expect("a moment");
    stage.photolala.app_cancels(&stage.account, delete_on).await;
    stage.wait().await;
    let now = stage.photolala.now();
    let past = now.checked_sub(jiff::SignedDuration::from_hours(48)).unwrap();
    put(&stage.photolala, &status_key(&stage.account.upper()), &scheduled(past, now).to_string()).await;
    let run = stage.photolala.run().await;
    assert_eq!(run.body["claimed"], 0, "{}", run.body);
    stage.is_untouched(&[&status_key(&stage.account.upper())]).await;
    // The same word, once its own grace period is over.
    stage.wait().await;
    let stage = stage.taken_anew().await;
    stage.erased_by(stage.photolala.run().await).await;
}

/// P5: an entry that no status and no request dates is found by a cancellation all the same; nothing is left that a
/// person could confirm.
#[tokio::test]
async fn a_cancellation_finds_an_entry_that_nothing_dates() {
    let stage = Stage::with(with_grace(options()), |fixture| fixture.versions(0)).await;
    let photo = format!("photos/{}/1.dat", stage.account.upper());
    put(&stage.photolala, &photo, "a photo").await;
    let now = stage.photolala.now();
    let key = entry_key(&stage.account.upper(), now);
    put(&stage.photolala, &key, &entry(&stage.account, now, now).to_string()).await;
    stage.wait().await;
    assert_eq!(stage.photolala.run().await.body["quarantined"], 1);
    assert_eq!(stage.cancel().await.body["status"], "cancelled");
    assert_eq!(get(&stage.photolala, &key).await, None);
    let dry_run = json!({"type": "immediate", "userId": stage.account.upper(), "dryRun": true});
    let digest = stage.photolala.ask(dry_run).await.unwrap().body["digest"].clone();
    let confirm = json!({"type": "confirm", "userId": stage.account.upper(), "digest": digest});
    assert_eq!(stage.photolala.ask(confirm).await.unwrap().status_code, 404);
    assert_eq!(get(&stage.photolala, &photo).await.as_deref(), Some("a photo"));
}

/// A confirmation never promises what no run will do: statuses that contradict each other stay a contradiction.
#[tokio::test]
async fn what_contradicts_itself_cannot_be_confirmed() {
    let stage = Stage::set(with_grace(options()), 30).await;
    let delete_on = stage.photolala.app_schedules(&stage.account, 0).await;
    put(&stage.photolala, &status_key(&stage.account.lower()), &active(delete_on).to_string()).await;
    let stage = stage.taken_anew().await;
    stage.wait().await;
    let dry_run = json!({"type": "immediate", "userId": stage.account.upper(), "dryRun": true});
    let digest = stage.photolala.ask(dry_run).await.unwrap().body["digest"].clone();
    let confirm = json!({"type": "confirm", "userId": stage.account.upper(), "digest": digest});
    let answer = stage.photolala.ask(confirm).await.unwrap();
    assert_eq!(answer.status_code, 409, "{}", answer.body);
    assert!(answer.body["error"].as_str().is_some_and(|error| error.contains("contradict")), "{}", answer.body);
    stage.is_untouched(&[]).await;
}

/// P1: a status that may not be read is no absence, and no leave to erase: the account waits, and the run says so.
#[tokio::test]
async fn a_status_that_may_not_be_read_is_no_absence() {
    let stage = Stage::set(with_grace(options()), 30).await;
    stage.photolala.app_schedules(&stage.account, 0).await;
    let stage = stage.taken_anew().await;
    stage.wait().await;
    answering(&stage.photolala, |info, _| {
        let is_status =
            info.operation == "GetObject" && info.key.as_deref().is_some_and(|key| key.ends_with("status.json"));
        let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
        is_status.then(|| http::Response::builder().status(403).body(denied.into()).expect("a response"))
    });
    let run = stage.photolala.run().await;
    assert_eq!((&run.body["claimed"], &run.body["failed"]), (&json!(0), &json!(1)), "{}", run.body);
    assert!(run.body["error"].is_string(), "{}", run.body);
    assert!(stage.photolala.daily().await.is_err(), "nobody reads the answer of a rule's run: it has to fail");
    stage.photolala.local().open_gate();
    stage.is_untouched(&[]).await;
    stage.erased_by(stage.photolala.run().await).await;
}
