//! P8: how many calls a deletion makes, counted over accounts of every small size.

use domain::environment::ImmediateMode;
use domain::mapping::BucketKind;
use simulation::explore::try_schedule;
use simulation::schedule::{AccountPlan, Does, Schedule, Step, World};
use simulation::stage::{PAGE_SIZE, THRESHOLD};

const KINDS: [BucketKind; 3] = [BucketKind::Unversioned, BucketKind::Versioned, BucketKind::Suspended];

fn calls(kind: BucketKind, versions: usize) -> u64 {
    let account = AccountPlan {
        versions,
        uploads: 0,
        mappings: true,
        odd_keys: false,
        older_status: false,
        locked_seconds: None,
    };
    let world = World {
        kind,
        mode: ImmediateMode::Allowed,
        run_cap: 1_000,
        job_events: true,
        duplicate_every: None,
        has_clutter: false,
        accounts: vec![account],
    };
    let steps = vec![Step { does: Does::DeleteNow(0), with_next: false }];
    let report = try_schedule(&Schedule { seed: 1, world, steps, rate: 0.0 }).expect("no fault, no broken promise");
    // Over, as the model says of who stays: a service that refuses everything would need few calls.
    assert_eq!(report.seen.keys().collect::<Vec<_>>(), ["DeleteNow 200", "ended Stays"]);
    report.calls
}

/// The formula: from the request until the second look is over, with two listings of everything.
fn allowed(versions: usize) -> u64 {
    let pages = versions.div_ceil(PAGE_SIZE) as u64;
    if versions < THRESHOLD as usize { 90 } else { 200 + pages }
}

#[test]
fn calls_of_a_deletion_grow_with_its_pages_alone() {
    for kind in KINDS {
        for versions in [0, 1, 4, 9, 10, 11, 16, 30, 60, 150, 400] {
            let (calls, allowed) = (calls(kind, versions), allowed(versions));
            assert!(calls <= allowed, "{kind:?}: {calls} calls for {versions} versions, and {allowed} are allowed");
        }
    }
}
