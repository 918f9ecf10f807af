//! The running service, and calls to it as the app, EventBridge and an operator make them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use domain::environment::Environment;
use domain::event::Query;
use domain::ids::DeletionId;
use domain::layout::{receipt_key, record_key};
use domain::receipt::{Receipt, ReceiptState};
use domain::record::LEASE_SECONDS;
use jiff::SignedDuration;
use local_aws::LocalAws;
use local_lambda::HostedRequest;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use crate::deploy::{deletion_variables, eraser_variables};
use crate::fault::said;
use crate::people::People;
use crate::start::{Options, StartError, buckets, in_process, local_aws};
use crate::{Account, Answer, FunctionError, Snapshot, promises};

/// Rounds of reconciling before a deletion counts as stuck.
const ROUNDS_MAX: u32 = 12;
/// Rounds that may pass before a dead holder's lease is made to end.
const PATIENT_ROUNDS: u32 = 2;
/// Longest wait for one job: a million versions at an environment's pace take less.
const JOB_TIME_MAX: Duration = Duration::from_mins(30);

/// The service on the local AWS. When it goes, nothing it ever told may name anybody it ever heard of (P10).
pub struct Photolala {
    /// None once it is shut down.
    local: Option<Box<LocalAws>>,
    people: People,
    options: Options,
    s3: aws_sdk_s3::Client,
    lambda: aws_sdk_lambda::Client,
    variables: BTreeMap<String, String>,
}

/// A deletion that did not get where it was to get.
#[derive(Debug, thiserror::Error)]
#[error("deletion {deletion} is {state:?} after {rounds} rounds of reconciling; last error: {last_error}")]
pub struct NotReached {
    /// The deletion.
    pub deletion: DeletionId,
    /// What its receipt says.
    pub state: ReceiptState,
    /// Rounds made.
    pub rounds: u32,
    /// The last failed reconcile, in its words.
    pub last_error: String,
}

/// A request of the function URL (Lambda Developer Guide, "Invoking Lambda function URLs", payload format 2.0).
pub fn url_event(method: &str, path: &str, user_arn: &str, body: &str) -> Value {
    json!({"version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "authorizer": {"iam": {"userArn": user_arn, "accountId": "123456789012"}}},
        "body": body, "isBase64Encoded": false})
}

