//! One wave: people who delete at once, by a job, or after a grace period, who stay, and who register again.

use std::time::Instant;

use domain::record::LEASE_SECONDS;
use futures::future::join_all;
use harness::person::status_key;
use harness::{Account, Fixture, Photolala, Snapshot, promises};
use serde_json::{Value, json};

use crate::chaos::{Chaos, ask};

const SMALL: usize = 20;
const FOR_A_JOB: usize = 4;
const SCHEDULED: usize = 8;
const CANCELLED: usize = 6;
/// Of the small ones.
const REGISTER_AGAIN: usize = 5;
const VERSIONS: usize = 24;
/// Three pages, so that a job has more than one task.
const LARGE: usize = 2_100;
/// Rounds until a wave must be over.
pub const ROUNDS_MAX: u32 = 16;
/// Rounds in which nothing is killed any more.
const PEACEFUL_ROUNDS: u32 = 12;
/// What must be empty after a wave.
const WORK: [&str; 4] = ["records/", "requests/", "pages/", "outcomes/"];

/// Who does what.
pub struct Wave {
    now: Vec<Account>,
    scheduled: Vec<Account>,
    cancelled: Vec<Account>,
    /// New accounts of those who register again, in the order of `now`.
    new: Vec<Account>,
    /// Filled in an earlier wave.
    filled: usize,
}

/// What came of it.
pub struct Waved {
    /// People who are gone.
    pub erased: u64,
    /// People who cancelled.
    pub stayed: u64,
    /// People who registered again before the end.
    pub registered: u64,
    /// Rounds until nothing was left.
    pub rounds: u32,
    /// From the first question to the last round.
    pub seconds: f64,
}

impl Wave {
    /// Whoever stayed in the wave before presses Delete Now in this one.
    pub fn new(number: u64, stayed: Vec<Account>) -> Self {
        let mut seeds = (number * 1_000..).map(Account::seeded);
        let mut some = |count: usize| seeds.by_ref().take(count).collect::<Vec<_>>();
        let filled = stayed.len();
        let now = [stayed, some(SMALL + FOR_A_JOB)].concat();
        Self { now, filled, scheduled: some(SCHEDULED), cancelled: some(CANCELLED), new: some(REGISTER_AGAIN) }
    }

    /// From the first photo to the last check; answers who is still there.
    pub async fn over(self, photolala: &Photolala, chaos: &Chaos<'_>) -> (Waved, Vec<Account>) {
        self.fill(photolala).await;
        let mut before = photolala.snapshot().await;
        let started = Instant::now();
        let registered = chaos.during(Box::pin(self.happens(photolala, &mut before))).await;
        let rounds = until_over(photolala, chaos).await;
        let seconds = started.elapsed().as_secs_f64();
        self.check(photolala, &before, &registered).await;
        let waved = Waved {
            erased: (self.now.len() + self.scheduled.len()) as u64,
            stayed: self.cancelled.len() as u64,
            registered: registered.len() as u64,
            rounds,
            seconds,
        };
        (waved, [self.cancelled, registered].concat())
    }

    async fn fill(&self, photolala: &Photolala) {
        let now = self.now.iter().skip(self.filled).zip(0..);
        let now = now.map(|(account, n)| (account, if n < FOR_A_JOB { LARGE } else { VERSIONS }));
        let others = self.scheduled.iter().chain(&self.cancelled).map(|account| (account, VERSIONS));
        for (account, versions) in now.chain(others) {
            Fixture::of(account).versions(versions).fill(photolala).await.expect("the account is filled");
        }
    }

    /// Everybody asks, some change their mind, some come back under a new account.
    async fn happens(&self, photolala: &Photolala, before: &mut Snapshot) -> Vec<Account> {
        let delete = self.now.iter().map(|account| ("immediate", account));
        let schedule = self.scheduled.iter().chain(&self.cancelled).map(|account| ("schedule", account));
        all_ask(photolala, delete.chain(schedule)).await;
        all_ask(photolala, self.cancelled.iter().map(|account| ("cancel", account))).await;
        let mut registered = Vec::new();
        for (old, new) in self.now.iter().skip(self.filled + FOR_A_JOB).zip(&self.new) {
            if register_again(photolala, old, new).await {
                note(new, photolala, before).await;
                registered.push(new.clone());
            }
        }
        registered
    }

    async fn check(&self, photolala: &Photolala, before: &Snapshot, registered: &[Account]) {
        let gone: Vec<&Account> = self.now.iter().chain(&self.scheduled).collect();
        let scope = promises::Scope::of(photolala.environment(), &gone);
        let after = photolala.snapshot().await;
        // Their statuses say now that they stay.
        let statuses: Vec<String> = self.cancelled.iter().map(|account| status_key(&account.upper())).collect();
        for account in &self.cancelled {
            let word = photolala.status_word(account).await;
            assert_eq!(word.as_deref(), Some("active"), "a person stays, and the status does not say so");
        }
        promises::no_over_deletion(before, &after, &scope, &statuses.iter().map(String::as_str).collect::<Vec<_>>());
        promises::nothing_left(&after, &scope);
        for prefix in WORK {
            assert_eq!(photolala.own_keys(prefix).await, [""; 0], "left under {prefix}");
        }
        let all: Vec<&Account> = gone.into_iter().chain(&self.cancelled).chain(registered).collect();
        promises::silent_about_people(photolala, before, &all).await;
    }
}

async fn all_ask(photolala: &Photolala, who: impl Iterator<Item = (&str, &Account)>) {
    let asked = who.map(|(kind, account)| json!({"type": kind, "userId": account.upper()}));
    let asked: Vec<Value> = asked.collect();
    join_all(asked.iter().map(|event| ask(photolala, event))).await;
}

/// The back end makes a new account once the sign-in leads nowhere any more. Says whether it did.
async fn register_again(photolala: &Photolala, old: &Account, new: &Account) -> bool {
    let sign_in = old.mapping_keys().remove(0);
    let leads_on = photolala.s3().head_object().bucket(photolala.bucket()).key(&sign_in).send().await.is_ok();
    if !leads_on {
        Fixture::of(new).versions(6).without_mappings().fill(photolala).await.expect("the new account is filled");
        photolala.put(&sign_in, &new.upper()).await;
    }
    !leads_on
}

/// What a new account has is as it must stay.
async fn note(new: &Account, photolala: &Photolala, before: &mut Snapshot) {
    let scope = promises::Scope::of(photolala.environment(), &[new]);
    let now = photolala.snapshot().await;
    before.0.extend(now.0.into_iter().filter(|(place, seen)| scope.owns(place, seen)));
}

/// Runs and reconciles until nothing is under way; says in how many rounds. The last rounds are peaceful: faults stop.
async fn until_over(photolala: &Photolala, chaos: &Chaos<'_>) -> u32 {
    for number in 1..=ROUNDS_MAX {
        if number + PEACEFUL_ROUNDS > ROUNDS_MAX {
            round(photolala).await;
        } else {
            chaos.during(round(photolala)).await;
        }
        let mut left = Vec::new();
        for prefix in WORK {
            left.extend(photolala.own_keys(prefix).await);
        }
        if left.is_empty() {
            return number;
        }
    }
    panic!("something is still under way after {ROUNDS_MAX} rounds");
}

/// A failed run or reconcile is repeated by the next round, as its rule does.
async fn round(photolala: &Photolala) {
    photolala.quiet().await;
    photolala.pass(LEASE_SECONDS + 1).await;
    _ = photolala.daily().await;
    photolala.quiet().await;
    _ = photolala.settle().await;
    photolala.quiet().await;
}
