//! A cancellation meets a run: at each request the run makes, by the event and by an app that writes S3 without asking.
//! And each of schedule, cancel and run dies at each of its requests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use domain::layout::request_key;
use harness::person::active;
use harness::{Account, Answer, Fixture, Options, Photolala, promises};
use local_aws::{RequestInfo, Verdict, before};
use serde_json::json;

use crate::gates::{Dies, Kill, Point, nth};
use crate::scheduled::GRACE;
use crate::stage::{by_job, only_in_memory, options, threshold};
use crate::waiting::{Waiting, cancel_event, without_pause};

/// More requests than any run here makes.
const REQUESTS_MAX: u64 = 200;

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

/// P4: `schedule` killed after each of its requests.
#[tokio::test]
async fn scheduling_killed_after_each_request_is_whole_or_nothing() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    Box::pin(killed(Victim::Schedule, without_pause(options()), Dies::After)).await;
}

/// P4: `schedule` killed before each of its requests.
#[tokio::test]
async fn scheduling_killed_before_each_request_is_whole_or_nothing() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    Box::pin(killed(Victim::Schedule, without_pause(options()), Dies::Before)).await;
}

/// P5: `cancel` killed after each of its requests.
#[tokio::test]
async fn cancelling_killed_after_each_request_is_whole_or_nothing() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    Box::pin(killed(Victim::Cancel, without_pause(options()), Dies::After)).await;
}

/// P5: `cancel` killed before each of its requests.
#[tokio::test]
async fn cancelling_killed_before_each_request_is_whole_or_nothing() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    Box::pin(killed(Victim::Cancel, without_pause(options()), Dies::Before)).await;
}

/// P4: a run killed after each of its requests: small accounts.
#[tokio::test]
async fn a_run_killed_after_each_request_is_finished_by_others() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    Box::pin(killed(Victim::Run, without_pause(options()), Dies::After)).await;
}

/// P4: a run killed before each of its requests: small accounts.
#[tokio::test]
async fn a_run_killed_before_each_request_is_finished_by_others() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    Box::pin(killed(Victim::Run, without_pause(options()), Dies::Before)).await;
}

/// P4: the same about an account for a job, among them the moments between CreateJob and the record's update.
#[tokio::test]
async fn a_run_killed_after_each_request_about_a_large_account_is_finished_by_others() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    Box::pin(killed(Victim::Run, without_pause(by_job(5)), Dies::After)).await;
}

/// P4: the same about an account for a job, among them the moments between CreateJob and the record's update.
#[tokio::test]
async fn a_run_killed_before_each_request_about_a_large_account_is_finished_by_others() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    Box::pin(killed(Victim::Run, without_pause(by_job(5)), Dies::Before)).await;
}
