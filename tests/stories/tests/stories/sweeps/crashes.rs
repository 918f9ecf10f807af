//! The functions killed at any moment: at every request they make, before and after it has its effect.

use domain::ids::DeletionId;
use domain::layout::record_key;
use domain::receipt::{Receipt, ReceiptState};
use domain::record::{LEASE_SECONDS, Record, State};
use harness::{Account, Fixture, Photolala, Snapshot, promises};

use crate::gates::{Dies, Kill, nth};
use crate::stage::{by_job, only_in_memory, options};

/// Versions of each account.
const VERSIONS: usize = 12;
/// Rounds until an account must be gone, however its run died.
const ROUNDS_MAX: usize = 10;
/// More requests than any run here makes.
const REQUESTS_MAX: u64 = 300;

/// Which run is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    /// Delete Now.
    DeleteNow,
    /// The reconcile that finds the job ended.
    AfterJob,
    /// The reconcile that looks a second time.
    SecondLook,
}

/// Kills one run a time, one request later each time, until a run ends undisturbed. Gives the number of points.
async fn sweep(photolala: &Photolala, run: Run, dies: Dies) -> u64 {
    let (mut accounts, mut everything) = (Vec::new(), Snapshot::default());
    for n in 1..REQUESTS_MAX {
        let victim = Victim::fill(photolala, n).await;
        let known = victim.prepare(run).await;
        let deletion_function = &photolala.environment().functions.deletion;
        let kill = Kill::set(photolala, nth(deletion_function, n), dies);
        // What a dead run answers means nothing.
        match run {
            Run::DeleteNow => drop(photolala.delete_now(&victim.account.upper()).await),
            Run::AfterJob | Run::SecondLook => drop(photolala.reconcile().await),
        }
        photolala.local().open_gate();
        let receipt = victim.recover(known, n).await;
        victim.is_erased(&receipt).await;
        victim.settle().await;
        victim.is_one_deletion(n).await;
        accounts.push(victim.account);
        everything.0.extend(victim.before.0);
        if !kill.struck() {
            // Once for all: it reads everything that was ever told.
            promises::silent_about_people(photolala, &everything, &accounts.iter().collect::<Vec<_>>()).await;
            return n - 1;
        }
    }
    panic!("a run makes no {REQUESTS_MAX} requests");
}

/// The account whose run is killed.
struct Victim<'a> {
    photolala: &'a Photolala,
    account: Account,
    before: Snapshot,
    jobs_before: usize,
}

impl<'a> Victim<'a> {
    async fn fill(photolala: &'a Photolala, n: u64) -> Self {
        let account = Account::seeded(n);
        let fixture = Fixture::of(&account).versions(VERSIONS).uploads(1).schedule_entry();
        fixture.fill(photolala).await.expect("the account is filled");
        let (before, jobs_before) = (photolala.snapshot().await, photolala.local().batch().jobs().len());
        Self { photolala, account, before, jobs_before }
    }

    /// Brings the deletion to where the run begins that is to die.
    async fn prepare(&self, run: Run) -> Option<DeletionId> {
        if run == Run::DeleteNow {
            return None;
        }
        let answer = self.photolala.delete_now(&self.account.upper()).await.expect("the function answers");
        let deletion = answer.deletion_id();
        self.photolala.quiet().await;
        if run == Run::SecondLook {
            self.photolala.run_until_complete(deletion).await.expect("the deletion completes");
            self.photolala.pass(LEASE_SECONDS + 1).await;
        }
        Some(deletion)
    }

    /// Runs again as time passes, by reconcile or by asking anew, until the receipt says complete.
    async fn recover(&self, mut known: Option<DeletionId>, n: u64) -> Receipt {
        for round in 0..ROUNDS_MAX {
            self.photolala.quiet().await;
            known = known.or(self.recorded().await);
            match known {
                Some(deletion) if self.has_receipt(deletion).await => {
                    let receipt = self.photolala.receipt(deletion).await;
                    if receipt.state == ReceiptState::Complete && !self.is_finishing().await {
                        return receipt;
                    }
                }
                Some(_) => {}
                None => promises::no_over_deletion(&self.before, &self.photolala.snapshot().await, &self.nobody(), &[]),
            }
            self.photolala.pass(LEASE_SECONDS + 1).await;
            let asks_anew = known.is_none() || (n + round as u64).is_multiple_of(2);
            if asks_anew {
                let answer = self.photolala.delete_now(&self.account.upper()).await.expect("the function answers");
                known.get_or_insert(answer.deletion_id());
            } else {
                self.photolala.reconcile().await.expect("reconcile runs");
            }
        }
        panic!("point {n}: after {ROUNDS_MAX} rounds the deletion is not complete: {:?}", self.record().await);
    }

