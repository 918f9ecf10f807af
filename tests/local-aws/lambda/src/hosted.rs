use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use crate::{Outcome, ProcessInfo, environment::Identity, lambda::Shared, logs::Logs, name::Target, process::Ended};

/// One request to a function whose code runs in this program.
/// Dropping it without an answer is the process's death.
#[derive(Debug)]
#[non_exhaustive]
pub struct HostedRequest {
    /// The process that works on it, `function-number`: one request at a time each, the same one again while it lives.
    pub process: String,
    /// The function's name.
    pub function: String,
    /// The version.
    pub version: String,
    /// What the function is sent.
    pub payload: Bytes,
    /// The time it may take; afterwards the process is killed.
    pub timeout: Duration,
    /// Where the function's answer goes, or what it says of its failure.
    pub reply: oneshot::Sender<Outcome>,
    /// Ends once the process is killed; its work must end at once.
    pub killed: Killed,
    /// Takes what the process prints.
    pub log: Log,
}

/// Tells of the end of a process.
#[derive(Clone, Debug)]
pub struct Killed(watch::Receiver<Option<String>>);

impl Killed {
    /// Waits until the process is killed.
    pub async fn wait(mut self) {
        // A sender that is gone is a process that nobody can use any more.
        let _ = self.0.wait_for(Option::is_some).await;
    }
}

/// A process's standard output.
#[derive(Clone)]
pub struct Log {
    logs: Arc<Logs>,
    identity: Identity,
}

impl Log {
    /// Takes one line.
    pub fn line(&self, text: &str) {
        self.logs.add(&self.identity, text);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({})", self.identity.id)
    }
}

/// What stands for a process where the code runs in this program.
pub(crate) struct Hosted {
    identity: Identity,
    timeout: Duration,
    requests: mpsc::UnboundedSender<HostedRequest>,
    log: Log,
    is_alive: AtomicBool,
    ended: watch::Sender<Option<String>>,
}

impl Hosted {
    pub(crate) fn start(shared: &Shared, target: &Target, requests: mpsc::UnboundedSender<HostedRequest>) -> Self {
        let identity = Identity::new(target);
        let log = Log { logs: shared.logs.clone(), identity: identity.clone() };
        let timeout = target.pool.function.timeout;
        Self { identity, timeout, requests, log, is_alive: AtomicBool::new(true), ended: watch::Sender::new(None) }
    }

    /// Hands the request to the host and waits for its answer, its death or its timeout.
    pub(crate) async fn run(&self, payload: Bytes) -> Result<Outcome, Ended> {
        let (reply, answer) = oneshot::channel();
        let request = HostedRequest {
            process: self.identity.id.clone(),
            function: self.identity.function.clone(),
            version: self.identity.version.clone(),
            payload,
            timeout: self.timeout,
            reply,
            killed: Killed(self.ended.subscribe()),
            log: self.log.clone(),
        };
        // A host that is gone drops the reply, which is a death.
        let _ = self.requests.send(request);
        match timeout(self.timeout, answer).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) => Err(Ended::Died(self.end("exit status 1"))),
            Err(_) => {
                self.end("signal: killed");
                Err(Ended::TimedOut(self.timeout))
            }
        }
    }

    /// Ends it, unless it has ended otherwise, and says how it did.
    fn end(&self, how: &str) -> String {
        self.is_alive.store(false, Ordering::Relaxed);
        self.ended.send_if_modified(|ended| {
            let is_first = ended.is_none();
            ended.get_or_insert_with(|| how.to_owned());
            is_first
        });
        self.ended.borrow().clone().unwrap_or_default()
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.is_alive.load(Ordering::Relaxed)
    }

    pub(crate) fn kill(&self) -> bool {
        let was_alive = self.is_alive();
        self.end("signal: killed");
        was_alive
    }

    pub(crate) fn info(&self) -> ProcessInfo {
        ProcessInfo {
            id: self.identity.id.clone(),
            function: self.identity.function.clone(),
            version: self.identity.version.clone(),
            pid: None,
            init: None,
            peak_memory_bytes: None,
            ended: self.ended.borrow().clone(),
        }
    }
}

/// Nobody can give it a request any more.
impl Drop for Hosted {
    fn drop(&mut self) {
        self.kill();
    }
}
