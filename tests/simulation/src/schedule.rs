//! A schedule: everything that happens in one simulation, drawn from its seed.

use domain::environment::ImmediateMode;
use domain::mapping::BucketKind;
use fastrand::Rng;

/// Operations of one schedule.
const STEPS_MAX: usize = 14;
/// Shares of the calls that meet a fault: none in a third of all schedules.
const RATES: [f64; 6] = [0.0, 0.0, 0.02, 0.05, 0.15, 0.3];

/// All that happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The seed it was drawn from; it decides the faults, and every id.
    pub seed: u64,
    /// What there is at the start.
    pub world: World,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// Which share of the calls of functions and jobs meets a fault, until the steps are over.
    pub rate: f64,
}

/// What there is at the start.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// How the photo bucket keeps versions.
    pub kind: BucketKind,
    /// What becomes of Delete Now.
    pub mode: ImmediateMode,
    /// Accounts claimed by one run at most.
    pub run_cap: u32,
    /// Whether the deletion function hears of jobs.
    pub job_events: bool,
    /// Every so many invocations of a job are made twice.
    pub duplicate_every: Option<u64>,
    /// Whether entries that nobody can read lie before all others.
    pub has_clutter: bool,
    /// The accounts.
    pub accounts: Vec<AccountPlan>,
}

/// What an account has.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountPlan {
    /// Versions and markers under its prefixes.
    pub versions: usize,
    /// Unfinished uploads.
    pub uploads: usize,
    /// Whether somebody can sign in to it.
    pub mappings: bool,
    /// Keys that are hard to write in XML, CSV or a URL.
    pub odd_keys: bool,
    /// Whether an older app left a status under the lower-case spelling of the id, which today's apps do not write.
    pub older_status: bool,
    /// Whether one photo is under Object Lock, for so many seconds.
    pub locked_seconds: Option<i64>,
}

/// An operation, and whether the next one begins before it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub does: Does,
    /// Whether the next step begins at the same time.
    pub with_next: bool,
}

/// What is done. Accounts are named by their place in [`World::accounts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// The app asks for Delete Now.
    DeleteNow(usize),
    /// The app asks for a deletion after the grace period.
    Schedule(usize),
    /// The app takes that back.
    Cancel(usize),
    /// An app that writes S3 by itself schedules.
    AppSchedules(usize),
    /// The same by a phone whose clock is a month slow.
    SlowPhone(usize),
    /// Such an app cancels.
    AppCancels(usize),
    /// A phone that is still signed in uploads.
    Upload(usize),
    /// Such a phone is started: it writes status, profile and its own sign-in mapping.
    OldPhone(usize),
    /// The person registers anew: the sign-in leads to another account from now on.
    Register(usize),
    /// Somebody who may not asks for Delete Now: without the function URL, or with another account's session.
    Stranger(usize),
    /// The app asks how far the deletion is, and after a job that never was.
    Status(usize),
    /// The daily rule fires.
    Daily,
    /// It fires while S3 refuses to list the entries.
    RefusedDaily,
    /// An operator starts a run.
    Run,
    /// An operator asks what a run would do.
    DryRun,
    /// The rule of every few minutes fires.
    Reconcile,
    /// Time passes, and whatever is under way goes on.
    Wait(u32),
    /// Time has passed at once: nothing was done meanwhile.
    Jump(u32),
    /// An operator cancels a job.
    CancelJob,
    /// A job fails.
    FailJob,
    /// The reports of all jobs are lost.
    LoseReports,
    /// All events of jobs arrive once more, the latest first.
    RepeatEvents,
    /// A task of a job arrives once more.
    RepeatTask,
}

impl Schedule {
    /// The schedule of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let world = World::draw(&mut rng);
        let accounts = world.accounts.len();
        let steps = (0..rng.usize(2..=STEPS_MAX)).map(|_| Step::draw(&mut rng, accounts)).collect();
        Self { seed, world, steps, rate: RATES[rng.usize(..RATES.len())] }
    }
}