    /// The promises about what is left.
    async fn is_erased(&self, receipt: &Receipt) {
        let scope = promises::Scope::of(self.photolala.environment(), &[&self.account]);
        let after = self.photolala.snapshot().await;
        promises::no_over_deletion(&self.before, &after, &scope, &[]);
        promises::no_false_receipt(receipt, &after, &self.account, &scope);
        promises::nothing_left(&after, &scope);
        promises::no_lost_request(self.photolala, &self.account, receipt.deletion_id).await;
        promises::tidied_up(self.photolala, receipt.deletion_id).await;
    }

    /// Before anything is recorded nothing may have changed, not even of the account.
    fn nobody(&self) -> promises::Scope {
        promises::Scope::of(self.photolala.environment(), &[])
    }

    async fn record(&self) -> Option<Record> {
        let body = self.photolala.own_object(record_key(&self.account.id()).as_str()).await?;
        Some(Record::parse(&body).expect("a record can be read at any moment"))
    }

    /// Whether the receipt is there and tidying up is not over.
    async fn is_finishing(&self) -> bool {
        self.record().await.is_some_and(|record| matches!(record.state, State::Finishing { .. }))
    }

    async fn recorded(&self) -> Option<DeletionId> {
        self.record().await.map(|record| record.deletion_id)
    }

    async fn has_receipt(&self, deletion: DeletionId) -> bool {
        self.photolala.own_object(domain::layout::receipt_key(&deletion).as_str()).await.is_some()
    }

    /// The second look, after the dead run's lease: the next point begins without records.
    async fn settle(&self) {
        self.photolala.pass(LEASE_SECONDS + 1).await;
        let said = self.photolala.settle().await.expect("reconcile runs");
        let now = self.photolala.local().clock().now();
        assert_eq!(self.record().await, None, "the record outlived the second look of {now}: {said}");
    }

    /// However often runs died: one receipt an account, and at most one job.
    async fn is_one_deletion(&self, accounts: u64) {
        let receipts = self.photolala.own_keys("receipts/").await.len() as u64;
        assert_eq!(receipts, accounts, "one receipt an account");
        let jobs = self.photolala.local().batch().jobs().len() - self.jobs_before;
        let most = usize::from(self.photolala.options().deletion_variables.contains_key("DELETION_THRESHOLD"));
        assert!(jobs <= most, "point {accounts}: {jobs} jobs");
    }
}

async fn sweep_of(options: harness::Options, run: Run, dies: Dies, at_least: u64) {
    let photolala = Photolala::start(options).await.expect("the service starts");
    // One neighbour for all accounts, so that every listing stays as short as at the first.
    let neighbour = Fixture::of(&Account::seeded(1).neighbour()).versions(6);
    neighbour.fill(&photolala).await.expect("the neighbour is filled");
    let points = sweep(&photolala, run, dies).await;
    println!("{points} points to die at");
    assert!(points >= at_least, "only {points} points: the gate saw too little");
}

/// P1 to P4: Delete Now of a small account killed after each of its requests.
#[tokio::test]
async fn killed_after_each_request_of_a_small_account() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    sweep_of(options(), Run::DeleteNow, Dies::After, 20).await;
}

/// P1 to P4: Delete Now of a small account killed before each of its requests has its effect.
#[tokio::test]
async fn killed_before_each_request_of_a_small_account() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    sweep_of(options(), Run::DeleteNow, Dies::Before, 20).await;
}

/// P1 to P4: Delete Now of an account for a job killed after each of its requests.
#[tokio::test]
async fn killed_after_each_request_of_an_account_for_a_job() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    sweep_of(by_job(5), Run::DeleteNow, Dies::After, 30).await;
}

/// P1 to P4: Delete Now of an account for a job killed before each of its requests has its effect.
#[tokio::test]
async fn killed_before_each_request_of_an_account_for_a_job() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    sweep_of(by_job(5), Run::DeleteNow, Dies::Before, 30).await;
}

/// P1 to P4: reconcile killed after each request it makes about an ended job.
#[tokio::test]
async fn killed_after_each_request_about_an_ended_job() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    sweep_of(by_job(5), Run::AfterJob, Dies::After, 20).await;
}

/// P1 to P4: reconcile killed before each request it makes about an ended job has its effect.
#[tokio::test]
async fn killed_before_each_request_about_an_ended_job() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    sweep_of(by_job(5), Run::AfterJob, Dies::Before, 20).await;
}

/// P3, P4: reconcile killed after each request of the second look.
#[tokio::test]
async fn killed_after_each_request_of_the_second_look() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    sweep_of(options(), Run::SecondLook, Dies::After, 5).await;
}

/// P3, P4: reconcile killed before each request of the second look has its effect.
#[tokio::test]
async fn killed_before_each_request_of_the_second_look() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    sweep_of(options(), Run::SecondLook, Dies::Before, 5).await;
}
