//! Runs over many accounts: nobody is forgotten, nobody is done twice, and no more are claimed than may be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use domain::ids::DeletionId;
use domain::record::LEASE_SECONDS;
use harness::person::{active, entry, entry_key, scheduled, status_key};
use harness::{Account, Answer, Fixture, Options, Photolala, Snapshot, promises};
use serde_json::{Value, json};

use crate::gates::{Dies, Kill, Point};
use crate::scheduled::{GRACE, with_grace};
use crate::stage::{only_in_memory, options, threshold};

/// Rounds until everybody who is due must be gone.
const ROUNDS_MAX: u32 = 30;

/// Options with a pause between the looks that takes no time.
fn without_pause(options: Options) -> Options {
    let mut options = with_grace(options);
    options.environment.confirm_seconds = 0;
    options
}

/// Puts accounts with a status, a photo, a mapping and an entry due `days_ago(n)` days ago straight into the store.
fn crowd(photolala: &Photolala, accounts: u64, days_ago: impl Fn(u64) -> i64) -> Vec<Account> {
    let store = photolala.local().s3_store().expect("the S3 in memory");
    let (bucket, now) = (photolala.bucket(), photolala.now());
    let put = |key: String, body: String| {
        store.put(bucket, &key, body.into_bytes()).expect("the S3 in memory takes every key");
    };
    let person = |n: u64| {
        let account = Account::seeded(n);
        let due = now.checked_sub(jiff::SignedDuration::from_hours(24 * days_ago(n))).expect("a moment of our time");
        put(status_key(&account.upper()), scheduled(due, now).to_string());
        put(format!("photos/{}/1.dat", account.upper()), "a photo".to_owned());
        put(format!("emails/{}", account.email_hash()), account.lower());
        put(entry_key(&account.upper(), due), entry(&account, due, due).to_string());
        account
    };
    (1..=accounts).map(person).collect()
}

/// Runs and reconciles until nobody is due any more and nothing is under way.
async fn until_nobody_is_due(photolala: &Photolala) -> u32 {
    for round in 1..=ROUNDS_MAX {
        photolala.daily().await.expect("the run ends well");
        photolala.quiet().await;
        photolala.settle().await.expect("reconcile runs");
        let records = photolala.own_keys("records/").await;
        let dry_run = photolala.ask(json!({"type": "scheduled", "dryRun": true})).await.expect("a dry run answers");
        if dry_run.body["due"] == 0 && records.is_empty() {
            return round;
        }
        photolala.pass(LEASE_SECONDS + 1).await;
    }
    panic!("after {ROUNDS_MAX} rounds somebody is still due");
}

/// Nothing is left of these, and of nobody else has anything changed.
async fn all_erased(photolala: &Photolala, before: &Snapshot, accounts: &[Account]) {
    let accounts: Vec<&Account> = accounts.iter().collect();
    let scope = promises::Scope::of(photolala.environment(), &accounts);
    let after = photolala.snapshot().await;
    promises::no_over_deletion(before, &after, &scope, &[]);
    promises::nothing_left(&after, &scope);
}

/// The most memory the deletion function's processes had.
fn most_resident_mib(photolala: &Photolala) -> u64 {
    let processes = photolala.local().lambda().processes(&photolala.environment().functions.deletion);
    processes.iter().filter_map(|process| process.peak_memory_bytes).max().unwrap_or_default() >> 20
}

/// D13: 1,200 due on one day, more than a page of a listing has.
#[tokio::test]
async fn twelve_hundred_due_on_one_day_are_all_erased() {
    only_in_memory("its clock cannot be moved past the grace period");
    let mut options = without_pause(options());
    options.environment.caps.accounts_per_run = 5_000;
    let photolala = Photolala::start(options).await.expect("the service starts");
    let accounts = crowd(&photolala, 1_200, |_| 1);
    let neighbour = Fixture::of(&Account::seeded(9_999)).versions(20);
    neighbour.fill(&photolala).await.expect("the neighbour is filled");
    let before = photolala.snapshot().await;
    photolala.pass(i64::from(GRACE) + 2).await;
    let rounds = until_nobody_is_due(&photolala).await;
    all_erased(&photolala, &before, &accounts).await;
    assert_eq!(photolala.own_keys("receipts/").await.len(), 1_200, "one receipt an account");
    println!("1,200 accounts in {rounds} rounds, {} MiB", most_resident_mib(&photolala));
}

