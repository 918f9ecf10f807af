use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, request::Parts};
use serde_json::{Value, json};

use crate::{
    Error, Invoked, Lambda, Outcome, invoke,
    name::Target,
    routes::{name_segment, operation, qualifier},
};

/// Largest payload of a synchronous request in bytes (Lambda quotas: 6 MB).
const SYNC_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Largest payload of an asynchronous request in bytes (Lambda quotas: 1 MB).
const ASYNC_BYTES_MAX: usize = 1024 * 1024;

/// Headers of Invoke whose meaning is not served; ignoring one would be a lie.
const NOT_SERVED: [&str; 3] = ["x-amz-client-context", "x-amz-durable-execution-name", "x-amz-tenant-id"];

/// Answers one request of the Lambda API.
pub(crate) async fn answer(lambda: &Lambda, request: Request<Bytes>) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let answered = match operation(&parts) {
        "Invoke" => invoke_function(lambda, &parts, body).await,
        "GetFunction" => get_function(lambda, &parts),
        "UnknownOperation" => Err(Error::NotImplemented(format!("{} {}", parts.method, parts.uri.path()))),
        other => Err(Error::NotImplemented(other.to_owned())),
    };
    answered.unwrap_or_else(|error| error.response())
}

async fn invoke_function(lambda: &Lambda, parts: &Parts, body: Bytes) -> Result<Response<Bytes>, Error> {
    refuse_unserved(&parts.headers)?;
    let kind = header(&parts.headers, "x-amz-invocation-type").unwrap_or("RequestResponse");
    let limit = if kind == "Event" { ASYNC_BYTES_MAX } else { SYNC_BYTES_MAX };
    if body.len() > limit {
        return Err(Error::RequestTooLarge(limit));
    }
    let payload = checked_payload(body)?;
    let target = target(lambda, parts)?;
    match kind {
        "RequestResponse" => synchronous(lambda, target, payload).await,
        "Event" => Ok(accepted(&lambda.queue(target, payload))),
        "DryRun" => Ok(plain(StatusCode::NO_CONTENT)),
        other => Err(Error::InvalidParameterValue(format!("{other} is not a valid invocation type"))),
    }
}

fn refuse_unserved(headers: &HeaderMap) -> Result<(), Error> {
    if let Some(name) = NOT_SERVED.iter().find(|name| headers.contains_key(**name)) {
        return Err(Error::NotImplemented(format!("the header {name} of Invoke")));
    }
    match header(headers, "x-amz-log-type") {
        None | Some("None") => Ok(()),
        Some(other) => Err(Error::NotImplemented(format!("LogType {other} of Invoke"))),
    }
}

/// No payload is an empty object to the function.
fn checked_payload(body: Bytes) -> Result<Bytes, Error> {
    if body.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        Ok(_) => Ok(body),
        Err(error) => Err(Error::InvalidRequestContent(error.to_string())),
    }
}

fn target(lambda: &Lambda, parts: &Parts) -> Result<Target, Error> {
    let name = name_segment(parts).unwrap_or_default();
    lambda.target(&name, qualifier(parts).as_deref())
}

async fn synchronous(lambda: &Lambda, target: Target, payload: Bytes) -> Result<Response<Bytes>, Error> {
    let slot = target.pool.try_slot().ok_or(Error::TooManyRequests)?;
    let id = invoke::new_request_id();
    let invoked = invoke::run(&lambda.shared, &target, id, payload, slot).await;
    Ok(invoked_response(invoked))
}

/// A function error is a 200 as well; only the header tells.
fn invoked_response(invoked: Invoked) -> Response<Bytes> {
    let mut response = Response::builder()
        .header("content-type", "application/json")
        .header("x-amzn-requestid", invoked.request_id)
        .header("x-amz-executed-version", invoked.version);
    if matches!(invoked.outcome, Outcome::FunctionError(_)) {
        response = response.header("x-amz-function-error", "Unhandled");
    }
    response.body(invoked.outcome.into_payload()).expect("ids and versions are valid header values")
}

fn accepted(request_id: &str) -> Response<Bytes> {
    let mut response = plain(StatusCode::ACCEPTED);
    let id = request_id.parse().expect("a UUID is a valid header value");
    response.headers_mut().insert("x-amzn-requestid", id);
    response
}

fn plain(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// The configuration without code location: there is nothing to download.
fn get_function(lambda: &Lambda, parts: &Parts) -> Result<Response<Bytes>, Error> {
    let target = target(lambda, parts)?;
    let body = json!({ "Configuration": configuration(&target) });
    let response = Response::builder().header("content-type", "application/json");
    Ok(response.body(Bytes::from(body.to_string())).expect("a constant header is valid"))
}

fn configuration(target: &Target) -> Value {
    let function = &target.pool.function;
    json!({
        "FunctionName": function.name,
        "FunctionArn": target.arn,
        "Version": target.version,
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "PackageType": "Zip",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "Timeout": function.timeout.as_secs(),
        "MemorySize": function.memory_mb,
        "Environment": { "Variables": function.variables },
    })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
