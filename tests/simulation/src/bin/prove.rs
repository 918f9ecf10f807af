//! `bin/prove`: simulations by the thousand.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use simulation::explore::{Findings, Limits, explore, try_schedule};
use simulation::schedule::Schedule;
use simulation::shrink::shrunk;
use simulation::small::{Way, read, try_all, try_one};

/// Runs seeded simulations of the whole service, judged by a reference model.
///
/// A seed decides everything: accounts, what is asked for, faults, and every id. A broken promise is printed with the
/// line that replays it, and with the smallest schedule that breaks one too.
#[derive(Parser)]
#[command(name = "prove", verbatim_doc_comment)]
struct Arguments {
    /// How many schedules.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed; with --small-world, the first pair, modulo their count.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Begins no further schedule or pair after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Replays one seed and prints its schedule and what came of it.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Threads; all processors if not given.
    #[arg(long, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    threads: Option<usize>,
    /// Stops after so many broken promises.
    #[arg(long, default_value_t = 5, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    broken: usize,
    /// Tries the small world instead: every death, every cancellation, and every pair of them.
    #[arg(long)]
    small_world: bool,
    /// Replays one of the small worlds, such as 'Scheduled DiesAfter(12) Cancels(40)': a way of deleting (Now, NowByJob,
    /// Scheduled, ScheduledByJob), and what happens at which call of the function.
    #[arg(long, conflicts_with_all = ["seeds", "from", "seed", "small_world"])]
    world: Option<String>,
    /// With --small-world: pairs of deaths and cancellations nowhere, where no job is needed, or everywhere.
    #[arg(long, default_value = "direct")]
    pairs: Pairs,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Pairs {
    None,
    Direct,
    All,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Broken promises are panics of the judge; they are printed once, in their place.
    std::panic::set_hook(Box::new(|_| {}));
    let holds = match (arguments.seed, &arguments.world) {
        (Some(seed), _) => replay(seed),
        (_, Some(world)) => replay_small(world),
        _ if arguments.small_world => small_world(&arguments),
        _ => many(&arguments),
    };
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64) -> bool {
    let schedule = Schedule::of(seed);
    println!("{schedule:#?}");
    match try_schedule(&schedule) {
        Ok(report) => println!("every promise holds\n{report:#?}"),
        Err(text) => {
            println!(
                "BROKEN: {text}\nthe smallest that breaks one too: {:#?}",
                shrunk(&schedule, |smaller| try_schedule(smaller).is_err())
            );
            return false;
        }
    }
    true
}

fn replay_small(world: &str) -> bool {
    let Some((way, events)) = read(world) else {
        eprintln!("prove: {world:?} is no world such as 'Scheduled DiesAfter(12) Cancels(40)'");
        return false;
    };
    match try_one(way, &events) {
        Ok(calls) => println!("every promise holds, in {calls} calls"),
        Err(text) => {
            println!("BROKEN: {text}");
            return false;
        }
    }
    true
}

fn many(arguments: &Arguments) -> bool {
    let seeds = arguments.from..arguments.from + arguments.seeds;
    let tell = |done: u64| {
        if done.is_multiple_of(1_000) {
            eprintln!("prove: {done} of {}", arguments.seeds);
        }
    };
    let findings = explore(seeds, limits(arguments), tell);
    print(&findings);
    println!("sample: {} of {}", findings.schedules, arguments.seeds);
    findings.broken.is_empty()
}

fn print(findings: &Findings) {
    for (seed, text) in &findings.broken {
        println!("BROKEN: {text}\nreplay with: bin/prove --seed {seed}");
    }
    for (what, times) in &findings.sum.seen {
        println!("{times:>9}  {what}");
    }
    for (fault, times) in &findings.sum.faults {
        println!("{times:>9}  fault {fault:?}");
    }
    let (schedules, broken, rate) = (findings.schedules, findings.broken.len(), findings.rate());
    println!("{schedules} schedules, {} calls, {rate:.1} schedules/s, {broken} broken promises", findings.sum.calls);
}

fn small_world(arguments: &Arguments) -> bool {
    let pairs: &[Way] = match arguments.pairs {
        Pairs::None => &[],
        Pairs::Direct => &[Way::Now, Way::Scheduled],
        Pairs::All => &Way::ALL,
    };
    let started = Instant::now();
    let tell = |done: usize, of: usize| {
        if done.is_multiple_of(1_000) {
            eprintln!("prove: {done} of {of} small worlds");
        }
    };
    let from = usize::try_from(arguments.from).unwrap_or_default();
    let tried = try_all(limits(arguments), pairs, from, tell);
    for (world, text) in &tried.broken {
        println!("BROKEN: {text}\nreplay with: bin/prove --world '{world}'");
    }
    for (way, calls) in Way::ALL.iter().zip(&tried.calls) {
        println!("{way:?}: {calls} calls");
    }
    let (worlds, broken) = (tried.worlds, tried.broken.len());
    println!("the small world: {worlds} worlds, tried in {:.0?}, {broken} broken promises", started.elapsed());
    println!("sample: {worlds} of {}", tried.of);
    tried.broken.is_empty()
}

fn limits(arguments: &Arguments) -> Limits {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    Limits {
        threads: arguments.threads.unwrap_or_else(processors),
        broken_max: arguments.broken,
        until: arguments.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds)),
    }
}