/// D1, D2: a person a day for 400 days, and no run in all that time: the first good run erases them all.
#[tokio::test]
async fn four_hundred_missed_days_are_caught_up_by_the_first_run() {
    only_in_memory("its clock cannot be moved by 400 days");
    let photolala = Photolala::start(without_pause(options())).await.expect("the service starts");
    let accounts = crowd(&photolala, 400, |n| i64::try_from(n).expect("a few hundred"));
    let before = photolala.snapshot().await;
    photolala.pass(400 * 86_400).await;
    let run = photolala.run().await;
    assert_eq!((&run.body["due"], &run.body["claimed"]), (&json!(400), &json!(400)), "{:.500}", run.body.to_string());
    until_nobody_is_due(&photolala).await;
    all_erased(&photolala, &before, &accounts).await;
}

/// 100,000 entries, a handful of them due: all are looked at, few are read.
#[tokio::test]
async fn a_hundred_thousand_entries_are_listed_and_few_are_read() {
    only_in_memory("100,000 objects take too long to put");
    let photolala = Photolala::start(without_pause(options())).await.expect("the service starts");
    let store = photolala.local().s3_store().expect("the S3 in memory");
    let later = photolala.now().checked_add(jiff::SignedDuration::from_hours(24 * 20)).expect("a moment of our time");
    for n in 0..100_000_u64 {
        let account = Account::seeded(1_000_000 + n);
        store.put(photolala.bucket(), &entry_key(&account.upper(), later), b"{}".to_vec()).expect("an entry is put");
    }
    let accounts = crowd(&photolala, 5, |_| 3);
    photolala.pass(i64::from(GRACE) + 2).await;
    photolala.local().recorder().start();
    let run = photolala.run().await;
    let caller = &photolala.environment().functions.deletion;
    let count = |operation| photolala.local().recorder().count_by(caller, operation);
    let (lists, gets) = (count("ListObjectVersions"), count("GetObject"));
    photolala.local().recorder().stop();
    assert_eq!((&run.body["due"], &run.body["claimed"]), (&json!(5), &json!(5)), "{}", run.body);
    println!("{lists} listings, {gets} reads, {} MiB", most_resident_mib(&photolala));
    assert!(lists < 700 && gets < 200, "{lists} listings, {gets} reads");
    assert_eq!(accounts.len(), 5);
}

/// D22: two runs at the same time: one deletion an account, and all of it.
#[tokio::test]
async fn two_runs_at_the_same_time_do_nothing_twice() {
    only_in_memory("its clock cannot be moved past the grace period");
    let photolala = Photolala::start(without_pause(options())).await.expect("the service starts");
    let accounts = crowd(&photolala, 40, |_| 1);
    let before = photolala.snapshot().await;
    photolala.pass(i64::from(GRACE) + 2).await;
    let (one, other) = tokio::join!(photolala.run(), photolala.run());
    let claimed = one.body["claimed"].as_u64().unwrap() + other.body["claimed"].as_u64().unwrap();
    assert_eq!(claimed, 40, "{} {}", one.body, other.body);
    until_nobody_is_due(&photolala).await;
    all_erased(&photolala, &before, &accounts).await;
    assert_eq!(photolala.own_keys("receipts/").await.len(), 40);
}

