//! What simulations have found, in the smallest schedules that showed it.

use domain::environment::ImmediateMode;
use domain::mapping::BucketKind;
use simulation::explore::try_schedule;
use simulation::schedule::{AccountPlan, Does, Schedule, Step, World};
use simulation::small::{Event, Way, try_one};

const ACCOUNT: AccountPlan =
    AccountPlan { versions: 0, uploads: 0, mappings: true, odd_keys: false, older_status: false, locked_seconds: None };

fn holds(seed: u64, rate: f64, world: World, steps: &[Step]) {
    let report = try_schedule(&Schedule { seed, world, steps: steps.to_vec(), rate });
    assert_eq!(report.map(|report| report.calls > 0), Ok(true));
}

fn world(kind: BucketKind, mode: ImmediateMode, accounts: &[AccountPlan]) -> World {
    World {
        kind,
        mode,
        run_cap: 1_000,
        job_events: true,
        duplicate_every: None,
        has_clutter: false,
        accounts: accounts.to_vec(),
    }
}

const fn together(does: Does) -> Step {
    Step { does, with_next: true }
}

const fn alone(does: Does) -> Step {
    Step { does, with_next: false }
}

/// A deletion ends while the next one is asked for: what the first erased is no breach of the second's cancellation.
#[test]
fn regression_asked_again_in_the_last_moment_of_a_deletion() {
    let account = AccountPlan { versions: 2, mappings: false, ..ACCOUNT };
    let world = world(BucketKind::Suspended, ImmediateMode::Allowed, &[account]);
    let steps = [together(Does::DeleteNow(0)), together(Does::Wait(20)), alone(Does::Jump(6))];
    let rest = [Does::Reconcile, Does::DryRun, Does::Schedule(0), Does::Cancel(0)].map(alone);
    holds(
        19_079,
        0.0,
        World { job_events: false, duplicate_every: Some(1), ..world },
        &[steps.as_slice(), &rest].concat(),
    );
}

/// A claim that a cancellation has undone already, without knowing it yet: whoever cancels again is not told that it is
/// too late.
#[test]
fn regression_cancelled_twice_while_a_run_begins() {
    let calls = try_one(Way::Scheduled, &[Event::Cancels(20), Event::Cancels(40)]);
    assert!(calls.is_ok(), "{calls:?}");
}

/// As many versions as make a job, all of them of the status, which no page holds: there was a run without pages, which
/// never became a job.
#[test]
fn regression_a_status_with_as_many_versions_as_make_a_job() {
    let account = AccountPlan { versions: 1, older_status: true, ..ACCOUNT };
    let world = world(BucketKind::Versioned, ImmediateMode::NextRun, &[account]);
    holds(9_043, 0.0, world, &[Does::DeleteNow(0), Does::Schedule(0), Does::DeleteNow(0)].map(alone));
}

/// Delete Now while reconcile looks again at what was complete: what it finds is not complete any more.
#[test]
fn regression_asked_while_another_run_looks_again() {
    let world = world(BucketKind::Suspended, ImmediateMode::Allowed, &[ACCOUNT, ACCOUNT]);
    let before = [Does::DeleteNow(0), Does::Reconcile, Does::Jump(260_000)].map(alone);
    let at_once = [together(Does::AppSchedules(0)), together(Does::DeleteNow(0)), alone(Does::Schedule(1))];
    holds(337, 0.0, world, &[before, at_once].concat());
}

/// Answers to listings that end in their middle were taken for shorter listings.
#[test]
fn regression_half_a_listing_is_no_listing() {
    let account = AccountPlan { versions: 4, mappings: false, odd_keys: true, ..ACCOUNT };
    let world = world(BucketKind::Suspended, ImmediateMode::Allowed, &[account]);
    holds(8_648, 0.15, world, &[alone(Does::DeleteNow(0))]);
}
