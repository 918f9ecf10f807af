//! A copy of the repository with all faults in its functions' code, each of which sleeps until it is chosen.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::faults::FAULTS;

/// What chooses a fault.
pub const CHOICE: &str = "PLANTED";

/// What every crate of the functions asks.
const QUESTION: &str = r#"
extern crate self as domain;

/// Whether this fault was chosen.
pub fn is_planted(name: &str) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    CHOSEN.get_or_init(|| std::env::var("PLANTED").ok()).as_deref() == Some(name)
}
"#;

/// Copies what git knows of the repository, and plants the faults. Files that are as they were are left alone, so that
/// they are not compiled again.
pub fn plant(repository: &Path, tree: &Path) -> anyhow::Result<()> {
    for file in tracked(repository)? {
        let text = fs::read(repository.join(&file)).with_context(|| file.clone())?;
        let text = match file.strip_prefix("lambdas/") {
            Some(name) => planted(name, String::from_utf8(text)?)?.into_bytes(),
            None if file == "Cargo.toml" => of_another_version(&String::from_utf8(text)?)?.into_bytes(),
            None => text,
        };
        write(&tree.join(renamed(&file)), &text)?;
    }
    Ok(())
}

/// Cargo tells crates of one target folder apart by name and version, not by where they lie: those with faults must
/// never be linked into what is tested without.
fn of_another_version(manifest: &str) -> anyhow::Result<String> {
    const OURS: &str = "[workspace.package]\nversion = \"0.1.0\"";
    ensure!(manifest.contains(OURS), "Cargo.toml has another version than the planted build replaces");
    Ok(manifest.replace(OURS, "[workspace.package]\nversion = \"0.1.0-planted\""))
}

/// The program with the faults must not take the place of the one without.
fn renamed(file: &str) -> String {
    file.replace("tests/simulation/src/bin/prove.rs", "tests/simulation/src/bin/prove-planted.rs")
}

fn tracked(repository: &Path) -> anyhow::Result<Vec<String>> {
    let listed = Command::new("git").arg("-C").arg(repository).arg("ls-files").output()?;
    ensure!(listed.status.success(), "git cannot list the repository: {}", String::from_utf8_lossy(&listed.stderr));
    let files = String::from_utf8(listed.stdout)?;
    let is_there = |file: &&str| repository.join(file).is_file();
    Ok(files.lines().filter(is_there).map(str::to_owned).collect())
}

fn planted(file: &str, mut text: String) -> anyhow::Result<String> {
    for fault in FAULTS.iter().filter(|fault| fault.file == file) {
        let found = text.matches(fault.from).count();
        if found != 1 {
            bail!("{}: what it replaces stands {found} times in lambdas/{file}, and must stand there once", fault.name);
        }
        let chosen = format!("domain::is_planted({:?})", fault.name);
        text = text.replace(fault.from, &fault.to.replace(CHOICE, &chosen));
    }
    if file == "domain/src/lib.rs" {
        text.push_str(QUESTION);
    }
    Ok(text)
}

fn write(path: &PathBuf, text: &[u8]) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().context("a file lies in a folder")?)?;
    fs::write(path, text).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_still_has_its_place() {
        let lambdas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lambdas");
        for fault in FAULTS {
            let text = fs::read_to_string(lambdas.join(fault.file)).unwrap();
            let text = planted(fault.file, text).unwrap();
            assert!(text.contains(&format!("domain::is_planted({:?})", fault.name)), "{}", fault.name);
        }
    }

    #[test]
    fn what_has_moved_is_an_error() {
        let told = planted("domain/src/manifest.rs", "nothing of the kind".to_owned()).unwrap_err().to_string();
        assert!(told.starts_with("D19") && told.contains("0 times"), "{told}");
    }
}