/// Small ones and large ones in one run: the small ones are gone when it ends, the large ones share one job.
#[tokio::test]
async fn all_large_accounts_of_a_run_share_one_job() {
    let photolala = Photolala::start(with_grace(threshold(options(), 20))).await.expect("the service starts");
    let accounts: Vec<Account> = (1..=5).map(Account::seeded).collect();
    for (account, versions) in accounts.iter().zip([6, 60, 8, 45, 30]) {
        Fixture::of(account).versions(versions).fill(&photolala).await.expect("the account is filled");
        photolala.app_schedules(account, GRACE.into()).await;
    }
    let before = photolala.snapshot().await;
    photolala.pass(i64::from(GRACE) + 2).await;
    let run = photolala.run().await;
    let lines = run.body["results"].as_array().expect("results");
    let methods: Vec<&Value> = lines.iter().map(|line| &line["method"]).collect();
    assert_eq!(methods.iter().filter(|method| **method == "direct").count(), 2, "{}", run.body);
    let jobs: std::collections::BTreeSet<_> = lines.iter().filter_map(|line| line["jobId"].as_str()).collect();
    assert_eq!(jobs.len(), 1, "{}", run.body);
    for line in lines {
        let deletion = line["deletionId"].as_str().and_then(DeletionId::parse).expect("a deletion id");
        photolala.run_until_complete(deletion).await.expect("the deletion completes");
    }
    all_erased(&photolala, &before, &accounts).await;
    assert_eq!(photolala.local().batch().jobs().len(), 1);
}

/// Caps of a run and of a day: what is above them waits, somebody is told, and the next day goes on.
#[tokio::test]
async fn above_a_cap_nothing_more_is_claimed() {
    only_in_memory("its clock cannot be moved to another day");
    let mut options = without_pause(options());
    (options.environment.caps.accounts_per_run, options.environment.caps.accounts_per_day) = (4, 6);
    let photolala = Photolala::start(options).await.expect("the service starts");
    let accounts = crowd(&photolala, 9, |_| 1);
    let before = photolala.snapshot().await;
    photolala.pass(i64::from(GRACE) + 2).await;
    let claimed = async || {
        let run = photolala.run().await;
        (run.body["claimed"].clone(), run.body["remaining"].clone(), run.body["capReached"].clone())
    };
    assert_eq!(claimed().await, (json!(4), json!(5), json!(true)), "the cap of a run");
    assert_eq!(claimed().await, (json!(2), json!(3), json!(true)), "the cap of a day");
    assert_eq!(claimed().await, (json!(0), json!(3), json!(true)), "the cap of a day");
    assert!(photolala.largest("CapReached") > 0.0);
    photolala.pass(86_400).await;
    assert_eq!(claimed().await, (json!(3), json!(0), json!(false)), "the next day");
    until_nobody_is_due(&photolala).await;
    all_erased(&photolala, &before, &accounts).await;
}

/// An account above the ceiling waits for a person, who confirms exactly what the dry run showed.
#[tokio::test]
async fn an_account_above_the_ceiling_waits_for_a_person() {
    for by_job in [false, true] {
        let mut options = with_grace(threshold(options(), if by_job { 20 } else { 1_000 }));
        options.environment.caps.versions_per_account = 30;
        let photolala = Photolala::start(options).await.expect("the service starts");
        let account = Account::seeded(1);
        Fixture::of(&account).versions(40).fill(&photolala).await.expect("the account is filled");
        photolala.app_schedules(&account, GRACE.into()).await;
        let before = photolala.snapshot().await;
        photolala.pass(i64::from(GRACE) + 2).await;
        for _ in 0..2 {
            let run = photolala.run().await;
            assert_eq!((&run.body["unconfirmed"], &run.body["claimed"]), (&json!(1), &json!(0)), "{}", run.body);
            let nobody = promises::Scope::of(photolala.environment(), &[]);
            let status = status_key(&account.upper());
            promises::no_over_deletion(&before, &photolala.snapshot().await, &nobody, &[&status]);
            assert_eq!(photolala.own_keys("pages/").await, [""; 0], "pages of nobody's deletion");
            assert_eq!(photolala.own_keys("records/").await, [""; 0]);
        }
        let confirm = |digest: Value| json!({"type": "confirm", "userId": account.upper(), "digest": digest});
        let wrong = photolala.ask(confirm(json!("0".repeat(64)))).await.unwrap();
        assert_eq!(wrong.status_code, 409, "{}", wrong.body);
        let digest = digest_of(&photolala, &account).await;
        assert_eq!(photolala.ask(confirm(digest)).await.unwrap().status_code, 200);
        // Another photo is not what the person saw.
        photolala.put(&format!("photos/{}/another.dat", account.upper()), "another").await;
        assert_eq!(photolala.run().await.body["unconfirmed"], 1);
        let digest = digest_of(&photolala, &account).await;
        assert_eq!(photolala.ask(confirm(digest)).await.unwrap().status_code, 200);
        let run = photolala.run().await;
        assert_eq!(run.body["claimed"], 1, "{}", run.body);
        let answer = Answer { status_code: 200, body: run.body["results"][0].clone() };
        photolala.run_until_complete(answer.deletion_id()).await.expect("the deletion completes");
        all_erased(&photolala, &before, &[account]).await;
    }
}

