use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use crate::{
    Outcome,
    environment::{Identity, environment},
    lambda::Shared,
    log_pipe::LogPipe,
    name::Target,
    runtime_api::{Exchange, Work, serve},
};

/// The time a process may take until it first asks for work (Lambda Developer Guide, "Init phase": 10 s).
/// A slower one may use the request's own time on top, as AWS repeats a failed init within the request.
const INIT_TIME_MAX: Duration = Duration::from_secs(10);

/// One child process of a function, which works on one request at a time.
pub(crate) struct Process {
    identity: Identity,
    timeout: Duration,
    /// None once the process was reaped: its number may then belong to somebody else.
    pid: Arc<Mutex<Option<Pid>>>,
    work: mpsc::UnboundedSender<Work>,
    exchange: Arc<Exchange>,
    ended: watch::Receiver<Option<String>>,
    peak_bytes: AtomicU64,
    /// Set by a kill before its end can be seen, so that no further request is given to it.
    killed: AtomicBool,
}

/// What can be seen of a process from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// `function-number`; also the app id in the User-Agent of the process's AWS requests.
    pub id: String,
    /// The function's name.
    pub function: String,
    /// The version it was started for.
    pub version: String,
    /// The operating system's process number; none once it has ended.
    pub pid: Option<u32>,
    /// From its start to its first request for work; none if it never asked.
    pub init: Option<Duration>,
    /// The most resident memory so far in bytes (`VmHWM`), as last seen; none where /proc does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// How it ended, such as `exit status 1` or `signal: killed`.
    pub ended: Option<String>,
}

/// Why a process gave no answer to a request.
pub(crate) enum Ended {
    /// It had died before the request reached it; how.
    BeforeDelivery(String),
    /// It reported that it could not start; its own words.
    InitError(Bytes),
    /// It died over the request; how.
    Died(String),
    /// It took longer than this and was killed.
    TimedOut(Duration),
}

impl Process {
    /// Starts a process for that function and version.
    pub(crate) fn start(shared: &Shared, target: &Target, code: &Path) -> io::Result<Arc<Self>> {
        let identity = Identity::new(target);
        let listener = std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        listener.set_nonblocking(true)?;
        let (pipe, writer) = LogPipe::new(shared.logs.clone(), &identity)?;
        let started = Instant::now();
        let child = spawn(shared, target, &identity, (code, listener.local_addr()?), writer)?;
        let (work, waiting) = mpsc::unbounded_channel();
        let function = &target.pool.function;
        let exchange = Arc::new(Exchange::new(waiting, pipe.clone(), function.timeout, started));
        let server = tokio::spawn(serve(TcpListener::from_std(listener)?, exchange.clone()));
        let pid = Arc::new(Mutex::new(child.id().and_then(|id| Pid::from_raw(id.cast_signed()))));
        let (announce, ended) = watch::channel(None);
        let reaped = pid.clone();
        tokio::spawn(async move {
            let how = reap(child, &reaped).await;
            pipe.drain();
            server.abort();
            announce.send_replace(Some(how));
        });
        let process = Self {
            identity,
            timeout: function.timeout,
            pid,
            work,
            exchange,
            ended,
            peak_bytes: AtomicU64::new(0),
            killed: AtomicBool::new(false),
        };
        Ok(Arc::new(process))
    }

    /// Gives the process one request and waits for its answer, its death or its timeout.
    pub(crate) async fn run(&self, id: &str, arn: &str, payload: Bytes) -> Result<Outcome, Ended> {
        let (delivered, was_delivered) = oneshot::channel();
        let (reply, answer) = oneshot::channel();
        let work = Work { id: id.to_owned(), arn: arn.to_owned(), payload, delivered, reply };
        // A closed channel means a dead process, which the waits below report.
        let _ = self.work.send(work);
        let finished = match self.wait(was_delivered, self.delivery_time_max()).await {
            Ok(()) => self.wait(answer, self.timeout).await,
            Err(Ended::Died(how)) => {
                Err(self.exchange.init_error().map_or(Ended::BeforeDelivery(how), Ended::InitError))
            }
            Err(ended) => Err(ended),
        };
        self.note_peak();
        finished
    }

    /// Waits until the process does what `answer` stands for.
    async fn wait<T>(&self, answer: oneshot::Receiver<T>, limit: Duration) -> Result<T, Ended> {
        let both = async {
            tokio::select! {
                biased;
                Ok(answer) = answer => Ok(answer),
                how = self.ended() => Err(Ended::Died(how)),
            }
        };
        if let Ok(finished) = timeout(limit, both).await {
            return finished;
        }
        self.kill();
        self.ended().await;
        Err(Ended::TimedOut(self.timeout))
    }

