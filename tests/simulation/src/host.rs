//! Both functions' real code in this program: what Lambda's processes are elsewhere.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use aws::clients::{SdkConfig, without_retries};
use aws::host::{Host, MARGIN};
use aws_types::app_name::AppName;
use bytes::Bytes;
use domain::json::Json;
use domain::settings::{DeletionSettings, EraserSettings};
use futures::FutureExt as _;
use local_lambda::{HostedRequest, Log, Outcome};
use photolala_deletion::App;
use photolala_deletion::handler::{Call, handle};
use photolala_eraser::Eraser;
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use tracing_subscriber::fmt::MakeWriter;

use crate::explore::words;

/// Ids from the thread's seeded randomness, output to the log of the process that is running.
const SIMULATED: Host = Host { new_uuid, print };

fn new_uuid() -> uuid::Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_be_bytes()).into_uuid()
}

fn print(line: &str) {
    RUNNING.with_borrow(|log| {
        if let Some(log) = log {
            log.line(line);
        }
    });
}

thread_local! {
    /// The log of the process whose code runs at this moment.
    static RUNNING: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// The functions, and what is left of them in memory between two requests.
pub struct Functions {
    sdk: SdkConfig,
    deletion: (String, DeletionSettings),
    eraser: EraserSettings,
    processes: RefCell<HashMap<String, Process>>,
    panics: Rc<RefCell<Vec<String>>>,
}

#[derive(Clone)]
enum Process {
    Deletion(Rc<App>),
    Eraser(Rc<Eraser>),
}

impl Functions {
    /// With these clients and variables; `name` is the deletion function's.
    pub fn new(sdk: &SdkConfig, name: &str, [deletion, eraser]: [BTreeMap<String, String>; 2]) -> Self {
        let settings = DeletionSettings::parse(|variable| deletion.get(variable).cloned());
        let eraser = EraserSettings::parse(|variable| eraser.get(variable).cloned());
        Self {
            sdk: without_retries(sdk),
            deletion: (name.to_owned(), settings.expect("an environment's variables")),
            eraser: eraser.expect("an environment's variables"),
            processes: RefCell::default(),
            panics: Rc::default(),
        }
    }

    /// What the functions panicked with: each is a fault of theirs, whatever becomes of the request.
    pub fn panics(&self) -> Rc<RefCell<Vec<String>>> {
        self.panics.clone()
    }

    /// Serves requests, each a task of this thread, for as long as there are senders.
    pub async fn serve(self, mut requests: UnboundedReceiver<HostedRequest>) {
        let this = Rc::new(self);
        while let Some(request) = requests.recv().await {
            tokio::task::spawn_local(this.clone().one(request));
        }
    }

    /// One request, to its answer or to the death of its process.
    async fn one(self: Rc<Self>, request: HostedRequest) {
        let process = self.process(&request);
        let HostedRequest { process: id, payload, timeout, reply, killed, log, .. } = request;
        let work = AssertUnwindSafe(self.answer(process, &payload, Instant::now() + timeout - MARGIN)).catch_unwind();
        tokio::select! {
            biased;
            () = killed.wait() => {}
            answered = Logged { log, work: Box::pin(work) } => match answered {
                Ok(outcome) => return drop(reply.send(outcome)),
                Err(panic) => self.panics.borrow_mut().push(words(&*panic)),
            },
        }
        // Dropping the reply is the death of the process; nothing that it remembers is left.
        self.processes.borrow_mut().remove(&id);
    }

    fn process(&self, request: &HostedRequest) -> Process {
        let mut processes = self.processes.borrow_mut();
        processes.entry(request.process.clone()).or_insert_with(|| self.start(request)).clone()
    }

    fn start(&self, request: &HostedRequest) -> Process {
        let name = AppName::new(request.process.clone()).expect("a function's name and a number");
        let sdk = self.sdk.to_builder().app_name(name).build();
        if request.function == self.deletion.0 {
            return Process::Deletion(Rc::new(App::new(&sdk, self.deletion.1.clone(), SIMULATED)));
        }
        Process::Eraser(Rc::new(Eraser::new(&sdk, self.eraser.shared.clone(), SIMULATED)))
    }

    async fn answer(&self, process: Process, payload: &Bytes, deadline: Instant) -> Outcome {
        let event: Json = match serde_json::from_slice(payload) {
            Ok(event) => event,
            Err(error) => return failed(&error.to_string()),
        };
        let answered = match process {
            Process::Deletion(app) => {
                let call = Call { deadline, function: self.deletion.0.clone() };
                handle(&app, event, &call).await.map_err(|stop| stop.to_string())
            }
            Process::Eraser(eraser) => eraser.handle(event.value, deadline).await,
        };
        answered.map_or_else(|error| failed(&error), |answer| Outcome::Answer(answer.to_string().into()))
    }
}

/// As the runtime tells Lambda of an error.
fn failed(message: &str) -> Outcome {
    Outcome::FunctionError(json!({"errorType": "Error", "errorMessage": message}).to_string().into())
}

/// Work whose output goes to a log.
struct Logged<F> {
    log: Log,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Logged<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let before = RUNNING.replace(Some(self.log.clone()));
        let polled = self.work.as_mut().poll(context);
        RUNNING.set(before);
        polled
    }
}

/// Where the functions' log lines go: to the log of the process that is running.
#[derive(Clone, Copy, Debug)]
pub struct ToRunning;

impl<'w> MakeWriter<'w> for ToRunning {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        *self
    }
}

impl io::Write for ToRunning {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        print(String::from_utf8_lossy(line).trim_end());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
