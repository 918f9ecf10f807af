//! Some schedules with every run of the tests; `bin/prove` runs them by the thousand.

use std::collections::BTreeMap;

use simulation::explore::try_schedule;
use simulation::schedule::Schedule;
use simulation::small::{Event, Way, read, try_one};

/// And whoever asks is served: a service that refuses everything keeps every promise too.
#[test]
fn the_promises_hold_in_some_schedules() {
    let mut seen = BTreeMap::<String, u64>::new();
    for seed in 0..24 {
        let report = try_schedule(&Schedule::of(seed)).unwrap_or_else(|text| panic!("seed {seed}: {text}"));
        report.seen.into_iter().for_each(|(what, times)| *seen.entry(what).or_default() += times);
    }
    for served in ["DeleteNow 200", "Schedule 200", "Cancel 200", "Cancel 409", "Run 200", "Status 200"] {
        assert!(seen.get(served).is_some_and(|times| *times > 0), "{served}: {seen:?}");
    }
}

/// What cannot be replayed cannot be found again.
#[test]
fn a_seed_is_replayed_call_by_call() {
    for seed in [3, 17, 67, 294, 1_234] {
        let schedule = Schedule::of(seed);
        assert_eq!(try_schedule(&schedule), try_schedule(&schedule), "seed {seed}");
    }
}

#[test]
fn other_seeds_are_other_schedules() {
    let reports: Vec<_> = (40..50).map(|seed| try_schedule(&Schedule::of(seed)).unwrap().calls).collect();
    assert!(reports.iter().any(|calls| *calls != reports[0]), "{reports:?}");
}

/// A death before the first call and after the last, and a cancellation in the middle.
#[test]
fn the_small_world_is_played_as_its_events_say() {
    assert_eq!(read("Now DiesAfter(3) Cancels(40)"), Some((Way::Now, vec![Event::DiesAfter(3), Event::Cancels(40)])));
    assert_eq!(read("Now Dies(3)"), None);
    let calls = try_one(Way::Scheduled, &[]).unwrap();
    assert!(calls > 60, "{calls} calls");
    for event in [Event::DiesBefore(1), Event::DiesAfter(calls), Event::Cancels(calls / 2), Event::AppCancels(40)] {
        assert!(try_one(Way::Scheduled, &[event]).is_ok(), "{event:?}");
    }
}
