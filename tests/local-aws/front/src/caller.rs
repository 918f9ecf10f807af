use http::{HeaderMap, header};

/// The app id in the User-Agent (`app/…`), which names the function process that sent the request.
/// The Rust SDK writes it last, after the metadata of the HTTP client.
pub(crate) fn app_id(headers: &HeaderMap) -> Option<String> {
    let agent = headers.get(header::USER_AGENT)?.to_str().ok()?;
    agent.split(' ').find_map(|word| word.strip_prefix("app/")).map(str::to_owned)
}

/// What the `Authorization` header says about who calls what.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Credential<'a> {
    pub(crate) access_key: &'a str,
    /// The service of the credential scope: `s3`, `lambda`, `events`, …
    pub(crate) service: &'a str,
}

impl<'a> Credential<'a> {
    /// From `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
    pub(crate) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let (_, rest) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once("Credential=")?;
        let scope = rest.split([',', ' ']).next()?;
        let mut parts = scope.rsplitn(5, '/').skip(1);
        let service = parts.next()?;
        Some(Self { service, access_key: parts.nth(2)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, http::HeaderValue::from_static(value))])
    }

    #[test]
    fn the_app_id_is_found_among_the_words() {
        let agent = "aws-sdk-rust/1.5 ua/2.1 api/s3/1.157.0 os/linux lang/rust/1.95.0 m/E,b app/eraser-3";
        assert_eq!(app_id(&headers(header::USER_AGENT, agent)).as_deref(), Some("eraser-3"));
        assert_eq!(app_id(&headers(header::USER_AGENT, "curl/8 myapp/1")), None);
    }

    #[test]
    fn the_credential_names_key_and_service() {
        let value = "AWS4-HMAC-SHA256 Credential=a/b/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host";
        let headers = headers(header::AUTHORIZATION, value);
        assert_eq!(Credential::of(&headers), Some(Credential { access_key: "a/b", service: "lambda" }));
        assert_eq!(Credential::of(&HeaderMap::new()), None);
    }
}
