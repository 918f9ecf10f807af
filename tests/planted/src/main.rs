//! `bin/planted`: plants known faults into a copy of the functions, one at a time, and sees whether the tests notice.
//! A suite that notices nothing proves nothing.

mod faults;
mod tree;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use clap::Parser;
use comfy_table::Table;

use crate::faults::{FAULTS, Fault, Suite};
use crate::tree::{CHOICE, plant};

/// Plants known faults into a copy of the functions, one at a time, and sees whether the tests notice each.
///
/// All of them are compiled into one test-only build, and chosen at run time. Without any, the same tests must pass.
#[derive(Parser)]
#[command(name = "planted", verbatim_doc_comment)]
struct Arguments {
    /// Only these faults; all if none is named.
    names: Vec<String>,
    /// Schedules within which a fault must be noticed.
    #[arg(long, default_value_t = 4_000)]
    seeds: u64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("planted: {fault:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let chosen = chosen(&arguments.names)?;
    let build = Build::make(&repository(), arguments.seeds)?;
    build.without_any(Suite::UnitTests, 0)?;
    build.without_any(Suite::SmallWorld, 0)?;
    build.without_any(Suite::Regressions, 0)?;
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY).set_header(["fault", "what goes wrong", "noticed", "by"]);
    let (mut missed, mut seeds) = (0, 0);
    for fault in &chosen {
        let noticed = build.notices(fault)?;
        missed += usize::from(noticed.is_none());
        eprintln!("planted: {} {}", fault.name, if noticed.is_some() { "noticed" } else { "MISSED" });
        let (yes, by) = noticed.map_or(("MISSED", String::new()), |noticed| {
            seeds = seeds.max(noticed.seed + 1);
            ("yes", noticed.by)
        });
        table.add_row([fault.name, fault.what, yes, &by]);
    }
    build.without_any(Suite::Seeds, seeds)?;
    println!("{table}\n{} faults planted, {} noticed, {missed} missed", chosen.len(), chosen.len() - missed);
    Ok(missed == 0)
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Fault>> {
    if names.is_empty() {
        return Ok(FAULTS.iter().collect());
    }
    let find =
        |name: &String| FAULTS.iter().find(|fault| fault.name == name).with_context(|| format!("no fault {name}"));
    names.iter().map(find).collect()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// That a fault was noticed.
struct Noticed {
    /// By what, in a few words.
    by: String,
    /// The last schedule that noticed it, if schedules did.
    seed: u64,
}

/// The test-only build with all faults.
struct Build {
    tree: PathBuf,
    target: PathBuf,
    seeds: u64,
}

impl Build {
    fn make(repository: &Path, seeds: u64) -> anyhow::Result<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository.join("target"), PathBuf::from);
        let target = std::path::absolute(target)?;
        let tree = target.join("planted");
        plant(repository, &tree)?;
        let build = Self { tree, target, seeds };
        eprintln!("planted: building the functions with {} faults", FAULTS.len());
        let status = build.cargo(&["build", "--quiet", "-p", "simulation", "--bin", "prove-planted"]).status()?;
        ensure!(status.success(), "the functions with the faults do not build");
        Ok(build)
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        // Not --locked: our own crates have another version there.
        cargo.args(arguments).args(["--profile", "quick", "--offline"]);
        cargo.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
        cargo
    }

    /// A test that fails without a fault notices nothing: schedules are tried as far as they noticed any.
    fn without_any(&self, suite: Suite, seeds: u64) -> anyhow::Result<()> {
        let output = self.run(suite, "none", seeds)?;
        ensure!(output.status.success(), "the tests fail without any fault:\n{}", text(&output));
        Ok(())
    }

    /// How the suite noticed the fault; not at all if it passed.
    fn notices(&self, fault: &Fault) -> anyhow::Result<Option<Noticed>> {
        let started = Instant::now();
        let output = self.run(fault.noticed_by, fault.name, self.seeds)?;
        let code = output.status.code();
        ensure!(
            code == Some(0) || text(&output).contains(BROKEN[0]) || text(&output).contains(BROKEN[1]),
            "the tests of {} did not run:\n{}",
            fault.name,
            text(&output)
        );
        let by = || format!("{:?}, {:.0?}: {}", fault.noticed_by, started.elapsed(), first_words(&output));
        Ok((code != Some(0)).then(|| Noticed { by: by(), seed: seed(&output) }))
    }

    fn run(&self, suite: Suite, name: &str, seeds: u64) -> anyhow::Result<Output> {
        let mut command = match suite {
            Suite::Seeds => self.prove(&["--seeds", &seeds.to_string(), "--broken", "1"]),
            Suite::SmallWorld => self.prove(&["--small-world", "--pairs", "none", "--broken", "1"]),
            Suite::Regressions => self.cargo(&["test", "--quiet", "-p", "simulation", "--test", "regressions"]),
            Suite::UnitTests => self.cargo(&["test", "--quiet", "-p", "domain", "--lib"]),
        };
        Ok(command.env(CHOICE, name).stdin(Stdio::null()).output()?)
    }

    fn prove(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.target.join("quick/prove-planted"));
        command.args(arguments);
        command
    }
}

/// How simulations and unit tests say that something is wrong, rather than that they could not run.
const BROKEN: [&str; 2] = ["BROKEN: ", "test result: FAILED"];

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

fn seed(output: &Output) -> u64 {
    let text = text(output);
    let seeds = text.lines().filter_map(|line| line.strip_prefix("replay with: bin/prove --seed ")?.parse().ok());
    seeds.max().unwrap_or_default()
}

/// The promise that was broken, or the unit test that failed.
fn first_words(output: &Output) -> String {
    let text = text(output);
    let line = text.lines().find_map(|line| line.strip_prefix(BROKEN[0]).or_else(|| line.strip_prefix("---- ")));
    line.unwrap_or_default().chars().take(70).collect()
}
