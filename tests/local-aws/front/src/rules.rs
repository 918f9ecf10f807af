use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use jiff::Timestamp;
use local_lambda::Lambda;
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Clock, Schedule};

/// Firings kept; older ones are dropped first.
const FIRINGS_MAX: usize = 10_000;

/// An `EventBridge` rule with one function as its target, invoked asynchronously as AWS does.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The rule's name.
    pub name: String,
    /// The function: name or ARN, with or without version.
    pub target: String,
    /// What the target is sent.
    pub input: Input,
    /// What fires it, beside [`Rules::fire`].
    pub when: When,
}

/// What a rule sends to its target.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The event itself.
    Envelope,
    /// This JSON in place of the event.
    Json(Value),
}

/// What fires a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// Nothing but [`Rules::fire`].
    OnDemand,
    /// The clock; see [`crate::LocalAws::advance`].
    Schedule(Schedule),
    /// `JobStatusChanged` of any job.
    JobStatus,
}

/// One firing of a rule.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Firing {
    /// The rule's name.
    pub rule: String,
    /// When, by the moved clock.
    pub time: Timestamp,
    /// What the target was sent.
    pub payload: Value,
    /// The request id of the asynchronous invocation, or why Lambda refused it.
    pub result: Result<String, local_lambda::Error>,
}

/// Why a rule did not fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFired {
    /// There is no rule of that name.
    NoSuchRule(String),
    /// Lambda refused the invocation.
    Refused(local_lambda::Error),
}

/// The `EventBridge` rules; clones share them.
#[derive(Clone)]
pub struct Rules {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    lambda: Lambda,
    clock: Clock,
    account: String,
    region: String,
}

#[derive(Default)]
struct State {
    rules: Vec<(Rule, Option<Timestamp>)>,
    firings: VecDeque<Firing>,
}

impl Rule {
    fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        match self.when {
            When::Schedule(schedule) => Some(schedule.next_after(now)),
            When::OnDemand | When::JobStatus => None,
        }
    }
}

impl Rules {
    pub(crate) fn new(lambda: Lambda, clock: Clock, account: &str, region: &str) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                changed: watch::Sender::default(),
                lambda,
                clock,
                account: account.to_owned(),
                region: region.to_owned(),
            }),
        }
    }

    /// Adds the rule, or replaces the one of that name; a scheduled rule counts from now.
    pub fn put(&self, rule: Rule) {
        let due = rule.next_due(self.shared.clock.now());
        let mut state = self.state();
        state.rules.retain(|(old, _)| old.name != rule.name);
        state.rules.push((rule, due));
        drop(state);
        self.shared.changed.send_replace(());
    }

    /// The rules, in the order they were put.
    pub fn list(&self) -> Vec<Rule> {
        self.state().rules.iter().map(|(rule, _)| rule.clone()).collect()
    }

    /// Every firing so far, oldest first.
    pub fn firings(&self) -> Vec<Firing> {
        self.state().firings.iter().cloned().collect()
    }

    /// Fires the rule now, with the event of a schedule unless the rule has its own input,
    /// and answers the request id of the asynchronous invocation.
    pub fn fire(&self, name: &str) -> Result<String, NotFired> {
        let rule = self.find(name)?;
        let now = self.shared.clock.now();
        let event = self.scheduled_event(&rule.name, now);
        self.deliver(&rule, event, now).map_err(NotFired::Refused)
    }

    /// Fires the rule now with this payload, whatever its own input.
    pub fn fire_with(&self, name: &str, payload: Value) -> Result<String, NotFired> {
        let rule = Rule { input: Input::Json(payload), ..self.find(name)? };
        self.deliver(&rule, Value::Null, self.shared.clock.now()).map_err(NotFired::Refused)
    }

    /// Fires every scheduled rule that is due, once each however often it came due, and answers their names.
    pub fn fire_due(&self) -> Vec<String> {
        let now = self.shared.clock.now();
        let due = self.take_due(now);
        for (rule, time) in &due {
            let event = self.scheduled_event(&rule.name, *time);
            // A refusal is kept with the firing.
            let _ = self.deliver(rule, event, now);
        }
        due.into_iter().map(|(rule, _)| rule.name).collect()
    }

    /// Hands a job's event to the rules that wait for it.
    pub(crate) fn job_event(&self, envelope: &Value) {
        if envelope["detail"]["eventName"] != "JobStatusChanged" {
            return;
        }
        let now = self.shared.clock.now();
        for rule in self.list().iter().filter(|rule| rule.when == When::JobStatus) {
            // A refusal is kept with the firing.
            let _ = self.deliver(rule, envelope.clone(), now);
        }
    }

    /// Fires scheduled rules as their times come.
    pub(crate) async fn run(self) {
        let (mut moved, mut changed) = (self.shared.clock.moves(), self.shared.changed.subscribe());
        loop {
            self.fire_due();
            let next = self.state().rules.iter().filter_map(|(_, due)| *due).min();
            let wait = next.map(|due| due.duration_since(self.shared.clock.now()).unsigned_abs());
            tokio::select! {
                biased;
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
                Ok(()) = moved.changed() => {}
                Ok(()) = changed.changed() => {}
            }
        }
    }

    fn find(&self, name: &str) -> Result<Rule, NotFired> {
        let rule = self.list().into_iter().find(|rule| rule.name == name);
        rule.ok_or_else(|| NotFired::NoSuchRule(name.to_owned()))
    }

    /// The rules that are due with the times they were due at, each now due again later.
    fn take_due(&self, now: Timestamp) -> Vec<(Rule, Timestamp)> {
        let mut taken = Vec::new();
        for (rule, due) in &mut self.state().rules {
            let Some(time) = due.filter(|due| *due <= now) else { continue };
            *due = rule.next_due(now);
            taken.push((rule.clone(), time));
        }
        taken
    }

    fn deliver(&self, rule: &Rule, event: Value, now: Timestamp) -> Result<String, local_lambda::Error> {
        let payload = match &rule.input {
            Input::Envelope => event,
            Input::Json(constant) => constant.clone(),
        };
        let result = self.shared.lambda.send(&rule.target, Bytes::from(payload.to_string()));
        if let Err(error) = &result {
            tracing::error!(rule = rule.name, %error, "a rule could not invoke its target");
        }
        let mut state = self.state();
        if state.firings.len() == FIRINGS_MAX {
            state.firings.pop_front();
        }
        state.firings.push_back(Firing { rule: rule.name.clone(), time: now, payload, result: result.clone() });
        result
    }

    fn scheduled_event(&self, rule: &str, time: Timestamp) -> Value {
        let Shared { account, region, .. } = &*self.shared;
        json!({
            "version": "0",
            "id": Uuid::new_v4(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": account,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": region,
            "resources": [format!("arn:aws:events:{region}:{account}:rule/{rule}")],
            "detail": {},
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::error::Error for NotFired {}

impl fmt::Display for NotFired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchRule(name) => write!(f, "there is no rule {name}"),
            Self::Refused(_) => write!(f, "the rule's target could not be invoked"),
        }
    }
}