    fn delivery_time_max(&self) -> Duration {
        match self.exchange.init() {
            Some(_) => self.timeout,
            None => INIT_TIME_MAX + self.timeout,
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.identity.id
    }

    pub(crate) fn version(&self) -> &str {
        &self.identity.version
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.killed.load(Ordering::Relaxed) && self.ended.borrow().is_none()
    }

    /// Waits until the process has ended and says how.
    pub(crate) async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        let how = ended.wait_for(Option::is_some).await;
        how.ok().and_then(|how| how.clone()).unwrap_or_else(|| "runtime ended".into())
    }

    pub(crate) fn kill(&self) -> bool {
        self.note_peak();
        self.killed.store(true, Ordering::Relaxed);
        self.signal(Signal::KILL)
    }

    pub(crate) fn freeze(&self) -> bool {
        self.signal(Signal::STOP)
    }

    pub(crate) fn resume(&self) -> bool {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> bool {
        let pid = self.pid.lock().unwrap_or_else(PoisonError::into_inner);
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    pub(crate) fn info(&self) -> ProcessInfo {
        self.note_peak();
        let peak = self.peak_bytes.load(Ordering::Relaxed);
        ProcessInfo {
            id: self.identity.id.clone(),
            function: self.identity.function.clone(),
            version: self.identity.version.clone(),
            pid: self.pid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned()),
            init: self.exchange.init(),
            peak_memory_bytes: (peak > 0).then_some(peak),
            ended: self.ended.borrow().clone(),
        }
    }

    fn pid(&self) -> Option<Pid> {
        *self.pid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kernel forgets the figure with the process, so it is read after each request.
    fn note_peak(&self) {
        let peak = self.pid().and_then(peak_bytes);
        self.peak_bytes.fetch_max(peak.unwrap_or(0), Ordering::Relaxed);
    }
}

/// A process that nobody can give a request any more, because its function was replaced, has no use.
impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

impl Ended {
    /// What the caller of the function sees.
    pub(crate) fn outcome(self, id: &str) -> Outcome {
        match self {
            Self::InitError(payload) => Outcome::FunctionError(payload),
            Self::BeforeDelivery(how) | Self::Died(how) if how == "exit status 0" => {
                let message = format!("RequestId: {id} Error: Runtime exited without providing a reason");
                Outcome::error("Runtime.ExitError", &message)
            }
            Self::BeforeDelivery(how) | Self::Died(how) => {
                let message = format!("RequestId: {id} Error: Runtime exited with error: {how}");
                Outcome::error("Runtime.ExitError", &message)
            }
            Self::TimedOut(limit) => {
                let seconds = limit.as_secs_f64();
                let message = format!("RequestId: {id} Error: Task timed out after {seconds:.2} seconds");
                Outcome::error("Sandbox.Timedout", &message)
            }
        }
    }
}

/// The child dies with this runtime: it is killed when its handle is dropped, and should this whole
/// process be killed, its Runtime API goes away, which ends a runtime at its next request for work.
fn spawn(
    shared: &Shared,
    target: &Target,
    identity: &Identity,
    (code, runtime_api): (&Path, SocketAddr),
    output: io::PipeWriter,
) -> io::Result<Child> {
    let executable = if code.is_dir() { code.join("bootstrap") } else { code.to_owned() };
    let executable = fs::canonicalize(executable)?;
    let mut command = Command::new(&executable);
    command
        .env_clear()
        .envs(environment(shared, target, identity, &executable, runtime_api))
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .kill_on_drop(true);
    if let Some(root) = executable.parent() {
        command.current_dir(root);
    }
    command.spawn()
}

/// Waits for the end of the child and says how it ended, in AWS's words.
async fn reap(mut child: Child, pid: &Mutex<Option<Pid>>) -> String {
    let status = child.wait().await;
    *pid.lock().unwrap_or_else(PoisonError::into_inner) = None;
    match status {
        Ok(status) => describe(status),
        Err(error) => format!("cannot be waited for: {error}"),
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(9)) => "signal: killed".into(),
        (None, Some(signal)) => format!("signal: {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The peak of resident memory; only Linux tells.
fn peak_bytes(pid: Pid) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
