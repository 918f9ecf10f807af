//! One schedule, from its beginning to the end of everything that was asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use harness::person::{active, status_key};
use harness::promises::silent_about_people;
use harness::{Account, Answer, FunctionError};
use http::Request;
use jiff::{SignedDuration, Timestamp};
use local_aws::{Fault, Gate, RequestInfo, Verdict, s3_error};
use serde_json::{Value, json};

use crate::model::{End, Meanwhile, Model};
use crate::schedule::{Does, Schedule, Step};
use crate::small::{Script, Written};
use crate::stage::Stage;

/// Rounds of runs and reconciles, a day or so each, within which everything must be over once faults have stopped.
const ROUNDS_MAX: usize = 14;

/// What a schedule came to: enough to see that simulations are not all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls of AWS that were served, but for those of the dry runs in the end.
    pub calls: u64,
    /// Faults that were injected, by kind.
    pub faults: BTreeMap<Fault, u64>,
    /// What was done and how it was answered, and how the accounts ended.
    pub seen: BTreeMap<String, u64>,
}

/// Runs a schedule. Panics with the promise that was broken.
pub async fn run(schedule: &Schedule) -> Report {
    let stage = Stage::set(schedule).await;
    let mut performance = Performance {
        model: Model::new(&stage, schedule).await,
        stage: &stage,
        seen: BTreeMap::new(),
        is_scheduled: true,
        script: None,
        calls_of_dry_runs: 0,
    };
    let mut rest = schedule.steps.as_slice();
    while let Some(group) = next_group(&mut rest) {
        performance.group(group).await;
    }
    performance.end_everything().await;
    let accounts: Vec<&Account> = stage.accounts.iter().collect();
    silent_about_people(&stage.photolala, performance.model.first(), &accounts).await;
    let calls = calls(&stage) - performance.calls_of_dry_runs;
    Report { calls, faults: stage.faults.injected(), seen: performance.seen }
}

fn calls(stage: &Stage) -> u64 {
    stage.photolala.local().recorder().counts().into_values().sum()
}

/// Runs a schedule while a script happens to it, in place of faults.
pub async fn run_small(schedule: &Schedule, script: &Arc<Script>) {
    let stage = Stage::set(schedule).await;
    script.set(&stage);
    let model = Model::new(&stage, schedule).await;
    let is_scheduled = schedule.steps.iter().all(|step| step.does != Does::DeleteNow(0));
    let mut performance = Performance {
        model,
        stage: &stage,
        seen: BTreeMap::new(),
        is_scheduled,
        script: Some(script.clone()),
        calls_of_dry_runs: 0,
    };
    for step in &schedule.steps {
        performance.group(&[*step]).await;
    }
    performance.settle_down().await;
}

/// Steps that begin together.
fn next_group<'a>(rest: &mut &'a [Step]) -> Option<&'a [Step]> {
    let last = rest.iter().position(|step| !step.with_next).unwrap_or(rest.len().checked_sub(1)?);
    let (group, others) = rest.split_at(last + 1);
    *rest = others;
    Some(group)
}

struct Performance<'a> {
    stage: &'a Stage,
    model: Model,
    seen: BTreeMap<String, u64>,
    /// Whether the first account is erased by a run: then a cancellation that is accepted is final.
    is_scheduled: bool,
    /// By which the first account may be cancelled in the middle of things.
    script: Option<Arc<Script>>,
    calls_of_dry_runs: u64,
}

/// How somebody who asked was answered.
type Answered = Option<Result<Answer, FunctionError>>;

