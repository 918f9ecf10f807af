//! The service in this program, and everything around it that acts.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::rc::Rc;

use domain::environment::{Environment, ImmediateMode};
use domain::layout::{record_key, request_key};
use domain::mapping::BucketKind;
use harness::person::{active, entry, entry_key, scheduled, status_key};
use harness::{Account, Answer, Fixture, FunctionError, Options, Photolala, look_alikes};
use jiff::{SignedDuration, Timestamp};
use local_aws::{Faults, Record};
use local_batch::Pace;
use local_s3::{Mode, NewObject, Retention, Store};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::host::Functions;
use crate::schedule::{AccountPlan, Schedule, World};

/// Entries of a page of a listing: small accounts have several pages.
pub const PAGE_SIZE: usize = 5;
/// From here on a job erases.
pub const THRESHOLD: u32 = 10;
/// When every simulation begins.
const BEGINNING: &str = "2026-03-01T12:00:00Z";
/// More entries that nobody can read than a page of a listing has.
const CLUTTER: usize = 6;
/// Keys that are hard to write in XML, CSV or a URL, below a prefix of the account's.
const ODD: [&str; 6] = ["a,b.dat", "a\"b.dat", "a b+c%2F.dat", "\u{e4}\u{1f4f7}.dat", "line\nbreak.dat", "\u{1}.dat"];

/// The service, its accounts, and what stands around them.
pub struct Stage {
    /// The service.
    pub photolala: Photolala,
    /// The accounts that may be erased, if they ask.
    pub accounts: Vec<Account>,
    /// The faults.
    pub faults: Faults,
    /// What the functions panicked with.
    pub panics: Rc<RefCell<Vec<String>>>,
    mode: ImmediateMode,
}

impl Stage {
    /// Starts the service and fills its buckets. Must run on a `LocalSet` of a runtime whose time is paused.
    pub async fn set(schedule: &Schedule) -> Self {
        let (host, requests) = mpsc::unbounded_channel();
        let options = options(schedule);
        let photolala = Photolala::start_in_process(options, host).await.expect("it starts");
        photolala.local().clock().set(BEGINNING.parse().expect("a moment"));
        let sdk = photolala.local().clients().sdk_config().clone();
        let functions = Functions::new(&sdk, &photolala.environment().functions.deletion, photolala.variables());
        let panics = functions.panics();
        tokio::task::spawn_local(functions.serve(requests));
        let accounts = accounts(schedule.world.accounts.len());
        let faults = Faults::new(schedule.seed, schedule.rate);
        let stage = Self { photolala, accounts, faults, panics, mode: schedule.world.mode };
        stage.fill(&schedule.world).await;
        stage.photolala.local().inject(&stage.faults);
        stage
    }

    async fn fill(&self, world: &World) {
        if world.accounts.iter().any(|plan| plan.locked_seconds.is_some()) {
            self.store().enable_object_lock(self.photolala.bucket(), None).expect("the bucket is there");
        }
        for (account, plan) in self.accounts.iter().zip(&world.accounts) {
            self.fill_account(account, plan).await;
        }
        let stranger = self.accounts[0].neighbour();
        let theirs = Fixture::of(&stranger).versions(6).uploads(1);
        theirs.fill(&self.photolala).await.expect("a stranger has photos");
        for key in look_alikes(&self.accounts[0]) {
            self.put(&key, "belongs to nobody");
        }
        for number in (0..CLUTTER).filter(|_| world.has_clutter) {
            self.put(&format!("scheduled-deletions/2020-01-01/{number}.json"), "no request");
        }
        self.photolala.local().recorder().start();
    }

    async fn fill_account(&self, account: &Account, plan: &AccountPlan) {
        let fixture = Fixture::of(account).versions(plan.versions).uploads(plan.uploads);
        let fixture = if plan.mappings { fixture } else { fixture.without_mappings() };
        fixture.fill(&self.photolala).await.expect("an account has photos");
        for name in ODD.iter().filter(|_| plan.odd_keys) {
            self.put(&format!("photos/{}/{name}", account.upper()), "an odd key");
        }
        if plan.older_status {
            self.put(&status_key(&account.lower()), active(self.now()).to_string());
        }
        if let Some(seconds) = plan.locked_seconds {
            let until = self.now() + SignedDuration::from_secs(seconds);
            let retention = Some(Retention { mode: Mode::Compliance, until });
            let key = format!("photos/{}/locked.dat", account.upper());
            self.put(&key, NewObject { retention, ..NewObject::from("locked") });
        }
    }

