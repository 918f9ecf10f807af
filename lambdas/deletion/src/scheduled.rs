//! The scheduled run: everything that is due, however long ago it became so; many accounts at a time, small ones erased
//! directly, all large ones by one job.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use aws::invoke::invoke_later;
use aws::metrics::Unit;
use aws::retry::retrying;
use domain::answer::Answer;
use domain::environment::ImmediateMode;
use domain::event::Run;
use domain::ids::AccountId;
use domain::record::RENEW_SECONDS;
use fault_point::planted;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::candidate::{Fate, Line, Met, act, meet};
use crate::caps::Budget;
use crate::due::{Asking, asking};
use crate::holder::Holder;
use crate::submit::submit;
use crate::{App, Stop, Turn, set_clock};

/// Accounts in work at the same time. Most of them only wait for the second look.
const ACCOUNTS_IN_FLIGHT: usize = 200;
/// Leases renewed at the same time.
const RENEWALS_IN_FLIGHT: usize = 32;
/// Lines of an answer: Lambda answers at most 6 MB.
const LINES_MAX: usize = 5_000;

/// A run under way.
pub struct Progress<'a> {
    /// The service.
    pub app: &'a App,
    /// What may be claimed.
    pub budget: Budget<'a>,
    /// Whether to say only what would be done.
    pub dry_run: bool,
    /// For the accounts of this run: they stop before the run does.
    pub turn: Turn,
    /// After this, nothing more is claimed.
    pub claims_until: Instant,
    /// Planned deletions, held until they go into one job.
    pub planned: RefCell<Vec<Rc<Holder<'a>>>>,
    counts: Counts,
    lines: RefCell<Vec<Line>>,
    failure: RefCell<Option<Stop>>,
}

/// What a run met.
#[derive(Debug, Default)]
struct Counts {
    /// Lines that were to be said, also those the answer has no room for.
    processed: Cell<u64>,
    due: Cell<u64>,
    claimed: Cell<u64>,
    cancelled: Cell<u64>,
    /// Nothing was left to erase.
    settled: Cell<u64>,
    quarantined: Cell<u64>,
    unconfirmed: Cell<u64>,
    failed: Cell<u64>,
    remaining: Cell<u64>,
    far_off: Cell<u64>,
    overdue_seconds: Cell<u64>,
}

fn add(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get() + more);
}

/// Acts on everything that is due.
pub async fn scheduled(app: &App, run: &Run, turn: &Turn) -> Result<Answer, Stop> {
    set_clock(app, turn.deadline).await?;
    let progress = Progress::new(app, run, turn);
    let all = asking(app, turn.deadline).for_each_concurrent(ACCOUNTS_IN_FLIGHT, |asking| progress.one(asking));
    tokio::select! {
        biased;
        () = all.boxed_local() => {}
        never = progress.keep_planned() => match never {},
    }
    progress.submit(turn).await;
    if let Err(stop) = progress.budget.give_back().await {
        progress.fail(stop);
    }
    progress.measure();
    progress.hand_over(run, turn).await;
    progress.end(run)
}

impl<'a> Progress<'a> {
    /// Nine tenths of the time are for the accounts, six for claiming them; the rest is for the job and the answer.
    fn new(app: &'a App, run: &Run, turn: &Turn) -> Self {
        let now = Instant::now();
        let left = turn.deadline.saturating_duration_since(now);
        let may_name_time = app.settings.immediate_mode == ImmediateMode::Allowed;
        let ahead = run.time.filter(|_| may_name_time).map(|time| time.duration_since(app.clock.now()));
        let ahead = ahead.unwrap_or_default();
        Self {
            app,
            budget: Budget::new(app, run.allowance, turn.deadline),
            dry_run: run.dry_run,
            turn: Turn { deadline: now + left * 9 / 10, patience: None, ahead, gathers: true, ..turn.clone() },
            claims_until: now + left * 6 / 10,
            planned: RefCell::default(),
            counts: Counts::default(),
            lines: RefCell::default(),
            failure: RefCell::default(),
        }
    }

    /// One request or entry, to its end in this run.
    async fn one(&self, asking: Result<Asking, Stop>) {
        let met = match asking {
            Ok(asking) => meet(self, asking).await,
            Err(stop) => Err(stop),
        };
        match met {
            Ok(Met::Nothing) => {}
            Ok(Met::FarOff(line)) => {
                add(&self.counts.far_off, 1);
                if self.dry_run {
                    self.say(line);
                }
            }
            Ok(Met::Due(due)) => {
                add(&self.counts.due, 1);
                let (account, overdue) = (due.account, due.overdue_seconds);
                let fate = act(self, due).boxed_local().await;
                self.note(&account, overdue, fate);
            }
            Ok(Met::Malformed(line)) => {
                add(&self.counts.quarantined, 1);
                self.say(line);
            }
            Err(stop) => self.fail(stop),
        }
    }

