//! `bin/planted`: switches known faults on in the functions, one at a time, and sees whether the tests notice. A suite
//! that notices nothing proves nothing.

mod faults;
mod suites;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use comfy_table::Table;

use crate::faults::{FAULTS, Fault, Suite};
use crate::suites::Suites;

/// Switches known faults on in the functions, one at a time, and sees whether the tests notice each.
///
/// Each is a fault point of its name in the functions' code, which the deployed functions do not have. Without any fault,
/// the same tests must pass.
#[derive(Parser)]
#[command(name = "planted", verbatim_doc_comment)]
struct Arguments {
    /// Only these faults; all if none is named.
    names: Vec<String>,
    /// Schedules within which a fault must be noticed.
    #[arg(long, default_value_t = 4_000)]
    seeds: u64,
    /// Begins with the fault of this number, modulo their count, and goes round.
    #[arg(long, default_value_t = 0)]
    from: usize,
    /// Begins no further fault after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// The program that runs schedules and the small world (bin/prove).
    #[arg(long, default_value = "target/proof/prove")]
    prove: PathBuf,
    /// Lists the faults, with what goes wrong and who must notice.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for fault in FAULTS {
            println!("{:<28} {} ({:?})", fault.name, fault.what, fault.noticed_by);
        }
        return ExitCode::SUCCESS;
    }
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("planted: {fault:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let chosen = chosen(arguments)?;
    let suites = Suites::new(&arguments.prove, arguments.seeds)?;
    let until = arguments.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY).set_header([
        "fault",
        "what goes wrong",
        "s",
        "noticed by",
    ]);
    let (mut tried, mut missed, mut seeds) = (Vec::new(), 0, 0);
    for fault in &chosen {
        if until.is_some_and(|until| Instant::now() > until) {
            break;
        }
        let noticed = suites.notice(fault)?;
        missed += usize::from(noticed.is_none());
        eprintln!("planted: {} {}", fault.name, if noticed.is_some() { "noticed" } else { "MISSED" });
        seeds = seeds.max(noticed.as_ref().map_or(0, |noticed| noticed.seeds));
        let (took, by) = noticed.map_or_else(Default::default, |noticed| (noticed.took, noticed.by));
        let by = if by.is_empty() { "MISSED" } else { &by };
        table.add_row([fault.name, fault.what, &took.as_secs().to_string(), by]);
        tried.push(*fault);
    }
    println!("{table}");
    controls(&suites, &tried, seeds)?;
    println!("{} faults planted, {} noticed, {missed} missed", tried.len(), tried.len() - missed);
    println!("sample: {} of {}", tried.len(), chosen.len());
    Ok(missed == 0)
}

/// What noticed a fault must pass without any: schedules as far as they noticed one.
fn controls(suites: &Suites, tried: &[&Fault], seeds: u64) -> anyhow::Result<()> {
    let mut passed: Vec<Suite> = Vec::new();
    for suite in tried.iter().map(|fault| fault.noticed_by) {
        if !passed.contains(&suite) {
            suites.pass_without_any(suite, seeds)?;
            passed.push(suite);
        }
    }
    Ok(())
}

fn chosen(arguments: &Arguments) -> anyhow::Result<Vec<&'static Fault>> {
    if arguments.names.is_empty() {
        let from = arguments.from % FAULTS.len();
        return Ok(FAULTS[from..].iter().chain(&FAULTS[..from]).collect());
    }
    let find = |name: &String| {
        let found = FAULTS.iter().find(|fault| fault.name == name);
        found.with_context(|| format!("there is no fault {name}; bin/planted --list names them"))
    };
    arguments.names.iter().map(find).collect()
}
