use std::{collections::VecDeque, pin::pin, time::Duration};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::Instant;

use crate::{
    invoke::{Delivery, Invoker, Outcome},
    job::{Progress, Status},
    ledger::{Final, Ledger},
    manifest::Task,
    options::Pace,
    payload::ResultCode,
    store::Shared,
};

/// From this many tasks run on, a job fails once more than half of them have failed (UG/batch-ops-job-status).
const THRESHOLD_TASKS: u64 = 1000;

/// How the active phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Every task has ended.
    Done,
    /// The job was cancelled; what was in flight has ended, the rest was not run.
    Stopped,
    /// More than half failed; what was in flight has ended, the rest was not run.
    TooManyFailures,
}

/// Runs those of a job's tasks that have not ended until they have, the job is stopped, or too many have failed.
pub(crate) async fn run(shared: &Shared, job_id: &str, invoker: &Invoker) -> End {
    let ledger = shared.lock().ledger(job_id);
    let mut dispatch = Dispatch::new(shared, job_id, invoker, &ledger);
    let mut in_flight = FuturesUnordered::new();
    let mut stopped = pin!(shared.left(job_id, Status::Active));
    loop {
        dispatch.fill(&mut in_flight);
        if in_flight.is_empty() && !dispatch.goes_on() {
            break;
        }
        let waits = dispatch.waits(in_flight.len());
        tokio::select! {
            biased;
            () = &mut stopped, if dispatch.end == End::Done => dispatch.end = End::Stopped,
            Some((batch, delivery)) = in_flight.next() => dispatch.settle(&batch, delivery),
            () = tokio::time::sleep_until(dispatch.resume), if waits => {}
        }
    }
    dispatch.end
}

type InFlight<'a> = FuturesUnordered<BoxFuture<'a, (Vec<usize>, Delivery)>>;

struct Dispatch<'a> {
    shared: &'a Shared,
    pace: &'a Pace,
    job_id: &'a str,
    invoker: &'a Invoker,
    tasks: &'a [Task],
    queue: VecDeque<usize>,
    redrive: Vec<(usize, Outcome)>,
    rounds: u32,
    ramp: Ramp,
    /// Nothing is sent before this.
    resume: Instant,
    throttle_delay: Duration,
    deliveries: u64,
    end: End,
}

impl<'a> Dispatch<'a> {
    fn new(shared: &'a Shared, job_id: &'a str, invoker: &'a Invoker, ledger: &'a Ledger) -> Self {
        let pace = &shared.options.pace;
        let mut order: Vec<usize> = ledger.open().collect();
        shuffle(&mut order, pace.seed);
        Self {
            shared,
            pace,
            job_id,
            invoker,
            tasks: &ledger.tasks,
            queue: order.into(),
            redrive: Vec::new(),
            rounds: 0,
            ramp: Ramp { allowed: 1, most: pace.concurrency.max(1) },
            resume: Instant::now(),
            throttle_delay: pace.throttle_delay,
            deliveries: 0,
            end: if too_many_failures(ledger.progress()) { End::TooManyFailures } else { End::Done },
        }
    }

    /// Sends as much as the ramp allows now.
    fn fill(&mut self, in_flight: &mut InFlight<'a>) {
        while self.end == End::Done && in_flight.len() < self.ramp.allowed && Instant::now() >= self.resume {
            let batch = self.next_batch();
            if batch.is_empty() {
                return;
            }
            self.deliveries += 1;
            self.shared.record(self.job_id, |ledger| ledger.invoked = true);
            let duplicate = self.pace.duplicate_every.is_some_and(|every| self.deliveries.is_multiple_of(every.get()));
            let (invoker, tasks) = (self.invoker, self.tasks);
            let delivery = async move {
                let sent: Vec<(usize, &Task)> = batch.iter().map(|index| (*index, &tasks[*index])).collect();
                let delivery = invoker.deliver(&sent, if duplicate { 2 } else { 1 }).await;
                (batch, delivery)
            };
            in_flight.push(delivery.boxed());
        }
    }

    /// The next tasks to send together; those that cannot be sent fail on the way.
    fn next_batch(&mut self) -> Vec<usize> {
        let mut batch = Vec::new();
        while self.end == End::Done && batch.len() < self.pace.tasks_per_invocation.max(1) {
            let Some(index) = self.queue.pop_front() else { break };
            if self.tasks[index].lacks_version() {
                let message = "Task failed due to missing VersionId".into();
                self.conclude(index, Final { succeeded: false, http: 400, error: "InvalidRequest", message });
            } else {
                batch.push(index);
            }
        }
        // Tasks taken in the moment the job fails stay unrun.
        if self.end == End::Done { batch } else { Vec::new() }
    }

    fn settle(&mut self, batch: &[usize], delivery: Delivery) {
        match delivery {
            Delivery::Throttled => self.throttled(batch),
            Delivery::Outcomes(outcomes) => {
                self.ramp.up();
                self.throttle_delay = self.pace.throttle_delay;
                for (index, outcome) in batch.iter().zip(outcomes) {
                    self.answered(*index, outcome);
                }
            }
        }
    }