impl World {
    fn draw(rng: &mut Rng) -> Self {
        let kinds = [BucketKind::Unversioned, BucketKind::Unversioned, BucketKind::Versioned, BucketKind::Suspended];
        let modes = [ImmediateMode::Allowed, ImmediateMode::Allowed, ImmediateMode::NextRun, ImmediateMode::Denied];
        let is_large = rng.u32(..100) == 0;
        let kind = kinds[rng.usize(..kinds.len())];
        let mut accounts: Vec<AccountPlan> = (0..rng.usize(1..=5)).map(|_| AccountPlan::draw(rng, kind)).collect();
        if is_large {
            accounts[0].versions = 1_100;
        }
        Self {
            kind,
            mode: modes[rng.usize(..modes.len())],
            run_cap: if rng.u32(..5) == 0 { 1 } else { 1_000 },
            job_events: rng.bool(),
            duplicate_every: rng.bool().then(|| rng.u64(1..4)),
            has_clutter: rng.u32(..4) == 0,
            accounts,
        }
    }
}

impl AccountPlan {
    fn draw(rng: &mut Rng, kind: BucketKind) -> Self {
        let versions = [0, 1, 4, 8, 9, 10, 11, 13, 18, 31];
        let is_locked = kind == BucketKind::Versioned && rng.u32(..10) == 0;
        Self {
            versions: versions[rng.usize(..versions.len())],
            uploads: if rng.u32(..4) == 0 { rng.usize(1..=6) } else { 0 },
            mappings: rng.u32(..6) > 0,
            odd_keys: rng.u32(..6) == 0,
            older_status: rng.u32(..6) == 0,
            locked_seconds: is_locked.then(|| rng.i64(1..100_000)),
        }
    }
}

impl Step {
    fn draw(rng: &mut Rng, accounts: usize) -> Self {
        Self { does: Does::draw(rng, accounts), with_next: rng.u32(..5) == 0 }
    }
}

impl Does {
    fn draw(rng: &mut Rng, accounts: usize) -> Self {
        const SECONDS: [u32; 9] = [1, 2, 6, 20, 95, 185, 400, 90_000, 260_000];
        // Most of what happens concerns few accounts: then it meets.
        let who = rng.usize(..accounts).min(rng.usize(..accounts));
        let seconds = SECONDS[rng.usize(..SECONDS.len())];
        match rng.u32(..100) {
            0..15 => Self::DeleteNow(who),
            15..25 => Self::Schedule(who),
            25..33 => Self::Cancel(who),
            33..38 => Self::AppSchedules(who),
            38..39 => Self::SlowPhone(who),
            39..42 => Self::AppCancels(who),
            42..46 => Self::Upload(who),
            46..48 => Self::OldPhone(who),
            48..50 => Self::Register(who),
            50..51 => Self::Status(who),
            51..52 => Self::Stranger(who),
            52..59 => Self::Daily,
            59..60 => Self::RefusedDaily,
            60..65 => Self::Run,
            65..66 => Self::DryRun,
            66..73 => Self::Reconcile,
            73..80 => Self::Wait(seconds.min(400)),
            80..92 => Self::Jump(seconds),
            92..94 => Self::CancelJob,
            94..96 => Self::FailJob,
            96..97 => Self::LoseReports,
            97..98 => Self::RepeatEvents,
            _ => Self::RepeatTask,
        }
    }

    /// Whether it neither writes the account's objects nor its papers.
    pub fn only_erases(self) -> bool {
        matches!(self, Self::DeleteNow(_) | Self::Status(_) | Self::Stranger(_)) || self.account().is_none()
    }

    /// The account it concerns, if it is one alone.
    pub fn account(self) -> Option<usize> {
        match self {
            Self::DeleteNow(who)
            | Self::Schedule(who)
            | Self::Cancel(who)
            | Self::AppSchedules(who)
            | Self::SlowPhone(who)
            | Self::Stranger(who)
            | Self::AppCancels(who)
            | Self::Upload(who)
            | Self::OldPhone(who)
            | Self::Register(who)
            | Self::Status(who) => Some(who),
            _ => None,
        }
    }
}
