//! The checks before a claim: what is to be done about one account that asks to be erased later.
//!
//! Both looks use it, the one before the account is marked and the one after. Whatever does not fit together is
//! `Quarantine`: kept, reported, not acted on.

use fault_point::planted;

use crate::Timestamp;
use crate::due::{Asked, grace_end};
use crate::entry::EntryFault;
use crate::status::{Status, StatusFault};

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Claim the account, or go on with the claim.
    Proceed,
    /// The person wants to stay: remove the request as it was read, erase nothing.
    Cancelled,
    /// Leave everything as it is; there is no need to look again before this moment.
    NotYet {
        /// Later than now.
        until: Timestamp,
    },
    /// Keep the request, erase nothing, raise the alarm.
    Quarantine(Reason),
    /// There is no such account any more: drop the request as it was read.
    NothingLeft,
}

/// Why a person must look. Without personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The entry cannot be read, or contradicts itself.
    #[error(transparent)]
    Entry(#[from] EntryFault),
    /// A status cannot be read.
    #[error("a status {0}")]
    Status(#[from] StatusFault),
    /// Some status may exist that was not seen.
    #[error("whether the account has another status is not known")]
    StatusNotKnown,
    /// One status says active, another scheduled_for_deletion.
    #[error("the statuses of the account contradict each other")]
    StatusesDisagree,
    /// A record asks for the deletion, but its status was not written since: scheduling stopped half way.
    #[error("a status says active and is not newer than the request")]
    StatusBeforeRequest,
    /// Objects without a status.
    #[error("the account has no status, but objects")]
    NoStatus,
    /// No status, and nobody looked for objects.
    #[error("the account has no status, and whether it has objects is not known")]
    LeftNotKnown,
}

/// What is known about the account, as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// S3's time.
    pub now: Timestamp,
    /// The environment's grace period.
    pub grace_seconds: u32,
    /// What asks for the erasure.
    pub request: Request,
    /// Every status that exists: both spellings, all buckets.
    pub statuses: &'a [SeenStatus],
    /// Whether a complete listing shows that there is no other status. A denied or failed read is no absence.
    pub statuses_complete: bool,
    /// What lies under the account's prefixes in all buckets. Asked only where there is no status.
    pub left: Left,
    /// Whether a person has looked at this request, as it was read, and at what is left, and wants it erased.
    pub confirmed: bool,
}

/// What asks for the erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// An entry or a record that can be read. A record decides where there are both.
    Asked(Asked),
    /// An entry that was there at the first look and is gone, or another one, at the second.
    Withdrawn,
    /// An entry that cannot be acted on.
    Malformed(EntryFault),
}

/// A status that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenStatus {
    /// What it says.
    pub says: Result<Status, StatusFault>,
    /// When S3 wrote it.
    pub modified: Timestamp,
    /// Whether the claim under way wrote it. Such a mark says nothing about what the person wants.
    pub is_our_mark: bool,
}

/// What lies under the account's prefixes: versions, delete markers, unfinished uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// A complete listing found nothing.
    Nothing,
    /// Something was found.
    Something,
    /// Nobody looked, or the listing did not end.
    NotKnown,
}

/// Judges one account. Only a request that is due is held against the statuses: until then a phone may be in the
/// midst of writing them, and the entry comes first.
pub fn judge(facts: &Facts<'_>) -> Verdict {
    let asked = match facts.request {
        Request::Asked(asked) => asked,
        Request::Withdrawn => return Verdict::Cancelled,
        Request::Malformed(fault) => return Verdict::Quarantine(fault.into()),
    };
    let due_at = asked.due_at(facts.grace_seconds);
    if facts.now < due_at {
        return Verdict::NotYet { until: due_at };
    }
    if !facts.statuses_complete {
        return Verdict::Quarantine(Reason::StatusNotKnown);
    }
    planted!("d5-entry-decides-alone" => return Verdict::Proceed);
    if facts.statuses.is_empty() { without_status(facts) } else { by_statuses(facts, asked) }
}

fn without_status(facts: &Facts<'_>) -> Verdict {
    match facts.left {
        Left::Nothing => Verdict::NothingLeft,
        Left::Something if facts.confirmed => Verdict::Proceed,
        Left::Something => Verdict::Quarantine(Reason::NoStatus),
        Left::NotKnown => Verdict::Quarantine(Reason::LeftNotKnown),
    }
}

