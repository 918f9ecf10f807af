//! How each suite is run with one fault switched on, and what it says when it notices.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::faults::{Fault, Suite};

/// That a fault was noticed.
pub struct Noticed {
    /// By what, in a few words.
    pub by: String,
    /// After so long.
    pub took: Duration,
    /// How many schedules must be tried to see it; none if no schedule did.
    pub seeds: u64,
}

/// The suites, as the everyday build has them.
pub struct Suites {
    repository: PathBuf,
    prove: PathBuf,
    /// Schedules within which a fault must be noticed.
    seeds: u64,
}

impl Suites {
    /// With the program `prove`, and the tests of this repository.
    pub fn new(prove: &Path, seeds: u64) -> anyhow::Result<Self> {
        let prove = prove.canonicalize().with_context(|| format!("{} is not built: bin/prove", prove.display()))?;
        Ok(Self { repository: Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), prove, seeds })
    }

    /// Fails if the suite does so without any fault: it would notice nothing.
    pub fn pass_without_any(&self, suite: Suite, seeds: u64) -> anyhow::Result<()> {
        let output = self.run(suite, "none", seeds)?;
        ensure!(output.status.success(), "{suite:?} fails without any fault:\n{}", text(&output));
        Ok(())
    }

    /// How the suite noticed the fault; not at all if it passed.
    pub fn notice(&self, fault: &Fault) -> anyhow::Result<Option<Noticed>> {
        let started = Instant::now();
        let output = self.run(fault.noticed_by, fault.name, self.seeds)?;
        if output.status.success() {
            return Ok(None);
        }
        let by = first_words(&output);
        ensure!(!by.is_empty(), "{:?} did not run with {}:\n{}", fault.noticed_by, fault.name, text(&output));
        let by = format!("{:?}: {by}", fault.noticed_by);
        Ok(Some(Noticed { by, took: started.elapsed(), seeds: seed(&output).map_or(0, |seed| seed + 1) }))
    }

    fn run(&self, suite: Suite, fault: &str, seeds: u64) -> anyhow::Result<Output> {
        let mut command = match suite {
            Suite::Seeds => self.prove(&["--seeds", &seeds.to_string()]),
            Suite::SmallWorld => self.prove(&["--small-world", "--pairs", "none"]),
            Suite::Regressions => self.tests("test(/^regressions::/)"),
            Suite::UnitTests => self.tests("package(domain) & kind(lib)"),
            Suite::Story(name) => self.tests(&format!("package(stories) & test(={name})")),
        };
        command.env(fault_point::VARIABLE, fault).stdin(Stdio::null());
        Ok(command.output()?)
    }

    fn prove(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.prove);
        command.args(arguments).args(["--broken", "1"]);
        command
    }

    /// The whole workspace, so that nothing is built anew.
    fn tests(&self, which: &str) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.args(["nextest", "run", "--workspace", "--locked", "--color", "never", "-E", which]);
        cargo.current_dir(&self.repository);
        cargo
    }
}

/// How simulations and tests say that something is wrong, rather than that they could not run.
const BROKEN: [&str; 2] = ["BROKEN: ", "        FAIL ["];

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

/// The last schedule that noticed a fault, if schedules did.
fn seed(output: &Output) -> Option<u64> {
    let text = text(output);
    text.lines().filter_map(|line| line.strip_prefix("replay with: bin/prove --seed ")?.parse().ok()).max()
}

/// The promise that was broken, or the test that failed; empty if nothing says that the suite ran.
fn first_words(output: &Output) -> String {
    let text = text(output);
    let line = text.lines().find_map(|line| BROKEN.iter().find_map(|mark| line.strip_prefix(mark)));
    line.unwrap_or_default().chars().take(70).collect()
}
