use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;

use crate::{
    create::CreateJob,
    engine,
    error::ApiError,
    events::{self, EventName},
    job::{Job, JobFailure, Progress, Status},
    ledger::Ledger,
    manifest::Task,
    options::Options,
};

/// Finished jobs vanish after 90 days (UG/troubleshooting-batch-operations).
const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);
/// A job that is not confirmed within 30 days fails (UG/batch-ops-create-job).
const CONFIRMATION_TIME: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The jobs and what they stand on, shared by the API and the engine.
pub(crate) struct Shared {
    pub(crate) options: Options,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

/// The jobs.
#[derive(Default)]
pub(crate) struct State {
    /// By sequence, so that listing has an order.
    jobs: BTreeMap<u64, Job>,
    sequences: HashMap<String, u64>,
    tokens: HashMap<String, (CreateJob, String)>,
    /// Of jobs that have not ended.
    ledgers: HashMap<String, Ledger>,
    /// What drives the jobs that have not ended.
    engines: HashMap<String, JoinHandle<()>>,
    next: u64,
    held: bool,
}

impl State {
    /// The job of that id.
    pub(crate) fn job(&self, id: &str) -> Option<&Job> {
        self.jobs.get(self.sequences.get(id)?)
    }

    /// All jobs, oldest first.
    pub(crate) fn jobs(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.jobs.values()
    }

    /// What is known of a job's work; nothing before its manifest is read.
    pub(crate) fn ledger(&self, id: &str) -> Ledger {
        self.ledgers.get(id).cloned().unwrap_or_default()
    }

    /// Whether jobs are kept from leaving `New` and `Ready`.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// Whether a `Ready` job is among the first for whom there is room: higher priority first, then older first.
    pub(crate) fn may_start(&self, id: &str, most: usize) -> bool {
        let Some(job) = self.job(id).filter(|job| job.status == Status::Ready && !self.held) else { return false };
        let rank = |other: &Job| (std::cmp::Reverse(other.priority), other.sequence);
        let before =
            |other: &&Job| other.status == Status::Active || other.status == Status::Ready && rank(other) < rank(job);
        self.jobs().filter(before).count() < most.max(1)
    }

    fn job_mut(&mut self, id: &str) -> Option<&mut Job> {
        self.jobs.get_mut(self.sequences.get(id)?)
    }

    fn forget(&mut self, gone: impl Fn(&Job) -> bool) {
        self.jobs.retain(|_, job| !gone(job));
        let jobs = &self.jobs;
        self.sequences.retain(|_, sequence| jobs.contains_key(sequence));
        let sequences = &self.sequences;
        self.tokens.retain(|_, (_, id)| sequences.contains_key(id));
    }
}

/// Ids need not be unguessable here, and a seeded simulation has the same ones again.
pub(crate) fn new_uuid() -> Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid()
}