async fn digest_of(photolala: &Photolala, account: &Account) -> Value {
    let event = json!({"type": "immediate", "userId": account.upper(), "dryRun": true});
    photolala.ask(event).await.expect("a dry run answers").body["digest"].clone()
}

/// No status, but photos: quarantine until a person confirms. Neither status nor photos: the entry goes.
#[tokio::test]
async fn an_entry_without_a_status_waits_for_a_person_or_goes() {
    let photolala = Photolala::start(with_grace(options())).await.expect("the service starts");
    let (account, nobody) = (Account::seeded(1), Account::seeded(2));
    let now = photolala.now();
    photolala.put(&format!("photos/{}/1.dat", account.upper()), "a photo").await;
    for person in [&account, &nobody] {
        photolala.put(&entry_key(&person.upper(), now), &entry(person, now, now).to_string()).await;
    }
    let before = photolala.snapshot().await;
    photolala.pass(i64::from(GRACE) + 2).await;
    let stranger = json!({"type": "confirm", "userId": Account::seeded(3).upper(),
        "digest": digest_of(&photolala, &Account::seeded(3)).await});
    assert_eq!(photolala.ask(stranger).await.unwrap().status_code, 404, "nobody is erased who never asked");
    let run = photolala.run().await;
    assert_eq!(run.body["quarantined"], 1, "{}", run.body);
    assert_eq!(crate::app::get(&photolala, &entry_key(&nobody.upper(), now)).await, None);
    let digest = digest_of(&photolala, &account).await;
    let confirm = json!({"type": "confirm", "userId": account.upper(), "digest": digest});
    assert_eq!(photolala.ask(confirm).await.unwrap().status_code, 200);
    let run = photolala.run().await;
    assert_eq!(run.body["claimed"], 1, "{}", run.body);
    let answer = Answer { status_code: 200, body: run.body["results"][0].clone() };
    photolala.run_until_complete(answer.deletion_id()).await.expect("the deletion completes");
    all_erased(&photolala, &before, &[account, nobody]).await;
}

/// A run whose time is short stops claiming, and goes on by itself in another invocation.
#[tokio::test]
async fn a_run_short_of_time_goes_on_by_itself() {
    only_in_memory("its clock cannot be moved past the grace period");
    let mut options = with_grace(options());
    // More accounts than are in work at a time: claiming ends (after 36 s) before the first of them have waited for their
    // second look, and time (54 s) suffices for those, even on a machine that is busy.
    options.environment.confirm_seconds = 37;
    options.deletion_timeout = Duration::from_secs(70);
    let photolala = Photolala::start(options).await.expect("the service starts");
    let accounts = crowd(&photolala, 215, |_| 1);
    let before = photolala.snapshot().await;
    photolala.pass(i64::from(GRACE) + 2).await;
    photolala.local().recorder().reset();
    photolala.daily().await.expect("the run ends well");
    let function = &photolala.environment().functions.deletion;
    let handed_over = photolala.local().recorder().count_by(function, "Invoke");
    assert_eq!(handed_over, 1, "the run did not go on by itself");
    photolala.quiet().await;
    until_nobody_is_due(&photolala).await;
    all_erased(&photolala, &before, &accounts).await;
}

