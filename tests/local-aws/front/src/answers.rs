use bytes::Bytes;
use http::{Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

/// An error as S3 says it, such as `s3_error(503, "SlowDown", "Please reduce your request rate.")`.
/// A status that is none becomes 500.
pub fn s3_error(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let body = format!("{XML}<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    answer(status, "application/xml", body)
}

/// An error as S3 Control says it: S3's, wrapped. A status that is none becomes 500.
pub fn s3_control_error(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    answer(status, "application/xml", format!("{XML}<ErrorResponse>{error}</ErrorResponse>"))
}

/// An error as the services that speak JSON say it.
pub(crate) fn json_error(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let mut response = json_answer(status, &json!({ "__type": code, "message": message }));
    if let Ok(code) = code.parse() {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

pub(crate) fn json_answer(status: u16, body: &Value) -> Response<Bytes> {
    answer(status, "application/json", body.to_string())
}

const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

fn answer(status: u16, kind: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}
