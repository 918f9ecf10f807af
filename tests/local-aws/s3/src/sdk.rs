//! The AWS SDK wired to a service in memory: no socket, no thread, no real time.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig, retry::RetryConfig};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt;

use crate::{Now, S3};

/// An SDK client of this S3, in memory: fixed credentials, path style, no retries, the S3's own clock.
pub fn sdk_client(s3: &S3) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(sdk_config(s3).build())
}

/// The configuration behind [`sdk_client`], to be changed further.
pub fn sdk_config(s3: &S3) -> aws_sdk_s3::config::Builder {
    let options = s3.options();
    let service = s3.clone();
    let call = move |request| {
        let service = service.clone();
        async move { service.call(request).await }
    };
    aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(in_process(call))
        .time_source(Clock(options.now.clone()))
        .credentials_provider(Credentials::new(&options.access_key, &options.secret_key, None, None, "local"))
        .region(Region::new(options.region.clone()))
        .endpoint_url("http://s3.local")
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
}

/// Any service of whole requests and responses as the HTTP client of any AWS SDK client.
pub fn in_process<F, R>(call: F) -> SharedHttpClient
where
    F: Fn(Request<Bytes>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Bytes>> + Send + 'static,
{
    in_process_or_cut(move |request| {
        let answer = call(request);
        async move { Ok::<_, Infallible>(answer.await) }
    })
}

/// The same for a service that may have no answer: its error is what a client sees of a connection that was cut.
pub fn in_process_or_cut<F, R, E>(call: F) -> SharedHttpClient
where
    F: Fn(Request<Bytes>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Response<Bytes>, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let call = move |request| -> Exchange {
        let answer = call(request);
        Box::pin(async move { answer.await.map_err(|error| ConnectorError::io(error.into())) })
    };
    SharedHttpClient::new(InProcess(Arc::new(call)))
}

type Exchange = std::pin::Pin<Box<dyn Future<Output = Result<Response<Bytes>, ConnectorError>> + Send>>;

#[derive(Clone)]
struct InProcess(Arc<dyn Fn(Request<Bytes>) -> Exchange + Send + Sync>);

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let service = self.clone();
        HttpConnectorFuture::new(async move {
            let request = received(request).await?;
            let response = (service.0)(request).await?;
            HttpResponse::try_from(response.map(SdkBody::from)).map_err(|error| broken(error.into()))
        })
    }
}

/// The request as a server would have it: whole, with a `Host`.
async fn received(request: HttpRequest) -> Result<Request<Bytes>, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| broken(error.into()))?;
    let (mut parts, body) = request.into_parts();
    if let (false, Some(authority)) = (parts.headers.contains_key(header::HOST), parts.uri.authority()) {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|error| broken(error.into()))?;
        parts.headers.insert(header::HOST, host);
    }
    let body = body.collect().await.map_err(broken)?.to_bytes();
    Ok(Request::from_parts(parts, body))
}

fn broken(error: Box<dyn std::error::Error + Send + Sync>) -> ConnectorError {
    ConnectorError::other(error, None)
}

/// The S3's clock as the SDK's: signatures carry the time that the S3 has.
struct Clock(Now);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        (self.0)().into()
    }
}
