use std::{fmt, time::Instant};

use http::request::Parts;
use local_s3::{Address, S3};

use crate::caller::{Credential, app_id};

/// The services behind the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Amazon S3.
    S3,
    /// S3 Control: S3 Batch Operations.
    S3Control,
    /// AWS Lambda.
    Lambda,
    /// Amazon `EventBridge`.
    Events,
    /// A service that is not served; its requests are refused by name.
    Unserved,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S3 => "s3",
            Self::S3Control => "s3-control",
            Self::Lambda => "lambda",
            Self::Events => "events",
            Self::Unserved => "unserved",
        })
    }
}

/// What the gate and the recorder see of a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestInfo {
    /// The place among all requests since the start, from 1.
    pub number: u64,
    /// The service it is for.
    pub service: Service,
    /// AWS's name of the operation.
    pub operation: &'static str,
    /// S3: the bucket.
    pub bucket: Option<String>,
    /// S3: the key, decoded.
    pub key: Option<String>,
    /// S3: the prefix of a listing.
    pub prefix: Option<String>,
    /// Lambda: the function's name.
    pub function: Option<String>,
    /// The app id of the caller: the id of a function's process, `s3-batch-operations`, or a client's own.
    pub caller: Option<String>,
    /// When its body had arrived.
    pub started: Instant,
}

impl RequestInfo {
    /// Reads the request's line and headers.
    pub(crate) fn of(number: u64, parts: &Parts, s3: &S3) -> Self {
        let service = service(parts);
        let address = if service == Service::S3 { s3.address(parts) } else { Address::default() };
        Self {
            number,
            service,
            operation: operation(service, parts, s3),
            bucket: address.bucket,
            key: address.key,
            prefix: address.prefix,
            function: local_lambda::function_name(parts).filter(|_| service == Service::Lambda),
            caller: app_id(&parts.headers),
            started: Instant::now(),
        }
    }

    /// The caller without the number of its process: `eraser-3` is `eraser`.
    pub fn calling_function(&self) -> Option<&str> {
        let caller = self.caller.as_deref()?;
        match caller.rsplit_once('-') {
            Some((function, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => Some(function),
            _ => Some(caller),
        }
    }
}

/// The path decides for S3 Control and Lambda, whose clients may send any host; then the target of a JSON
/// service; what is left is S3 unless it was signed for another service.
fn service(parts: &Parts) -> Service {
    if parts.uri.path().starts_with("/v20180820/") || host(parts).contains("s3-control") {
        return Service::S3Control;
    }
    if local_lambda::is_request(parts) {
        return Service::Lambda;
    }
    if let Some(target) = target(parts) {
        return if target.starts_with(EVENTS) { Service::Events } else { Service::Unserved };
    }
    match Credential::of(&parts.headers).map(|credential| credential.service) {
        None | Some("s3") => Service::S3,
        Some(_) => Service::Unserved,
    }
}

/// How the target of every `EventBridge` request starts.
const EVENTS: &str = "AWSEvents.";

fn operation(service: Service, parts: &Parts, s3: &S3) -> &'static str {
    match service {
        Service::S3 => s3.operation(parts),
        Service::S3Control => local_batch::operation(parts),
        Service::Lambda => local_lambda::operation(parts),
        Service::Events if target(parts) == Some("AWSEvents.PutEvents") => "PutEvents",
        Service::Events | Service::Unserved => "UnknownOperation",
    }
}

/// The operation of a JSON service, such as `AWSEvents.PutEvents`.
pub(crate) fn target(parts: &Parts) -> Option<&str> {
    parts.headers.get("x-amz-target")?.to_str().ok()
}

fn host(parts: &Parts) -> &str {
    let header = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    header.unwrap_or_default()
}
