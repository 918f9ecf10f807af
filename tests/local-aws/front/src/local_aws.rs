use std::{
    io,
    net::Ipv4Addr,
    sync::{Arc, OnceLock, PoisonError, RwLock, Weak, atomic::AtomicU64},
    time::Duration,
};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use bytes::Bytes;
use http::{Request, Response};
use jiff::SignedDuration;
use local_batch::{Batch, Pace};
use local_lambda::{Function, Lambda};
use local_s3::{S3, Store};
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};

use crate::{
    Clients, Clock, Cut, Events, Faults, Gate, Recorder, Rule, Rules, cloud::Cloud, forward::Forwarder, server,
};

/// What a [`LocalAws`] is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes any that is free (0).
    pub port: u16,
    /// Where S3 requests go (in memory).
    pub s3: Backend,
    /// Most entries of a page in listings of the S3 in memory, at most 1,000 as on AWS (1,000).
    pub page_size: usize,
    /// How jobs deliver their tasks.
    pub pace: Pace,
    /// What jobs read manifests, invoke functions and write reports with (the access key `test`); with
    /// [`Backend::Aws`] a session of the jobs' role, whose permissions are then put to the test.
    pub job_credentials: Option<Credentials>,
    /// The AWS account, twelve digits (123456789012).
    pub account: String,
    /// The AWS Region (us-east-1).
    pub region: String,
    /// The functions (none).
    pub functions: Vec<Function>,
    /// The `EventBridge` rules (none).
    pub rules: Vec<Rule>,
    /// The waits before the second and third try of an asynchronous invocation (50 and 100 ms).
    pub retry_delays: [Duration; 2],
}

/// Where S3 requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// To our own S3, in memory.
    InMemory,
    /// To another S3 server at `http://HOST:PORT`, by its own clock.
    /// Requests reach it as they were signed, so it must know the access key `test` with the secret `test`.
    Url(String),
    /// To another AWS at `http://HOST:PORT`, and with them the requests of every service but S3 Control: S3 Batch
    /// Operations alone stays here. Who may do what is the other's to decide, so S3 Control takes any access key;
    /// a [`Gate`] may refuse.
    Aws(String),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            s3: Backend::InMemory,
            page_size: 1000,
            pace: Pace::default(),
            job_credentials: None,
            account: "123456789012".into(),
            region: "us-east-1".into(),
            functions: Vec::new(),
            rules: Vec::new(),
            retry_delays: [Duration::from_millis(50), Duration::from_millis(100)],
        }
    }
}

/// The local AWS on a port of its own; dropping it closes the port and kills the functions' processes.
pub struct LocalAws {
    cloud: Arc<Cloud>,
    clients: Clients,
    tasks: JoinSet<()>,
}

impl LocalAws {
    /// Opens the port and serves on this tokio runtime.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let clients = Clients::new(&endpoint, &options.region);
        let (cloud, job_events) = cloud(endpoint, &clients, options)?;
        let mut made = Self::of(Arc::new(cloud), clients, job_events);
        made.tasks.spawn(server::serve(listener, made.cloud.clone()));
        made.tasks.spawn(made.cloud.rules.clone().run());
        Ok(made)
    }

    /// The same without a port, for simulation: its [`Clients`] call it directly, so that nothing happens outside
    /// tokio's clock, which may be paused. Functions must be [`local_lambda::Code::Hosted`], and rules fire on
    /// demand only.
    pub fn in_process(options: Options) -> io::Result<Self> {
        let home = Arc::new(OnceLock::new());
        let clients = Clients::over(in_process(home.clone()), IN_PROCESS, &options.region);
        let (cloud, job_events) = cloud(IN_PROCESS.to_owned(), &clients, options)?;
        let cloud = Arc::new(cloud);
        // Weak, since the cloud holds clients itself.
        home.get_or_init(|| Arc::downgrade(&cloud));
        Ok(Self::of(cloud, clients, job_events))
    }

    fn of(cloud: Arc<Cloud>, clients: Clients, job_events: JobEvents) -> Self {
        let mut tasks = JoinSet::new();
        tasks.spawn(hand_on(job_events, cloud.events.clone(), cloud.rules.clone()));
        Self { cloud, clients, tasks }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        self.cloud.endpoint.clone()
    }

    /// SDK clients of this endpoint.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// A client of S3.
    pub fn s3_client(&self) -> aws_sdk_s3::Client {
        self.clients.s3()
    }

    /// A client of Lambda.
    pub fn lambda_client(&self) -> aws_sdk_lambda::Client {
        self.clients.lambda()
    }

    /// A client of S3 Control.
    pub fn s3control_client(&self) -> aws_sdk_s3control::Client {
        self.clients.s3control()
    }

    /// The S3 in memory; none with another S3 server behind.
    pub fn s3(&self) -> Option<S3> {
        self.cloud.other_s3.is_none().then(|| self.cloud.s3.clone())
    }

    /// The contents of the S3 in memory; none with another S3 server behind.
    pub fn s3_store(&self) -> Option<&Store> {
        self.cloud.other_s3.is_none().then(|| self.cloud.s3.store())
    }

    /// Functions, their processes, logs and metrics.
    pub fn lambda(&self) -> &Lambda {
        &self.cloud.lambda
    }

    /// The jobs.
    pub fn batch(&self) -> &Batch {
        &self.cloud.batch
    }

    /// The clock of S3, jobs and schedules.
    pub fn clock(&self) -> &Clock {
        &self.cloud.clock
    }

    /// Moves the clock on, fires the scheduled rules that became due, once each, and answers their names.
    pub fn advance(&self, by: SignedDuration) -> Vec<String> {
        self.cloud.clock.advance(by);
        self.cloud.rules.fire_due()
    }

    /// The gate in use, if one was set.
    pub fn gate(&self) -> Option<Arc<dyn Gate>> {
        self.cloud.gate.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets every further request pass this gate; requests that already passed are not seen again.
    pub fn set_gate(&self, gate: impl Gate + 'static) {
        *self.cloud.gate.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(gate));
    }

    /// Lets every further request pass freely.
    pub fn open_gate(&self) {
        *self.cloud.gate.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Lets every further request meet these faults, with all their kinds: keys of DeleteObjects, and processes.
    pub fn inject(&self, faults: &Faults) {
        faults.among(self.lambda());
        if let Some(store) = self.s3_store() {
            let of_keys = faults.clone();
            store.set_key_faults(Some(Box::new(move || of_keys.of_key())));
        }
        self.set_gate(faults.clone());
    }

    /// Counts and records of the requests.
    pub fn recorder(&self) -> &Recorder {
        &self.cloud.recorder
    }

    /// Events that were put, and events of jobs.
    pub fn events(&self) -> &Events {
        &self.cloud.events
    }

    /// The `EventBridge` rules.
    pub fn rules(&self) -> &Rules {
        &self.cloud.rules
    }

    /// Serves one request of AWS without the socket, through the gate like any other.
    pub async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Cut> {
        self.cloud.call(request).await
    }

    /// Closes the port, cuts the connections, kills the functions' processes and waits for their ends.
    pub async fn shutdown(mut self) {
        self.tasks.shutdown().await;
        self.cloud.lambda.shutdown().await;
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        self.cloud.lambda.stop();
    }
}