impl Performance<'_> {
    async fn group(&mut self, group: &[Step]) {
        let mut meanwhile = Meanwhile::default();
        for step in group {
            self.foretell(step.does, group, &mut meanwhile);
        }
        let stage = self.stage;
        let is_still = stage.is_still() && group.iter().all(|step| step.does == Does::DryRun);
        let own_before = is_still.then(|| stage.own_objects());
        let asked_at = stage.now();
        let answered = join_all(group.iter().map(|step| perform(stage, step.does))).await;
        if let Some(own_before) = own_before {
            self.model.nothing_happened(stage, &own_before).await;
        }
        for (step, answered) in group.iter().zip(&answered) {
            self.conclude(step.does, answered, is_alone(step.does, group).then_some(asked_at));
        }
        self.hear_of_writers(&mut meanwhile);
        // Whether a request or its cancellation came first is not known; and Delete Now that is not written down yet
        // goes on.
        let is_asked = group.iter().any(|step| matches!(step.does, Does::Schedule(0) | Does::DeleteNow(0)));
        self.judge(&meanwhile, self.is_scheduled && !is_asked).await;
        for (step, answered) in group.iter().zip(&answered) {
            // Late effects of calls that failed are what the second look is for.
            let is_sure = stage.is_idle() && stage.faults.injected().is_empty();
            if let (Does::DeleteNow(who), true) = (step.does, is_sure && completed(answered)) {
                self.model.nothing_was_left(stage, who, asked_at);
            }
            if let (Does::Cancel(who), true) = (step.does, is_alone(step.does, group) && found_nothing(answered)) {
                self.model.stays(who);
            }
        }
    }

    /// What others wrote while the function was at work.
    fn hear_of_writers(&mut self, meanwhile: &mut Meanwhile) {
        let Some(script) = self.script.clone() else { return };
        for written in script.take_written() {
            match written {
                Written::Cancelled { in_time } => {
                    let account = &self.stage.accounts[0];
                    self.model.asks_to_stay(0);
                    self.model.is_written(0);
                    meanwhile.written.insert(status_key(&account.upper()));
                    if in_time { self.model.must_stay(0) } else { self.model.is_open(0) }
                }
                Written::Registered { key, body } => {
                    meanwhile.written.insert(key.clone());
                    self.model.leads_elsewhere(key, body);
                }
            }
        }
    }

    /// Judges, once what the person was told who cancelled while the function was at work is known.
    async fn judge(&mut self, meanwhile: &Meanwhile, is_final: bool) {
        let answers = self.script.as_ref().map(|script| script.take_answers()).unwrap_or_default();
        for answer in &answers {
            match answer {
                409 => self.model.accepted_unless_over(0),
                _ => self.model.is_open(0),
            }
        }
        self.model.judge(self.stage, meanwhile).await;
        if is_final && answers.contains(&200) {
            self.model.stays(0);
        }
    }

    /// What the model must know before a step begins; writers of S3 write at once.
    fn foretell(&mut self, does: Does, group: &[Step], meanwhile: &mut Meanwhile) {
        let (stage, now) = (self.stage, self.stage.now());
        let (grace, after_grace) = (i64::from(stage.photolala.environment().grace_seconds), self.after_grace(now));
        match does {
            Does::DeleteNow(who) if stage.may_be_now() => self.model.asks(stage, who, now),
            Does::Schedule(who) => self.model.asks(stage, who, after_grace),
            Does::Cancel(who) => self.model.asks_to_stay(who),
            Does::AppSchedules(who) => {
                self.model.asks(stage, who, after_grace);
                meanwhile.written.extend(stage.app_schedules(&stage.accounts[who], grace));
                // Statuses that contradict each other wait for a person.
                let is_sure = is_alone(does, group) && !stage.has_record(who) && !stage.has_older_active(who);
                if is_sure {
                    self.model.accepted(who);
                }
            }
            Does::SlowPhone(who) => {
                self.model.asks(stage, who, after_grace);
                meanwhile.written.extend(stage.slow_phone(&stage.accounts[who]));
            }
            Does::AppCancels(who) => {
                let is_sure = group.len() == 1 && !stage.has_record(who) && stage.is_idle();
                meanwhile.written.extend(stage.app_cancels(&stage.accounts[who]));
                if is_sure && !stage.has_request(who) { self.model.stays(who) } else { self.model.is_open(who) }
            }
            Does::Upload(who) => {
                let id = stage.accounts[who].upper();
                let key = format!("photos/{id}/{}.dat", now.as_second());
                stage.upload(&key);
                meanwhile.written.insert(key);
            }
            Does::OldPhone(who) => {
                // An entry alone asks for nothing while the status says active.
                let is_sure = group.len() == 1 && !stage.has_record(who) && stage.is_idle() && !stage.has_request(who);
                self.model.asks_to_stay(who);
                let [status, mapping] = stage.old_phone(&stage.accounts[who]);
                self.model.leads_anywhere(&mapping);
                meanwhile.written.extend([status, mapping]);
                if is_sure { self.model.stays(who) } else { self.model.is_open(who) }
            }
            Does::Register(who) => {
                let (key, body) = stage.register(&stage.accounts[who]);
                meanwhile.written.insert(key.clone());
                self.model.leads_elsewhere(key, body);
            }
            _ => {}
        }
    }

    fn after_grace(&self, asked: Timestamp) -> Timestamp {
        asked + SignedDuration::from_secs(self.stage.photolala.environment().grace_seconds.into())
    }

    /// What the model learns from the answer to what was asked `alone` at a moment. If something else was done to the
    /// account at the same time, nobody can say which came first.
    fn conclude(&mut self, does: Does, answered: &Answered, alone: Option<Timestamp>) {
        let status = match answered {
            Some(Ok(answer)) => answer.status_code,
            Some(Err(_)) => 0,
            None => return self.count(does, "done"),
        };
        self.count(does, &status.to_string());
        self.judge_a_run(does, answered);
        let is_faulty = matches!(status, 500 | 503) && !self.stage.faults.injected().is_empty();
        assert!(
            !matches!(does, Does::Stranger(_)) || matches!(status, 0 | 403) || is_faulty,
            "P1: somebody who may not ask was answered {status}"
        );
        if let (Some(Ok(answer)), Some(who)) = (answered, does.account())
            && (answer.body["status"] == "completed" || answer.body["state"] == "complete")
        {
            match does {
                Does::Status(_) => self.model.said_to_be_complete(self.stage, who, answer.deletion_id()),
                _ => self.model.said_complete(self.stage, who, answer.deletion_id()),
            }
        }
        let is_new = matches!(answered, Some(Ok(answer)) if answer.body["state"] == "requested");
        match (does, status, alone) {
            (Does::Schedule(who), 200, Some(at)) if is_new => self.model.accepted_from(who, self.after_grace(at)),
            (Does::DeleteNow(who) | Does::Schedule(who), 200 | 202, Some(_)) => self.model.accepted(who),
            // A deletion may have come to its end while nothing to cancel was found.
            (Does::Cancel(_), 200, Some(_)) if found_nothing(answered) => {}
            (Does::Cancel(who), 200, Some(_)) => self.model.stays(who),
            (Does::Cancel(who), 409, Some(_)) => self.model.accepted_unless_over(who),
            (Does::Cancel(who), ..) | (Does::DeleteNow(who) | Does::Schedule(who), _, None) => self.model.is_open(who),
            _ => {}
        }
    }

    /// Without faults, run after run, until nothing is left to do.
    async fn end_everything(&mut self) {
        let stage = self.stage;
        stage.faults.set_rate(0.0);
        for round in 0..ROUNDS_MAX {
            self.quietly(Does::Wait(120)).await;
            self.quietly(Does::Jump(if round < 2 { 300 } else { 90_000 })).await;
            self.dry_run().await;
            let run = if round % 2 == 0 { Does::Run } else { Does::Daily };
            for does in [run, Does::Reconcile, Does::Jump(6), Does::Reconcile] {
                self.quietly(does).await;
            }
            if self.is_over() {
                break;
            }
        }
        self.model.judge_the_end(stage).await;
        self.model.judge_the_requests(stage);
        for who in 0..stage.accounts.len() {
            *self.seen.entry(format!("ended {:?}", self.model.end(who))).or_default() += 1;
        }
    }

    /// The same in as few steps as a small world needs: a lease ends, reconcile goes on, the second look confirms.
    async fn settle_down(&mut self) {
        for round in 0..ROUNDS_MAX {
            let run = if round == 0 { Does::Jump(0) } else { Does::Daily };
            for does in [Does::Jump(100), run, Does::Reconcile, Does::Jump(6), Does::Reconcile] {
                self.quietly(does).await;
            }
            if self.is_over() {
                break;
            }
        }
        self.model.judge_the_end(self.stage).await;
    }

    async fn quietly(&mut self, does: Does) {
        let mut meanwhile = Meanwhile::default();
        let answered = perform(self.stage, does).await;
        self.judge_a_run(does, &answered);
        self.stage.photolala.quiet().await;
        self.hear_of_writers(&mut meanwhile);
        self.judge(&meanwhile, self.is_scheduled).await;
    }

    /// What is asked beforehand changes nothing, whatever a run would do.
    async fn dry_run(&mut self) {
        if self.stage.is_still() {
            let (own_before, calls_before) = (self.stage.own_objects(), calls(self.stage));
            perform(self.stage, Does::DryRun).await;
            self.calls_of_dry_runs += calls(self.stage) - calls_before;
            self.model.nothing_happened(self.stage, &own_before).await;
        }
    }

    fn judge_a_run(&self, does: Does, answered: &Answered) {
        if let (Does::Run, Some(Ok(answer))) = (does, answered) {
            self.model.judge_a_run(self.stage.photolala.environment().caps.accounts_per_run, &answer.body);
        }
    }

    fn is_over(&self) -> bool {
        let waits = |who| self.model.end(who) == End::Erased;
        self.stage.own_keys("records/").is_empty() && !(0..self.stage.accounts.len()).any(waits)
    }

    fn count(&mut self, does: Does, how: &str) {
        let name = format!("{does:?}");
        let name = name.split('(').next().unwrap_or_default();
        *self.seen.entry(format!("{name} {how}")).or_default() += 1;
    }
}