    /// The contents of S3.
    pub fn store(&self) -> &Store {
        self.photolala.local().s3_store().expect("S3 is in memory")
    }

    /// S3's time.
    pub fn now(&self) -> Timestamp {
        self.photolala.now()
    }

    /// Puts an object into the photo bucket, as any writer may.
    pub fn put(&self, key: &str, object: impl Into<NewObject>) {
        self.store().put(self.photolala.bucket(), key, object).expect("an object is put");
    }

    /// The app asks: where the environment lets nobody else ask, over the function URL.
    pub async fn ask(&self, account: &Account, mut body: Value) -> Result<Answer, FunctionError> {
        if self.mode == ImmediateMode::Allowed {
            body["userId"] = account.upper().into();
            return self.photolala.ask(body).await;
        }
        self.photolala.ask_by_url(&account.upper(), body).await
    }

    /// An app that writes S3 by itself schedules: entry, then status. Answers what it wrote.
    pub fn app_schedules(&self, account: &Account, grace_seconds: i64) -> [String; 2] {
        let now = self.now();
        let delete_on = now + SignedDuration::from_secs(grace_seconds);
        let keys = [entry_key(&account.upper(), delete_on), status_key(&account.upper())];
        self.put(&keys[0], entry(account, now, delete_on).to_string());
        self.put(&keys[1], scheduled(delete_on, now).to_string());
        keys
    }

    /// The same by a phone that believes it is a month ago.
    pub fn slow_phone(&self, account: &Account) -> [String; 2] {
        let then = self.now() - SignedDuration::from_hours(30 * 24);
        let keys = [entry_key(&account.upper(), then), status_key(&account.upper())];
        self.put(&keys[0], entry(account, then, then).to_string());
        self.put(&keys[1], scheduled(then, then).to_string());
        keys
    }

    /// Somebody who may not asks for Delete Now.
    pub async fn stranger(&self, account: &Account) -> Result<Answer, FunctionError> {
        if self.mode == ImmediateMode::Allowed {
            let body = json!({"type": "immediate", "userId": account.upper()});
            return self.photolala.ask_by_url(&account.neighbour().upper(), body).await;
        }
        self.photolala.delete_now(&account.upper()).await
    }

    /// Such an app cancels: every entry it finds, then the status.
    pub fn app_cancels(&self, account: &Account) -> Vec<String> {
        let bucket = self.photolala.bucket();
        let mut keys = self.entries(account);
        for key in &keys {
            self.store().delete(bucket, key).expect("an entry is deleted");
        }
        let status = status_key(&account.upper());
        self.put(&status, active(self.now()).to_string());
        keys.push(status);
        keys
    }

    /// The keys of the account's entries.
    pub fn entries(&self, account: &Account) -> Vec<String> {
        let file = format!("/{}.json", account.upper());
        let prefix = &self.photolala.environment().schedule_prefix;
        let keys = self.store().keys(self.photolala.bucket(), prefix).expect("the bucket is there");
        keys.into_iter().filter(|key| key.ends_with(&file)).collect()
    }

    /// An object of the service's own.
    pub fn own(&self, key: &str) -> Option<Value> {
        let body = self.store().body(&self.photolala.environment().manifest_bucket(), key).ok()?;
        serde_json::from_slice(&body).ok()
    }

    /// The keys of the service's own objects under a prefix.
    pub fn own_keys(&self, prefix: &str) -> Vec<String> {
        self.store().keys(&self.photolala.environment().manifest_bucket(), prefix).expect("the bucket is there")
    }

    /// All of the service's own objects.
    pub fn own_objects(&self) -> BTreeMap<String, Value> {
        let read = |key: String| Some((key.clone(), self.own(&key)?));
        self.own_keys("").into_iter().filter_map(read).collect()
    }

