//! A cancellation meets a run: at each request the run makes, by the event and by an app that writes S3 without asking.
//! And each of schedule, cancel and run dies at each of its requests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use domain::ids::DeletionId;
use domain::layout::{record_key, request_key};
use domain::record::{LEASE_SECONDS, Record};
use harness::person::{active, status_key};
use harness::{Account, Answer, Fixture, Options, Photolala, Snapshot, promises};
use local_aws::{RequestInfo, Verdict, before};
use serde_json::json;

use crate::gates::{Dies, Kill, Point, nth, request};
use crate::scheduled::{GRACE, with_grace};
use crate::stage::{by_job, only_in_memory, options, threshold};

/// More requests than any run here makes.
const REQUESTS_MAX: u64 = 200;
/// Runs and reconciles after which everything must have ended.
const ROUNDS_MAX: u32 = 8;

/// No pause between the two looks: both fall into the same second, which is the hardest case.
fn without_pause(options: Options) -> Options {
    let mut options = with_grace(options);
    options.environment.confirm_seconds = 0;
    options
}

/// An account that asked to be erased, and everything as it is once it is due.
struct Waiting<'a> {
    photolala: &'a Photolala,
    account: Account,
    before: Snapshot,
}

impl<'a> Waiting<'a> {
    /// Every second account by the event, every other by an app alone.
    async fn due(photolala: &'a Photolala, n: u64, by_event: bool) -> Self {
        let account = Account::seeded(n);
        Fixture::of(&account).versions(7).fill(photolala).await.expect("the account is filled");
        if by_event {
            let answer = photolala.ask(json!({"type": "schedule", "userId": account.upper()})).await.unwrap();
            assert_eq!(answer.status_code, 200, "{}", answer.body);
        } else {
            photolala.app_schedules(&account, GRACE.into()).await;
        }
        photolala.pass(i64::from(GRACE) + 2).await;
        let before = photolala.snapshot().await;
        Self { photolala, account, before }
    }

    /// Keys that scheduling and cancelling write.
    fn words(&self) -> Vec<String> {
        let prefix = "scheduled-deletions/";
        let entries = self.before.0.keys().map(|place| place.key.clone()).filter(|key| key.starts_with(prefix));
        entries.chain([status_key(&self.account.upper())]).collect()
    }

    /// P5: nothing of the account has changed but status and entry, and nothing asks for its erasure any more.
    async fn stays(&self, point: u64) {
        let scope = promises::Scope::of(self.photolala.environment(), &[]);
        let words = self.words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        promises::no_over_deletion(&self.before, &self.photolala.snapshot().await, &scope, &words);
        assert_eq!(self.says().await.as_deref(), Some("active"), "point {point}");
        assert!(self.record().await.is_none(), "point {point}: a record is left");
        assert_eq!(self.photolala.own_object(request_key(&self.account.id()).as_str()).await, None, "point {point}");
    }

    /// P2 to P4: all of it is gone, by one deletion.
    async fn is_erased(&self, deletion: DeletionId) {
        let receipt = self.photolala.run_until_complete(deletion).await.expect("the deletion completes");
        let scope = promises::Scope::of(self.photolala.environment(), &[&self.account]);
        let after = self.photolala.snapshot().await;
        promises::no_over_deletion(&self.before, &after, &scope, &[]);
        promises::no_false_receipt(&receipt, &after, &self.account, &scope);
        promises::nothing_left(&after, &scope);
        self.photolala.settle().await.expect("reconcile runs");
        assert!(self.record().await.is_none(), "the record outlived the second look");
    }

    /// The same, where an old app wrote after the last look too: then the second look finds it.
    async fn is_erased_in_the_end(&self, deletion: DeletionId) {
        for _ in 0..ROUNDS_MAX {
            self.photolala.run_until_complete(deletion).await.expect("the deletion completes");
            self.photolala.settle().await.expect("reconcile runs");
            if self.record().await.is_none() {
                let scope = promises::Scope::of(self.photolala.environment(), &[&self.account]);
                let after = self.photolala.snapshot().await;
                promises::no_over_deletion(&self.before, &after, &scope, &[]);
                return promises::nothing_left(&after, &scope);
            }
        }
        panic!("the deletion does not settle: {:?}", self.record().await);
    }