fn by_statuses(facts: &Facts<'_>, asked: Asked) -> Verdict {
    let mut active = Vec::new();
    let mut is_scheduled = false;
    let mut until = Timestamp::MIN;
    for seen in facts.statuses {
        match seen.says {
            Err(fault) => return Verdict::Quarantine(fault.into()),
            Ok(Status::Active) => active.push(seen.modified),
            Ok(Status::Scheduled { delete_date }) => {
                is_scheduled |= !seen.is_our_mark;
                until = until.max(delete_date).max(grace_of(seen, delete_date, asked, facts));
            }
        }
    }
    match (active.is_empty(), is_scheduled) {
        (false, true) => Verdict::Quarantine(Reason::StatusesDisagree),
        (false, false) => cancelled(&active, asked),
        (true, _) if facts.now < until => Verdict::NotYet { until },
        (true, _) => Verdict::Proceed,
    }
}

/// A status counts from when it was written, as an entry does: an old request that outlived its cancellation must not
/// be joined by the fresh status of a phone whose clock is slow. Our own mark is no request; what a request wrote into
/// the status names its moment, and waives grace; so does a person who confirmed it.
fn grace_of(seen: &SeenStatus, delete_date: Timestamp, asked: Asked, facts: &Facts<'_>) -> Timestamp {
    let is_waived = match asked {
        Asked::Entry { .. } => false,
        Asked::Record { not_before, .. } => facts.confirmed || delete_date == not_before,
    };
    if seen.is_our_mark || is_waived { Timestamp::MIN } else { grace_end(seen.modified, facts.grace_seconds) }
}

