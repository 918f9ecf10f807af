use std::{fmt, future::Future, pin::Pin, sync::Arc};

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;

type Answer = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

/// An HTTP client for the SDKs that calls a function instead of a network.
#[derive(Clone)]
pub struct Wire(Arc<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>);

impl Wire {
    pub fn to<F>(serve: impl Fn(Request<Bytes>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response<Bytes>> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(serve(request))))
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Wire")
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let serve = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let (parts, body) =
                request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?.into_parts();
            let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
            let answer = serve(Request::from_parts(parts, body)).await.map(Into::into);
            answer
                .try_into()
                .map_err(|error: aws_smithy_runtime_api::http::HttpError| ConnectorError::user(error.into()))
        })
    }
}