    /// What a cancellation came to: who was told that nothing is decided yet asks again, now that the run is over.
    async fn decided(&self, answer: Answer) -> Answer {
        if answer.status_code != 503 {
            return answer;
        }
        assert_eq!(answer.body["status"], "busy", "{}", answer.body);
        self.photolala.ask(json!({"type": "cancel", "userId": self.account.upper()})).await.expect("cancel answers")
    }

    async fn record(&self) -> Option<Record> {
        let body = self.photolala.own_object(record_key(&self.account.id()).as_str()).await?;
        Some(Record::parse(&body).expect("a record can be read at any moment"))
    }

    /// What the status says, if there is one.
    async fn says(&self) -> Option<String> {
        self.photolala.status_word(&self.account).await
    }

    /// Runs and reconciles until nothing is under way; gives the deletion, if there was one.
    async fn recover(&self) -> Option<DeletionId> {
        let mut deletion = None;
        for _ in 0..ROUNDS_MAX {
            self.photolala.quiet().await;
            let record = self.record().await.filter(|record| record.claimed_at.is_some());
            deletion = deletion.or(record.map(|record| record.deletion_id));
            self.photolala.pass(LEASE_SECONDS + 1).await;
            self.photolala.reconcile().await.expect("reconcile runs");
            self.photolala.quiet().await;
            if self.record().await.is_none() {
                return deletion;
            }
        }
        panic!("after {ROUNDS_MAX} rounds the record is still {:?}", self.record().await);
    }
}

/// Does something once, just before the n-th request of the deletion function, and keeps what came of it.
fn at_request<F, Fut>(photolala: &Photolala, n: u64, act: F) -> Arc<Mutex<Option<Answer>>>
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Option<Answer>> + Send + 'static,
{
    let answered = Arc::new(Mutex::new(None));
    let (point, act, kept) = (nth(&photolala.environment().functions.deletion, n), Arc::new(act), answered.clone());
    let done = Arc::new(AtomicBool::new(false));
    photolala.local().set_gate(before(move |info: RequestInfo| {
        let is_meant = !done.load(Ordering::SeqCst) && point(&info, &bytes::Bytes::new());
        let is_first = is_meant && !done.swap(true, Ordering::SeqCst);
        let (act, kept) = (act.clone(), kept.clone());
        async move {
            if is_first {
                let answer = act().await;
                *kept.lock().unwrap() = answer;
            }
            Verdict::Proceed
        }
    }));
    answered
}

/// The event `cancel`, sent through a client of its own.
fn cancel_event(
    lambda: aws_sdk_lambda::Client,
    function: String,
    account: &Account,
) -> impl Future<Output = Option<Answer>> + Send + use<> {
    let event = json!({"type": "cancel", "userId": account.upper()}).to_string();
    async move {
        let sent = lambda.invoke().function_name(function).payload(event.into_bytes().into()).send().await;
        let output = sent.expect("Lambda takes the event");
        let payload = serde_json::from_slice(output.payload().expect("an answer").as_ref()).expect("JSON");
        Some(Answer::decode(&payload).expect("an answer for an app"))
    }
}

