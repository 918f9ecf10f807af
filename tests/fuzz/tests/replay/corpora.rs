//! Every input that was kept is replayed, and neither a target nor a corpus stands alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fuzz_targets::TARGETS;

/// Files of a corpus, and bytes of all of them: a corpus is read by people too.
const FILES_MAX: usize = 20;
const BYTES_MAX: usize = 20_000;

fn inside(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries.map(|entry| entry.expect("an entry of the folder").path()).collect()
}

/// Names of what lies in a folder, without their endings.
fn names(folder: &str) -> BTreeSet<String> {
    let name = |path: PathBuf| path.file_stem().map(|name| name.to_string_lossy().into_owned());
    inside(folder).into_iter().filter_map(name).collect()
}

#[test]
fn every_target_has_a_corpus_and_a_program_and_each_of_those_a_target() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("corpus"), targets, "corpora");
    assert_eq!(names("libfuzzer/src/bin"), targets, "programs");
}

#[test]
fn what_was_kept_is_read_or_refused() {
    for (name, target) in TARGETS {
        let inputs = inside(&format!("corpus/{name}"));
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for input in inputs {
            // Which one it was, if the target panics.
            eprintln!("{}", input.display());
            target(&fs::read(&input).expect("a file"));
        }
    }
}

#[test]
fn corpora_are_small() {
    for (name, _) in TARGETS {
        let inputs = inside(&format!("corpus/{name}"));
        let bytes: usize = inputs.iter().map(|input| fs::read(input).expect("a file").len()).sum();
        assert!(inputs.len() <= FILES_MAX && bytes <= BYTES_MAX, "{name}: {} files, {bytes} bytes", inputs.len());
    }
}