    /// What the status says of an account's id in one of its spellings, if there is one.
    pub fn status(&self, id: &str) -> Option<Value> {
        let body = self.store().body(self.photolala.bucket(), &status_key(id)).ok()?;
        serde_json::from_slice(&body).ok()
    }

    /// Sends a task of a page that there is, or was, to the eraser once more.
    pub async fn repeat_task(&self, page: &str) {
        let bucket = self.photolala.environment().manifest_bucket();
        let task = json!({"taskId": "again", "s3Key": page, "s3VersionId": null,
            "s3BucketArn": format!("arn:aws:s3:::{bucket}")});
        let event = json!({"invocationSchemaVersion": "1.0", "invocationId": "again", "job": {"id": "again"},
            "tasks": [task]});
        let eraser = &self.photolala.environment().functions.eraser;
        // Whatever it answers: what it does is what counts.
        let _ = self.photolala.local().lambda().invoke(eraser, event.to_string().into()).await;
    }
}

fn options(schedule: &Schedule) -> Options {
    let world = &schedule.world;
    let pace = Pace {
        seed: schedule.seed,
        duplicate_every: world.duplicate_every.and_then(NonZeroU64::new),
        ..Pace::default()
    };
    Options {
        environment: environment(world),
        kind: world.kind,
        bootstraps: None,
        job_events: world.job_events,
        page_size: PAGE_SIZE,
        pace,
        ..Options::default()
    }
}

fn environment(world: &World) -> Environment {
    let mut environment = harness::environment::load("development").expect("the repository has it");
    environment.deletion_threshold = THRESHOLD;
    environment.immediate_mode = world.mode;
    environment.caps.accounts_per_run = world.run_cap;
    environment
}

/// The first account's neighbour belongs to a stranger; the others are neighbours in pairs.
fn accounts(number: usize) -> Vec<Account> {
    let others = (101..).flat_map(|seed| [Account::seeded(seed), Account::seeded(seed).neighbour()]);
    std::iter::once(Account::seeded(100)).chain(others).take(number).collect()
}

impl Stage {
    /// Whether the environment serves Delete Now.
    pub fn may_be_now(&self) -> bool {
        self.mode != ImmediateMode::Denied
    }

    /// Whether a deletion or an errand of the account is under way.
    pub fn has_record(&self, who: usize) -> bool {
        self.own(record_key(&self.accounts[who].id()).as_str()).is_some()
    }

    /// Whether a request of the account waits.
    pub fn has_request(&self, who: usize) -> bool {
        self.own(request_key(&self.accounts[who].id()).as_str()).is_some()
    }

    /// Whether a status that today's apps do not write says that the account stays.
    pub fn has_older_active(&self, who: usize) -> bool {
        let status = self.status(&self.accounts[who].lower());
        status.is_some_and(|status| status["accountStatus"] == "active")
    }

    /// The deletions that a notice of this kind told of.
    pub fn told_of(&self, kind: &str) -> BTreeSet<String> {
        let put = self.photolala.local().events().put().into_iter();
        let told = put.filter(|notice| notice.envelope["detail-type"] == kind);
        told.filter_map(|notice| notice.envelope["detail"]["deletionId"].as_str().map(str::to_owned)).collect()
    }

    /// Versions that marks of the account's status may have made: none where a write replaces what was there.
    pub fn versions_of_marks(&self, account: &Account) -> u64 {
        if self.photolala.options().kind == BucketKind::Unversioned {
            return 0;
        }
        let keys = [account.upper(), account.lower()].map(|id| status_key(&id));
        let records = self.photolala.local().recorder().records();
        let is_status = |key: &String| keys.contains(key);
        let writes =
            |record: &&Record| record.info.operation == "PutObject" && record.info.key.as_ref().is_some_and(is_status);
        records.iter().filter(writes).count() as u64
    }

    /// Whether no function is at work.
    pub fn is_idle(&self) -> bool {
        self.photolala.local().lambda().is_settled()
    }
}