impl Shared {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, state: Mutex::default(), changed: watch::Sender::new(()) }
    }

    /// The jobs after what time alone has changed: expired ones forgotten, unconfirmed ones failed.
    pub(crate) fn swept(&self) -> MutexGuard<'_, State> {
        let now = self.now();
        let mut state = self.lock();
        state.forget(|job| job.terminated.is_some_and(|ended| now.duration_since(ended) >= RETENTION));
        let late = |job: &&Job| {
            job.status == Status::Suspended
                && job.suspended.is_some_and(|since| now.duration_since(since) > CONFIRMATION_TIME)
        };
        let late: Vec<String> = state.jobs().filter(late).map(|job| job.id.clone()).collect();
        for id in late {
            let failure = JobFailure::new("ConfirmationTimeout", "The job was not confirmed within 30 days");
            self.fail_in(&mut state, &id, failure);
        }
        state
    }

    /// Creates the job and starts it, or finds the one the same request made before.
    /// AWS does not say when a repeated token is an error; here it is when anything else in the request differs.
    pub(crate) fn create(self: &Arc<Self>, request: CreateJob) -> Result<String, ApiError> {
        let mut state = self.swept();
        if let Some((before, id)) = state.tokens.get(&request.token) {
            let same = *before == request;
            return if same {
                Ok(id.clone())
            } else {
                Err(ApiError::refused(
                    "IdempotencyException",
                    "the ClientRequestToken was used for a different request",
                ))
            };
        }
        let job = self.new_job(&request, state.next);
        let id = job.id.clone();
        self.tell(EventName::JobCreated, &job);
        state.next += 1;
        state.sequences.insert(id.clone(), job.sequence);
        state.tokens.insert(request.token.clone(), (request, id.clone()));
        state.jobs.insert(job.sequence, job);
        self.drive(&mut state, &id);
        Ok(id)
    }

    fn drive(self: &Arc<Self>, state: &mut State, id: &str) {
        let engine = tokio::spawn(engine::run(Arc::clone(self), id.to_owned()));
        state.engines.insert(id.to_owned(), engine);
    }

    /// Ends what drives the jobs, then drives them again from what is known of them; tells how many.
    pub(crate) async fn crash(self: &Arc<Self>) -> usize {
        let killed = std::mem::take(&mut self.lock().engines);
        killed.values().for_each(JoinHandle::abort);
        for engine in killed.into_values() {
            // Only then it does nothing more; whether it had come to its end does not matter.
            _ = engine.await;
        }
        let mut state = self.lock();
        let idle = |job: &&Job| !job.status.is_terminal() && !state.engines.contains_key(&job.id);
        let idle: Vec<String> = state.jobs().filter(idle).map(|job| job.id.clone()).collect();
        idle.iter().for_each(|id| self.drive(&mut state, id));
        idle.len()
    }

    fn new_job(&self, request: &CreateJob, sequence: u64) -> Job {
        let id = new_uuid().to_string();
        Job {
            arn: format!("arn:aws:s3:{}:{}:job/{id}", self.options.region, self.options.account),
            id,
            sequence,
            status: Status::New,
            priority: request.spec.priority,
            spec: request.spec.clone(),
            tags: request.tags.clone(),
            progress: None,
            created: self.now(),
            active_from: None,
            active_until: None,
            suspended: None,
            terminated: None,
            status_update_reason: None,
            failures: Vec::new(),
        }
    }

    /// Changes something other than the status.
    pub(crate) fn change<R>(
        &self,
        id: &str,
        change: impl FnOnce(&mut Job) -> Result<R, ApiError>,
    ) -> Result<R, ApiError> {
        let mut state = self.swept();
        let done = change(state.job_mut(id).ok_or_else(|| ApiError::no_such_job(id))?);
        drop(state);
        self.changed.send_replace(());
        done
    }

    /// UpdateJobStatus: `Ready` confirms a suspended job, `Cancelled` stops a live one.
    pub(crate) fn request_status(&self, id: &str, ready: bool, reason: Option<String>) -> Result<Job, ApiError> {
        let mut state = self.swept();
        let job = state.job_mut(id).ok_or_else(|| ApiError::no_such_job(id))?;
        let to = if ready { Status::Ready } else { Status::Cancelling };
        let possible = if ready { job.status == Status::Suspended } else { job.status.is_live() };
        if !possible {
            let wish = if ready { "Ready" } else { "Cancelled" };
            return Err(ApiError::refused(
                "JobStatusException",
                format!("a job that is {} cannot be made {wish}", job.status.as_str()),
            ));
        }
        job.status_update_reason = reason;
        self.enter(job, to);
        Ok(job.clone())
    }

    /// Moves the job on if it still is where it was thought to be.
    pub(crate) fn advance(&self, id: &str, from: Status, to: Status) -> bool {
        let mut state = self.lock();
        let job = state.job_mut(id).filter(|job| job.status == from);
        job.map(|job| self.enter(job, to)).is_some()
    }

    /// Makes a `Ready` job active if its turn has come.
    pub(crate) fn start(&self, id: &str) -> bool {
        let mut state = self.lock();
        let may = state.may_start(id, self.options.pace.active_jobs);
        state.job_mut(id).filter(|_| may).map(|job| self.enter(job, Status::Active)).is_some()
    }

    /// Puts the job on its way to `Failed`, with the reason.
    pub(crate) fn fail(&self, id: &str, failure: JobFailure) {
        self.fail_in(&mut self.lock(), id, failure);
    }

    fn fail_in(&self, state: &mut State, id: &str, failure: JobFailure) {
        let Some(job) = state.job_mut(id).filter(|job| !job.status.is_terminal()) else { return };
        job.failures.push(failure);
        if job.status != Status::Failing {
            self.enter(job, Status::Failing);
        }
    }

    /// Writes down which tasks the job has.
    pub(crate) fn planned(&self, id: &str, tasks: Vec<Task>) {
        self.record(id, |ledger| *ledger = Ledger::of(tasks));
    }

    /// Writes down what became of the job's work, and sets and tells the counters.
    pub(crate) fn record(&self, id: &str, note: impl FnOnce(&mut Ledger)) -> Progress {
        let mut state = self.lock();
        let ledger = state.ledgers.entry(id.to_owned()).or_default();
        note(ledger);
        let progress = ledger.progress();
        if let Some(job) = state.job_mut(id) {
            job.progress = Some(progress);
        }
        progress
    }

    /// Lets go of what only a job that goes on needs.
    pub(crate) fn ended(&self, id: &str) {
        let mut state = self.lock();
        state.ledgers.remove(id);
        state.engines.remove(id);
    }

    /// Holds or releases jobs in `New` and `Ready`.
    pub(crate) fn hold(&self, held: bool) {
        self.lock().held = held;
        self.changed.send_replace(());
    }

    /// Waits until `met` holds; it is asked again after each change of a status, a priority or the hold.
    pub(crate) async fn until(&self, mut met: impl FnMut(&State) -> bool) {
        let mut changes = self.changed.subscribe();
        while !met(&self.lock()) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until the job's status is another (or the job is gone).
    pub(crate) async fn left(&self, id: &str, status: Status) {
        self.until(|state| state.job(id).is_none_or(|job| job.status != status)).await;
    }

    /// The time by the given clock.
    pub(crate) fn now(&self) -> Timestamp {
        (self.options.now)()
    }

    /// The jobs as they are, without looking at the time.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete before anything can panic, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, job: &mut Job, to: Status) {
        let now = self.now();
        if job.status == Status::Active {
            job.active_until = Some(now);
        }
        match to {
            Status::Active => job.active_from = Some(now),
            Status::Suspended => job.suspended = Some(now),
            to if to.is_terminal() => job.terminated = Some(now),
            _ => {}
        }
        job.status = to;
        self.tell(EventName::JobStatusChanged, job);
        self.changed.send_replace(());
    }

    fn tell(&self, name: EventName, job: &Job) {
        let event = events::envelope(name, job, &self.options, self.now());
        if self.options.events.send(event).is_err() {
            tracing::debug!(job = job.id, "nobody listens to job events");
        }
    }
}