/// A record is written before the status: only an active status from after it shows a change of mind.
fn cancelled(active: &[Timestamp], asked: Asked) -> Verdict {
    match asked {
        Asked::Record { accepted, .. } if active.iter().any(|modified| *modified <= accepted) => {
            Verdict::Quarantine(Reason::StatusBeforeRequest)
        }
        _ => Verdict::Cancelled,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::{BodyFault, KeyFault};

    const GRACE: u32 = 10;
    const NOW: i64 = 100;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn entry(modified: i64, delete_on: i64) -> Request {
        Request::Asked(Asked::Entry { modified: at(modified), delete_on: at(delete_on) })
    }

    fn record(accepted: i64, not_before: i64) -> Request {
        Request::Asked(Asked::Record { accepted: at(accepted), not_before: at(not_before) })
    }

    fn active(modified: i64) -> SeenStatus {
        SeenStatus { says: Ok(Status::Active), modified: at(modified), is_our_mark: false }
    }

    fn scheduled(modified: i64, delete_date: i64) -> SeenStatus {
        let says = Ok(Status::Scheduled { delete_date: at(delete_date) });
        SeenStatus { says, modified: at(modified), is_our_mark: false }
    }

    fn our_mark(modified: i64) -> SeenStatus {
        SeenStatus { is_our_mark: true, ..scheduled(modified, modified) }
    }

    fn facts(request: Request, statuses: &[SeenStatus]) -> Facts<'_> {
        let (now, left) = (at(NOW), Left::NotKnown);
        Facts { now, grace_seconds: GRACE, request, statuses, statuses_complete: true, left, confirmed: false }
    }

    fn verdict(request: Request, statuses: &[SeenStatus]) -> Verdict {
        judge(&facts(request, statuses))
    }

    #[test]
    fn a_due_entry_with_its_status_goes_on() {
        assert_eq!(verdict(entry(90, 100), &[scheduled(90, 100)]), Verdict::Proceed);
        assert_eq!(verdict(entry(90, 0), &[scheduled(90, 0), scheduled(1, 2)]), Verdict::Proceed);
    }

    #[test]
    fn grace_runs_by_the_clock_of_s3() {
        assert_eq!(verdict(entry(91, 0), &[scheduled(91, 0)]), Verdict::NotYet { until: at(101) });
        assert_eq!(verdict(entry(50, 101), &[scheduled(50, 101)]), Verdict::NotYet { until: at(101) });
        assert_eq!(verdict(entry(50, 60), &[scheduled(50, 101)]), Verdict::NotYet { until: at(101) });
    }

    #[test]
    fn an_entry_that_outlived_its_cancellation_waits_for_the_grace_of_the_next_request() {
        assert_eq!(verdict(entry(1, 11), &[scheduled(95, 5)]), Verdict::NotYet { until: at(105) });
        assert_eq!(verdict(record(99, 99), &[scheduled(99, 99)]), Verdict::Proceed, "a record waives it");
    }

    #[test]
    fn a_request_that_outlived_its_cancellation_waits_for_the_grace_of_the_next_status() {
        let later = [scheduled(95, 5)];
        assert_eq!(verdict(record(1, 90), &later), Verdict::NotYet { until: at(105) }, "not the status it wrote");
        let confirmed = Facts { confirmed: true, ..facts(record(1, 90), &later) };
        assert_eq!(judge(&confirmed), Verdict::Proceed, "a person has looked");
    }

    #[test]
    fn an_active_status_cancels_a_due_entry() {
        assert_eq!(verdict(entry(1, 11), &[active(50)]), Verdict::Cancelled);
        assert_eq!(verdict(entry(1, 11), &[active(50), active(0)]), Verdict::Cancelled);
    }

    #[test]
    fn an_entry_whose_status_is_still_being_written_is_left_alone() {
        assert_eq!(verdict(entry(100, 110), &[active(50)]), Verdict::NotYet { until: at(110) });
        let unread = Facts { statuses_complete: false, ..facts(entry(100, 110), &[]) };
        assert_eq!(judge(&unread), Verdict::NotYet { until: at(110) });
    }

    #[test]
    fn statuses_that_contradict_each_other_are_for_a_person() {
        let disagree = Verdict::Quarantine(Reason::StatusesDisagree);
        assert_eq!(verdict(entry(1, 11), &[active(50), scheduled(1, 11)]), disagree);
        assert_eq!(verdict(record(1, 11), &[scheduled(1, 999), active(50)]), disagree);
        for fault in [StatusFault::NotAnObject, StatusFault::Word, StatusFault::Moment] {
            let strange = SeenStatus { says: Err(fault), ..active(50) };
            assert_eq!(verdict(entry(1, 11), &[active(1), strange]), Verdict::Quarantine(Reason::Status(fault)));
        }
    }

    #[test]
    fn a_malformed_entry_is_for_a_person() {
        for fault in [EntryFault::from(KeyFault::File), EntryFault::from(BodyFault::Stranger)] {
            let quarantine = Verdict::Quarantine(Reason::Entry(fault));
            assert_eq!(verdict(Request::Malformed(fault), &[scheduled(1, 11)]), quarantine);
        }
    }

    #[test]
    fn after_the_mark_a_change_of_mind_still_counts() {
        assert_eq!(verdict(entry(1, 11), &[our_mark(99), our_mark(99)]), Verdict::Proceed);
        assert_eq!(verdict(entry(1, 11), &[active(100), our_mark(99)]), Verdict::Cancelled);
        assert_eq!(verdict(Request::Withdrawn, &[our_mark(99)]), Verdict::Cancelled);
        let again = [scheduled(100, 5), our_mark(99)];
        assert_eq!(verdict(entry(1, 11), &again), Verdict::NotYet { until: at(110) });
    }

    #[test]
    fn a_request_half_written_is_not_taken_for_cancelled() {
        let half = Verdict::Quarantine(Reason::StatusBeforeRequest);
        assert_eq!(verdict(record(90, 100), &[active(89)]), half);
        assert_eq!(verdict(record(90, 100), &[active(91), active(90)]), half, "in the same second nobody can tell");
        assert_eq!(verdict(record(90, 100), &[active(91)]), Verdict::Cancelled);
    }

    #[test]
    fn no_status_is_believed_only_from_a_complete_listing() {
        let blank = facts(entry(1, 11), &[]);
        let (nothing, something) = (Facts { left: Left::Nothing, ..blank }, Facts { left: Left::Something, ..blank });
        assert_eq!(judge(&nothing), Verdict::NothingLeft);
        assert_eq!(judge(&something), Verdict::Quarantine(Reason::NoStatus));
        assert_eq!(judge(&Facts { confirmed: true, ..something }), Verdict::Proceed);
        assert_eq!(judge(&Facts { confirmed: true, ..blank }), Verdict::Quarantine(Reason::LeftNotKnown));
        let denied = Facts { statuses_complete: false, confirmed: true, ..nothing };
        assert_eq!(judge(&denied), Verdict::Quarantine(Reason::StatusNotKnown));
        let one_denied = Facts { statuses_complete: false, ..facts(entry(1, 11), &[]) };
        let seen = [scheduled(1, 11)];
        assert_ne!(judge(&Facts { statuses: &seen, ..one_denied }), Verdict::Proceed);
    }

    /// Few moments, so that they meet: some before now, some at it, some after.
    fn moment() -> impl Strategy<Value = i64> {
        proptest::sample::select(vec![0, 80, 89, 90, 91, 99, 100, 101, 110, 500])
    }

    fn any_status() -> impl Strategy<Value = SeenStatus> {
        let says = prop_oneof![
            6 => moment().prop_map(|date| Ok(Status::Scheduled { delete_date: at(date) })),
            2 => Just(Ok(Status::Active)),
            1 => Just(Err(StatusFault::Word)),
        ];
        (says, moment(), any::<bool>()).prop_map(|(says, modified, is_our_mark)| SeenStatus {
            says,
            modified: at(modified),
            is_our_mark,
        })
    }

    fn any_request() -> impl Strategy<Value = Request> {
        prop_oneof![
            6 => (moment(), moment()).prop_map(|(modified, delete_on)| entry(modified, delete_on)),
            3 => (moment(), moment()).prop_map(|(accepted, not_before)| record(accepted, not_before)),
            1 => Just(Request::Withdrawn),
            1 => Just(Request::Malformed(EntryFault::Body(BodyFault::UserId))),
        ]
    }

    fn any_left() -> impl Strategy<Value = Left> {
        proptest::sample::select(vec![Left::Nothing, Left::Something, Left::NotKnown])
    }

    /// What a case is made of: request, statuses, whether those are all, what is left, whether it is confirmed.
    type Case = (Request, Vec<SeenStatus>, bool, Left, bool);

    fn any_case() -> impl Strategy<Value = Case> {
        let statuses = proptest::collection::vec(any_status(), 0..4);
        (any_request(), statuses, proptest::bool::weighted(0.8), any_left(), any::<bool>())
    }

    fn facts_of(case: &Case) -> Facts<'_> {
        let (request, statuses, statuses_complete, left, confirmed) = case;
        let blank = facts(*request, statuses);
        Facts { statuses_complete: *statuses_complete, left: *left, confirmed: *confirmed, ..blank }
    }

    /// Said anew here, so that the rule is written down twice.
    fn is_due(request: Request, now: Timestamp) -> bool {
        match request {
            Request::Asked(Asked::Entry { modified, delete_on }) => {
                now.as_second() - modified.as_second() >= i64::from(GRACE) && delete_on <= now
            }
            Request::Asked(Asked::Record { not_before, .. }) => not_before <= now,
            Request::Withdrawn | Request::Malformed(_) => false,
        }
    }

    fn is_over(status: &SeenStatus, now: Timestamp) -> bool {
        matches!(status.says, Ok(Status::Scheduled { delete_date }) if delete_date <= now)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn nobody_is_erased_who_did_not_ask_or_whose_time_has_not_come(case in any_case()) {
            let facts = facts_of(&case);
            if judge(&facts) == Verdict::Proceed {
                prop_assert!(is_due(facts.request, facts.now));
                prop_assert!(facts.statuses.iter().all(|status| is_over(status, facts.now)));
                prop_assert!(facts.statuses_complete);
                prop_assert!(!facts.statuses.is_empty() || (facts.confirmed && facts.left == Left::Something));
            }
        }

        #[test]
        fn whoever_asked_and_waited_is_erased(
            request in any_request(),
            dates in proptest::collection::vec(moment(), 1..4),
        ) {
            let statuses: Vec<_> = dates.into_iter().map(|date| scheduled(90, date)).collect();
            let facts = facts(request, &statuses);
            if is_due(request, facts.now) && statuses.iter().all(|status| is_over(status, facts.now)) {
                prop_assert_eq!(judge(&facts), Verdict::Proceed);
            }
        }

        #[test]
        fn a_request_is_dropped_only_if_nothing_asks_for_it(case in any_case()) {
            let facts = facts_of(&case);
            match judge(&facts) {
                Verdict::Cancelled if facts.request != Request::Withdrawn => {
                    prop_assert!(is_due(facts.request, facts.now) && facts.statuses_complete);
                    prop_assert!(facts.statuses.iter().any(|s| s.says == Ok(Status::Active)));
                    prop_assert!(facts.statuses.iter().all(|s| s.says == Ok(Status::Active) || s.is_our_mark));
                }
                Verdict::NothingLeft => {
                    prop_assert!(facts.statuses.is_empty() && facts.statuses_complete && facts.left == Left::Nothing);
                }
                _ => {}
            }
        }

        #[test]
        fn waiting_ends(case in any_case()) {
            let mut facts = facts_of(&case);
            for _ in 0..2 {
                if let Verdict::NotYet { until } = judge(&facts) {
                    prop_assert!(until > facts.now);
                    facts.now = until;
                }
            }
            let waits = matches!(judge(&facts), Verdict::NotYet { .. });
            prop_assert!(!waits, "once for the request, once for the statuses");
        }

        #[test]
        fn the_order_of_statuses_does_not_matter(case in any_case()) {
            let mut turned = case.clone();
            turned.1.reverse();
            prop_assert_eq!(judge(&facts_of(&case)), judge(&facts_of(&turned)));
        }
    }
}