/// Whether somebody was answered that everything is erased.
fn completed(answered: &Answered) -> bool {
    matches!(answered, Some(Ok(answer)) if answer.body["status"] == "completed")
}

/// Whether a cancellation was answered that there was nothing to take back.
fn found_nothing(answered: &Answered) -> bool {
    matches!(answered, Some(Ok(answer)) if answer.body["status"] == "not_scheduled")
}

/// Whether nothing else is done to the account at the same time, nor to all of them.
fn is_alone(does: Does, group: &[Step]) -> bool {
    let concerns = |other: &Step| other.does.account().is_none() || other.does.account() == does.account();
    group.iter().filter(|other| concerns(other)).count() == 1
}

async fn perform(stage: &Stage, does: Does) -> Answered {
    let ask = async |who: usize, body: Value| Some(stage.ask(&stage.accounts[who], body).await);
    match does {
        Does::DeleteNow(who) => return ask(who, json!({"type": "immediate"})).await,
        Does::Schedule(who) => return ask(who, json!({"type": "schedule"})).await,
        Does::Cancel(who) => return ask(who, json!({"type": "cancel"})).await,
        Does::Status(who) => {
            let unknown = stage.photolala.ask(json!({"type": "status", "jobId": "no-such-job"})).await;
            let status = unknown.map_or(0, |answer| answer.status_code);
            // Lambda may have no room, and S3 its faults.
            let is_faulty = matches!(status, 500 | 503) && !stage.faults.injected().is_empty();
            assert!(matches!(status, 0 | 404) || is_faulty, "an unknown job was answered {status}");
            return ask(who, json!({"type": "status"})).await;
        }
        Does::Stranger(who) => return Some(stage.stranger(&stage.accounts[who]).await),
        Does::RefusedDaily => stage.refused_daily().await,
        Does::Run => return Some(stage.photolala.ask(json!({"type": "scheduled"})).await),
        Does::DryRun => return Some(stage.photolala.ask(json!({"type": "scheduled", "dryRun": true})).await),
        Does::Daily => stage.fire("daily"),
        Does::Reconcile => stage.fire("reconcile"),
        Does::Wait(seconds) => tokio::time::sleep(std::time::Duration::from_secs(seconds.into())).await,
        Does::Jump(seconds) => stage.photolala.local().clock().advance(SignedDuration::from_secs(seconds.into())),
        Does::CancelJob => stage.cancel_job(),
        Does::FailJob => stage.fail_job(),
        Does::LoseReports => stage.lose_reports(),
        Does::RepeatEvents => stage.repeat_events(),
        Does::RepeatTask => stage.repeat_some_task().await,
        // Written before the step began.
        Does::AppSchedules(_)
        | Does::SlowPhone(_)
        | Does::AppCancels(_)
        | Does::Upload(_)
        | Does::OldPhone(_)
        | Does::Register(_) => {}
    }
    None
}

