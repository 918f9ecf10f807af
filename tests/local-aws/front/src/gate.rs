use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

use crate::{Fault, RequestInfo};

/// The one place that every request passes, before it is served and after.
/// It may wait, and so delay the request or its answer.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Before the request has any effect.
    async fn before(&self, _info: &RequestInfo, _request: &Request<Bytes>) -> Verdict {
        Verdict::Proceed
    }

    /// After the request had its effect, before its answer is sent.
    async fn after(&self, _info: &RequestInfo, _response: &Response<Bytes>) -> Verdict {
        Verdict::Proceed
    }

    /// In place of [`Gate::after`], where [`Gate::before`] said so.
    async fn after_fault(&self, _fault: Fault, _info: &RequestInfo, response: Response<Bytes>) -> Verdict {
        Verdict::Answer(response)
    }
}

/// What becomes of a request at the gate.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on.
    Proceed,
    /// It goes on, and its answer meets this.
    ProceedThen(Fault),
    /// This answer is sent instead.
    Answer(Response<Bytes>),
    /// The connection is cut without an answer.
    Drop,
}

/// A gate that asks `decide` before each request.
pub fn before<F, V>(decide: F) -> impl Gate
where
    F: Fn(RequestInfo) -> V + Send + Sync,
    V: Future<Output = Verdict> + Send,
{
    Before(decide)
}

/// A gate that asks `decide` after each request, with the status of its answer.
pub fn after<F, V>(decide: F) -> impl Gate
where
    F: Fn(RequestInfo, u16) -> V + Send + Sync,
    V: Future<Output = Verdict> + Send,
{
    After(decide)
}

struct Before<F>(F);

#[async_trait]
impl<F, V> Gate for Before<F>
where
    F: Fn(RequestInfo) -> V + Send + Sync,
    V: Future<Output = Verdict> + Send,
{
    async fn before(&self, info: &RequestInfo, _: &Request<Bytes>) -> Verdict {
        (self.0)(info.clone()).await
    }
}

struct After<F>(F);

#[async_trait]
impl<F, V> Gate for After<F>
where
    F: Fn(RequestInfo, u16) -> V + Send + Sync,
    V: Future<Output = Verdict> + Send,
{
    async fn after(&self, info: &RequestInfo, response: &Response<Bytes>) -> Verdict {
        (self.0)(info.clone(), response.status().as_u16()).await
    }
}