/// A status that says active after the claim: the deletion goes on, and somebody is told.
#[tokio::test]
async fn a_late_active_is_counted() {
    let photolala = Photolala::start(with_grace(threshold(options(), 10))).await.expect("the service starts");
    let account = Account::seeded(1);
    Fixture::of(&account).versions(30).fill(&photolala).await.expect("the account is filled");
    photolala.app_schedules(&account, GRACE.into()).await;
    let before = photolala.snapshot().await;
    photolala.pass(i64::from(GRACE) + 2).await;
    let run = photolala.run().await;
    let answer = Answer { status_code: 200, body: run.body["results"][0].clone() };
    photolala.put(&status_key(&account.upper()), &active(photolala.now()).to_string()).await;
    photolala.put(&format!("photos/{}/late.dat", account.upper()), "a late photo").await;
    photolala.run_until_complete(answer.deletion_id()).await.expect("the deletion completes");
    all_erased(&photolala, &before, &[account]).await;
    assert!(photolala.largest("LateActive") > 0.0);
}

/// The n-th request of the deletion function after its CreateJob, which is the 0th.
fn after_create_job(photolala: &Photolala, n: u64) -> Point {
    let function = photolala.environment().functions.deletion.clone();
    let (job_is_made, seen) = (AtomicBool::new(false), AtomicU64::new(0));
    Box::new(move |info, _| {
        if info.calling_function() != Some(function.as_str()) {
            return false;
        }
        let counts = job_is_made.load(Ordering::SeqCst) || info.operation == "CreateJob";
        job_is_made.store(counts, Ordering::SeqCst);
        counts && seen.fetch_add(1, Ordering::SeqCst) == n
    })
}

/// P4: three large accounts share a job, and the run dies at CreateJob and at each request after it, while it writes
/// the job into run and records: others finish all three, by that one job.
#[tokio::test]
async fn a_run_that_dies_while_it_notes_its_job_is_finished_by_others() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    let photolala = Photolala::start(without_pause(threshold(options(), 10))).await.expect("the service starts");
    let mut seed = 0;
    for dies in [Dies::After, Dies::Before] {
        let mut points = 0;
        loop {
            let accounts: Vec<Account> = (seed..seed + 3).map(Account::seeded).collect();
            seed += 3;
            if !job_dies(&photolala, &accounts, after_create_job(&photolala, points), dies).await {
                break;
            }
            points += 1;
        }
        println!("{points} points to die at, {dies:?}");
        assert!(points >= 9, "only {points} points: the gate saw too little");
    }
}

/// One run over these that dies at that point, and its end. Says whether it died.
async fn job_dies(photolala: &Photolala, accounts: &[Account], point: Point, dies: Dies) -> bool {
    for account in accounts {
        Fixture::of(account).versions(14).fill(photolala).await.expect("the account is filled");
        photolala.app_schedules(account, GRACE.into()).await;
    }
    photolala.pass(i64::from(GRACE) + 2).await;
    let (before, jobs) = (photolala.snapshot().await, photolala.local().batch().jobs().len());
    let kill = Kill::set(photolala, point, dies);
    // What a dead process answers means nothing.
    let _ = photolala.invoke(json!({"type": "scheduled"})).await;
    photolala.local().open_gate();
    for round in 0.. {
        assert!(round < ROUNDS_MAX, "something is still under way");
        photolala.quiet().await;
        if photolala.own_keys("records/").await.is_empty() {
            break;
        }
        photolala.pass(LEASE_SECONDS + 1).await;
        photolala.reconcile().await.expect("reconcile runs");
    }
    all_erased(photolala, &before, accounts).await;
    assert_eq!(photolala.local().batch().jobs().len() - jobs, 1, "one job");
    kill.struck()
}
