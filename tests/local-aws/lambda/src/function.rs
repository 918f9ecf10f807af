use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc::UnboundedSender};

use crate::{HostedRequest, instance::Instance};

/// One function, as a person would create it.
#[derive(Clone, Debug)]
pub struct Function {
    /// The function's name, without version.
    pub name: String,
    /// What is run.
    pub code: Code,
    /// The function's own environment variables; Lambda's reserved ones win over them.
    pub variables: BTreeMap<String, String>,
    /// The time one request may take, from its delivery to the process (3 s, as AWS's own default).
    pub timeout: Duration,
    /// Told to the process, not enforced; in MB (128).
    pub memory_mb: u32,
    /// Requests at once; one more is refused with `TooManyRequestsException` (10).
    /// Zero refuses every synchronous request, and asynchronous ones wait.
    pub concurrency: usize,
    /// The published versions, beside `$LATEST`; all run the same code (`1`).
    pub versions: Vec<String>,
}

impl Function {
    /// A function with AWS's defaults and one published version.
    pub fn new(name: impl Into<String>, code: impl Into<Code>) -> Self {
        Self {
            name: name.into(),
            code: code.into(),
            variables: BTreeMap::new(),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
            concurrency: 10,
            versions: vec!["1".into()],
        }
    }

    pub(crate) fn has_version(&self, version: &str) -> bool {
        version == LATEST || self.versions.iter().any(|published| published == version)
    }
}

/// What a function runs.
#[derive(Clone, Debug)]
pub enum Code {
    /// An executable, or a directory with an executable named `bootstrap`, as a process of its own.
    Bootstrap(PathBuf),
    /// Code in this program, which is handed every request. Without a process and a socket everything happens on
    /// tokio's clock, which may be paused: that is what deterministic simulation stands on.
    Hosted(UnboundedSender<HostedRequest>),
}

impl<P: AsRef<Path>> From<P> for Code {
    fn from(path: P) -> Self {
        Self::Bootstrap(path.as_ref().to_owned())
    }
}

/// The version of unpublished code.
pub(crate) const LATEST: &str = "$LATEST";

/// A function with its processes.
pub(crate) struct Pool {
    pub(crate) function: Function,
    slots: Arc<Semaphore>,
    idle: Mutex<Vec<Arc<Instance>>>,
    /// Every process that was ever started, so that its figures can be read after its end.
    all: Mutex<Vec<Arc<Instance>>>,
    numbers: Arc<AtomicU64>,
}

impl Pool {
    /// No process runs yet.
    /// The process numbers go on from `before`, the function of that name which this one replaces.
    pub(crate) fn new(function: Function, before: Option<&Pool>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(function.concurrency)),
            function,
            idle: Mutex::default(),
            all: Mutex::default(),
            numbers: before.map(|pool| pool.numbers.clone()).unwrap_or_default(),
        }
    }

    /// The right to run one request, if one is free now.
    pub(crate) fn try_slot(&self) -> Option<OwnedSemaphorePermit> {
        self.slots.clone().try_acquire_owned().ok()
    }

    /// The right to run one request, in the order of asking.
    pub(crate) async fn slot(&self) -> OwnedSemaphorePermit {
        self.slots.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    /// An idle process of that version that still lives.
    pub(crate) fn take_idle(&self, version: &str) -> Option<Arc<Instance>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|process| process.is_alive());
        let position = idle.iter().rposition(|process| process.version() == version)?;
        Some(idle.remove(position))
    }

    pub(crate) fn give_back(&self, process: Arc<Instance>) {
        if process.is_alive() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
        }
    }

    /// Lets go of the processes: the idle ones are killed, and the others with the pool, after their last answer.
    pub(crate) fn retire(&self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn remember(&self, process: Arc<Instance>) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(process);
    }

    /// Every process ever started, oldest first.
    pub(crate) fn processes(&self) -> Vec<Arc<Instance>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
