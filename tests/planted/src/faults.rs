//! The faults: small mistakes in the functions' code, each at a fault point of its name, each of which must break a
//! promise that somebody checks.
//!
//! `d1` to `d24` are what an earlier service of this kind got wrong; the others are mistakes that are easily made where an
//! account is claimed, severed, planned, summed up, looked at and finished.

/// A fault that can be planted.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The name of its fault point, `planted!("…")` in the functions' code.
    pub name: &'static str,
    /// What goes wrong.
    pub what: &'static str,
    /// Who must notice.
    pub noticed_by: Suite,
}

/// Who must notice a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Seeded schedules.
    Seeds,
    /// The small world, each single event.
    SmallWorld,
    /// Schedules that found a fault once.
    Regressions,
    /// The unit tests of the pure crate.
    UnitTests,
    /// One story, by its name.
    Story(&'static str),
}

use Suite::{Regressions, Seeds, SmallWorld, Story, UnitTests};

const fn fault(name: &'static str, what: &'static str, noticed_by: Suite) -> Fault {
    Fault { name, what, noticed_by }
}

/// All of them.
pub const FAULTS: &[Fault] = &[
    fault("d1-only-today", "only today's entries are served", Seeds),
    fault("d2-never-caught-up", "a request that a missed run left is never caught up", Seeds),
    fault("d3-no-such-manifest", "a job is created that S3 Batch Operations cannot run", Seeds),
    fault("d4-record-taken-away", "whoever fails takes the record away", Seeds),
    fault("d5-entry-decides-alone", "an entry decides alone, whatever the status says", Seeds),
    fault("d6-first-look-alone", "an account is erased as it was first looked at", SmallWorld),
    fault("d7-error-is-erased", "an error of a single key counts as erased", Seeds),
    fault("d8-markers-unseen", "delete markers are not seen", Seeds),
    fault("d8-uploads-stay", "unfinished uploads are not aborted", Seeds),
    fault("d9-no-last-look", "nobody looks again before the receipt", Seeds),
    fault("d9-no-second-look", "the second look changes nothing", Seeds),
    fault("d10-one-spelling", "the other spelling of the id is forgotten", Seeds),
    fault("d11-any-account-named", "an entry is believed whatever account its body names", UnitTests),
    fault("d12-no-grace", "the grace period is not counted from S3's clock", Seeds),
    fault("d13-first-page-of-entries", "only the first page of entries is listed", Seeds),
    fault("d14-every-mapping-read", "every mapping of everybody is read", Seeds),
    fault("d15-key-contains-an-id", "a key that merely contains an id is taken for its entry", Seeds),
    fault("d16-failure-is-success", "a failed run ends as a success", Seeds),
    fault("d17-unknown-is-internal", "to ask about an unknown job is an internal error", Seeds),
    fault("d18-end-unnoticed", "nobody notices that a job has ended", Seeds),
    fault("d19-keys-unencoded", "keys of a manifest are not encoded", UnitTests),
    fault("d20-pages-stay", "what lists a person's keys is kept", Seeds),
    fault("d21-nobody-told", "nobody is told", Seeds),
    fault("d22-two-at-once", "two deletions of one account begin side by side", Seeds),
    fault("d23-any-size-at-once", "an account of any size is erased in one invocation", Seeds),
    fault("d24-anybody-by-default", "where its mode is not told, anybody may ask for anybody", UnitTests),
    fault("who-asks", "anybody may ask for anybody, in every environment", Seeds),
    fault("claim-unchecked", "a scheduled claim is taken for a Delete Now, without checks", SmallWorld),
    fault("claim-overwritten", "a record is written over whatever it has become", Seeds),
    fault("claim-deaf", "a cancellation is accepted although the claim was first", Seeds),
    fault("claim-hasty", "a cancellation is too late while a claim is checked that may come to nothing", Regressions),
    fault("claim-lost", "a request is accepted and not written down", Seeds),
    fault("claim-forever", "a dead holder keeps its record for ever", Seeds),
    fault("claim-uncapped", "a run claims more accounts than it may", Seeds),
    fault("claim-dry", "a dry run claims", Seeds),
    fault("sever-nothing", "sign-ins are left as they are", Seeds),
    fault("sever-anybody", "a sign-in is deleted although it leads to another account by now", SmallWorld),
    fault("sever-open", "somebody else's old sign-in comes to light", UnitTests),
    fault("pages-short", "the last pages of a plan are not written", Seeds),
    fault("pages-first", "only the first page of a listing is seen", Seeds),
    fault("pages-unheld", "what Object Lock keeps counts as erased", Seeds),
    fault("sums-trusted", "an attempt counts as whole whatever its outcomes add up to", Seeds),
    fault("sums-lost", "what a round erased is not counted", Seeds),
    fault("look-uploads", "unfinished uploads are no leftover", Seeds),
    fault("look-sign-ins", "a sign-in that an old phone wrote again is no leftover", Seeds),
    fault("finish-entries", "entries are left", Seeds),
    fault("finish-record", "the record is never given up", Seeds),
    fault("finish-request", "the request outlives its deletion", Seeds),
    fault("finish-never", "what failed is never tried again", Seeds),
    fault("tell-tale", "a log line names the account", Seeds),
    fault("answer-early", "who asks is told that everything was erased before it is", Seeds),
    fault("answer-stale", "who asks again is told what the last look found, however long ago", Seeds),
    fault("answer-hasty", "who asks while another run looks again is told what it has not found yet", Regressions),
    fault("pages-none", "a run without pages waits for a job that cannot be", Regressions),
    fault("pages-cut", "half a listing is taken for a listing", Regressions),
    fault("held-for-ever", "what Object Lock held is never tried again", Seeds),
    fault("marks-stay", "who stays keeps a status that says the account is going", SmallWorld),
    fault("dry-run-writes", "a dry run takes requests away", Seeds),
    fault(
        "named-twice",
        "of a field that is named twice the last counts",
        Story("tricks::who_names_a_field_twice_erases_nobody"),
    ),
    fault("page-unchecked", "the eraser erases whatever a page names", Story("forged::a_forged_page_erases_nothing")),
    fault(
        "page-stale",
        "the eraser acts on a page of a deletion that is over",
        Story("forged::a_page_of_a_deletion_that_is_over_erases_nothing"),
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own_and_each_old_defect_is_there() {
        let names: BTreeSet<&str> = FAULTS.iter().map(|fault| fault.name).collect();
        assert_eq!(names.len(), FAULTS.len());
        assert!((1..=24).all(|n| names.iter().any(|name| name.starts_with(&format!("d{n}-")))));
        assert!(FAULTS.len() >= 24 + 20);
    }

    /// A fault that has no place is never planted, and a place that is not listed is never tried.
    #[test]
    fn every_fault_has_one_fault_point_and_every_fault_point_is_listed() {
        let lambdas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lambdas");
        let crates = fs::read_dir(lambdas).unwrap().map(|entry| entry.unwrap().path());
        let sources = crates.filter(|path| !path.ends_with("fault-point")).map(|path| path.join("src"));
        let mut points: Vec<String> = sources.filter(|path| path.is_dir()).flat_map(|path| points(&path)).collect();
        points.sort();
        let mut names: Vec<&str> = FAULTS.iter().map(|fault| fault.name).collect();
        names.sort_unstable();
        assert_eq!(points, names);
    }

    fn points(path: &Path) -> Vec<String> {
        if path.is_dir() {
            let files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
            return files.flat_map(|file: PathBuf| points(&file)).collect();
        }
        let text = fs::read_to_string(path).unwrap();
        let named = text.split("planted!(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        named.collect()
    }
}
