use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, Uri, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{Cut, admin, answers::json_error, cloud::Cloud};

/// Accepts connections until the task is aborted, which cuts them all.
pub(crate) async fn serve(listener: TcpListener, cloud: Arc<Cloud>) {
    let mut connections = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Too many open files, say: those who are served go on.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::task::yield_now().await;
                continue;
            }
        };
        // A socket that refuses the option still works, only slower.
        let _ = stream.set_nodelay(true);
        let cloud = cloud.clone();
        let service = service_fn(move |request| answer(cloud.clone(), request));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        while connections.try_join_next().is_some() {}
    }
}

/// One request; an error cuts the connection.
async fn answer(cloud: Arc<Cloud>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
    let (mut parts, body) = request.into_parts();
    // A body that breaks off has lost its caller.
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    if parts.method == Method::CONNECT {
        let message = "tunnels are not served: only plain http goes through this proxy";
        return Ok(json_error(501, "NotImplemented", message).map(Full::new));
    }
    parts.uri = origin_form(parts.uri);
    let request = Request::from_parts(parts, body);
    if admin::is_request(request.uri()) {
        return Ok(admin::answer(&cloud, &request).map(Full::new));
    }
    // A task of its own, because what has arrived is carried out even if its caller dies meanwhile.
    let answered = tokio::spawn(async move { cloud.call(request).await }).await;
    Ok(answered.map_err(|_| Cut)??.map(Full::new))
}

/// A proxy's client sends the whole address (`GET http://host/path`), a server's the path.
fn origin_form(uri: Uri) -> Uri {
    if uri.scheme().is_none() {
        return uri;
    }
    let path = uri.into_parts().path_and_query;
    Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
}
