use std::io;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response, Uri,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING},
    uri::{Authority, Scheme},
};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use crate::s3_error;

/// Hands S3 requests on to another S3 server, path, query, body and signed headers untouched.
pub(crate) struct Forwarder {
    client: Client<HttpConnector, Full<Bytes>>,
    server: Authority,
    tells_of_tls: bool,
}

impl Forwarder {
    /// To a server at `http://HOST:PORT`; TLS is not served.
    pub(crate) fn new(url: &str) -> io::Result<Self> {
        let uri: Uri = url.parse().map_err(|error| invalid(url, &error))?;
        let plain = uri.scheme() == Some(&Scheme::HTTP) && uri.path() == "/";
        let server = uri.authority().filter(|_| plain).cloned();
        let server = server.ok_or_else(|| invalid(url, &"it must have the form http://HOST:PORT"))?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector), server, tells_of_tls: false })
    }

    /// Tells the server, as a proxy at which TLS ends does, that requests came by https: policies that refuse plain
    /// http (`aws:SecureTransport`) then judge them as on AWS.
    pub(crate) fn telling_of_tls(self) -> Self {
        Self { tells_of_tls: true, ..self }
    }

    /// A server that cannot be reached is unavailable for the moment, as a 503 says.
    pub(crate) async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        match self.forwarded(request).await {
            Ok(response) => response,
            Err(error) => {
                tracing::warn!(error = &*error, server = %self.server, "the S3 server behind gave no answer");
                s3_error(503, "ServiceUnavailable", "The S3 server behind gave no answer.")
            }
        }
    }

    async fn forwarded(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
        let (mut parts, body) = request.into_parts();
        let mut uri = parts.uri.into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(self.server.clone());
        parts.uri = Uri::from_parts(uri)?;
        of_one_connection(&mut parts.headers);
        if self.tells_of_tls {
            parts.headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        }
        let response = self.client.request(Request::from_parts(parts, Full::new(body))).await?;
        let (mut parts, body) = response.into_parts();
        of_one_connection(&mut parts.headers);
        Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
    }
}

/// Removes what belongs to one connection; a body that came in chunks leaves with its length.
fn of_one_connection(headers: &mut HeaderMap) {
    if headers.remove(TRANSFER_ENCODING).is_some() {
        headers.remove(CONTENT_LENGTH);
    }
    headers.remove(CONNECTION);
    headers.remove(EXPECT);
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}

fn invalid(url: &str, fault: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("the S3 server {url} cannot be used: {fault}"))
}
