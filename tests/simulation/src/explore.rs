//! Running schedules, one or very many.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws::telemetry::logger;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::host::ToRunning;
use crate::run::{Report, run};
use crate::schedule::Schedule;

/// Runs a schedule on this thread; the error is the promise that was broken, in words.
pub fn try_schedule(schedule: &Schedule) -> Result<Report, String> {
    simulate(schedule.seed, run(schedule))
}

/// Runs something on this thread, with time that passes only when everybody waits and randomness of this seed.
pub fn simulate<T>(seed: u64, work: impl Future<Output = T>) -> Result<T, String> {
    fastrand::seed(seed);
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let _logging = logger(ToRunning).set_default();
    let outcome = catch_unwind(AssertUnwindSafe(|| LocalSet::new().block_on(&runtime, work)));
    outcome.map_err(|panic| words(&*panic))
}

/// What a panic said.
pub fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

/// What very many schedules came to.
#[derive(Debug, Default)]
pub struct Findings {
    /// Schedules that were run.
    pub schedules: u64,
    /// Their calls, faults and ends together.
    pub sum: Report,
    /// The broken promises, by seed.
    pub broken: BTreeMap<u64, String>,
    /// The real time it took.
    pub took: Duration,
}

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So many at a time.
    pub threads: usize,
    /// No further one is begun once so many promises were broken.
    pub broken_max: usize,
    /// Nor after this moment.
    pub until: Option<Instant>,
}

impl Limits {
    /// Whether no further one is begun.
    pub fn are_reached(&self, broken: usize) -> bool {
        broken >= self.broken_max || self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// Runs the schedules of these seeds within the limits. `tell` hears how many are done, every so often.
pub fn explore(seeds: std::ops::Range<u64>, limits: Limits, tell: impl Fn(u64) + Sync) -> Findings {
    let (next, enough) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let (findings, started) = (Mutex::new(Findings::default()), Instant::now());
    let work = || {
        while !enough.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let outcome = try_schedule(&Schedule::of(seed));
            let mut findings = findings.lock().expect("nothing panics while holding it");
            findings.add(seed, outcome);
            enough.fetch_or(limits.are_reached(findings.broken.len()), Ordering::Relaxed);
            tell(findings.schedules);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..limits.threads {
            scope.spawn(work);
        }
    });
    let findings = findings.into_inner().expect("nothing panics while holding it");
    Findings { took: started.elapsed(), ..findings }
}

impl Findings {
    fn add(&mut self, seed: u64, outcome: Result<Report, String>) {
        self.schedules += 1;
        match outcome {
            Ok(report) => self.sum.add(&report),
            Err(text) => drop(self.broken.insert(seed, text)),
        }
    }

    /// Schedules a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate is shown with one decimal")]
    pub fn rate(&self) -> f64 {
        self.schedules as f64 / self.took.as_secs_f64()
    }
}

impl Report {
    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        for (fault, times) in &other.faults {
            *self.faults.entry(*fault).or_default() += times;
        }
        for (what, times) in &other.seen {
            *self.seen.entry(what.clone()).or_default() += times;
        }
    }
}
