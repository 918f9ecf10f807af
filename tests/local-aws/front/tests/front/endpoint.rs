//! The port as its callers see it: SDK clients, a proxy's client, wrong callers, and the gate between.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use aws_sdk_s3::{config::SharedHttpClient, error::ProvideErrorMetadata, primitives::ByteStream};
use aws_smithy_http_client::{Connector, proxy::ProxyConfig};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jiff::SignedDuration;
use local_aws::{
    Backend, Clients, Gate, Input, LocalAws, NotFired, Options, RequestInfo, Rule, Service, Verdict, When, after,
    before, s3_error,
};
use local_lambda::Function;
use local_s3::Versioning;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

async fn start() -> LocalAws {
    let aws = LocalAws::start(Options { functions: vec![echo()], ..Options::default() }).await.unwrap();
    aws.s3_store().unwrap().create_bucket("photos", Versioning::Enabled).unwrap();
    aws
}

/// Answers `{"event": …}`.
fn echo() -> Function {
    Function::new("echo", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/echo"))
}

async fn put(client: &aws_sdk_s3::Client, key: &str) -> Result<(), aws_sdk_s3::Error> {
    let put = client.put_object().bucket("photos").key(key).body(ByteStream::from_static(b"x"));
    put.send().await.map(drop).map_err(Into::into)
}

fn keys(aws: &LocalAws) -> Vec<String> {
    aws.s3_store().unwrap().keys("photos", "").unwrap()
}

/// Sends a request as written and answers all that comes back until the connection ends.
async fn raw(aws: &LocalAws, lines: &[&str], body: &str) -> String {
    let mut stream = TcpStream::connect(aws.endpoint().strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!("{}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", lines.join("\r\n"), body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn admin(aws: &LocalAws, method: &str, path: &str, body: &str) -> (u16, Value) {
    let answer = raw(aws, &[&format!("{method} /_local/{path} HTTP/1.1"), "host: local"], body).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap())
}

const SIGNED: &str = "authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1";

#[tokio::test]
async fn every_service_answers_its_sdk_client() {
    let aws = start().await;
    put(&aws.s3_client(), "a b+c").await.unwrap();
    assert_eq!(keys(&aws), ["a b+c"]);
    let invoked = aws.lambda_client().invoke().function_name("echo").payload(br#"{"n":1}"#.to_vec().into());
    let answer = invoked.send().await.unwrap();
    assert_eq!(answer.payload().unwrap().as_ref(), br#"{"event": {"n": 1}}"#);
    let missing = aws.lambda_client().invoke().function_name("nobody").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("ResourceNotFoundException"));
    let jobs = aws.s3control_client().list_jobs().account_id("123456789012").send().await.unwrap();
    assert_eq!(jobs.jobs().len(), 0);
    let unknown = aws.s3control_client().describe_job().account_id("123456789012").job_id("00000").send().await;
    assert!(unknown.unwrap_err().code().is_some());
}

/// Keeps the forwarded protocol of every request.
struct Protocols(Arc<Mutex<Vec<Option<String>>>>);

#[async_trait]
impl Gate for Protocols {
    async fn before(&self, _: &RequestInfo, request: &Request<Bytes>) -> Verdict {
        let told = request.headers().get("x-forwarded-proto").map(|value| value.to_str().unwrap().to_owned());
        self.0.lock().unwrap().push(told);
        Verdict::Proceed
    }
}

#[tokio::test]
async fn another_aws_behind_serves_everything_but_jobs() {
    let behind = start().await;
    let protocols = Arc::default();
    behind.set_gate(Protocols(Arc::clone(&protocols)));
    let front = LocalAws::start(Options { s3: Backend::Aws(behind.endpoint()), ..Options::default() }).await.unwrap();
    put(&front.s3_client(), "a").await.unwrap();
    assert_eq!(keys(&behind), ["a"]);
    front.lambda_client().invoke().function_name("echo").send().await.unwrap();
    front.s3control_client().list_jobs().account_id("123456789012").send().await.unwrap();
    assert_eq!(*protocols.lock().unwrap(), vec![Some("https".to_owned()); 2], "jobs are listed in front");
}

#[tokio::test]
async fn before_another_aws_who_may_is_the_others_to_say() {
    let behind = start().await;
    let front = LocalAws::start(Options { s3: Backend::Aws(behind.endpoint()), ..Options::default() }).await.unwrap();
    let nobody = aws_sdk_s3::config::Credentials::new("nobody", "nothing", None, None, "test");
    let nobody = front.clients().with_credentials(&nobody);
    let refused = put(&nobody.s3(), "a").await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidAccessKeyId"), "{refused:?}");
    nobody.s3control().list_jobs().account_id("123456789012").send().await.unwrap();
}

#[tokio::test]
async fn a_proxys_client_needs_no_address_for_the_host() {
    let aws = start().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    aws.set_gate(Addresses(seen.clone()));
    let sdk = aws.clients().sdk_config().to_builder();
    let sdk = sdk.http_client(through_proxy(&aws)).endpoint_url("http://s3-control.local").build();
    let control = aws_sdk_s3control::Client::new(&sdk);
    assert_eq!(control.list_jobs().account_id("123456789012").send().await.unwrap().jobs().len(), 0);
    let host = "123456789012.s3-control.local".to_owned();
    assert_eq!(*seen.lock().unwrap(), [("/v20180820/jobs".to_owned(), host)]);
    let sdk = sdk.to_builder().endpoint_url("http://s3.local").build();
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build());
    put(&s3, "a b").await.unwrap();
    assert_eq!(keys(&aws), ["a b"]);
    let tunnel = raw(&aws, &["CONNECT 127.0.0.1:1 HTTP/1.1", "host: 127.0.0.1:1"], "").await;
    assert!(tunnel.starts_with("HTTP/1.1 501 "), "{tunnel}");
}

#[tokio::test]
async fn a_bucket_may_be_a_subdomain() {
    let aws = start().await;
    let sdk = aws.clients().sdk_config().to_builder().http_client(through_proxy(&aws));
    let sdk = sdk.endpoint_url("http://s3.us-east-1.amazonaws.com").build();
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&sdk).force_path_style(false).build());
    let seen = Arc::new(Mutex::new(Vec::new()));
    aws.set_gate(Addresses(seen.clone()));
    put(&s3, "a/b").await.unwrap();
    assert_eq!(keys(&aws), ["a/b"]);
    assert_eq!(seen.lock().unwrap()[0].1, "photos.s3.us-east-1.amazonaws.com");
}

/// Notes the request target and the host of each request.
struct Addresses(Arc<Mutex<Vec<(String, String)>>>);

#[async_trait]
impl Gate for Addresses {
    async fn before(&self, _: &RequestInfo, request: &Request<Bytes>) -> Verdict {
        let host = request.headers()["host"].to_str().unwrap().to_owned();
        self.0.lock().unwrap().push((request.uri().to_string(), host));
        Verdict::Proceed
    }
}

fn through_proxy(aws: &LocalAws) -> SharedHttpClient {
    let proxy = ProxyConfig::http(aws.endpoint()).unwrap();
    aws_smithy_http_client::Builder::new()
        .build_with_connector_fn(move |_, _| Connector::builder().proxy_config(proxy.clone()).build_http())
}

#[tokio::test]
async fn a_wrong_access_key_is_refused_in_the_services_own_form() {
    let aws = start().await;
    let wrong = |service| {
        format!(
            "authorization: AWS4-HMAC-SHA256 Credential=mine/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    };
    let invoke = "POST /2015-03-31/functions/echo/invocations HTTP/1.1";
    let answer = raw(&aws, &[invoke, "host: h", &wrong("lambda")], "{}").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("x-amzn-errortype: UnrecognizedClientException"), "{answer}");
    let unsigned = raw(&aws, &[invoke, "host: h"], "{}").await;
    assert!(unsigned.contains("MissingAuthenticationTokenException"), "{unsigned}");
    let answer = raw(&aws, &["GET /v20180820/jobs HTTP/1.1", "host: h", &wrong("s3")], "").await;
    assert!(answer.contains("<ErrorResponse><Error><Code>UnrecognizedClientException</Code>"), "{answer}");
    assert_eq!(aws.lambda().processes("echo"), []);
}

#[tokio::test]
async fn a_service_that_is_not_served_is_refused_by_name() {
    let aws = start().await;
    let signed = format!("{SIGNED}/iam/aws4_request, SignedHeaders=host, Signature=0");
    let answer = raw(&aws, &["POST / HTTP/1.1", "host: h", &signed], "Action=ListRoles").await;
    assert!(answer.starts_with("HTTP/1.1 501 ") && answer.contains("of the service iam"), "{answer}");
    let events = format!("{SIGNED}/events/aws4_request, SignedHeaders=host, Signature=0");
    let answer = raw(&aws, &["POST / HTTP/1.1", "host: h", &events, "x-amz-target: AWSEvents.PutRule"], "{}").await;
    assert!(answer.starts_with("HTTP/1.1 501 ") && answer.contains("AWSEvents.PutRule"), "{answer}");
}

#[tokio::test]
async fn put_events_are_kept() {
    let aws = start().await;
    let signed = format!("{SIGNED}/events/aws4_request, SignedHeaders=host, Signature=0");
    let body =
        r#"{"Entries":[{"Source":"photolala.deletion","DetailType":"held","Detail":"{\"n\":1}","EventBusName":"b"}]}"#;
    let answer = raw(&aws, &["POST / HTTP/1.1", "host: h", &signed, "x-amz-target: AWSEvents.PutEvents"], body).await;
    assert!(answer.contains(r#""FailedEntryCount":0"#), "{answer}");
    let put = aws.events().put();
    assert_eq!((put.len(), put[0].bus.as_str()), (1, "b"));
    assert_eq!((&put[0].envelope["detail"], &put[0].envelope["detail-type"]), (&json!({ "n": 1 }), &json!("held")));
}

#[tokio::test]
async fn the_gate_answers_cuts_and_sees_who_calls() {
    let aws = start().await;
    let client = aws.clients().named("photolala-eraser-3").without_retries().s3();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = seen.clone();
    aws.set_gate(before(move |info| {
        notes.lock().unwrap().push((info.operation, info.bucket, info.key.clone(), info.caller));
        async move {
            match info.key.as_deref() {
                Some("slow") => Verdict::Answer(s3_error(503, "SlowDown", "Please reduce your request rate.")),
                Some("cut") => Verdict::Drop,
                _ => Verdict::Proceed,
            }
        }
    }));
    put(&client, "a b").await.unwrap();
    assert_eq!(put(&client, "slow").await.unwrap_err().code(), Some("SlowDown"));
    let cut = put(&client, "cut").await.unwrap_err();
    assert_eq!(cut.code(), None);
    assert_eq!(keys(&aws), ["a b"]);
    let first = seen.lock().unwrap()[0].clone();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(first, ("PutObject", text("photos"), text("a b"), text("photolala-eraser-3")));
    aws.open_gate();
    put(&client, "slow").await.unwrap();
}

#[tokio::test]
async fn a_reply_can_be_lost_after_the_effect() {
    let aws = start().await;
    let statuses = Arc::new(AtomicU64::new(0));
    let status_seen = statuses.clone();
    aws.set_gate(after(move |_, status| {
        status_seen.store(status.into(), Ordering::Relaxed);
        async { Verdict::Drop }
    }));
    put(&aws.clients().without_retries().s3(), "lost").await.unwrap_err();
    assert_eq!((keys(&aws), statuses.load(Ordering::Relaxed)), (vec!["lost".to_owned()], 200));
}

#[tokio::test]
async fn what_passed_the_gate_is_carried_out_even_if_its_caller_goes() {
    let aws = start().await;
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, awaited) = (entered.clone(), leave.clone());
    aws.set_gate(before(move |_| {
        let (told, awaited) = (told.clone(), awaited.clone());
        async move {
            told.notify_one();
            awaited.notified().await;
            Verdict::Proceed
        }
    }));
    aws.recorder().start();
    let client = aws.s3_client();
    let caller = tokio::spawn(async move { put(&client, "orphan").await });
    entered.notified().await;
    caller.abort();
    assert!(caller.await.is_err());
    leave.notify_one();
    while aws.recorder().records().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(keys(&aws), ["orphan"]);
}

#[tokio::test]
async fn a_process_can_be_killed_at_the_gate() {
    let aws = start().await;
    let lambda = aws.lambda().clone();
    aws.lambda_client().invoke().function_name("echo").send().await.unwrap();
    aws.set_gate(before(move |info| {
        let killed = lambda.kill("echo");
        async move { Verdict::Answer(s3_error(500, &format!("Killed{killed}"), info.operation)) }
    }));
    let error = put(&aws.clients().without_retries().s3(), "x").await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Some("Killed1"), Some("PutObject")));
    aws.open_gate();
    aws.lambda_client().invoke().function_name("echo").send().await.unwrap();
    assert_eq!(aws.lambda().processes("echo").len(), 2);
}

#[tokio::test]
async fn the_recorder_counts_always_and_keeps_while_it_is_on() {
    let aws = start().await;
    let eraser = aws.clients().named("photolala-eraser-3").s3();
    put(&eraser, "one").await.unwrap();
    aws.recorder().start();
    put(&eraser, "two").await.unwrap();
    put(&aws.clients().named("photolala-eraser-4").s3(), "three").await.unwrap();
    let records = aws.recorder().stop();
    put(&aws.s3_client(), "four").await.unwrap();
    let seen: Vec<_> = records.iter().map(|r| (r.info.key.as_deref().unwrap(), r.status)).collect();
    assert_eq!(seen, [("two", Some(200)), ("three", Some(200))]);
    assert!(records.iter().all(|record| record.info.started <= record.ended));
    let counts: Vec<_> =
        aws.recorder().counts().into_iter().map(|(c, n)| (c.caller, c.service, c.operation, n)).collect();
    let put_object = |caller: Option<&str>, n| (caller.map(str::to_owned), Service::S3, "PutObject", n);
    assert_eq!(counts, [put_object(None, 1), put_object(Some("photolala-eraser"), 3)]);
    assert_eq!((aws.recorder().count("PutObject"), aws.recorder().records().len()), (4, 0));
    assert_eq!(aws.recorder().count_by("photolala-eraser", "PutObject"), 3);
    assert_eq!(aws.recorder().count_by("photolala-eraser", "GetObject"), 0);
    aws.recorder().reset();
    assert_eq!(aws.recorder().count("PutObject"), 0);
}

#[tokio::test]
async fn s3_goes_by_the_moved_clock() {
    let aws = start().await;
    aws.clock().set("2031-02-03T04:05:06Z".parse().unwrap());
    put(&aws.s3_client(), "later").await.unwrap();
    let head = aws.s3_client().head_object().bucket("photos").key("later").send().await.unwrap();
    assert!(head.last_modified().unwrap().to_string().starts_with("2031-02-03T04:05:"));
    let answer = raw(&aws, &["GET /v20180820/jobs HTTP/1.1", "host: h"], "").await;
    assert!(answer.contains("date: Mon, 03 Feb 2031 04:05:"), "{answer}");
}

#[tokio::test]
async fn a_rule_fires_on_demand_and_by_the_clock() {
    let aws = start().await;
    let rule = |name: &str, input, when| Rule { name: name.into(), target: "echo".into(), input, when };
    aws.rules().put(rule("reconcile", Input::Json(json!({ "type": "reconcile" })), When::OnDemand));
    aws.rules().put(rule("daily", Input::Envelope, When::Schedule("rate(1 day)".parse().unwrap())));
    aws.rules().fire("reconcile").unwrap();
    assert_eq!(aws.rules().fire("no").unwrap_err(), NotFired::NoSuchRule("no".into()));
    assert_eq!(aws.advance(SignedDuration::from_hours(23)), Vec::<String>::new());
    let due = aws.clock().now();
    assert_eq!(aws.advance(SignedDuration::from_hours(49)), ["daily"]);
    assert_eq!(aws.advance(SignedDuration::from_mins(1)), Vec::<String>::new());
    aws.lambda().settled().await;
    let firings = aws.rules().firings();
    let fired: Vec<_> = firings.iter().map(|firing| (firing.rule.as_str(), &firing.payload)).collect();
    assert_eq!(fired[0], ("reconcile", &json!({ "type": "reconcile" })));
    assert_eq!((fired.len(), fired[1].0, &fired[1].1["detail-type"]), (2, "daily", &json!("Scheduled Event")));
    let time: jiff::Timestamp = fired[1].1["time"].as_str().unwrap().parse().unwrap();
    assert!(time > due && time < aws.clock().now());
    assert_eq!((aws.lambda().processes("echo").is_empty(), aws.lambda().dead_letters()), (false, vec![]));
}

#[tokio::test]
async fn moving_the_clock_wakes_the_schedules() {
    let aws = start().await;
    let when = When::Schedule("cron(0 3 * * ? *)".parse().unwrap());
    aws.rules().put(Rule { name: "daily".into(), target: "nobody".into(), input: Input::Envelope, when });
    for _ in 0..100 {
        // The schedules are asleep by now.
        tokio::task::yield_now().await;
    }
    aws.clock().advance(SignedDuration::from_hours(24));
    while aws.rules().firings().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(matches!(&aws.rules().firings()[0].result, Err(local_lambda::Error::ResourceNotFound(_))));
}

#[tokio::test]
async fn the_admin_pages_tell_and_steer() {
    let aws = start().await;
    aws.rules().put(Rule { name: "r".into(), target: "echo".into(), input: Input::Envelope, when: When::OnDemand });
    assert_eq!(admin(&aws, "GET", "health", "").await.1["status"], "ok");
    assert_eq!(admin(&aws, "GET", "no", "").await.0, 404);
    let (status, moved) = admin(&aws, "POST", "clock", r#"{"advanceSeconds":3600}"#).await;
    assert_eq!((status, &moved["fired"]), (200, &json!([])));
    assert_eq!(admin(&aws, "GET", "clock", "").await.1["offsetSeconds"], 3600);
    assert_eq!(admin(&aws, "POST", "clock", r#"{"advance":1}"#).await.0, 400);
    let (status, fired) = admin(&aws, "POST", "rules/r", r#"{"print":"hello"}"#).await;
    assert!(status == 200 && fired["requestId"].is_string());
    assert_eq!(admin(&aws, "POST", "rules/no", "").await.0, 404);
    aws.lambda().settled().await;
    assert_eq!(admin(&aws, "GET", "logs/echo", "").await.1[0]["text"], "hello");
    assert_eq!(admin(&aws, "GET", "functions", "").await.1[0]["processes"][0]["id"], "echo-1");
    put(&aws.s3_client(), "x").await.unwrap();
    assert_eq!(admin(&aws, "GET", "requests", "").await.1[0]["operation"], "PutObject");
    for page in ["metrics", "dead-letters", "events", "jobs", "rules"] {
        assert_eq!(admin(&aws, "GET", page, "").await.0, 200, "{page}");
    }
}

#[tokio::test]
async fn another_s3_server_gets_requests_as_they_were_signed() {
    let behind = start().await;
    let options = Options { s3: Backend::Url(behind.endpoint()), ..Options::default() };
    let aws = LocalAws::start(options).await.unwrap();
    let client = aws.clients().named("app-1").s3();
    put(&client, "a b/ü").await.unwrap();
    let body = client.get_object().bucket("photos").key("a b/ü").send().await.unwrap();
    assert_eq!(body.body.collect().await.unwrap().to_vec(), b"x");
    let head = client.head_object().bucket("photos").key("a b/ü").send().await.unwrap();
    assert_eq!(head.content_length(), Some(1));
    assert_eq!((keys(&behind), aws.s3_store().is_none()), (vec!["a b/ü".to_owned()], true));
    assert_eq!((behind.recorder().count("PutObject"), aws.recorder().count("PutObject")), (1, 1));
    behind.shutdown().await;
    let gone = put(&aws.clients().without_retries().s3(), "x").await.unwrap_err();
    assert_eq!(gone.code(), Some("ServiceUnavailable"));
    let tls = Options { s3: Backend::Url("https://s3.amazonaws.com".into()), ..Options::default() };
    assert!(LocalAws::start(tls).await.is_err());
}

#[tokio::test]
async fn after_shutdown_nothing_answers() {
    let aws = start().await;
    let health: hyper::Uri = format!("{}/_local/health", aws.endpoint()).parse().unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client.get(health.clone()).await.unwrap();
    assert!(answer.into_body().collect().await.is_ok());
    let (lambda, clients) = (aws.lambda().clone(), Clients::new(&aws.endpoint(), "us-east-1"));
    clients.lambda().invoke().function_name("echo").send().await.unwrap();
    aws.shutdown().await;
    assert!(client.get(health).await.is_err());
    assert!(lambda.processes("echo").iter().all(|process| process.pid.is_none()));
}