    /// Back to the front of the queue, as often as it takes; a throttle never counts as a failure.
    fn throttled(&mut self, batch: &[usize]) {
        self.ramp.down();
        batch.iter().rev().for_each(|index| self.queue.push_front(*index));
        let now = Instant::now();
        // Invocations that were refused together are one throttle.
        if now >= self.resume {
            self.resume = now + self.throttle_delay;
            self.throttle_delay = (self.throttle_delay * 2).min(self.pace.throttle_delay_max);
        }
    }

    fn answered(&mut self, index: usize, outcome: Outcome) {
        match outcome.code {
            ResultCode::Succeeded => {
                self.conclude(index, Final { succeeded: true, http: outcome.http, error: "", message: outcome.message })
            }
            ResultCode::PermanentFailure => self.fail(index, outcome, "PermanentFailure"),
            ResultCode::TemporaryFailure if self.rounds < self.pace.redrives => self.redrive.push((index, outcome)),
            ResultCode::TemporaryFailure => self.fail(index, outcome, "TemporaryFailure"),
        }
    }

    fn fail(&mut self, index: usize, outcome: Outcome, error: &'static str) {
        self.conclude(index, Final { succeeded: false, http: outcome.http, error, message: outcome.message });
    }

    fn conclude(&mut self, index: usize, last: Final) {
        let progress = self.shared.record(self.job_id, |ledger| ledger.conclude(index, last));
        if self.end == End::Done && too_many_failures(progress) {
            self.end = End::TooManyFailures;
        }
    }

    /// Whether, with nothing in flight, there is more to do; starts a round of redrives if it is time.
    fn goes_on(&mut self) -> bool {
        if self.end == End::Done && self.queue.is_empty() && !self.redrive.is_empty() {
            self.rounds += 1;
            let mut again: Vec<usize> = self.redrive.drain(..).map(|(index, _)| index).collect();
            shuffle(&mut again, self.pace.seed.wrapping_add(self.rounds.into()));
            self.queue = again.into();
            self.resume = Instant::now() + self.pace.redrive_delay;
        }
        self.end == End::Done && !self.queue.is_empty()
    }

    /// Whether only the time keeps the next tasks back, after as many were sent as may be.
    /// The clock is not asked again: it may have passed the moment since.
    fn waits(&self, in_flight: usize) -> bool {
        self.end == End::Done && !self.queue.is_empty() && in_flight < self.ramp.allowed
    }
}

/// Of the tasks that have ended; a failure that will be redriven has not.
fn too_many_failures(progress: Progress) -> bool {
    let run = progress.succeeded + progress.failed;
    run >= THRESHOLD_TASKS && progress.failed * 2 > run
}

/// How many invocations may be in flight: one more with each answer, half after a throttle.
struct Ramp {
    allowed: usize,
    most: usize,
}

impl Ramp {
    fn up(&mut self) {
        self.allowed = (self.allowed + 1).min(self.most);
    }

    fn down(&mut self) {
        self.allowed = (self.allowed / 2).max(1);
    }
}

/// Fisher and Yates' shuffle, the same for the same seed.
fn shuffle(order: &mut [usize], seed: u64) {
    let mut state = seed;
    for last in (1..order.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        order.swap(last, (mixed(state) % (last as u64 + 1)) as usize);
    }
}

/// The output function of SplitMix64.
fn mixed(state: u64) -> u64 {
    let first = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let second = (first ^ (first >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    second ^ (second >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Progress, Ramp, shuffle, too_many_failures};

    #[test]
    fn the_threshold_is_over_half_of_at_least_a_thousand() {
        let progress = |succeeded, failed| Progress { total: 5000, succeeded, failed };
        assert!(!too_many_failures(progress(0, 999)));
        assert!(!too_many_failures(progress(500, 500)));
        assert!(too_many_failures(progress(499, 501)));
        assert!(!too_many_failures(progress(1500, 1500)));
        assert!(too_many_failures(progress(1500, 1501)));
    }

    #[test]
    fn the_order_is_another_one_of_the_same_tasks() {
        let shuffled = |seed| {
            let mut order: Vec<usize> = (0..100).collect();
            shuffle(&mut order, seed);
            order
        };
        let mut sorted = shuffled(1);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_ne!(shuffled(1), sorted);
        assert_ne!(shuffled(1), shuffled(2));
        assert_eq!(shuffled(1), shuffled(1));
    }

    #[test]
    fn the_ramp_rises_with_answers_and_halves_with_throttles() {
        let mut ramp = Ramp { allowed: 1, most: 3 };
        (0..9).for_each(|_| ramp.up());
        assert_eq!(ramp.allowed, 3);
        ramp.down();
        ramp.down();
        assert_eq!(ramp.allowed, 1);
    }
}
