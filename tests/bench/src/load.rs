//! Many people press Delete Now at once while the functions' processes and the jobs' engine are killed: nothing may be
//! lost.

use std::time::Duration;

use domain::record::LEASE_SECONDS;
use futures::{StreamExt as _, stream};
use harness::{Account, Fixture, Options, Photolala, promises};
use serde_json::json;

use crate::chaos::{Chaos, ask, long_jobs};
use crate::{Figure, figure};

const ACCOUNTS: u64 = 500;
const VERSIONS: usize = 24;
/// From here on an account goes into a job, so that both ways are under load.
const THRESHOLD: &str = "30";
/// Every so many accounts one is large enough for a job.
const LARGE_EVERY: u64 = 25;
const LARGE: usize = 90;
/// Processes of the deletion function at once; a machine of two cores runs no more.
const CONCURRENCY: usize = 24;
const BETWEEN_KILLS: Duration = Duration::from_millis(400);
/// So many kills of processes, then one of the engine.
const ENGINE_EVERY: u64 = 2;
/// Rounds of reconciling until all must be complete.
const ROUNDS_MAX: u32 = 20;

/// Measures calls until all are answered, and rounds until nothing is left.
pub async fn measure() -> Vec<Figure> {
    let mut options = Options { deletion_concurrency: CONCURRENCY, pace: long_jobs(), ..Options::default() };
    options.deletion_variables.insert("DELETION_THRESHOLD".to_owned(), THRESHOLD.to_owned());
    let photolala = Photolala::start(options).await.expect("the service starts");
    let accounts: Vec<Account> = (1..=ACCOUNTS).map(Account::seeded).collect();
    for (n, account) in (1_u64..).zip(&accounts) {
        let versions = if n % LARGE_EVERY == 0 { LARGE } else { VERSIONS };
        Fixture::of(account).versions(versions).fill(&photolala).await.expect("the account is filled");
    }
    let neighbour = Fixture::of(&Account::seeded(ACCOUNTS + 1)).versions(VERSIONS);
    neighbour.fill(&photolala).await.expect("the neighbour is filled");
    let before = photolala.snapshot().await;
    let started = std::time::Instant::now();
    let chaos = Chaos::over(&photolala, BETWEEN_KILLS, ENGINE_EVERY);
    let calls = accounts.iter().map(|account| json!({"type": "immediate", "userId": account.upper()}));
    let calls = stream::iter(calls).map(async |event| ask(&photolala, &event).await).buffer_unordered(accounts.len());
    let asked = chaos.during(calls.collect::<Vec<_>>()).await;
    let (seconds, kills) = (started.elapsed().as_secs_f64(), chaos.kills());
    let rounds = until_complete(&photolala).await;
    let scope = promises::Scope::of(photolala.environment(), &accounts.iter().collect::<Vec<_>>());
    let after = photolala.snapshot().await;
    promises::no_over_deletion(&before, &after, &scope, &[]);
    promises::nothing_left(&after, &scope);
    let receipts = photolala.own_keys("receipts/").await.len();
    photolala.shutdown().await;
    let tries: u64 = asked.iter().sum();
    vec![
        figure("people at once", ACCOUNTS.to_string(), "-"),
        figure("calls until each had an answer", tries.to_string(), "-"),
        figure("processes killed meanwhile", kills.processes.to_string(), "-"),
        figure(
            "the jobs' engine killed meanwhile, jobs it then took up",
            format!("{}, {}", kills.engine, kills.jobs),
            "-",
        ),
        figure("seconds until each had an answer", format!("{seconds:.1}"), "-"),
        figure("rounds of reconcile until nothing was left", rounds.to_string(), format!("≤ {ROUNDS_MAX}")),
        figure("receipts", receipts.to_string(), ACCOUNTS.to_string()),
    ]
}

async fn until_complete(photolala: &Photolala) -> u32 {
    for round in 1..=ROUNDS_MAX {
        photolala.quiet().await;
        photolala.pass(LEASE_SECONDS + 1).await;
        photolala.reconcile().await.expect("reconcile runs");
        photolala.quiet().await;
        if photolala.own_keys("records/").await.is_empty() {
            return round;
        }
    }
    panic!("something is still under way after {ROUNDS_MAX} rounds");
}
