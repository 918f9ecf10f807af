//! The small world, whole: two accounts with four objects each, a deletion of the first, a death of the function after
//! each single call, a cancellation at each point, and every pair of these. Beside them, singly: a death before each
//! call, an app that cancels by writing S3 itself, and a new registration.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use domain::environment::{Environment, ImmediateMode};
use domain::layout::{record_key, request_key};
use domain::mapping::BucketKind;
use harness::Account;
use harness::person::{active, status_key};
use http::{Request, Response};
use jiff::SignedDuration;
use local_aws::{Clock, Gate, RequestInfo, Verdict};
use local_lambda::{Lambda, Outcome};
use local_s3::S3;
use serde_json::{Value, json};

use crate::explore::{Limits, simulate};
use crate::run::{anew, run_small, sign_in_key};
use crate::schedule::{AccountPlan, Does, Schedule, Step, World};
use crate::stage::Stage;

/// Something that happens at the n-th call of the deletion function, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The process dies before the call has an effect.
    DiesBefore(u64),
    /// It dies after the effect, without having seen the answer.
    DiesAfter(u64),
    /// The person cancels, and is answered, before the call is served.
    Cancels(u64),
    /// An app that writes S3 by itself cancels, after the call was served: so also while the function waits.
    AppCancels(u64),
    /// The person registers anew before the call is served.
    Registers(u64),
}

impl Event {
    fn all_at(n: u64) -> [Self; 5] {
        [Self::DiesBefore(n), Self::DiesAfter(n), Self::Cancels(n), Self::AppCancels(n), Self::Registers(n)]
    }

    fn at(self) -> u64 {
        match self {
            Self::DiesBefore(n) | Self::DiesAfter(n) | Self::Cancels(n) | Self::AppCancels(n) | Self::Registers(n) => n,
        }
    }
}

/// What is deleted how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Delete Now, erased directly.
    Now,
    /// Delete Now, erased by a job.
    NowByJob,
    /// By the daily run, after the grace period.
    Scheduled,
    /// By the daily run, erased by a job.
    ScheduledByJob,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Now, Self::NowByJob, Self::Scheduled, Self::ScheduledByJob];

    fn schedule(self) -> Schedule {
        let by_job = matches!(self, Self::NowByJob | Self::ScheduledByJob);
        let account = |versions, older_status| AccountPlan {
            versions,
            uploads: 1,
            mappings: true,
            odd_keys: false,
            older_status,
            locked_seconds: None,
        };
        let step = |does| Step { does, with_next: false };
        let steps = match self {
            Self::Now | Self::NowByJob => vec![step(Does::DeleteNow(0))],
            Self::Scheduled | Self::ScheduledByJob => {
                vec![step(Does::Schedule(0)), step(Does::Jump(200)), step(Does::Daily)]
            }
        };
        Schedule {
            seed: 1,
            world: World {
                kind: BucketKind::Unversioned,
                mode: ImmediateMode::Allowed,
                run_cap: 1_000,
                job_events: false,
                duplicate_every: None,
                has_clutter: false,
                accounts: vec![account(if by_job { 11 } else { 4 }, by_job), account(4, false)],
            },
            steps,
            rate: 0.0,
        }
    }
}

/// What trying everything came to.
#[derive(Debug, Default)]
pub struct Tried {
    /// Calls that the deletion function makes when nothing happens, a way each.
    pub calls: Vec<u64>,
    /// Worlds that were tried.
    pub worlds: usize,
    /// Worlds that there are; more than were tried if a limit was reached.
    pub of: usize,
    /// The worlds in which a promise was broken, and which.
    pub broken: Vec<(String, String)>,
}

/// Tries every single event in every way of deleting, and, within the limits, every pair of events in the ways of `pairs`,
/// beginning with the pair of this number, modulo their count. `tell` hears how many are done of how many.
pub fn try_all(limits: Limits, pairs: &[Way], from: usize, tell: impl Fn(usize, usize) + Sync) -> Tried {
    let mut tried = Tried::default();
    let mut singly = Vec::new();
    for way in Way::ALL {
        let calls = try_one(way, &[]).unwrap_or_else(|text| {
            tried.broken.push((written(way, &[]), text));
            0
        });
        tried.calls.push(calls);
        singly.extend((1..=calls).flat_map(Event::all_at).map(|event| (way, vec![event])));
    }
    let calls = tried.all_of(&singly, Limits { until: None, ..limits }, &tell);
    let firsts = singly.iter().zip(calls).filter(|((way, _), _)| pairs.contains(way));
    let mut in_pairs: Vec<SmallWorld> =
        firsts.flat_map(|((way, first), calls)| seconds(*way, first[0], calls)).collect();
    let begin = from % in_pairs.len().max(1);
    in_pairs.rotate_left(begin);
    tried.all_of(&in_pairs, limits, &tell);
    tried
}

