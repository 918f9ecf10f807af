//! Programs and tests share one build of every library: `bin/demo`, `bin/test` and `bin/verify` compile it once.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The features of every package, as cargo chooses them along dependencies of these kinds: a package may be built twice,
/// for this machine's own programs and for build scripts.
fn features(edges: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--workspace", "--locked", "--offline", "--prefix", "none", "--edges", edges]);
    let output = cargo.args(["--format", "{p}|{f}"]).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let mut features = BTreeMap::<_, BTreeSet<_>>::new();
    for (package, chosen) in text.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once('|')) {
        features.entry(package.to_owned()).or_default().insert(chosen.to_owned());
    }
    features
}

/// Otherwise everything that depends on such a package is compiled twice; and the functions under test have other
/// features than those deployed. `Cargo.toml` of this crate is where a feature is asked for on behalf of programs.
#[test]
fn tests_ask_for_no_feature_that_programs_do_not_have() {
    let (programs, tests) = (features("normal,build"), features("all"));
    assert!(programs.len() > 100, "cargo tree tells {} packages", programs.len());
    for (package, features) in programs {
        assert_eq!(tests[&package], features, "{package}");
    }
}
