//! Functions as real processes: a small Python bootstrap over the Runtime API.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use local_lambda::{Function, Lambda, Options, Outcome};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A Lambda with the function `echo`.
fn lambda() -> Lambda {
    let lambda = Lambda::new(Options::new("http://127.0.0.1:9"));
    lambda.add(echo());
    lambda
}

fn echo() -> Function {
    let code = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/echo");
    Function { timeout: Duration::from_mins(1), ..Function::new("echo", code) }
}

async fn invoke(lambda: &Lambda, payload: Value) -> Outcome {
    lambda.invoke("echo", Bytes::from(payload.to_string())).await.unwrap().outcome
}

async fn answer(lambda: &Lambda, payload: Value) -> Value {
    match invoke(lambda, payload).await {
        Outcome::Answer(body) => serde_json::from_slice(&body).unwrap(),
        Outcome::FunctionError(body) => panic!("the function failed: {body:?}"),
    }
}

async fn error(lambda: &Lambda, payload: Value) -> Value {
    match invoke(lambda, payload).await {
        Outcome::FunctionError(body) => serde_json::from_slice(&body).unwrap(),
        Outcome::Answer(body) => panic!("the function succeeded: {body:?}"),
    }
}

async fn post(lambda: &Lambda, function: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Bytes> {
    let mut request = Request::post(format!("/2015-03-31/functions/{function}/invocations"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    lambda.call(request.body(body.into()).unwrap()).await
}

fn code(response: &Response<Bytes>) -> (u16, &str) {
    let code = response.headers().get("x-amzn-errortype").map(|code| code.to_str().unwrap());
    (response.status().as_u16(), code.unwrap_or_default())
}

/// Starts a request that waits for the file of the answer.
async fn busy(lambda: &Lambda, folder: &TempDir, name: &str) -> (tokio::task::JoinHandle<Outcome>, std::path::PathBuf) {
    let path = folder.path().join(name);
    let (asked, payload) = (lambda.clone(), json!({ "do": "wait", "path": path }));
    let running = tokio::spawn(async move { invoke(&asked, payload).await });
    let started = folder.path().join(format!("{name}.started"));
    while !started.exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (running, path)
}

#[tokio::test]
async fn one_process_answers_one_request_after_the_other() {
    let lambda = lambda();
    let first = answer(&lambda, json!({ "n": 1 })).await;
    let second = answer(&lambda, json!({ "n": 2 })).await;
    assert_eq!((&first["event"]["n"], &second["event"]["n"]), (&json!(1), &json!(2)));
    assert_eq!(first["pid"], second["pid"]);
    let processes = lambda.processes("echo");
    assert_eq!(processes.len(), 1);
    assert_eq!((processes[0].id.as_str(), &json!(processes[0].pid)), ("echo-1", &first["pid"]));
    assert!(processes[0].init.is_some() && processes[0].peak_memory_bytes.is_some());
}

#[tokio::test]
async fn a_function_error_is_a_200_with_a_header() {
    let lambda = lambda();
    let response = post(&lambda, "echo", &[], r#"{"do":"fail"}"#).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["x-amz-function-error"], "Unhandled");
    assert_eq!(response.body(), r#"{"errorType": "ValueError", "errorMessage": "as told"}"#);
    let response = post(&lambda, "echo:1", &[], "").await;
    assert_eq!(response.headers().get("x-amz-function-error"), None);
    assert_eq!(response.headers()["x-amz-executed-version"], "1");
}

#[tokio::test]
async fn the_context_travels_in_headers() {
    let lambda = lambda();
    let response = post(&lambda, "echo", &[], r#"{"do":"headers"}"#).await;
    let headers: Value = serde_json::from_slice(response.body()).unwrap();
    let id = response.headers()["x-amzn-requestid"].to_str().unwrap();
    assert_eq!(headers["lambda-runtime-aws-request-id"], id);
    assert_eq!(headers["lambda-runtime-invoked-function-arn"], "arn:aws:lambda:us-east-1:123456789012:function:echo");
    let deadline: i64 = headers["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    let left = deadline - jiff::Timestamp::now().as_millisecond();
    assert!(left > 0 && left <= 60_000, "{left}");
}

#[tokio::test]
async fn a_process_sees_only_its_own_environment() {
    let lambda = lambda();
    let mut function = echo();
    function.variables = [("MINE", "yes"), ("AWS_REGION", "mars")].map(|(k, v)| (k.into(), v.into())).into();
    lambda.add(function);
    let seen = answer(&lambda, json!({ "do": "environment" })).await;
    let expected = [
        ("MINE", "yes"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "echo"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/echo"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("HTTP_PROXY", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_SDK_UA_APP_ID", "echo-1"),
    ];
    for (name, value) in expected {
        assert_eq!(seen[name], value, "{name}");
    }
    assert!(seen.get("CARGO_MANIFEST_DIR").is_none() && seen.get("HOME").is_none());
}

#[tokio::test]
async fn a_late_answer_is_a_timeout_and_the_process_is_killed() {
    let lambda = lambda();
    lambda.add(Function { timeout: Duration::from_millis(250), ..echo() });
    let id = answer(&lambda, json!({})).await["pid"].clone();
    let failed = error(&lambda, json!({ "do": "hang" })).await;
    assert_eq!(failed["errorType"], "Sandbox.Timedout");
    let message = failed["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("RequestId: ") && message.ends_with(" Error: Task timed out after 0.25 seconds"));
    assert_eq!(lambda.processes("echo")[0].ended.as_deref(), Some("signal: killed"));
    assert_ne!(answer(&lambda, json!({})).await["pid"], id);
}

#[tokio::test]
async fn a_frozen_process_times_out_and_a_resumed_one_goes_on() {
    let lambda = lambda();
    lambda.add(Function { timeout: Duration::from_millis(250), ..echo() });
    answer(&lambda, json!({})).await;
    assert!(lambda.freeze("echo-1"));
    assert_eq!(error(&lambda, json!({})).await["errorType"], "Sandbox.Timedout");
    answer(&lambda, json!({})).await;
    assert!(lambda.freeze("echo-2") && lambda.resume("echo-2"));
    answer(&lambda, json!({})).await;
    assert_eq!(lambda.processes("echo").len(), 2);
    assert!(!lambda.freeze("echo-1") && !lambda.resume("echo-9"));
}

#[tokio::test]
async fn a_process_that_dies_is_replaced_at_the_next_request() {
    let lambda = lambda();
    let failed = error(&lambda, json!({ "do": "exit", "code": 7 })).await;
    assert_eq!(failed["errorType"], "Runtime.ExitError");
    assert!(failed["errorMessage"].as_str().unwrap().ends_with(" Error: Runtime exited with error: exit status 7"));
    assert_eq!(lambda.logs("echo")[0].text, "last words");
    let failed = error(&lambda, json!({ "do": "exit", "code": 0 })).await;
    assert!(failed["errorMessage"].as_str().unwrap().ends_with("without providing a reason"));
    answer(&lambda, json!({})).await;
    assert_eq!(lambda.processes("echo").len(), 3);
}

#[tokio::test]
async fn a_process_killed_while_idle_costs_no_request() {
    let lambda = lambda();
    for _ in 0..4 {
        answer(&lambda, json!({})).await;
        assert_eq!(lambda.kill("echo"), 1);
    }
    answer(&lambda, json!({})).await;
    assert_eq!((lambda.processes("echo").len(), lambda.kill("nobody")), (5, 0));
}

#[tokio::test]
async fn a_process_that_leaves_between_two_requests_costs_none() {
    let lambda = lambda();
    for _ in 0..3 {
        answer(&lambda, json!({ "do": "leave" })).await;
    }
    assert_eq!(lambda.processes("echo").len(), 3);
}

#[tokio::test]
async fn a_process_killed_at_work_is_an_exit_error() {
    let (lambda, folder) = (lambda(), TempDir::new().unwrap());
    let (running, _) = busy(&lambda, &folder, "never").await;
    assert!(lambda.kill_process("echo-1"));
    let Outcome::FunctionError(body) = running.await.unwrap() else { panic!("it answered") };
    assert!(String::from_utf8_lossy(&body).contains("Runtime exited with error: signal: killed"));
}

#[tokio::test]
async fn a_process_that_cannot_start_says_why() {
    let lambda = lambda();
    let with = |init: &str| Function { variables: [("INIT".into(), init.into())].into(), ..echo() };
    lambda.add(with("fail"));
    assert_eq!(error(&lambda, json!({})).await, json!({ "errorType": "Runtime.InitError", "errorMessage": "no luck" }));
    lambda.add(with("exit"));
    assert!(error(&lambda, json!({})).await["errorMessage"].as_str().unwrap().ends_with("exit status 3"));
    lambda.add(Function::new("echo", "/nowhere"));
    assert_eq!(error(&lambda, json!({})).await["errorType"], "Runtime.InvalidEntrypoint");
}

#[tokio::test]
async fn requests_at_once_have_processes_of_their_own_up_to_the_limit() {
    let (lambda, folder) = (lambda(), TempDir::new().unwrap());
    lambda.add(Function { concurrency: 2, ..echo() });
    let (one, first) = busy(&lambda, &folder, "one").await;
    let (two, second) = busy(&lambda, &folder, "two").await;
    let refused = post(&lambda, "echo", &[], "{}").await;
    assert_eq!(code(&refused), (429, "TooManyRequestsException"));
    assert!(String::from_utf8_lossy(refused.body()).contains("ReservedFunctionConcurrentInvocationLimitExceeded"));
    std::fs::write(first, "").unwrap();
    std::fs::write(second, "").unwrap();
    assert!(matches!((one.await.unwrap(), two.await.unwrap()), (Outcome::Answer(_), Outcome::Answer(_))));
    answer(&lambda, json!({})).await;
    assert_eq!(lambda.processes("echo").len(), 2);
}

#[tokio::test]
async fn an_asynchronous_request_is_tried_three_times() {
    let (lambda, folder) = (lambda(), TempDir::new().unwrap());
    let tries = folder.path().join("tries");
    let event = [("x-amz-invocation-type", "Event")];
    let payload = |tries_needed: u32| json!({ "do": "fail_until", "path": tries, "tries": tries_needed }).to_string();
    let accepted = post(&lambda, "echo", &event, payload(3)).await;
    assert_eq!((accepted.status(), accepted.body().len()), (StatusCode::ACCEPTED, 0));
    lambda.settled().await;
    assert_eq!((std::fs::read(&tries).unwrap().len(), lambda.dead_letters()), (3, vec![]));

    let accepted = post(&lambda, "echo", &event, payload(100)).await;
    lambda.settled().await;
    assert_eq!(std::fs::read(&tries).unwrap().len(), 6);
    let dead = lambda.dead_letters();
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].tries, dead[0].function.as_str()), (3, "echo"));
    assert_eq!(dead[0].request_id, accepted.headers()["x-amzn-requestid"]);
    assert_eq!(dead[0].payload, payload(100));
    assert!(String::from_utf8_lossy(&dead[0].error).contains("not yet"));
}

#[tokio::test]
async fn asynchronous_requests_wait_for_a_free_slot() {
    let (lambda, folder) = (lambda(), TempDir::new().unwrap());
    lambda.add(Function { concurrency: 1, ..echo() });
    let (running, path) = busy(&lambda, &folder, "one").await;
    let ran = folder.path().join("ran");
    for _ in 0..3 {
        let payload = json!({ "do": "fail_until", "path": ran, "tries": 1 });
        lambda.send("echo", Bytes::from(payload.to_string())).unwrap();
    }
    std::fs::write(path, "").unwrap();
    lambda.settled().await;
    assert_eq!((lambda.processes("echo").len(), lambda.dead_letters()), (1, vec![]));
    assert_eq!(std::fs::read(ran).unwrap().len(), 3);
    assert!(matches!(running.await.unwrap(), Outcome::Answer(_)));
}

#[tokio::test]
async fn what_a_function_prints_is_there_when_it_answers() {
    let lambda = lambda();
    let metrics = json!({ "_aws": { "Timestamp": 5, "CloudWatchMetrics": [
        { "Namespace": "Photolala", "Dimensions": [["Stage"]], "Metrics": [{ "Name": "Erased", "Unit": "Count" }] } ] },
        "Stage": "test", "Erased": 12 });
    answer(&lambda, json!({ "do": "print", "line": metrics.to_string() })).await;
    let lines: Vec<_> = lambda.logs("echo").into_iter().map(|line| (line.process, line.text)).collect();
    assert_eq!(lines, [metrics.to_string(), "to stderr".into()].map(|text| ("echo-1".to_owned(), text)));
    let found = lambda.metrics();
    assert_eq!((found.len(), found[0].name.as_str(), found[0].values.as_slice()), (1, "Erased", &[12.0][..]));
    assert_eq!(found[0].dimensions["Stage"], "test");
    assert_eq!(lambda.log_groups(), ["echo"]);
}

#[tokio::test]
async fn wrong_requests_are_refused_in_awss_words() {
    let lambda = lambda();
    let event = [("x-amz-invocation-type", "Event")];
    let not_found = (404, "ResourceNotFoundException");
    assert_eq!(code(&post(&lambda, "nobody", &[], "{}").await), not_found);
    assert_eq!(code(&post(&lambda, "echo:99", &[], "{}").await), not_found);
    assert_eq!(code(&post(&lambda, "echo", &[], "no json").await), (400, "InvalidRequestContentException"));
    assert_eq!(code(&post(&lambda, "echo", &[], vec![b' '; 6_291_457]).await), (413, "RequestTooLargeException"));
    assert_eq!(code(&post(&lambda, "echo", &event, vec![b' '; 1_048_577]).await), (413, "RequestTooLargeException"));
    assert_eq!(code(&post(&lambda, "echo", &[("x-amz-log-type", "Tail")], "{}").await), (501, "NotImplemented"));
    assert_eq!(code(&post(&lambda, "echo", &[("x-amz-invocation-type", "No")], "{}").await).0, 400);
    let dry = post(&lambda, "echo", &[("x-amz-invocation-type", "DryRun")], "{}").await;
    assert_eq!((dry.status(), lambda.processes("echo").len()), (StatusCode::NO_CONTENT, 0));
    let list = lambda.call(Request::get("/2015-03-31/functions").body(Bytes::new()).unwrap()).await;
    assert_eq!(code(&list), (501, "NotImplemented"));
    assert!(String::from_utf8_lossy(list.body()).contains("ListFunctions"));
}

#[tokio::test]
async fn an_answer_over_the_limit_is_a_function_error() {
    let lambda = lambda();
    let failed = error(&lambda, json!({ "do": "large", "bytes": 6_291_556 })).await;
    assert_eq!(failed["errorType"], "Function.ResponseSizeTooLarge");
    answer(&lambda, json!({ "do": "large", "bytes": 6_291_000 })).await;
}

#[tokio::test]
async fn get_function_tells_the_configuration() {
    let lambda = lambda();
    let response = lambda.call(Request::get("/2015-03-31/functions/echo").body(Bytes::new()).unwrap()).await;
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(body["Configuration"]["FunctionName"], "echo");
    assert_eq!((&body["Configuration"]["Timeout"], &body["Configuration"]["MemorySize"]), (&json!(60), &json!(128)));
}

#[tokio::test]
async fn a_replaced_functions_processes_end_with_their_last_answer() {
    let (lambda, folder) = (lambda(), TempDir::new().unwrap());
    let (running, path) = busy(&lambda, &folder, "one").await;
    let idle = answer(&lambda, json!({})).await["pid"].clone();
    let busy = lambda.processes("echo")[0].pid;
    lambda.add(echo());
    ended(idle.as_u64()).await;
    answer(&lambda, json!({})).await;
    assert_eq!(lambda.processes("echo")[0].id, "echo-3");
    std::fs::write(path, "").unwrap();
    assert!(matches!(running.await.unwrap(), Outcome::Answer(_)));
    ended(busy.map(u64::from)).await;
}

/// Waits until the operating system has forgotten the process.
async fn ended(pid: Option<u64>) {
    while Path::new(&format!("/proc/{}", pid.unwrap())).exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn nothing_runs_after_shutdown() {
    let (lambda, folder) = (lambda(), TempDir::new().unwrap());
    let (running, _) = busy(&lambda, &folder, "never").await;
    lambda.shutdown().await;
    assert!(lambda.processes("echo").iter().all(|process| process.ended.is_some() && process.pid.is_none()));
    assert!(matches!(running.await.unwrap(), Outcome::FunctionError(_)));
}
