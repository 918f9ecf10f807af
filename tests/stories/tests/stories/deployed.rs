//! What the functions under test are: those that are deployed, or those of the tests' own build.

use std::fs;

use fault_point::{MARK, VARIABLE};
use harness::Bootstraps;

/// Faults can be planted in the functions of the tests' build alone. With `PHOTOLALA_BOOTSTRAPS`, as `bin/verify` has it,
/// the functions under test are as deployed, and nothing of it may be in them.
#[test]
fn no_fault_can_be_planted_in_the_functions_as_deployed() {
    let are_deployed = std::env::var_os("PHOTOLALA_BOOTSTRAPS").is_some();
    let Bootstraps { deletion, eraser } = Bootstraps::found();
    for program in [deletion, eraser] {
        let code = fs::read(&program).expect("the function is built");
        for word in [MARK, VARIABLE] {
            let is_there = code.windows(word.len()).any(|bytes| bytes == word.as_bytes());
            assert_eq!(is_there, !are_deployed, "{word:?} in {}", program.display());
        }
    }
}
