//! Refusals name a field and a rule, never the value: values are somebody's account id, key or e-mail address.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::OnceLock;

/// What a refusal may not share with the input: half an account id.
const RUN: usize = 16;
/// The longest refusal: a sentence, not a dump.
const REFUSAL_MAX: usize = 2_000;

/// The readers' own wording. Who sends us one of our own sentences gets it back, and learns nothing by it.
const SOURCES: [&str; 12] = [
    include_str!("../../../lambdas/domain/src/day.rs"),
    include_str!("../../../lambdas/domain/src/entry.rs"),
    include_str!("../../../lambdas/domain/src/event.rs"),
    include_str!("../../../lambdas/domain/src/ids.rs"),
    include_str!("../../../lambdas/domain/src/mapping.rs"),
    include_str!("../../../lambdas/domain/src/page.rs"),
    include_str!("../../../lambdas/domain/src/record.rs"),
    include_str!("../../../lambdas/domain/src/request.rs"),
    include_str!("../../../lambdas/domain/src/status.rs"),
    include_str!("../../../lambdas/domain/src/tally.rs"),
    include_str!("../../../lambdas/domain/src/task.rs"),
    include_str!("../../../lambdas/domain/src/url.rs"),
];

/// Panics if a refusal repeats a run of the input, or is long enough to.
pub fn check(refusal: &impl ToString, input: &[u8]) {
    let refusal = refusal.to_string();
    assert!(refusal.len() < REFUSAL_MAX, "{} bytes of refusal", refusal.len());
    let strange: HashSet<u64> = runs(refusal.as_bytes()).filter(|run| !wording().contains(run)).collect();
    let repeats = !strange.is_empty() && runs(input).any(|run| strange.contains(&run));
    assert!(!repeats, "the refusal repeats what it was given: {refusal}");
}

/// The runs of a text, garbled: a fuzzer that saw them compared as they are would soon send us our own refusals.
fn runs(text: &[u8]) -> impl Iterator<Item = u64> {
    let garble = |run: &[u8; RUN]| BuildHasherDefault::<DefaultHasher>::default().hash_one(run);
    text.array_windows().map(garble)
}

/// Every run in the readers' sources. Lists of names stand there with quotes and are told without.
fn wording() -> &'static HashSet<u64> {
    static WORDING: OnceLock<HashSet<u64>> = OnceLock::new();
    WORDING.get_or_init(|| {
        let code = SOURCES.map(|source| source.split("#[cfg(test)]").next().unwrap_or_default());
        let plain = code.map(|code| code.replace('"', "").replace("{{", "{").replace("}}", "}"));
        plain.iter().flat_map(|code| runs(code.as_bytes())).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "repeats")]
    fn half_an_account_id_is_too_much() {
        check(&"userId: 0a1b2c3d-4e5f-40 is nobody", b"{\"userId\":\"0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9\"}");
    }

    #[test]
    fn our_own_words_may_be_repeated() {
        check(&"known are type, userId, dryRun, hints", b"type, userId, dryRun, hints");
    }
}