/// P5: whenever the event comes, either it is accepted and nothing is erased, or it is refused and all is. Who is told
/// that nothing is decided yet asks again when the run is over.
async fn cancel_meets_run(options: Options, by_event: bool) {
    let photolala = Photolala::start(options).await.expect("the service starts");
    let (mut accepted, mut refused) = (0, 0);
    for n in 1..REQUESTS_MAX {
        let waiting = Waiting::due(&photolala, n, by_event).await;
        let account = waiting.account.clone();
        let (lambda, function) =
            (photolala.local().lambda_client(), photolala.environment().functions.deletion.clone());
        let answered = at_request(&photolala, n, move || cancel_event(lambda.clone(), function.clone(), &account));
        let run = photolala.run().await;
        photolala.local().open_gate();
        let Some(answer) = answered.lock().unwrap().take() else {
            println!("{accepted} accepted, {refused} refused");
            assert!(accepted >= 5 && refused >= 5, "{accepted} accepted, {refused} refused: the gate saw too little");
            return;
        };
        let answer = waiting.decided(answer).await;
        match answer.status_code {
            200 => {
                assert_eq!(answer.body["status"], "cancelled", "point {n}: {}", answer.body);
                assert!(photolala.own_keys("receipts/").await.len() == refused, "point {n}: {}", run.body);
                waiting.stays(n).await;
                accepted += 1;
            }
            409 => {
                let deletion = answer.deletion_id();
                waiting.is_erased(deletion).await;
                refused += 1;
            }
            code => panic!("point {n}: {code} {}", answer.body),
        }
    }
    panic!("a run makes no {REQUESTS_MAX} requests");
}

/// P5: a person who scheduled by the event cancels at each moment of a run.
#[tokio::test]
async fn a_cancellation_at_each_request_of_a_run_is_decisive() {
    only_in_memory("its clock cannot be moved past the grace period of many accounts");
    Box::pin(cancel_meets_run(without_pause(options()), true)).await;
}

/// P5: the same, where an app had scheduled by itself.
#[tokio::test]
async fn a_cancellation_of_what_an_app_wrote_is_decisive() {
    only_in_memory("its clock cannot be moved past the grace period of many accounts");
    Box::pin(cancel_meets_run(without_pause(options()), false)).await;
}

/// P5: an account for a job.
#[tokio::test]
async fn a_cancellation_at_each_request_about_a_large_account_is_decisive() {
    only_in_memory("its clock cannot be moved past the grace period of many accounts");
    Box::pin(cancel_meets_run(without_pause(by_job(5)), true)).await;
}

/// P5: an old app that cancels by writing S3 wins or loses as a whole: the account stays whole, or goes whole.
#[tokio::test]
async fn an_old_app_that_cancels_during_a_run_wins_or_loses_as_a_whole() {
    only_in_memory("its clock cannot be moved past the grace period of many accounts");
    Box::pin(old_app_meets_run(without_pause(options()))).await;
}

/// P5: the same about an account for a job, which is counted before it is claimed.
#[tokio::test]
async fn an_old_app_that_cancels_a_large_account_wins_or_loses_as_a_whole() {
    only_in_memory("its clock cannot be moved past the grace period of many accounts");
    Box::pin(old_app_meets_run(without_pause(threshold(options(), 5)))).await;
}

async fn old_app_meets_run(options: Options) {
    let photolala = Photolala::start(options).await.expect("the service starts");
    let (mut stayed, mut erased) = (0, 0);
    for n in 1..REQUESTS_MAX {
        let waiting = Waiting::due(&photolala, n, false).await;
        let (s3, bucket, words) = (photolala.s3().clone(), photolala.bucket().to_owned(), waiting.words());
        let body = active(photolala.now()).to_string();
        let wrote = at_request(&photolala, n, move || {
            let (s3, bucket, words, body) = (s3.clone(), bucket.clone(), words.clone(), body.clone());
            async move {
                for key in words.iter().filter(|key| key.starts_with("scheduled-deletions/")) {
                    s3.delete_object().bucket(&bucket).key(key).send().await.expect("an entry is deleted");
                }
                crate::app::put_into(&s3, &bucket, words.last().expect("a status"), &body).await;
                Some(Answer { status_code: 200, body: json!({}) })
            }
        });
        photolala.run().await;
        photolala.local().open_gate();
        if wrote.lock().unwrap().is_none() {
            println!("{stayed} stayed, {erased} erased");
            assert!(stayed >= 4 && erased >= 4, "{stayed} stayed, {erased} erased: the gate saw too little");
            return;
        }
        match waiting.record().await {
            None => {
                waiting.stays(n).await;
                stayed += 1;
            }
            Some(record) => {
                assert!(record.claimed_at.is_some(), "point {n}: {record:?}");
                waiting.is_erased_in_the_end(record.deletion_id).await;
                erased += 1;
            }
        }
    }
    panic!("a run makes no {REQUESTS_MAX} requests");
}

