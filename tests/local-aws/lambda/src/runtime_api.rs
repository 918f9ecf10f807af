use std::{
    convert::Infallible,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use crate::{Outcome, log_pipe::LogPipe};

/// The version of the Runtime API (Lambda Developer Guide, "Using the Lambda runtime API").
const RUNTIME: &str = "/2018-06-01/runtime/";

/// Largest answer of a function in bytes: 6 MB and the 100 bytes that AWS's own message allows on top.
const RESPONSE_BYTES_MAX: usize = 6_291_556;

/// One request on its way to a process.
pub(crate) struct Work {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) payload: Bytes,
    /// Told when the process has taken it.
    pub(crate) delivered: oneshot::Sender<()>,
    pub(crate) reply: oneshot::Sender<Outcome>,
}

/// Serves the Runtime API to one process until the task is aborted.
pub(crate) async fn serve(listener: TcpListener, exchange: Arc<Exchange>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // Small answers should not wait for more; a socket that refuses the option still works.
        let _ = stream.set_nodelay(true);
        let exchange = exchange.clone();
        let service = service_fn(move |request| answer(exchange.clone(), request));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(exchange: Arc<Exchange>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "InvalidRequest", "the body could not be read"));
    };
    let body = body.to_bytes();
    let path = parts.uri.path().strip_prefix(RUNTIME).unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    Ok(match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => exchange.next().await,
        (&Method::POST, ["invocation", id, "response"]) if parts.headers.contains_key(STREAMED) => {
            exchange.refuse_stream(id)
        }
        (&Method::POST, ["invocation", id, "response"]) => exchange.response(id, body),
        (&Method::POST, ["invocation", id, "error"]) => exchange.finish(id, Outcome::FunctionError(body)),
        (&Method::POST, ["init", "error"]) => exchange.init_failed(body),
        _ => refusal(StatusCode::NOT_IMPLEMENTED, "NotImplemented", parts.uri.path()),
    })
}

/// Marks an answer that is sent in pieces, which is not served.
const STREAMED: &str = "lambda-runtime-function-response-mode";

/// What passes between a process and those who wait for it.
pub(crate) struct Exchange {
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Work>>,
    current: Mutex<Option<(String, oneshot::Sender<Outcome>)>>,
    init_error: OnceLock<Bytes>,
    started: Instant,
    init: OnceLock<Duration>,
    logs: Arc<LogPipe>,
    timeout: Duration,
}

impl Exchange {
    pub(crate) fn new(
        waiting: mpsc::UnboundedReceiver<Work>,
        logs: Arc<LogPipe>,
        timeout: Duration,
        started: Instant,
    ) -> Self {
        Self {
            waiting: tokio::sync::Mutex::new(waiting),
            current: Mutex::default(),
            init_error: OnceLock::new(),
            started,
            init: OnceLock::new(),
            logs,
            timeout,
        }
    }

    /// From the start of the process to its first request for work.
    pub(crate) fn init(&self) -> Option<Duration> {
        self.init.get().copied()
    }

    /// What the process said when it could not start.
    pub(crate) fn init_error(&self) -> Option<Bytes> {
        self.init_error.get().cloned()
    }

    /// Waits for the next request, for as long as it takes.
    async fn next(&self) -> Response<Full<Bytes>> {
        self.init.get_or_init(|| self.started.elapsed());
        if self.current.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            let message = "the request before was not answered";
            return refusal(StatusCode::FORBIDDEN, "InvalidStateTransition", message);
        }
        let Some(work) = self.waiting.lock().await.recv().await else {
            return refusal(StatusCode::GONE, "Container.Ended", "there will be no more requests");
        };
        let response = self.handed_over(&work);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some((work.id, work.reply));
        // Nobody waits any more if the caller's runtime is ending.
        let _ = work.delivered.send(());
        response
    }

    /// The deadline goes by the real clock, which is the one the process can read.
    fn handed_over(&self, work: &Work) -> Response<Full<Bytes>> {
        let deadline = i128::from(Timestamp::now().as_millisecond()) + self.timeout.as_millis().cast_signed();
        Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", &work.id)
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header("lambda-runtime-invoked-function-arn", &work.arn)
            .header("lambda-runtime-trace-id", trace_id(&work.id))
            .body(Full::new(work.payload.clone()))
            .expect("ids and ARNs are valid header values")
    }

    fn response(&self, id: &str, body: Bytes) -> Response<Full<Bytes>> {
        if body.len() <= RESPONSE_BYTES_MAX {
            return self.finish(id, Outcome::Answer(body));
        }
        let message =
            format!("Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes).");
        let refused = self.finish(id, Outcome::error("Function.ResponseSizeTooLarge", &message));
        if refused.status() != StatusCode::ACCEPTED {
            return refused;
        }
        refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
    }

    fn refuse_stream(&self, id: &str) -> Response<Full<Bytes>> {
        let message = "streamed responses are not served by the local Lambda";
        self.finish(id, Outcome::error("NotImplemented", message));
        refusal(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
    }

    /// Ends the current request; what the process wrote before is in the logs by then.
    fn finish(&self, id: &str, outcome: Outcome) -> Response<Full<Bytes>> {
        self.logs.drain();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match current.take_if(|(current, _)| current == id) {
            Some((_, reply)) => {
                // Nobody waits any more after a timeout.
                let _ = reply.send(outcome);
                accepted()
            }
            None => refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID"),
        }
    }

    fn init_failed(&self, body: Bytes) -> Response<Full<Bytes>> {
        self.logs.drain();
        self.init_error.get_or_init(|| body);
        accepted()
    }
}

/// A well-formed X-Ray trace header; no trace is kept.
fn trace_id(id: &str) -> String {
    let hex: String = id.chars().filter(char::is_ascii_hexdigit).collect();
    format!("Root=1-00000000-{hex:0<24.24};Sampled=0")
}

fn accepted() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"{\"status\":\"OK\"}")));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn refusal(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    let body = json!({ "errorType": kind, "errorMessage": message });
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response
}
