use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    DeadLetter, Error, Function, Invoked, LogLine, Metric, ProcessInfo, api, event_queue::EventQueue, function::Pool,
    instance::Instance, invoke, logs::Logs, name::Target,
};

/// Where a [`Lambda`] stands.
#[derive(Clone, Debug)]
pub struct Options {
    /// The AWS account of the functions, twelve digits.
    pub account: String,
    /// The AWS Region of the functions.
    pub region: String,
    /// The AWS that the functions see, such as `http://127.0.0.1:4566`: endpoint and HTTP proxy at once.
    pub endpoint: String,
    /// The waits before the second and third try of an asynchronous request whose function failed.
    /// AWS waits one minute and two; here 50 and 100 ms.
    pub retry_delays: [Duration; 2],
}

impl Options {
    /// Account 123456789012 in us-east-1, with short waits.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            account: "123456789012".into(),
            region: "us-east-1".into(),
            endpoint: endpoint.into(),
            retry_delays: [Duration::from_millis(50), Duration::from_millis(100)],
        }
    }
}

/// Lambda of one AWS account in one Region; clones share functions and processes.
/// Processes are children of the tokio runtime that invoked them and end with it.
#[derive(Clone)]
pub struct Lambda {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) functions: RwLock<BTreeMap<String, Arc<Pool>>>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) events: EventQueue,
}

impl Lambda {
    /// No functions yet.
    pub fn new(options: Options) -> Self {
        Self {
            shared: Arc::new(Shared {
                options,
                functions: RwLock::default(),
                logs: Arc::default(),
                events: EventQueue::default(),
            }),
        }
    }

    /// Answers one request of the Lambda API.
    /// Credentials and signatures are not looked at.
    pub async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        api::answer(self, request).await
    }

    /// Creates the function, or replaces the one of that name; processes of the old one are killed
    /// once they have answered.
    pub fn add(&self, function: Function) {
        let mut functions = self.shared.functions.write().unwrap_or_else(PoisonError::into_inner);
        let before = functions.get(&function.name).cloned();
        let pool = Arc::new(Pool::new(function, before.as_deref()));
        functions.insert(pool.function.name.clone(), pool);
        if let Some(before) = before {
            before.retire();
        }
    }

    /// Runs one synchronous request: name, ARN or either with `:version`.
    pub async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invoked, Error> {
        let target = self.target(function, None)?;
        let slot = target.pool.try_slot().ok_or(Error::TooManyRequests)?;
        Ok(invoke::run(&self.shared, &target, invoke::new_request_id(), payload, slot).await)
    }

    /// Queues one asynchronous request and answers its request id.
    pub fn send(&self, function: &str, payload: Bytes) -> Result<String, Error> {
        let target = self.target(function, None)?;
        Ok(self.queue(target, payload))
    }

    /// Waits until no asynchronous request is queued, running or waiting for its next try.
    pub async fn settled(&self) {
        self.shared.events.settled().await;
    }

    /// Whether no asynchronous request is queued, running or waiting for its next try.
    pub fn is_settled(&self) -> bool {
        self.shared.events.is_settled()
    }

    /// Asynchronous requests that failed at every try, oldest first.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.shared.events.dead_letters()
    }

    /// What the processes of the function wrote to stdout and stderr, oldest first.
    /// What a process wrote before it answered is there when the answer is.
    pub fn logs(&self, function: &str) -> Vec<LogLine> {
        self.shared.logs.lines(function)
    }

    /// The names of the functions that have log lines.
    pub fn log_groups(&self) -> Vec<String> {
        self.shared.logs.functions()
    }

    /// The metrics that all functions wrote in Embedded Metric Format, oldest first.
    pub fn metrics(&self) -> Vec<Metric> {
        self.shared.logs.metrics()
    }

    /// The functions, by name.
    pub fn functions(&self) -> Vec<Function> {
        self.pools().iter().map(|pool| pool.function.clone()).collect()
    }

    /// Every process ever started for the function as it was last added, oldest first.
    pub fn processes(&self, function: &str) -> Vec<ProcessInfo> {
        let processes = self.pool(function).map(|pool| pool.processes());
        processes.unwrap_or_default().iter().map(|process| process.info()).collect()
    }

    /// Kills every running process of the function with SIGKILL and says how many.
    pub fn kill(&self, function: &str) -> usize {
        let processes = self.pool(function).map(|pool| pool.processes());
        processes.unwrap_or_default().iter().filter(|process| process.kill()).count()
    }

    /// Kills the process of that id (`function-number`) with SIGKILL; false if it does not run.
    pub fn kill_process(&self, id: &str) -> bool {
        self.process(id).is_some_and(|process| process.kill())
    }

    /// Stops the process of that id with SIGSTOP, as if it hung; false if it does not run.
    pub fn freeze(&self, id: &str) -> bool {
        self.process(id).is_some_and(|process| process.freeze())
    }

    /// Lets a frozen process go on with SIGCONT; false if it does not run.
    pub fn resume(&self, id: &str) -> bool {
        self.process(id).is_some_and(|process| process.resume())
    }

    /// Forgets queued asynchronous requests and kills every process, without waiting for their ends.
    pub fn stop(&self) {
        self.shared.events.stop();
        for process in self.pools().iter().flat_map(|pool| pool.processes()) {
            process.kill();
        }
    }

    /// Does the same and waits until no process is left.
    pub async fn shutdown(&self) {
        self.stop();
        for process in self.pools().iter().flat_map(|pool| pool.processes()) {
            process.ended().await;
        }
    }

    /// The function and version that a request names.
    pub(crate) fn target(&self, name: &str, qualifier: Option<&str>) -> Result<Target, Error> {
        Target::find(&self.shared, name, qualifier)
    }

    pub(crate) fn queue(&self, target: Target, payload: Bytes) -> String {
        self.shared.events.push(self.shared.clone(), target, payload)
    }

    fn pools(&self) -> Vec<Arc<Pool>> {
        let functions = self.shared.functions.read().unwrap_or_else(PoisonError::into_inner);
        functions.values().cloned().collect()
    }

    fn pool(&self, function: &str) -> Option<Arc<Pool>> {
        self.shared.pool(function)
    }

    fn process(&self, id: &str) -> Option<Arc<Instance>> {
        let mut all = self.pools().into_iter().flat_map(|pool| pool.processes());
        all.find(|process| process.id() == id)
    }
}

impl Shared {
    pub(crate) fn pool(&self, function: &str) -> Option<Arc<Pool>> {
        let functions = self.functions.read().unwrap_or_else(PoisonError::into_inner);
        functions.get(function).cloned()
    }

    pub(crate) fn arn(&self, function: &str, qualifier: Option<&str>) -> String {
        let Options { region, account, .. } = &self.options;
        let suffix = qualifier.map(|version| format!(":{version}")).unwrap_or_default();
        format!("arn:aws:lambda:{region}:{account}:function:{function}{suffix}")
    }
}