/// What is killed at each of its requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    Schedule,
    Cancel,
    Run,
}

async fn killed(victim: Victim, options: Options, dies: Dies) {
    let photolala = Photolala::start(options).await.expect("the service starts");
    for n in 1..REQUESTS_MAX {
        let waiting = match victim {
            Victim::Schedule => {
                let account = Account::seeded(n);
                Fixture::of(&account).versions(7).fill(&photolala).await.expect("the account is filled");
                Waiting { photolala: &photolala, account, before: photolala.snapshot().await }
            }
            Victim::Cancel | Victim::Run => Waiting::due(&photolala, n, n.is_multiple_of(2)).await,
        };
        let point: Point = nth(&photolala.environment().functions.deletion, n);
        let kill = Kill::set(&photolala, point, dies);
        let event = match victim {
            Victim::Schedule => json!({"type": "schedule", "userId": waiting.account.upper()}),
            Victim::Cancel => json!({"type": "cancel", "userId": waiting.account.upper()}),
            Victim::Run => json!({"type": "scheduled"}),
        };
        // What a dead process answers means nothing.
        let _ = photolala.invoke(event).await;
        photolala.local().open_gate();
        match victim {
            Victim::Schedule => after_schedule(&waiting, n).await,
            Victim::Cancel => after_cancel(&waiting, n).await,
            Victim::Run => after_run(&waiting).await,
        }
        if !kill.struck() {
            println!("{} points to die at", n - 1);
            assert!(n > 10, "only {n} points: the gate saw too little");
            return;
        }
    }
    panic!("nothing makes {REQUESTS_MAX} requests");
}

/// Either nothing was written down, or all of it is in the end, and the account goes when its time has come.
async fn after_schedule(waiting: &Waiting<'_>, n: u64) {
    waiting.recover().await;
    let is_asked = waiting.photolala.own_object(request_key(&waiting.account.id()).as_str()).await.is_some();
    let expected = if is_asked { "scheduled_for_deletion" } else { "active" };
    assert_eq!(waiting.says().await.as_deref(), Some(expected), "point {n}");
    waiting.photolala.pass(i64::from(GRACE) + 2).await;
    let run = waiting.photolala.run().await;
    let line = run.body["results"].as_array().and_then(|lines| lines.first()).cloned();
    assert_eq!(line.is_some(), is_asked, "point {n}: {}", run.body);
    if let Some(line) = line {
        let answer = Answer { status_code: 200, body: line };
        waiting.is_erased(answer.deletion_id()).await;
    }
}

/// Either nothing was taken back, or all of it is in the end.
async fn after_cancel(waiting: &Waiting<'_>, n: u64) {
    waiting.recover().await;
    match waiting.says().await.as_deref() {
        Some("active") => waiting.stays(n).await,
        Some("scheduled_for_deletion") => {
            let key = waiting.words().into_iter().next().expect("an entry");
            assert!(crate::app::get(waiting.photolala, &key).await.is_some(), "point {n}: the entry is gone");
            // Taken back by asking again: the next point begins with nobody due.
            let cancel = json!({"type": "cancel", "userId": waiting.account.upper()});
            assert_eq!(waiting.photolala.ask(cancel).await.unwrap().body["status"], "cancelled", "point {n}");
        }
        other => panic!("point {n}: the status says {other:?}"),
    }
}

