//! A holder that sleeps past its lease and wakes, and leases that are alive.

use domain::layout::record_key;
use domain::record::{LEASE_SECONDS, Record};
use harness::{Answer, Options, promises};

use crate::gates::{Freeze, Point, request};
use crate::stage::{Stage, by_job, only_in_memory, options};

/// Where a holder falls asleep: operation, start of the key, text in the body.
type Sleep = (&'static str, &'static str, &'static str);

fn point(stage: &Stage, (operation, key, text): Sleep) -> Point {
    request(&stage.photolala.environment().functions.deletion, operation, key, text)
}

async fn record(stage: &Stage) -> Record {
    let body = stage.photolala.own_object(record_key(&stage.account.id()).as_str()).await;
    Record::parse(&body.expect("the record is there")).expect("a record can be read")
}

/// The holder falls asleep at that request; another takes over and completes; the sleeper wakes, and nothing changes.
async fn sleeper(options: Options, sleep: Sleep) {
    let stage = Stage::set(options, 12).await;
    let freeze = Freeze::set(&stage.photolala, point(&stage, sleep));
    let meanwhile = async {
        freeze.frozen().await;
        let deletion = record(&stage).await.deletion_id;
        stage.photolala.pass(LEASE_SECONDS + 1).await;
        let receipt = stage.photolala.run_until_complete(deletion).await.expect("another run completes it");
        let then = stage.photolala.snapshot().await;
        freeze.resume();
        (receipt, then)
    };
    let user_id = stage.account.upper();
    // What the sleeper answers is its own affair: the request may have outlived its caller.
    let (_, (receipt, then)) = tokio::join!(stage.photolala.delete_now(&user_id), meanwhile);
    stage.photolala.quiet().await;
    assert_eq!(stage.photolala.receipt(receipt.deletion_id).await, receipt, "{sleep:?}: the receipt has changed");
    assert_eq!(stage.photolala.own_keys("receipts/").await.len(), 1, "{sleep:?}: a second receipt");
    assert_eq!(then.changes_to(&stage.photolala.snapshot().await), [], "{sleep:?}: the sleeper changed something");
    // A page that came after everything was tidied up goes with the second look.
    stage.photolala.settle().await.expect("reconcile runs");
    let receipt = stage.photolala.receipt(receipt.deletion_id).await;
    promises::kept(&stage.photolala, &stage.before, &stage.account, &receipt).await;
    assert!(!stage.photolala.has_record(&stage.account).await, "{sleep:?}");
}

/// P1, P3: asleep before it erases.
#[tokio::test]
async fn a_holder_that_wakes_before_erasing_changes_nothing() {
    only_in_memory("its clock cannot be moved past a lease");
    Box::pin(sleeper(options(), ("DeleteObjects", "", ""))).await;
}

/// P3: asleep before its receipt.
#[tokio::test]
async fn a_holder_that_wakes_before_its_last_receipt_changes_nothing() {
    only_in_memory("its clock cannot be moved past a lease");
    Box::pin(sleeper(options(), ("PutObject", "receipts/", "\"complete\""))).await;
}

/// P3: asleep before it writes down that it has claimed.
#[tokio::test]
async fn a_holder_that_wakes_before_it_has_claimed_changes_nothing() {
    only_in_memory("its clock cannot be moved past a lease");
    Box::pin(sleeper(options(), ("PutObject", "records/", "\"claimed\""))).await;
}

/// P3: asleep before it writes down what it did.
#[tokio::test]
async fn a_holder_that_wakes_before_its_record_changes_nothing() {
    only_in_memory("its clock cannot be moved past a lease");
    Box::pin(sleeper(options(), ("PutObject", "records/", "\"settling\""))).await;
}

/// P1, P3: asleep before a page, before the record of the plan, before the job, before its first receipt of it.
#[tokio::test]
async fn a_planner_that_wakes_changes_nothing() {
    only_in_memory("its clock cannot be moved past a lease");
    let points: [Sleep; 4] = [
        ("PutObject", "pages/", ""),
        ("PutObject", "records/", "\"planned\""),
        ("CreateJob", "", ""),
        ("PutObject", "receipts/", "\"submitted\""),
    ];
    for sleep in points {
        Box::pin(sleeper(by_job(5), sleep)).await;
    }
}

/// P3: a live lease is left alone by reconcile and by Delete Now, which says that the account is being erased.
#[tokio::test]
async fn a_live_lease_is_left_alone() {
    only_in_memory("its clock cannot be moved past a lease");
    let stage = Stage::set(options(), 12).await;
    let freeze = Freeze::set(&stage.photolala, point(&stage, ("DeleteObjects", "", "")));
    let meanwhile = async {
        freeze.frozen().await;
        let then = (record(&stage).await, stage.photolala.snapshot().await);
        stage.photolala.pass(LEASE_SECONDS / 2).await;
        let reconciled = stage.photolala.reconcile().await.expect("reconcile runs");
        assert_eq!(reconciled["waiting"], 1);
        let answer = stage.delete_now().await;
        assert_eq!((answer.status_code, answer.deletion_id()), (202, then.0.deletion_id), "{}", answer.body);
        assert_eq!(answer.body["status"], "in_progress");
        assert_eq!(record(&stage).await, then.0, "the record is the holder's");
        assert_eq!(then.1.changes_to(&stage.photolala.snapshot().await), []);
        freeze.resume();
    };
    let (answer, ()): (Answer, ()) = tokio::join!(stage.delete_now(), meanwhile);
    assert_eq!(answer.body["status"], "completed", "{}", answer.body);
    let receipt = stage.end_settled(&answer).await;
    assert!(!receipt.at_least, "nobody took over");
}
