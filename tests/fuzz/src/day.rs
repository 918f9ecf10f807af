use domain::day::Day;

use crate::silence;

/// The count of claims of a day. Whatever it says, no more is granted than the cap leaves.
pub fn day(data: &[u8]) {
    match Day::parse(data) {
        Ok(day) => is_a_count(&day),
        Err(refusal) => silence::check(&refusal, data),
    }
}

fn is_a_count(day: &Day) {
    assert_eq!(Day::parse(&day.to_json()).as_ref(), Ok(day), "as it was written");
    let (taken, granted) = Day::take(Some(day), 10, 100, day.nonce);
    assert!(granted == 0 || taken.claims <= 100, "above the cap");
    assert_eq!(taken.give_back(granted, day.nonce).claims, day.claims, "taken and given back");
}
