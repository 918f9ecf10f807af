//! Which stories cannot be told with another S3 server behind.

use std::fs;
use std::path::Path;

/// `file::story` and the reason it gives, of every story that is told `only_in_memory`, in order; but for the sweeps, none
/// of which is told elsewhere.
fn not_on_another_server(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).expect("the stories can be read").map(|file| file.expect("a file").path());
    let mut stories: Vec<String> = files.filter(|path| path.is_file()).flat_map(|file| of_file(&file)).collect();
    stories.sort();
    stories
}

fn of_file(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("a story is text");
    let module = file.file_stem().expect("a file has a name").to_string_lossy();
    let (mut story, mut told) = ("", Vec::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("async fn ") {
            story = rest.split('(').next().unwrap_or_default();
        }
        if let Some(rest) = line.trim_start().strip_prefix("only_in_memory(") {
            let reason = rest.split('"').nth(1).unwrap_or_else(|| panic!("{story} gives no reason in one line"));
            told.push(format!("- `{module}::{story}`: {reason}"));
        }
    }
    told
}

/// What is not run with another server is written down, story by story, with the reason.
#[test]
fn what_is_not_run_elsewhere_is_written_down() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let stories = not_on_another_server(&here.join("tests/stories"));
    println!("NOT_ON_ANOTHER_SERVER:\n{}", stories.join("\n"));
    let written = fs::read_to_string(here.join("NOT_ON_SEAWEEDFS.md")).expect("the list can be read");
    let written: Vec<&str> = written.lines().filter(|line| line.starts_with("- ")).collect();
    assert_eq!(written, stories, "NOT_ON_SEAWEEDFS.md and the stories differ");
}