/// Where Sign in with Apple leads from.
pub fn sign_in_key(account: &Account) -> String {
    format!("identities/apple:{}", account.apple_id())
}

/// The account that the person has after registering anew.
pub fn anew(account: &Account) -> Account {
    Account::seeded(9_000 + u64::from(account.upper().as_bytes()[0]))
}

/// Refuses to list the entries, whoever asks.
struct Refuses;

#[async_trait]
impl Gate for Refuses {
    async fn before(&self, info: &RequestInfo, _: &Request<Bytes>) -> Verdict {
        let lists = info.operation.starts_with("List") && info.prefix.as_deref() == Some("scheduled-deletions/");
        if lists { Verdict::Answer(s3_error(403, "AccessDenied", "Access Denied")) } else { Verdict::Proceed }
    }
}

impl Stage {
    fn fire(&self, rule: &str) {
        let name = format!("photolala-{rule}-{}", self.photolala.environment().name);
        self.photolala.local().rules().fire(&name).expect("there is such a rule");
    }

    /// A failure that nobody reads in an answer must be a failed invocation: otherwise nobody learns of it.
    async fn refused_daily(&self) {
        self.photolala.local().set_gate(Refuses);
        let run = self.photolala.daily().await;
        self.photolala.local().inject(&self.faults);
        assert!(run.is_err(), "a run that could not list the entries did not fail");
    }