    fn note(&self, account: &AccountId, overdue_seconds: u64, fate: Result<Fate, Stop>) {
        let counts = &self.counts;
        let (counter, line) = match fate {
            Ok(Fate::Elsewhere) | Err(Stop::Lost) => return,
            Ok(Fate::Claimed(line)) => (&counts.claimed, line),
            Ok(Fate::Cancelled(line)) => (&counts.cancelled, Some(line)),
            Ok(Fate::Quarantined(line)) => (&counts.quarantined, Some(line)),
            Ok(Fate::Unconfirmed(line)) => (&counts.unconfirmed, Some(line)),
            Ok(Fate::Told(line)) => (&counts.settled, Some(line)),
            // Where there is a record already, reconcile goes on from it.
            Ok(Fate::Remaining) | Err(Stop::TimeUp) => {
                self.is_overdue(overdue_seconds);
                (&counts.remaining, None)
            }
            Err(stop) => {
                self.is_overdue(overdue_seconds);
                let line = Line::new(account, "failed", &stop.to_string());
                self.fail(stop);
                (&counts.failed, Some(line))
            }
        };
        add(counter, 1);
        if let Some(line) = line {
            self.say(line);
        }
    }

    fn is_overdue(&self, seconds: u64) {
        self.counts.overdue_seconds.set(self.counts.overdue_seconds.get().max(seconds));
    }

    fn say(&self, line: Line) {
        add(&self.counts.processed, 1);
        let mut lines = self.lines.borrow_mut();
        if lines.len() < LINES_MAX {
            lines.push(line);
        }
    }

    /// Remembers the first failure; the others of the run have their turn.
    fn fail(&self, stop: Stop) {
        if !stop.is_failure() {
            return;
        }
        tracing::error!(reason = %stop, "an account of the scheduled run could not be served");
        self.failure.borrow_mut().get_or_insert(stop);
    }

    /// Keeps the leases of planned deletions while others are still listed.
    async fn keep_planned(&self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(Duration::from_secs(RENEW_SECONDS)).await;
            let holders = self.planned.borrow().clone();
            let renewals = futures::stream::iter(holders).map(async |holder| {
                // One that is lost is left out when the job is made.
                let _ = holder.renew_once().await;
            });
            renewals.buffer_unordered(RENEWALS_IN_FLIGHT).collect::<()>().await;
        }
    }

    /// One job for all that is planned.
    async fn submit(&self, turn: &Turn) {
        let holders = self.planned.take();
        if holders.is_empty() {
            return;
        }
        let held: Vec<&Holder<'_>> = holders.iter().map(AsRef::as_ref).collect();
        if let Err(stop) = submit(self.app, &held, turn.deadline).await {
            self.fail(stop);
        }
        for holder in holders {
            self.say(Line::of_record(&holder.record().await));
        }
    }

    fn measure(&self) {
        let Counts { due, claimed, cancelled, quarantined, unconfirmed, remaining, far_off, overdue_seconds, .. } =
            &self.counts;
        let capped = unconfirmed.get() + u64::from(self.budget.is_spent());
        let is_whole = !self.dry_run && self.failure.borrow().is_none();
        let metrics = [
            ("ScheduledRuns", Unit::Count, u64::from(is_whole)),
            ("Due", Unit::Count, due.get()),
            ("Claimed", Unit::Count, claimed.get()),
            ("Cancelled", Unit::Count, cancelled.get()),
            ("Quarantined", Unit::Count, quarantined.get()),
            ("CapReached", Unit::Count, capped),
            ("Remaining", Unit::Count, remaining.get()),
            ("FarOff", Unit::Count, far_off.get()),
            ("OldestOverdueSeconds", Unit::Count, overdue_seconds.get()),
        ];
        if !self.dry_run {
            self.app.measure(None, &metrics);
        }
    }

    /// What time did not suffice for goes on in another invocation, as long as each of them gets somewhere.
    async fn hand_over(&self, run: &Run, turn: &Turn) {
        let Counts { claimed, cancelled, settled, remaining, .. } = &self.counts;
        let moves = claimed.get() + cancelled.get() + settled.get() > 0;
        if self.dry_run || !moves || remaining.get() == 0 || self.budget.is_spent() {
            return;
        }
        let detail = json!({ "allowance": self.budget.left_of_run() });
        let mut event = json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": detail });
        if let Some(time) = run.time {
            event["time"] = time.to_string().into();
        }
        let invoke = async || invoke_later(&self.app.lambda, &turn.function, &event).await;
        if let Err(error) = retrying(turn.deadline, invoke).await {
            tracing::warn!(%error, "could not hand over; the next scheduled run goes on");
        }
    }

    /// The answer; or the failure, where nobody would read it in an answer.
    fn end(self, run: &Run) -> Result<Answer, Stop> {
        let failure = self.failure.take();
        match failure {
            Some(stop) if !planted!("d16-failure-is-success") && !run.is_attended => Err(stop),
            failure => Ok(Answer::new(200, &self.body(failure.as_ref()))),
        }
    }

    fn body(&self, failure: Option<&Stop>) -> Value {
        let (counts, lines) = (&self.counts, self.lines.borrow());
        let results: Vec<&Value> = lines.iter().map(|line| &line.0).collect();
        let mut body = json!({
            "processed": counts.processed.get(),
            "results": results,
            "due": counts.due.get(),
            "claimed": counts.claimed.get(),
            "cancelled": counts.cancelled.get(),
            "quarantined": counts.quarantined.get(),
            "unconfirmed": counts.unconfirmed.get(),
            "failed": counts.failed.get(),
            "remaining": counts.remaining.get(),
            "capReached": self.budget.is_spent(),
            "dryRun": self.dry_run,
        });
        if let Some(stop) = failure {
            body["error"] = stop.to_string().into();
        }
        body
    }
}