/// A way of deleting, and what happens meanwhile.
pub type SmallWorld = (Way, Vec<Event>);

impl Tried {
    /// Tries these worlds, and answers how many calls the deletion function made in each.
    fn all_of(&mut self, worlds: &[SmallWorld], limits: Limits, tell: &(impl Fn(usize, usize) + Sync)) -> Vec<u64> {
        let (next, broken) = (AtomicUsize::new(0), Mutex::new(std::mem::take(&mut self.broken)));
        let calls: Vec<AtomicU64> = worlds.iter().map(|_| AtomicU64::new(0)).collect();
        let work = || {
            while !limits.are_reached(lock(&broken).len()) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((way, events)) = worlds.get(index) else { return };
                match try_one(*way, events) {
                    Ok(made) => calls[index].store(made, Ordering::Relaxed),
                    Err(text) => lock(&broken).push((written(*way, events), text)),
                }
                tell(index + 1, worlds.len());
            }
        };
        std::thread::scope(|scope| (0..limits.threads).for_each(|_| drop(scope.spawn(work))));
        self.worlds += next.into_inner().min(worlds.len());
        self.of += worlds.len();
        self.broken = broken.into_inner().expect("nothing panics while holding it");
        calls.into_iter().map(AtomicU64::into_inner).collect()
    }
}

/// The pairs that begin with this event: whatever may follow it, up to the last call that is made because of it.
fn seconds(way: Way, first: Event, calls: u64) -> Vec<SmallWorld> {
    if !matches!(first, Event::DiesAfter(_) | Event::Cancels(_)) {
        return Vec::new();
    }
    let later = first.at() + 1..=calls;
    later.flat_map(|n| [Event::DiesAfter(n), Event::Cancels(n)]).map(|second| (way, vec![first, second])).collect()
}

/// How a world is written, and read again: `Scheduled DiesAfter(12) Cancels(40)`.
fn written(way: Way, events: &[Event]) -> String {
    let events = events.iter().map(|event| format!(" {event:?}"));
    format!("{way:?}{}", events.collect::<String>())
}

/// Reads what [`written`] writes.
pub fn read(text: &str) -> Option<SmallWorld> {
    let mut words = text.split_whitespace();
    let name = words.next()?;
    let way = Way::ALL.into_iter().find(|way| format!("{way:?}") == name)?;
    let event = |word: &str| {
        let n = word.split(&['(', ')']).nth(1)?.parse().ok()?;
        Event::all_at(n).into_iter().find(|event| format!("{event:?}") == word)
    };
    Some((way, words.map(event).collect::<Option<_>>()?))
}

/// Tries one world, and answers how many calls the deletion function made.
pub fn try_one(way: Way, events: &[Event]) -> Result<u64, String> {
    let schedule = way.schedule();
    let script = Arc::new(Script {
        calls: AtomicU64::new(0),
        events: events.to_vec(),
        answers: Mutex::default(),
        written: Mutex::default(),
    });
    let follow = script.clone();
    simulate(schedule.seed, async move {
        run_small(&schedule, &follow).await;
    })?;
    Ok(script.calls.load(Ordering::Relaxed))
}

/// What happens at which call.
#[derive(Debug)]
pub struct Script {
    calls: AtomicU64,
    events: Vec<Event>,
    /// How the person who cancelled was answered, each time.
    answers: Mutex<Vec<u16>>,
    /// What was written by others than the service.
    written: Mutex<Vec<Written>>,
}

impl Script {
    /// How the person who cancelled was answered since the last time.
    pub fn take_answers(&self) -> Vec<u16> {
        std::mem::take(&mut *lock(&self.answers))
    }

    /// What was written by others than the service since the last time.
    pub fn take_written(&self) -> Vec<Written> {
        std::mem::take(&mut *lock(&self.written))
    }

    /// Lets the stage's requests follow the script.
    pub fn set(self: &Arc<Self>, stage: &Stage) {
        let gate = Follow {
            script: self.clone(),
            lambda: stage.photolala.local().lambda().clone(),
            function: stage.photolala.environment().functions.deletion.clone(),
            account: stage.accounts[0].clone(),
            after: Mutex::default(),
            s3: stage.photolala.local().s3().expect("S3 is in memory"),
            clock: stage.photolala.local().clock().clone(),
            environment: stage.photolala.environment().clone(),
        };
        stage.photolala.local().set_gate(gate);
    }
}

/// What others than the service wrote while it was at work.
#[derive(Clone, Debug)]
pub enum Written {
    /// An app cancelled; whether it was in time, which its last write was if no second look can have begun.
    Cancelled {
        /// As the name says.
        in_time: bool,
    },
    /// A sign-in leads to another account since.
    Registered {
        /// Its key.
        key: String,
        /// Its body.
        body: String,
    },
}