/// An address for SDKs to build requests with; nothing is ever sent there.
const IN_PROCESS: &str = "http://127.0.0.1";

/// An HTTP client that hands requests to the cloud. Each is a task of its own: what was sent arrives, whether or not
/// its sender still waits, or lives.
fn in_process(home: Arc<OnceLock<Weak<Cloud>>>) -> SharedHttpClient {
    local_s3::in_process_or_cut(move |request| {
        let cloud = home.get().and_then(Weak::upgrade);
        async move {
            let cloud = cloud.ok_or(Cut)?;
            tokio::spawn(async move { cloud.call(request).await }).await.unwrap_or(Err(Cut))
        }
    })
}

type JobEvents = mpsc::UnboundedReceiver<Value>;

fn cloud(endpoint: String, clients: &Clients, options: Options) -> io::Result<(Cloud, JobEvents)> {
    let clock = Clock::default();
    let (other_s3, other_aws) = (other_s3(&options.s3)?, matches!(options.s3, Backend::Aws(_)));
    let s3 = s3(&endpoint, &options, &clock);
    let lambda = lambda(&endpoint, &options);
    let (events, job_events) = mpsc::unbounded_channel();
    let batch = batch(clients, &options, &clock, events);
    let rules = Rules::new(lambda.clone(), clock.clone(), &options.account, &options.region);
    for rule in options.rules {
        rules.put(rule);
    }
    let cloud = Cloud {
        endpoint,
        account: options.account,
        region: options.region,
        clock,
        s3,
        other_s3,
        other_aws,
        batch,
        lambda,
        events: Events::default(),
        rules,
        recorder: Recorder::default(),
        gate: RwLock::default(),
        requests: AtomicU64::new(0),
    };
    Ok((cloud, job_events))
}

fn other_s3(backend: &Backend) -> io::Result<Option<Forwarder>> {
    match backend {
        Backend::InMemory => Ok(None),
        Backend::Url(url) => Forwarder::new(url).map(Some),
        Backend::Aws(url) => Forwarder::new(url).map(|forwarder| Some(forwarder.telling_of_tls())),
    }
}

fn s3(endpoint: &str, options: &Options, clock: &Clock) -> S3 {
    S3::new(local_s3::Options {
        now: clock.shared(),
        region: options.region.clone(),
        owner: options.account.clone(),
        page_size: options.page_size,
        // In process only our own clients reach it.
        signed: endpoint != IN_PROCESS,
        virtual_host_domains: virtual_host_domains(&options.region),
        ..local_s3::Options::default()
    })
}

/// Domains under which a bucket may be a subdomain: S3's own, which clients ask for through the proxy, and `localhost`,
/// below which every name leads to this machine on most systems.
fn virtual_host_domains(region: &str) -> Vec<String> {
    vec![format!("s3.{region}.amazonaws.com"), "s3.amazonaws.com".to_owned(), "localhost".to_owned()]
}

fn lambda(endpoint: &str, options: &Options) -> Lambda {
    let lambda = Lambda::new(local_lambda::Options {
        account: options.account.clone(),
        region: options.region.clone(),
        endpoint: endpoint.to_owned(),
        retry_delays: options.retry_delays,
    });
    for function in &options.functions {
        lambda.add(function.clone());
    }
    lambda
}

/// The job engine's own requests go through the port as well, and so past the gate.
fn batch(clients: &Clients, options: &Options, clock: &Clock, events: mpsc::UnboundedSender<Value>) -> Batch {
    let clients = clients.named("s3-batch-operations");
    let clients = options.job_credentials.as_ref().map_or(clients.clone(), |own| clients.with_credentials(own));
    // The engine decides itself what a refused invocation means, and when to try again.
    let lambda = clients.without_retries().lambda();
    let mut made = local_batch::Options::new(clients.s3(), lambda, events);
    made.now = clock.shared();
    made.account.clone_from(&options.account);
    made.region.clone_from(&options.region);
    made.pace = options.pace.clone();
    Batch::new(made)
}

async fn hand_on(mut job_events: JobEvents, events: Events, rules: Rules) {
    while let Some(envelope) = job_events.recv().await {
        events.add_of_job(envelope.clone());
        rules.job_event(&envelope);
    }
}