    fn live_job(&self) -> Option<String> {
        let jobs = self.photolala.local().batch().jobs();
        jobs.into_iter().find(|job| !job.status.is_terminal()).map(|job| job.id)
    }

    fn cancel_job(&self) {
        if let Some(job) = self.live_job() {
            self.photolala.local().batch().cancel(&job);
        }
    }

    fn fail_job(&self) {
        if let Some(job) = self.live_job() {
            self.photolala.local().batch().fail(&job);
        }
    }

    fn lose_reports(&self) {
        let manifest = self.photolala.environment().manifest_bucket();
        for key in self.own_keys("reports/") {
            self.store().delete(&manifest, &key).expect("a report is deleted");
        }
    }

    fn repeat_events(&self) {
        let function = &self.photolala.environment().functions.deletion;
        for event in self.photolala.local().events().of_jobs().iter().rev() {
            // Whatever becomes of it: what it does is what counts.
            let _ = self.photolala.local().lambda().send(function, event.to_string().into());
        }
    }

    async fn repeat_some_task(&self) {
        if let Some(page) = self.own_keys("pages/").first() {
            self.repeat_task(page).await;
        }
    }

    /// A phone that is still signed in is started: it finds no status and writes one, and its sign-in.
    fn old_phone(&self, account: &Account) -> [String; 2] {
        let keys = [status_key(&account.upper()), sign_in_key(account)];
        self.put(&keys[0], active(self.now()).to_string());
        self.put(&keys[1], account.upper());
        keys
    }

    /// A phone uploads a photo: every other one in parts, of which the last never arrives.
    fn upload(&self, key: &str) {
        if self.now().as_second() % 2 == 0 {
            self.store().create_upload(self.photolala.bucket(), key, "a part").expect("an upload is begun");
        } else {
            self.put(key, "a late photo");
        }
    }

    /// The person registers anew with the same Apple id.
    fn register(&self, account: &Account) -> (String, String) {
        let (key, anew) = (sign_in_key(account), anew(account).upper());
        self.put(&key, anew.clone());
        (key, anew)
    }

    /// Whether nothing is under way, neither a function nor a job.
    fn is_still(&self) -> bool {
        self.is_idle() && self.live_job().is_none()
    }
}