/// Whatever the run had done, further runs and reconciles end it: erased, since nobody took anything back.
async fn after_run(waiting: &Waiting<'_>) {
    let mut deletion = waiting.recover().await;
    if deletion.is_none() && waiting.says().await.is_some() {
        // Nothing was claimed: the next run does it all.
        let run = waiting.photolala.run().await;
        let line = run.body["results"][0].clone();
        deletion = Some(Answer { status_code: 200, body: line }.deletion_id());
    }
    let scope = promises::Scope::of(waiting.photolala.environment(), &[&waiting.account]);
    if let Some(deletion) = deletion {
        waiting.photolala.run_until_complete(deletion).await.expect("the deletion completes");
        waiting.recover().await;
    }
    let after = waiting.photolala.snapshot().await;
    promises::no_over_deletion(&waiting.before, &after, &scope, &[]);
    promises::nothing_left(&after, &scope);
}

/// P4: `schedule` killed after, and before, each of its requests.
#[tokio::test]
async fn scheduling_killed_at_each_request_is_whole_or_nothing() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    for dies in [Dies::After, Dies::Before] {
        Box::pin(killed(Victim::Schedule, without_pause(options()), dies)).await;
    }
}

/// P5: `cancel` killed after, and before, each of its requests.
#[tokio::test]
async fn cancelling_killed_at_each_request_is_whole_or_nothing() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    for dies in [Dies::After, Dies::Before] {
        Box::pin(killed(Victim::Cancel, without_pause(options()), dies)).await;
    }
}

/// P4: a run killed after, and before, each of its requests: small accounts.
#[tokio::test]
async fn a_run_killed_at_each_request_is_finished_by_others() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    for dies in [Dies::After, Dies::Before] {
        Box::pin(killed(Victim::Run, without_pause(options()), dies)).await;
    }
}

/// P4: the same about an account for a job, among them the moments between CreateJob and the record's update.
#[tokio::test]
async fn a_run_killed_at_each_request_about_a_large_account_is_finished_by_others() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    for dies in [Dies::After, Dies::Before] {
        Box::pin(killed(Victim::Run, without_pause(by_job(5)), dies)).await;
    }
}

/// P5: both in the same second, many times, from two sides: exactly one of them wins.
#[tokio::test]
async fn a_cancellation_in_the_second_of_the_claim_is_decisive() {
    only_in_memory("its clock cannot be moved past the grace period of many accounts");
    let photolala = Photolala::start(without_pause(options())).await.expect("the service starts");
    for n in 1..=20 {
        let waiting = Waiting::due(&photolala, n, n.is_multiple_of(2)).await;
        let (lambda, function) =
            (photolala.local().lambda_client(), photolala.environment().functions.deletion.clone());
        let (_, answer) = tokio::join!(photolala.run(), cancel_event(lambda, function, &waiting.account));
        let answer = waiting.decided(answer.expect("cancel answers")).await;
        match answer.status_code {
            200 => waiting.stays(n).await,
            409 => waiting.is_erased(answer.deletion_id()).await,
            code => panic!("{n}: {code} {}", answer.body),
        }
    }
}

/// P4: a cancellation dies half way, and the person asks anew in another app before anybody finishes it: the new request
/// stands.
#[tokio::test]
async fn a_cancellation_that_died_takes_nothing_back_that_came_after_it() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    let photolala = Photolala::start(without_pause(options())).await.expect("the service starts");
    let waiting = Waiting::due(&photolala, 1, true).await;
    let point = request(&photolala.environment().functions.deletion, "PutObject", "users/", "active");
    let kill = Kill::set(&photolala, point, Dies::After);
    let cancel = json!({"type": "cancel", "userId": waiting.account.upper()});
    let _ = photolala.invoke(cancel).await;
    photolala.local().open_gate();
    assert!(kill.struck());
    assert_eq!(photolala.own_keys("requests/").await.len(), 1);
    photolala.pass(2).await;
    photolala.app_schedules(&waiting.account, GRACE.into()).await;
    waiting.recover().await;
    assert!(photolala.own_keys("requests/").await.is_empty(), "a person may have waived the grace of what was before");
    assert_eq!(waiting.says().await.as_deref(), Some("scheduled_for_deletion"));
    photolala.pass(i64::from(GRACE) + 2).await;
    let run = photolala.run().await;
    let answer = Answer { status_code: 200, body: run.body["results"][0].clone() };
    waiting.is_erased(answer.deletion_id()).await;
}
