//! A large account erased by a job: requests per 1,000 versions, and the functions' peak memory against a smaller one.

use std::collections::BTreeMap;

use harness::{Account, Fixture, Options, Photolala};

use crate::{Figure, figure};

const SMALLER: usize = 10_000;

struct Run {
    requests: BTreeMap<String, u64>,
    tasks: u64,
    peak_mib: [f64; 2],
    seconds: f64,
}

/// Measures at `versions` and at 10,000.
pub async fn measure(versions: usize) -> Vec<Figure> {
    let small = run(SMALLER).await;
    let large = run(versions).await;
    #[allow(clippy::cast_precision_loss, reason = "figures for people")]
    let per_thousand = |requests: u64| format!("{:.2}", requests as f64 * 1_000.0 / versions as f64);
    let mut figures = vec![
        figure("versions", versions.to_string(), "-"),
        figure("tasks", large.tasks.to_string(), "one a full page"),
        figure("seconds, Delete Now to receipt", format!("{:.1}", large.seconds), "bound by the pace"),
    ];
    for (operation, promised) in [
        ("deletion ListObjectVersions", "1, + 1 to verify"),
        ("deletion PutObject", "1 (page)"),
        ("eraser GetObject", "1 (page)"),
        ("eraser DeleteObjects", "1"),
        ("eraser PutObject", "1 (outcome)"),
    ] {
        let requests = large.requests.get(operation).copied().unwrap_or_default();
        figures.push(figure(format!("{operation} per 1,000 versions"), per_thousand(requests), promised));
    }
    let all: u64 = large.requests.values().sum();
    figures.push(figure("all requests per 1,000 versions", per_thousand(all), "6"));
    for (i, function) in ["deletion", "eraser"].into_iter().enumerate() {
        let (more, less) = (large.peak_mib[i], small.peak_mib[i]);
        let measured = format!("{more:.1} MiB, {:+.1} against {SMALLER}", more - less);
        figures.push(figure(format!("{function}: peak memory"), measured, "≤ 8 MiB more, < 64 MiB"));
    }
    figures
}

async fn run(versions: usize) -> Run {
    let photolala = Photolala::start(Options::default()).await.expect("the service starts");
    let account = Account::seeded(1);
    Fixture::of(&account).versions(versions).fill(&photolala).await.expect("the account is filled");
    photolala.local().recorder().reset();
    let started = std::time::Instant::now();
    let answer = photolala.delete_now(&account.upper()).await.expect("the function answers");
    photolala.run_until_complete(answer.deletion_id()).await.expect("the deletion completes");
    let seconds = started.elapsed().as_secs_f64();
    let names = [&photolala.environment().functions.deletion, &photolala.environment().functions.eraser];
    let run = Run {
        requests: requests(&photolala, &names),
        tasks: photolala.local().batch().jobs().iter().filter_map(|job| job.progress.map(|p| p.total)).sum(),
        peak_mib: names.map(|name| peak_mib(&photolala, name)),
        seconds,
    };
    photolala.shutdown().await;
    run
}

/// Requests by function and operation.
fn requests(photolala: &Photolala, names: &[&String; 2]) -> BTreeMap<String, u64> {
    let mut requests = BTreeMap::new();
    for (count, number) in photolala.local().recorder().counts() {
        for (name, short) in names.iter().zip(["deletion", "eraser"]) {
            if count.caller.as_deref() == Some(name.as_str()) {
                *requests.entry(format!("{short} {}", count.operation)).or_default() += number;
            }
        }
    }
    requests
}

/// The most memory that any process of a function ever had.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub fn peak_mib(photolala: &Photolala, name: &str) -> f64 {
    let peaks = photolala.local().lambda().processes(name).into_iter().filter_map(|p| p.peak_memory_bytes);
    peaks.max().unwrap_or_default() as f64 / 1_048_576.0
}
