//! Many people press Delete Now at once while the functions' processes are killed: nothing may be lost.

use std::convert::Infallible;
use std::time::Duration;

use domain::record::LEASE_SECONDS;
use futures::{StreamExt as _, stream};
use harness::{Account, Fixture, FunctionError, Options, Photolala, promises};

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
/// Rounds of reconciling until all must be complete.
const ROUNDS_MAX: u32 = 20;

/// Measures calls until all are answered, and rounds until nothing is left.
pub async fn measure() -> Vec<Figure> {
    let mut options = Options { deletion_concurrency: CONCURRENCY, ..Options::default() };
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
    let calls = stream::iter(&accounts).map(|account| ask(&photolala, account)).buffer_unordered(accounts.len());
    let asked = tokio::select! {
        asked = calls.collect::<Vec<_>>() => asked,
        never = kill(&photolala) => match never {},
    };
    let (seconds, kills) = (started.elapsed().as_secs_f64(), killed(&photolala));
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
        figure("processes killed meanwhile", kills.to_string(), "-"),
        figure("seconds until each had an answer", format!("{seconds:.1}"), "-"),
        figure("rounds of reconcile until nothing was left", rounds.to_string(), format!("≤ {ROUNDS_MAX}")),
        figure("receipts", receipts.to_string(), ACCOUNTS.to_string()),
    ]
}

/// Asks until there is an answer, as an app does; says how often.
async fn ask(photolala: &Photolala, account: &Account) -> u64 {
    let mut tries = 0;
    loop {
        tries += 1;
        match photolala.delete_now(&account.upper()).await {
            Ok(answer) if answer.status_code < 500 => return tries,
            Ok(_) | Err(FunctionError::Refused(_) | FunctionError::Failed { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Kills the oldest running process again and again, of the two functions in turn.
async fn kill(photolala: &Photolala) -> Infallible {
    let mut names = names(photolala).into_iter().cycle();
    loop {
        tokio::time::sleep(BETWEEN_KILLS).await;
        let lambda = photolala.local().lambda();
        let running = names.next().and_then(|name| lambda.processes(name).into_iter().find(|p| p.pid.is_some()));
        if let Some(process) = running {
            lambda.kill_process(&process.id);
        }
    }
}

fn names(photolala: &Photolala) -> [&String; 2] {
    let functions = &photolala.environment().functions;
    [&functions.deletion, &functions.eraser]
}

fn killed(photolala: &Photolala) -> u64 {
    let processes = names(photolala).into_iter().flat_map(|name| photolala.local().lambda().processes(name));
    processes.filter(|process| process.ended.as_deref().is_some_and(|how| how.contains("signal"))).count() as u64
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
