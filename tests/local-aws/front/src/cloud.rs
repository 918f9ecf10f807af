use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::DATE};
use jiff::fmt::rfc2822::DateTimePrinter;
use local_batch::Batch;
use local_lambda::Lambda;
use local_s3::S3;

use crate::{
    Clock, Events, Gate, Recorder, RequestInfo, Rules, Service, Verdict,
    answers::{json_error, s3_control_error},
    caller::Credential,
    forward::Forwarder,
    put_events::{Place, put_events},
    request::target,
};

/// Everything behind the port.
pub(crate) struct Cloud {
    pub(crate) endpoint: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) clock: Clock,
    /// Without objects where another server has them; it then only reads names off requests.
    pub(crate) s3: S3,
    pub(crate) other_s3: Option<Forwarder>,
    /// Whether the server behind is another AWS, which has all services but S3 Control.
    pub(crate) other_aws: bool,
    pub(crate) batch: Batch,
    pub(crate) lambda: Lambda,
    pub(crate) events: Events,
    pub(crate) rules: Rules,
    pub(crate) recorder: Recorder,
    pub(crate) gate: RwLock<Option<Arc<dyn Gate>>>,
    pub(crate) requests: AtomicU64,
}

/// The request has no answer; its connection must be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

impl std::error::Error for Cut {}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the gate cut the connection")
    }
}

impl Cloud {
    /// Serves one request of AWS through the gate.
    pub(crate) async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Cut> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let (parts, body) = request.into_parts();
        let info = RequestInfo::of(number, &parts, &self.s3);
        let request = Request::from_parts(parts, body);
        self.recorder.arrived(&info);
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = match gate {
            Some(gate) => self.gated(&*gate, &info, request).await,
            None => Ok(self.serve(&info, request).await),
        };
        let status = answer.as_ref().ok().map(|response| response.status().as_u16());
        self.recorder.ended(&info, status);
        answer
    }

    async fn gated(
        &self,
        gate: &dyn Gate,
        info: &RequestInfo,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Cut> {
        let fault = match gate.before(info, &request).await {
            Verdict::Proceed => None,
            Verdict::ProceedThen(fault) => Some(fault),
            Verdict::Answer(response) => return Ok(response),
            Verdict::Drop => return Err(Cut),
        };
        let response = self.serve(info, request).await;
        if let Some(fault) = fault {
            return match gate.after_fault(fault, info, response).await {
                Verdict::Answer(answer) => Ok(answer),
                _ => Err(Cut),
            };
        }
        match gate.after(info, &response).await {
            Verdict::Answer(other) => Ok(other),
            Verdict::Drop => Err(Cut),
            Verdict::Proceed | Verdict::ProceedThen(_) => Ok(response),
        }
    }

    async fn serve(&self, info: &RequestInfo, request: Request<Bytes>) -> Response<Bytes> {
        if let Some(other) = self.elsewhere(info.service) {
            return other.call(request).await;
        }
        // Sessions of another AWS are unknown here.
        let refusal = if self.other_aws { None } else { refusal(info.service, &request) };
        let mut response = match refusal {
            Some(refusal) => refusal,
            None => self.dispatch(info, request).await,
        };
        self.date(&mut response);
        response
    }

    /// The server behind, where it has the service.
    fn elsewhere(&self, service: Service) -> Option<&Forwarder> {
        let has_it = service == Service::S3 || self.other_aws && service != Service::S3Control;
        self.other_s3.as_ref().filter(|_| has_it)
    }

    async fn dispatch(&self, info: &RequestInfo, request: Request<Bytes>) -> Response<Bytes> {
        match info.service {
            Service::S3 => self.s3.call(request).await,
            Service::S3Control => self.batch.call(request).await,
            Service::Lambda => self.lambda.call(request).await,
            Service::Events => self.events(info, request),
            Service::Unserved => unserved(request),
        }
    }

    fn events(&self, info: &RequestInfo, request: Request<Bytes>) -> Response<Bytes> {
        if info.operation != "PutEvents" {
            return unserved(request);
        }
        let place = Place { account: &self.account, region: &self.region, now: self.clock.now() };
        put_events(&self.events, &place, request.body())
    }

    /// The server's time, by which callers may correct theirs, is the moved one.
    fn date(&self, response: &mut Response<Bytes>) {
        if response.headers().contains_key(DATE) {
            return;
        }
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&self.clock.now()).ok();
        if let Some(date) = date.and_then(|date| HeaderValue::try_from(date).ok()) {
            response.headers_mut().insert(DATE, date);
        }
    }
}

/// A refusal unless the caller's access key is the fixed one; S3 checks whole signatures itself.
fn refusal(service: Service, request: &Request<Bytes>) -> Option<Response<Bytes>> {
    if matches!(service, Service::S3 | Service::Unserved) {
        return None;
    }
    let (code, message) = match Credential::of(request.headers()) {
        Some(Credential { access_key: "test", .. }) => return None,
        Some(_) => ("UnrecognizedClientException", "The security token included in the request is invalid."),
        None => ("MissingAuthenticationTokenException", "Missing Authentication Token"),
    };
    Some(match service {
        Service::S3Control => s3_control_error(403, code, message),
        _ => json_error(403, code, message),
    })
}

/// Names what was asked for.
fn unserved(request: Request<Bytes>) -> Response<Bytes> {
    let (parts, _) = request.into_parts();
    let service = Credential::of(&parts.headers).map_or("unknown", |credential| credential.service);
    let operation = target(&parts).unwrap_or(parts.uri.path());
    let message = format!("the local AWS does not serve {operation} of the service {service}");
    json_error(501, "NotImplemented", &message)
}
