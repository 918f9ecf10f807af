//! Waves of people, for as long as is wished: after each everything must be as it should.

use std::time::{Duration, Instant};

use harness::{Account, Fixture, Options, Photolala};

use crate::chaos::{Chaos, long_jobs};
use crate::job::peak_mib;
use crate::wave::{Wave, Waved};
use crate::{Figure, figure};

/// From here on an account goes into a job.
const THRESHOLD: &str = "30";
const CONCURRENCY: usize = 24;
const GRACE_SECONDS: u32 = 4;
/// Nothing keeps a scheduled run from claiming everybody.
const CLAIMS_PER_DAY: u32 = 1_000_000;
const BETWEEN_KILLS: Duration = Duration::from_millis(500);
/// So many kills of processes, then one of the engine.
const ENGINE_EVERY: u64 = 2;

/// Makes waves until the time is over, at least one.
pub async fn measure(time: Duration) -> Vec<Figure> {
    let photolala = Photolala::start(options()).await.expect("the service starts");
    let neighbour = Account::seeded(u64::MAX);
    Fixture::of(&neighbour).versions(60).fill(&photolala).await.expect("the neighbour is filled");
    let chaos = Chaos::over(&photolala, BETWEEN_KILLS, ENGINE_EVERY);
    let (started, mut stayed, mut all) = (Instant::now(), Vec::new(), Vec::new());
    while all.is_empty() || started.elapsed() < time {
        let wave = Wave::new(all.len() as u64, stayed);
        let waved;
        (waved, stayed) = Box::pin(wave.over(&photolala, &chaos)).await;
        tell(&photolala, all.len() + 1, &waved);
        all.push((waved, memory_mib()));
    }
    let figures = figures(&photolala, &chaos, &all, started.elapsed());
    photolala.shutdown().await;
    figures
}

fn options() -> Options {
    let mut options = Options { deletion_concurrency: CONCURRENCY, pace: long_jobs(), ..Options::default() };
    options.environment.grace_seconds = GRACE_SECONDS;
    options.environment.caps.accounts_per_day = CLAIMS_PER_DAY;
    options.deletion_variables.insert("DELETION_THRESHOLD".to_owned(), THRESHOLD.to_owned());
    options
}

fn tell(photolala: &Photolala, number: usize, waved: &Waved) {
    let [deletion, eraser] = peaks(photolala);
    eprintln!(
        "wave {number}: {} erased, {} stayed, {} rounds, {:.1} s; memory: this process {:.0} MiB, peaks of deletion \
         {deletion:.1} and eraser {eraser:.1} MiB",
        waved.erased,
        waved.stayed,
        waved.rounds,
        waved.seconds,
        memory_mib(),
    );
}

fn figures(photolala: &Photolala, chaos: &Chaos<'_>, all: &[(Waved, f64)], took: Duration) -> Vec<Figure> {
    let sum = |of: fn(&Waved) -> u64| all.iter().map(|(waved, _)| of(waved)).sum::<u64>().to_string();
    let kills = chaos.kills();
    let rounds = all.iter().map(|(waved, _)| waved.rounds).max().unwrap_or_default();
    let memory = |at: Option<&(Waved, f64)>| at.map_or(0.0, |(_, mib)| *mib);
    let [deletion, eraser] = peaks(photolala);
    vec![
        figure("waves, minutes", format!("{}, {:.1}", all.len(), took.as_secs_f64() / 60.0), "-"),
        figure("people erased, each wave whole", sum(|waved| waved.erased), "all who asked"),
        figure("people who cancelled and stayed", sum(|waved| waved.stayed), "all who did"),
        figure("people who registered again meanwhile", sum(|waved| waved.registered), "unharmed"),
        figure("processes killed meanwhile", kills.processes.to_string(), "-"),
        figure("the jobs' engine killed, jobs it then took up", format!("{}, {}", kills.engine, kills.jobs), "-"),
        figure("most rounds until nothing was left", rounds.to_string(), format!("≤ {}", crate::wave::ROUNDS_MAX)),
        figure("deletion: peak memory", format!("{deletion:.1} MiB"), "< 64 MiB"),
        figure("eraser: peak memory", format!("{eraser:.1} MiB"), "< 64 MiB"),
        figure(
            "this process after the first and the last wave",
            format!("{:.0}, {:.0} MiB", memory(all.first()), memory(all.last())),
            "-",
        ),
    ]
}

fn peaks(photolala: &Photolala) -> [f64; 2] {
    let functions = &photolala.environment().functions;
    [&functions.deletion, &functions.eraser].map(|name| peak_mib(photolala, name))
}

/// The resident memory of this process, where /proc tells it.
fn memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.unwrap_or(0.0) / 1_024.0
}
