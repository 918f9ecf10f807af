use std::borrow::Cow;

use http::{Method, request::Parts};
use percent_encoding::percent_decode_str;

use crate::name::Name;

/// Where the operations on functions live.
const FUNCTIONS: &str = "/2015-03-31/functions";

/// Whether the request is one of the Lambda API.
/// Lambda has other dated paths (`/2017-10-31/…`), all of them operations that are not served.
pub fn is_request(parts: &Parts) -> bool {
    let path = parts.uri.path();
    path == FUNCTIONS || path.starts_with("/2015-03-31/functions/")
}

/// The AWS name of the operation, or `UnknownOperation`.
pub fn operation(parts: &Parts) -> &'static str {
    let rest = parts.uri.path().strip_prefix(FUNCTIONS).unwrap_or_default();
    let segments: Vec<&str> = rest.split('/').filter(|segment| !segment.is_empty()).collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::POST, [_, "invocations"]) => "Invoke",
        (&Method::GET, [_]) => "GetFunction",
        (&Method::GET, []) => "ListFunctions",
        (&Method::POST, []) => "CreateFunction",
        (&Method::DELETE, [_]) => "DeleteFunction",
        (&Method::GET, [_, "configuration"]) => "GetFunctionConfiguration",
        (&Method::PUT, [_, "configuration"]) => "UpdateFunctionConfiguration",
        (&Method::PUT, [_, "code"]) => "UpdateFunctionCode",
        (&Method::POST, [_, "versions"]) => "PublishVersion",
        (&Method::GET, [_, "versions"]) => "ListVersionsByFunction",
        (&Method::GET, [_, "aliases"]) => "ListAliases",
        (&Method::GET, [_, "policy"]) => "GetPolicy",
        (&Method::POST, [_, "policy"]) => "AddPermission",
        _ => "UnknownOperation",
    }
}

/// The bare name of the function that the request is about, without version.
pub fn function_name(parts: &Parts) -> Option<String> {
    let segment = name_segment(parts)?;
    Some(Name::parse(&segment).function.to_owned())
}

/// The function's name or ARN as the path gives it, decoded.
pub(crate) fn name_segment(parts: &Parts) -> Option<Cow<'_, str>> {
    let rest = parts.uri.path().strip_prefix(FUNCTIONS)?.strip_prefix('/')?;
    let segment = rest.split('/').next().filter(|segment| !segment.is_empty())?;
    percent_decode_str(segment).decode_utf8().ok()
}

/// The `Qualifier` of the query, decoded.
pub(crate) fn qualifier(parts: &Parts) -> Option<Cow<'_, str>> {
    let mut pairs = parts.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == "Qualifier")?;
    percent_decode_str(value).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &str, uri: &str) -> Parts {
        http::Request::builder().method(method).uri(uri).body(()).unwrap().into_parts().0
    }

    #[test]
    fn an_encoded_arn_gives_the_functions_name() {
        let request = parts(
            "POST",
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Ar%3A1%3Afunction%3Aeraser%3A7/invocations?Qualifier=%24LATEST",
        );
        assert_eq!(function_name(&request).as_deref(), Some("eraser"));
        assert_eq!(qualifier(&request).as_deref(), Some("$LATEST"));
        assert_eq!(operation(&request), "Invoke");
    }

    #[test]
    fn only_lambdas_paths_are_lambdas() {
        assert!(is_request(&parts("GET", "/2015-03-31/functions")));
        assert!(is_request(&parts("GET", "/2015-03-31/functions/f")));
        assert!(!is_request(&parts("GET", "/2015-03-31/functionsabc")));
        assert_eq!(operation(&parts("DELETE", "/2015-03-31/functions/f")), "DeleteFunction");
        assert_eq!(operation(&parts("GET", "/2015-03-31/functions/f/x/y")), "UnknownOperation");
    }
}