impl Photolala {
    /// Starts the local AWS, makes the buckets, deploys the functions.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let local = local_aws(&options).await?;
        Self::over(local, options).await
    }

    /// The same in this program alone, without port and processes: `host` is handed the functions' requests. Tokio's
    /// clock may be paused.
    pub async fn start_in_process(options: Options, host: UnboundedSender<HostedRequest>) -> Result<Self, StartError> {
        let local = in_process(&options, host)?;
        Self::over(local, options).await
    }

    async fn over(local: LocalAws, options: Options) -> Result<Self, StartError> {
        let s3 = local.s3_client();
        buckets(&s3, &options).await?;
        // The app's own client decides about retries; here each call is one request.
        let lambda = local.clients().named("app").without_retries().lambda();
        let variables = deletion_variables(&options);
        Ok(Self { local: Some(Box::new(local)), people: People::default(), options, s3, lambda, variables })
    }

    /// The local AWS behind it.
    pub fn local(&self) -> &LocalAws {
        self.local.as_deref().expect("only shutting down takes it away")
    }

    /// Whoever the service heard of so far.
    pub(crate) fn people(&self) -> &People {
        &self.people
    }

    /// What it was started with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The environment variables of the deletion function and of the eraser.
    pub fn variables(&self) -> [BTreeMap<String, String>; 2] {
        [self.variables.clone(), eraser_variables(&self.options)]
    }

    /// The environment.
    pub fn environment(&self) -> &Environment {
        &self.options.environment
    }

    /// A client of S3.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        &self.s3
    }

    /// The largest value that a metric of the functions has had; 0 if it was never told.
    pub fn largest(&self, metric: &str) -> f64 {
        let told = self.local().lambda().metrics().into_iter().filter(|told| told.name == metric);
        told.flat_map(|told| told.values).fold(0.0, f64::max)
    }

    /// The name of the first photo bucket.
    pub fn bucket(&self) -> &str {
        self.environment().buckets[0].name.as_str()
    }

    /// Deletes an account now, as the app does.
    pub async fn delete_now(&self, user_id: &str) -> Result<Answer, FunctionError> {
        self.ask(json!({"type": "immediate", "userId": user_id})).await
    }

    /// Asks how far a deletion is.
    pub async fn status(&self, query: &Query) -> Result<Answer, FunctionError> {
        self.ask(match query {
            Query::Job(job) => json!({"type": "status", "jobId": job}),
            Query::Deletion(deletion) => json!({"type": "status", "deletionId": deletion}),
            Query::Account(account) => json!({"type": "status", "userId": account}),
        })
        .await
    }

    /// Sends any app-facing event and decodes the answer.
    pub async fn ask(&self, event: Value) -> Result<Answer, FunctionError> {
        Answer::decode(&self.invoke(event).await?)
    }

    /// A scheduled run, asked for by an operator, who reads the answer.
    pub async fn run(&self) -> Answer {
        let answer = self.ask(json!({"type": "scheduled"})).await.expect("the run answers");
        assert_eq!(answer.status_code, 200, "{}", answer.body);
        answer
    }

    /// A scheduled run as the daily rule starts it.
    pub async fn daily(&self) -> Result<Value, FunctionError> {
        let event = json!({"version": "0", "id": uuid::Uuid::new_v4(), "source": "aws.events",
            "detail-type": "Scheduled Event", "time": self.now().to_string(), "detail": {}});
        self.invoke(event).await
    }

    /// Sends a request through the function URL, as the app does once it is signed in: by a session of the app's role
    /// whose name is the account.
    pub async fn ask_by_url(&self, session: &str, body: Value) -> Result<Answer, FunctionError> {
        self.ask_by_url_text(session, &body.to_string()).await
    }

    /// The same with the body as it is written.
    pub async fn ask_by_url_text(&self, session: &str, body: &str) -> Result<Answer, FunctionError> {
        let environment = self.environment();
        let (owner, role) = (environment.aws_account.as_str(), &environment.app_role);
        let arn = format!("arn:aws:sts::{owner}:assumed-role/{role}/{session}");
        self.ask(url_event("POST", "/", &arn, body)).await
    }

    /// Takes up what waits, as the rule does every few minutes.
    pub async fn reconcile(&self) -> Result<Value, FunctionError> {
        self.invoke(json!({"type": "reconcile"})).await
    }

    /// Invokes the deletion function and waits for its payload.
    pub async fn invoke(&self, event: Value) -> Result<Value, FunctionError> {
        self.invoke_text(&event.to_string()).await
    }

    /// The same with the event as it is written, which may say more than its value does.
    pub async fn invoke_text(&self, text: &str) -> Result<Value, FunctionError> {
        let event: Value = serde_json::from_str(text).unwrap_or_default();
        self.people.add_asked(&event);
        let request = self.lambda.invoke().function_name(&self.environment().functions.deletion);
        let sent = request.payload(text.as_bytes().to_vec().into()).send().await;
        let output = sent.map_err(|error| FunctionError::Refused(said(&error)))?;
        let payload = output.payload().map(AsRef::as_ref).unwrap_or_default();
        promises::silent_answer(self, &event, payload);
        if output.function_error().is_some() {
            return Err(FunctionError::failed(payload));
        }
        serde_json::from_slice(payload).map_err(|error| FunctionError::Undecodable(error.to_string()))
    }

    /// Lets jobs and asynchronous invocations end and reconciles, until the deletion is complete.
    pub async fn run_until_complete(&self, deletion: DeletionId) -> Result<Receipt, NotReached> {
        self.run_until(deletion, |receipt| receipt.state == ReceiptState::Complete).await
    }

    /// Lets jobs and asynchronous invocations end and reconciles, until the receipt is as wished. A deletion that
    /// does not move may be held by a process that died: then the clock is moved past its lease.
    pub async fn run_until(
        &self,
        deletion: DeletionId,
        reached: impl Fn(&Receipt) -> bool,
    ) -> Result<Receipt, NotReached> {
        let mut last_error = "none".to_owned();
        for round in 0..ROUNDS_MAX {
            self.quiet().await;
            let receipt = self.receipt(deletion).await;
            if reached(&receipt) {
                return Ok(receipt);
            }
            if round >= PATIENT_ROUNDS {
                self.pass(LEASE_SECONDS + 1).await;
            }
            if let Err(error) = self.reconcile().await {
                last_error = error.to_string();
            }
        }
        self.quiet().await;
        let receipt = self.receipt(deletion).await;
        if reached(&receipt) {
            return Ok(receipt);
        }
        Err(NotReached { deletion, state: receipt.state, rounds: ROUNDS_MAX, last_error })
    }

    /// Waits until no asynchronous invocation and no job is under way.
    pub async fn quiet(&self) {
        self.local().lambda().settled().await;
        for job in self.local().batch().jobs() {
            let finished = self.local().batch().finished(&job.id);
            let in_time = tokio::time::timeout(JOB_TIME_MAX, finished).await.is_ok();
            assert!(in_time, "job {} has not ended after {JOB_TIME_MAX:?}", job.id);
        }
        self.local().lambda().settled().await;
    }

    /// Lets the time to the second look pass and reconciles, so that settled deletions lose their records.
    pub async fn settle(&self) -> Result<Value, FunctionError> {
        let seconds: i64 = self.variables["SETTLE_SECONDS"].parse().unwrap_or_default();
        // `LastModified` has whole seconds, so a moment may look up to one second earlier than it was.
        self.pass(seconds + 1).await;
        self.reconcile().await
    }

    /// Lets so many seconds pass: by moving the clock, or by waiting where another server has its own.
    pub async fn pass(&self, seconds: i64) {
        if self.local().s3_store().is_some() {
            self.local().advance(SignedDuration::from_secs(seconds));
        } else {
            tokio::time::sleep(Duration::from_secs(seconds.unsigned_abs())).await;
        }
    }

    /// The receipt of a deletion; panics if there is none, since a deletion id always resolves.
    pub async fn receipt(&self, deletion: DeletionId) -> Receipt {
        let key = receipt_key(&deletion);
        let body = self.own_object(key.as_str()).await;
        let body = body.unwrap_or_else(|| panic!("deletion {deletion} has no receipt"));
        serde_json::from_slice(&body).unwrap_or_else(|error| panic!("the receipt of {deletion} is unreadable: {error}"))
    }

    /// Whether the account has a record: a deletion is under way, or its second look is to come.
    pub async fn has_record(&self, account: &Account) -> bool {
        self.own_object(record_key(&account.id()).as_str()).await.is_some()
    }

    /// An object of the manifest bucket.
    pub async fn own_object(&self, key: &str) -> Option<Vec<u8>> {
        let bucket = self.environment().manifest_bucket();
        match self.s3.get_object().bucket(&bucket).key(key).send().await {
            Ok(got) => Some(got.body.collect().await.expect("a body arrives whole").to_vec()),
            Err(error) if error.code() == Some("NoSuchKey") => None,
            Err(error) => panic!("{key} of {bucket} cannot be read: {}", said(&error)),
        }
    }

    /// The keys of the manifest bucket under a prefix.
    pub async fn own_keys(&self, prefix: &str) -> Vec<String> {
        let list = self.s3.list_objects_v2().bucket(self.environment().manifest_bucket()).prefix(prefix);
        let mut pages = list.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap_or_else(|error| panic!("{prefix} cannot be listed: {}", said(&error)));
            keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        keys
    }

    /// Everything in every bucket but the manifest bucket; with another S3 server behind, in the photo buckets.
    pub async fn snapshot(&self) -> Snapshot {
        let (buckets, mappings) = (self.watched_buckets(), &self.environment().mapping_prefixes);
        match self.local().s3_store() {
            Some(store) => Snapshot::of_store(store, &buckets, mappings),
            None => Snapshot::take(&self.s3, &buckets, mappings).await,
        }
    }

    fn watched_buckets(&self) -> Vec<String> {
        if let Some(store) = self.local().s3_store() {
            let manifest = self.environment().manifest_bucket();
            return store.buckets().into_iter().filter(|name| *name != manifest).collect();
        }
        self.environment().buckets.iter().map(|bucket| bucket.name.to_string()).collect()
    }

    /// Closes the port and ends the functions' processes.
    pub async fn shutdown(mut self) {
        promises::silent_to_the_end(&self);
        if let Some(local) = self.local.take() {
            local.shutdown().await;
        }
    }
}

impl Drop for Photolala {
    fn drop(&mut self) {
        // A story that has failed already says what was first.
        if self.local.is_some() && !std::thread::panicking() {
            promises::silent_to_the_end(self);
        }
    }
}
