//! Making a failing schedule smaller, for as long as it still fails.

use crate::schedule::{Schedule, Step};

/// A smaller schedule that fails as well: without steps, faults, accounts and objects that do not matter.
pub fn shrunk(failing: &Schedule, fails: impl Fn(&Schedule) -> bool) -> Schedule {
    let mut smallest = failing.clone();
    loop {
        let Some(smaller) = candidates(&smallest).into_iter().find(&fails) else {
            return smallest;
        };
        smallest = smaller;
    }
}

/// Every schedule that is one thing less, the largest leaps first.
fn candidates(schedule: &Schedule) -> Vec<Schedule> {
    let with_steps = |steps: Vec<Step>| Schedule { steps, ..schedule.clone() };
    let count = schedule.steps.len();
    let mut all = Vec::new();
    if schedule.rate > 0.0 {
        all.push(Schedule { rate: 0.0, ..schedule.clone() });
    }
    all.extend([count / 2, count / 4].into_iter().filter(|n| *n > 1).map(|n| with_steps(schedule.steps[n..].to_vec())));
    all.extend((0..count).map(|without| {
        let mut steps = schedule.steps.clone();
        steps.remove(without);
        with_steps(steps)
    }));
    all.extend(fewer_accounts(schedule));
    all.extend((0..schedule.world.accounts.len()).flat_map(|who| plainer_account(schedule, who)));
    all
}

/// Without the last account, if no step concerns it.
fn fewer_accounts(schedule: &Schedule) -> Option<Schedule> {
    let last = schedule.world.accounts.len().checked_sub(1).filter(|last| *last > 0)?;
    let is_free = schedule.steps.iter().all(|step| step.does.account() != Some(last));
    let mut fewer = schedule.clone();
    fewer.world.accounts.pop();
    is_free.then_some(fewer)
}

fn plainer_account(schedule: &Schedule, who: usize) -> Vec<Schedule> {
    let plan = &schedule.world.accounts[who];
    let mut plainer = Vec::new();
    let mut with = |change: &dyn Fn(&mut crate::schedule::AccountPlan)| {
        let mut other = schedule.clone();
        change(&mut other.world.accounts[who]);
        plainer.push(other);
    };
    if plan.odd_keys {
        with(&|plan| plan.odd_keys = false);
    }
    if plan.uploads > 0 {
        with(&|plan| plan.uploads = 0);
    }
    if plan.versions > 0 {
        with(&|plan| plan.versions /= 2);
    }
    plainer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Does;

    #[test]
    fn only_what_matters_is_left() {
        let needed = Step { does: Does::Upload(0), with_next: false };
        let mut failing = Schedule::of(5);
        failing.steps.insert(failing.steps.len() / 2, needed);
        failing.world.accounts[0].versions = 18;
        let fails = |s: &Schedule| s.steps.contains(&needed) && s.world.accounts[0].versions > 3;
        let smallest = shrunk(&failing, fails);
        assert_eq!((smallest.steps, smallest.rate), (vec![needed], 0.0));
        assert_eq!((smallest.world.accounts.len(), smallest.world.accounts[0].versions), (1, 4));
    }

    #[test]
    fn every_candidate_is_smaller() {
        let schedule = Schedule::of(11);
        for candidate in candidates(&schedule) {
            assert_ne!(candidate, schedule);
            assert!(candidate.steps.len() <= schedule.steps.len() && candidate.rate <= schedule.rate);
        }
    }
}
