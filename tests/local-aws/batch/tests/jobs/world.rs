use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_s3control::{
    config::{BehaviorVersion, Credentials, Region},
    operation::create_job::builders::CreateJobFluentBuilder,
    types::{
        JobManifest, JobManifestFieldName as Field, JobManifestFormat, JobManifestLocation, JobManifestSpec,
        JobOperation, JobReport, JobReportFormat, JobReportScope, LambdaInvokeOperation,
    },
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use local_batch::{Batch, Job, Options, Pace};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::wire::Wire;

pub const ACCOUNT: &str = "123456789012";
pub const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:eraser:7";

/// What the function says to a task.
pub enum Reply {
    Result(&'static str, String),
    /// No result for this task, and this for `treatMissingKeysAs`.
    Missing(Option<&'static str>),
    /// This payload, whatever it is.
    Raw(String),
    FunctionError(String),
    /// This status and error code instead of an invocation.
    Refused(u16, &'static str),
}

pub fn succeeded() -> Reply {
    Reply::Result("Succeeded", "done".into())
}

/// The pieces of one test: the service, a client of it, and what stands behind it.
pub struct World {
    pub batch: Batch,
    pub control: aws_sdk_s3control::Client,
    pub objects: Objects,
    pub invocations: Arc<Mutex<Vec<Value>>>,
    pub clock: Arc<Mutex<Timestamp>>,
    pub events: UnboundedReceiver<Value>,
}

/// Objects by `/bucket/key`, with the headers they were put with.
pub type Objects = Arc<Mutex<BTreeMap<String, (Bytes, http::HeaderMap)>>>;

impl World {
    /// A function that is asked for each task's key, decoded.
    pub fn new(function: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        Self::paced(Pace::default(), function)
    }

    pub fn paced(pace: Pace, function: impl FnMut(&str) -> Reply + Send + 'static) -> Self {
        let (objects, invocations) = (Objects::default(), Arc::<Mutex<Vec<Value>>>::default());
        let (sender, events) = unbounded_channel();
        let clock = Arc::new(Mutex::new("2026-01-02T03:04:05.678Z".parse().unwrap()));
        let mut options = Options::new(s3_client(&objects), lambda_client(&invocations, function), sender);
        let time = Arc::clone(&clock);
        options.now = Arc::new(move || *time.lock().unwrap());
        options.pace = pace;
        let batch = Batch::new(options);
        Self { control: control_client(&batch), batch, objects, invocations, clock, events }
    }

    /// Puts the manifest and gives a CreateJob for it that lacks nothing.
    pub fn job(&self, manifest: &str) -> CreateJobFluentBuilder {
        self.put("/manifests/m.csv", manifest);
        self.control
            .create_job()
            .account_id(ACCOUNT)
            .client_request_token("token")
            .confirmation_required(false)
            .description("a job")
            .priority(10)
            .role_arn("arn:aws:iam::123456789012:role/batch")
            .operation(invoke("2.0"))
            .manifest(manifest_of("arn:aws:s3:::manifests/m.csv", &[Field::Bucket, Field::Key]))
            .report(report().build())
    }

    /// Creates the job and waits for its end.
    pub async fn finished(&self, job: CreateJobFluentBuilder) -> Job {
        let id = job.send().await.unwrap().job_id.unwrap();
        self.batch.finished(&id).await.unwrap()
    }

    /// A job over these keys, to its end.
    pub async fn run(&self, keys: &[&str]) -> Job {
        self.finished(self.job(&manifest(keys))).await
    }

    pub fn put(&self, path: &str, body: &str) {
        self.objects.lock().unwrap().insert(path.into(), (body.to_owned().into(), http::HeaderMap::new()));
    }

    /// The text of the only object whose path holds `part`.
    pub fn object(&self, part: &str) -> Option<String> {
        let objects = self.objects.lock().unwrap();
        let mut found = objects.iter().filter(|(path, _)| path.contains(part));
        let text = found.next().map(|(_, (body, _))| String::from_utf8(body.to_vec()).unwrap());
        assert!(found.next().is_none(), "several objects with {part}");
        text
    }

    /// The report's lines about failed or succeeded tasks, sorted by key.
    pub fn report(&self, status: &str) -> Vec<String> {
        let objects = self.objects.lock().unwrap();
        let files = objects.iter().filter(|(path, _)| path.starts_with("/reports/") && path.ends_with(".csv"));
        let text: String = files.map(|(_, (body, _))| std::str::from_utf8(body).unwrap()).collect();
        let mut lines: Vec<String> =
            text.lines().filter(|line| line.split(',').nth(3) == Some(status)).map(Into::into).collect();
        lines.sort_unstable();
        lines
    }

    /// The keys as the events had them, sorted.
    pub fn invoked(&self) -> Vec<String> {
        let invocations = self.invocations.lock().unwrap();
        let tasks = invocations.iter().flat_map(|event| event["tasks"].as_array().unwrap());
        let mut keys: Vec<String> = tasks.map(|task| task["s3Key"].as_str().unwrap().to_owned()).collect();
        keys.sort_unstable();
        keys
    }

    /// Moves the clock that callers can read.
    pub fn pass(&self, time: SignedDuration) {
        *self.clock.lock().unwrap() += time;
    }

    /// The names and statuses of the events so far.
    pub fn told(&mut self) -> Vec<(String, String)> {
        let events = std::iter::from_fn(|| self.events.try_recv().ok());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        events
            .map(|event| (text(&event["detail"]["eventName"]), text(&event["detail"]["serviceEventDetails"]["status"])))
            .collect()
    }
}

pub fn manifest(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("bkt,{key}\n")).collect()
}

pub fn numbered(count: usize) -> String {
    (0..count).map(|n| format!("bkt,{n}\n")).collect()
}

pub fn invoke(schema: &str) -> JobOperation {
    let invoke = LambdaInvokeOperation::builder().function_arn(FUNCTION).invocation_schema_version(schema);
    JobOperation::builder().lambda_invoke(invoke.build()).build()
}

pub fn manifest_of(arn: &str, fields: &[Field]) -> JobManifest {
    let format = JobManifestFormat::S3BatchOperationsCsv20180820;
    let spec = JobManifestSpec::builder().format(format).set_fields(Some(fields.to_vec())).build().unwrap();
    let location = JobManifestLocation::builder().object_arn(arn).e_tag("\"etag\"").build().unwrap();
    JobManifest::builder().spec(spec).location(location).build()
}

pub fn report() -> aws_sdk_s3control::types::builders::JobReportBuilder {
    JobReport::builder()
        .bucket("arn:aws:s3:::reports")
        .format(JobReportFormat::ReportCsv20180820)
        .enabled(true)
        .prefix("p/q")
        .report_scope(JobReportScope::AllTasks)
}

fn control_client(batch: &Batch) -> aws_sdk_s3control::Client {
    let batch = batch.clone();
    let wire = Wire::to(move |request| {
        let batch = batch.clone();
        async move { batch.call(request).await }
    });
    let config = aws_sdk_s3control::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(wire);
    aws_sdk_s3control::Client::from_conf(config.build())
}

fn s3_client(objects: &Objects) -> aws_sdk_s3::Client {
    let objects = Arc::clone(objects);
    let wire = Wire::to(move |request| std::future::ready(s3(&objects, request)));
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url("http://s3.local")
        .force_path_style(true)
        .http_client(wire);
    aws_sdk_s3::Client::from_conf(config.build())
}

/// Every object has the ETag `"etag"`; the bucket `denied` lets nobody in.
fn s3(objects: &Objects, request: Request<Bytes>) -> Response<Bytes> {
    let path = request.uri().path().to_owned();
    if path.starts_with("/denied/") {
        return response(StatusCode::FORBIDDEN, "<Error><Code>AccessDenied</Code></Error>".into());
    }
    if request.method() == Method::PUT {
        let (parts, body) = request.into_parts();
        objects.lock().unwrap().insert(path, (body, parts.headers));
        return response(StatusCode::OK, Bytes::new());
    }
    match objects.lock().unwrap().get(&path) {
        Some((body, headers)) => {
            let body = if request.method() == Method::HEAD { Bytes::new() } else { body.clone() };
            let mut found = response(StatusCode::OK, body);
            found.headers_mut().extend(headers.clone());
            found.headers_mut().insert("etag", "\"etag\"".parse().unwrap());
            found
        }
        None => response(StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>".into()),
    }
}

fn lambda_client(
    invocations: &Arc<Mutex<Vec<Value>>>,
    function: impl FnMut(&str) -> Reply + Send + 'static,
) -> aws_sdk_lambda::Client {
    let (invocations, function) = (Arc::clone(invocations), Arc::new(Mutex::new(function)));
    let wire = Wire::to(move |request: Request<Bytes>| {
        assert!(request.uri().path().ends_with("/invocations"), "{}", request.uri());
        let event: Value = serde_json::from_slice(request.body()).unwrap();
        invocations.lock().unwrap().push(event.clone());
        let function = Arc::clone(&function);
        async move {
            // Every invocation takes a second, so that there is a middle of a job.
            tokio::time::sleep(Duration::from_secs(1)).await;
            lambda(&event, &mut *function.lock().unwrap())
        }
    });
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(aws_sdk_lambda::config::retry::RetryConfig::disabled())
        .http_client(wire);
    aws_sdk_lambda::Client::from_conf(config.build())
}

fn lambda(event: &Value, function: &mut dyn FnMut(&str) -> Reply) -> Response<Bytes> {
    let mut answer = json!({ "invocationSchemaVersion": event["invocationSchemaVersion"], "invocationId": event["invocationId"], "results": [] });
    for task in event["tasks"].as_array().unwrap() {
        match function(&decoded(task["s3Key"].as_str().unwrap())) {
            Reply::Result(code, text) => {
                let result = json!({ "taskId": task["taskId"], "resultCode": code, "resultString": text });
                answer["results"].as_array_mut().unwrap().push(result);
            }
            Reply::Missing(None) => {}
            Reply::Missing(Some(code)) => answer["treatMissingKeysAs"] = code.into(),
            Reply::Raw(text) => return response(StatusCode::OK, text.into()),
            Reply::FunctionError(text) => {
                let mut failed = response(StatusCode::OK, text.into());
                failed.headers_mut().insert("x-amz-function-error", "Unhandled".parse().unwrap());
                return failed;
            }
            Reply::Refused(status, code) => return refused(status, code),
        }
    }
    response(StatusCode::OK, answer.to_string().into())
}

fn refused(status: u16, code: &str) -> Response<Bytes> {
    let mut refused = response(StatusCode::from_u16(status).unwrap(), json!({ "message": "no" }).to_string().into());
    refused.headers_mut().insert("x-amzn-errortype", code.parse().unwrap());
    refused
}

/// As a function must decode: `+` is a space, then the escapes.
fn decoded(key: &str) -> String {
    percent_encoding::percent_decode_str(&key.replace('+', " ")).decode_utf8().unwrap().into_owned()
}

fn response(status: StatusCode, body: Bytes) -> Response<Bytes> {
    Response::builder().status(status).body(body).unwrap()
}
