//! Measures what the project promises about requests, memory, start-up and speed, and prints it beside the promise.
//! Counts and memory are of the functions as they are deployed; speeds are this machine's.

mod chaos;
mod delete_now;
mod job;
mod load;
mod local_aws_speed;
mod scheduled_run;
mod soak;
mod startup;
mod wave;

use std::time::Duration;

use clap::{Parser, ValueEnum};
use comfy_table::Table;

/// Benchmarks of photolala-deletion. Everything runs on this machine, on loopback.
#[derive(Debug, Parser)]
struct Args {
    /// What to measure; everything if none is named.
    what: Vec<What>,
    /// Versions of the large account of the `job` benchmark.
    #[arg(long, default_value_t = 100_000)]
    versions: usize,
    /// How long the `soak` goes on; its last wave is finished all the same.
    #[arg(long, default_value_t = 2)]
    minutes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Requests and round trips of a Delete Now of 240 versions.
    DeleteNow,
    /// Requests and memory of a large account erased by a job.
    Job,
    /// Requests, seconds and memory of a scheduled run among a million mappings.
    ScheduledRun,
    /// 500 people who press Delete Now at once, while processes and the jobs' engine are killed.
    Load,
    /// Waves of people who delete, schedule, cancel and register again, while processes are killed.
    Soak,
    /// Start of each function to its first poll of the Runtime API.
    Startup,
    /// Speed of the local AWS itself.
    LocalAws,
}

/// One measured figure.
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// What came out, with its unit.
    pub measured: String,
    /// What is promised, if anything is.
    pub promised: String,
}

/// A figure without a promise has `-`.
pub fn figure(what: impl Into<String>, measured: impl Into<String>, promised: impl Into<String>) -> Figure {
    Figure { what: what.into(), measured: measured.into(), promised: promised.into() }
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let wanted = |what| args.what.is_empty() || args.what.contains(&what);
    if wanted(What::Startup) {
        show("Start to first poll", startup::measure().await);
    }
    if wanted(What::DeleteNow) {
        show("Delete Now of 240 versions", delete_now::measure().await);
    }
    if wanted(What::Job) {
        show("By a job", job::measure(args.versions).await);
    }
    if wanted(What::ScheduledRun) {
        show("A scheduled run", scheduled_run::measure().await);
    }
    if wanted(What::Load) {
        show("Under load", load::measure().await);
    }
    if wanted(What::Soak) {
        show("Waves without end", Box::pin(soak::measure(Duration::from_mins(args.minutes))).await);
    }
    if wanted(What::LocalAws) {
        show("The local AWS", local_aws_speed::measure().await);
    }
}

fn show(title: &str, figures: Vec<Figure>) {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY).set_header([title, "measured", "promised"]);
    for Figure { what, measured, promised } in figures {
        table.add_row([what, measured, promised]);
    }
    println!("{table}");
}