struct Follow {
    script: Arc<Script>,
    lambda: Lambda,
    function: String,
    account: Account,
    /// What is to happen after requests of these numbers.
    after: Mutex<Vec<(u64, Event)>>,
    s3: S3,
    clock: Clock,
    environment: Environment,
}

impl Follow {
    /// The event of this call, if it is one of the deletion function's. A process that cancels makes such calls too.
    fn event(&self, info: &RequestInfo) -> Option<Event> {
        if info.calling_function() != Some(self.function.as_str()) {
            return None;
        }
        let n = self.script.calls.fetch_add(1, Ordering::Relaxed) + 1;
        self.script.events.iter().copied().find(|event| event.at() == n)
    }

    async fn cancel(&self) {
        let event = json!({"type": "cancel", "userId": self.account.upper()}).to_string();
        let status = match self.lambda.invoke(&self.function, event.into()).await.map(|invoked| invoked.outcome) {
            Ok(Outcome::Answer(payload)) => status(&payload),
            _ => 0,
        };
        lock(&self.script.answers).push(status);
    }

    /// What an app does that writes S3 by itself: the entries go, then the status says active.
    fn app_cancels(&self) {
        let (store, bucket) = (self.s3.store(), self.environment.buckets[0].name.as_str());
        let in_time = self.is_in_time();
        let ends = format!("/{}.json", self.account.upper());
        let entries = store.keys(bucket, &self.environment.schedule_prefix).unwrap_or_default();
        for key in entries.iter().filter(|key| key.ends_with(&ends)) {
            store.delete(bucket, key).expect("an entry is deleted");
        }
        let status = active(self.clock.now()).to_string();
        store.put(bucket, &status_key(&self.account.upper()), status).expect("a status is written");
        self.note(Written::Cancelled { in_time });
    }

    /// Whether a request waits and no second look at it can have begun: nothing is claimed, and the mark, if there is
    /// one, is not old enough.
    fn is_in_time(&self) -> bool {
        let (store, manifest) = (self.s3.store(), self.environment.manifest_bucket());
        let state = |body: Bytes| serde_json::from_slice::<Value>(&body).unwrap_or_default()["state"]["name"].clone();
        let record = store.body(&manifest, record_key(&self.account.id()).as_str()).ok().map(state);
        let waits = store.body(&manifest, request_key(&self.account.id()).as_str()).is_ok();
        if !waits || record.is_some_and(|state| state != "claiming") {
            return false;
        }
        [self.account.upper(), self.account.lower()].iter().any(|id| self.is_not_looked_at_again(&status_key(id)))
    }

    /// Whether a status is there that is not marked, or not for as long as the second look waits.
    fn is_not_looked_at_again(&self, key: &str) -> bool {
        let versions = self.s3.store().versions(self.environment.buckets[0].name.as_str(), key).unwrap_or_default();
        let newest = versions.into_iter().find(|listed| listed.is_latest);
        let confirm = SignedDuration::from_secs(self.environment.confirm_seconds.into());
        newest.is_some_and(|status| {
            let is_mark = status.version.data().is_some_and(|data| data.body.windows(10).any(|w| w == b"deletionId"));
            !is_mark || self.clock.now() < status.version.modified() + confirm
        })
    }

    fn registers(&self) {
        let (key, body) = (sign_in_key(&self.account), anew(&self.account).upper());
        let bucket = self.environment.buckets[0].name.as_str();
        self.s3.store().put(bucket, &key, body.clone()).expect("a sign-in is written");
        self.note(Written::Registered { key, body });
    }

    fn note(&self, written: Written) {
        lock(&self.script.written).push(written);
    }

    fn kill(&self, info: &RequestInfo) -> Verdict {
        self.lambda.kill_process(info.caller.as_deref().unwrap_or_default());
        Verdict::Drop
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn status(payload: &Bytes) -> u16 {
    let answer: Value = serde_json::from_slice(payload).unwrap_or_default();
    answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default()
}

#[async_trait]
impl Gate for Follow {
    async fn before(&self, info: &RequestInfo, _: &Request<Bytes>) -> Verdict {
        match self.event(info) {
            Some(Event::DiesBefore(_)) => return self.kill(info),
            Some(Event::Cancels(_)) => self.cancel().await,
            Some(Event::Registers(_)) => self.registers(),
            Some(after) => lock(&self.after).push((info.number, after)),
            None => {}
        }
        Verdict::Proceed
    }

    async fn after(&self, info: &RequestInfo, _: &Response<Bytes>) -> Verdict {
        let event = lock(&self.after).iter().find(|(number, _)| *number == info.number).map(|(_, event)| *event);
        match event {
            Some(Event::DiesAfter(_)) => self.kill(info),
            Some(Event::AppCancels(_)) => {
                self.app_cancels();
                Verdict::Proceed
            }
            _ => Verdict::Proceed,
        }
    }
}
