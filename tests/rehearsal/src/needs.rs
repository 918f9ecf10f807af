//! What AWS asks a caller to be allowed to, request by request.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Request, header};
use local_aws::{RequestInfo, Service};
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// A permission that a request needs, by AWS's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Such as `s3:GetObject`.
    pub action: String,
    /// An ARN, or `*` where AWS defines no resource for the action.
    pub resource: String,
    /// Condition keys that tell of the request, where a policy of ours asks for them.
    pub context: Vec<(&'static str, String)>,
}

/// Where the requests go.
#[derive(Clone, Debug)]
pub struct Place {
    /// The AWS account.
    pub account: String,
    /// The Region.
    pub region: String,
}

impl Need {
    fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), context: Vec::new() }
    }
}

/// Every permission this request needs. A request that is not known here needs one that nobody has, named after it.
pub fn of(info: &RequestInfo, request: &Request<Bytes>, place: &Place) -> Vec<Need> {
    match info.service {
        Service::S3 => of_s3(info, request),
        Service::S3Control => of_s3_control(info, request, place),
        Service::Lambda => vec![Need::new("lambda:InvokeFunction", function(request, place))],
        Service::Events if info.operation == "PutEvents" => to_put_events(request.body(), place),
        Service::Events | Service::Unserved => vec![Need::new(format!("unknown:{}", request.uri().path()), "*")],
    }
}

/// A read of an absent key is answered with 404 to those alone who may list (API reference, "GetObject").
pub fn to_be_told_of_absence(info: &RequestInfo) -> Need {
    Need::new("s3:ListBucket", bucket(info))
}

/// As the Service Authorization Reference and the API reference of each operation say.
fn of_s3(info: &RequestInfo, request: &Request<Bytes>) -> Vec<Need> {
    let on = |action: &str, resource: String| vec![Need::new(action, resource)];
    let is_version = parameter(request, "versionId").is_some();
    match info.operation {
        "ListObjectVersions" => on("s3:ListBucketVersions", bucket(info)),
        "ListObjectsV2" | "ListObjects" | "HeadBucket" => on("s3:ListBucket", bucket(info)),
        "ListMultipartUploads" => on("s3:ListBucketMultipartUploads", bucket(info)),
        "GetBucketVersioning" => on("s3:GetBucketVersioning", bucket(info)),
        "GetBucketEncryption" => on("s3:GetEncryptionConfiguration", bucket(info)),
        "GetObject" | "HeadObject" if is_version => on("s3:GetObjectVersion", object(info)),
        "GetObject" | "HeadObject" => on("s3:GetObject", object(info)),
        "PutObject" => with_condition(on("s3:PutObject", object(info)), info, request),
        "DeleteObject" => with_condition(to_delete(&object(info), is_version), info, request),
        "DeleteObjects" => to_delete_all(&bucket(info), request.body()),
        other => on(&format!("s3:{other}"), object(info)),
    }
}

/// A conditional write or delete that names an ETag asks for `s3:GetObject` too (S3 User Guide, "Conditional requests").
fn with_condition(mut needs: Vec<Need>, info: &RequestInfo, request: &Request<Bytes>) -> Vec<Need> {
    if request.headers().get(header::IF_MATCH).is_some_and(|etag| etag != "*") {
        needs.push(Need::new("s3:GetObject", object(info)));
    }
    needs
}

/// `s3:DeleteObject` is asked for always, `s3:DeleteObjectVersion` for a version besides (API reference,
/// "DeleteObject" and "DeleteObjects").
fn to_delete(object: &str, is_version: bool) -> Vec<Need> {
    let version = is_version.then(|| Need::new("s3:DeleteObjectVersion", object));
    [Need::new("s3:DeleteObject", object)].into_iter().chain(version).collect()
}

fn to_delete_all(bucket: &str, body: &Bytes) -> Vec<Need> {
    let body = String::from_utf8_lossy(body);
    let object = |part: &str| {
        let key = element(part, "Key").unwrap_or_default();
        to_delete(&format!("{bucket}/{key}"), element(part, "VersionId").is_some())
    };
    body.split("<Object>").skip(1).flat_map(object).collect()
}

fn of_s3_control(info: &RequestInfo, request: &Request<Bytes>, place: &Place) -> Vec<Need> {
    let Place { account, region } = place;
    let requested = ("aws:RequestedRegion", region.clone());
    match info.operation {
        "CreateJob" => to_create_job(&String::from_utf8_lossy(request.body()), requested),
        "ListJobs" => vec![Need { context: vec![requested], ..Need::new("s3:ListJobs", "*") }],
        other => {
            let job = request.uri().path().split('/').nth(3).unwrap_or_default();
            vec![Need::new(format!("s3:{other}"), format!("arn:aws:s3:{region}:{account}:job/{job}"))]
        }
    }
}

/// Whoever creates a job passes its role on (S3 User Guide, "Granting permissions for Batch Operations").
fn to_create_job(body: &str, requested: (&'static str, String)) -> Vec<Need> {
    let operation = if body.contains("<LambdaInvoke>") { "LambdaInvoke" } else { "another" };
    let context = vec![requested, ("s3:RequestJobOperation", operation.to_owned())];
    let passed = ("iam:PassedToService", "batchoperations.s3.amazonaws.com".to_owned());
    let role = element(body, "RoleArn").unwrap_or_default();
    vec![
        Need { context, ..Need::new("s3:CreateJob", "*") },
        Need { context: vec![passed], ..Need::new("iam:PassRole", role) },
    ]
}

fn bucket(info: &RequestInfo) -> String {
    format!("arn:aws:s3:::{}", info.bucket.as_deref().unwrap_or_default())
}

fn object(info: &RequestInfo) -> String {
    format!("{}/{}", bucket(info), info.key.as_deref().unwrap_or_default())
}

/// Asked for entry by entry, on the bus that each names (Service Authorization Reference, "Amazon EventBridge").
fn to_put_events(body: &Bytes, Place { account, region }: &Place) -> Vec<Need> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let need = |entry: &Value| {
        let bus = entry["EventBusName"].as_str().unwrap_or("default");
        let arn = format!("arn:aws:events:{region}:{account}:event-bus/{bus}");
        let source = entry["Source"].as_str().unwrap_or_default().to_owned();
        let resource = if bus.starts_with("arn:") { bus.to_owned() } else { arn };
        Need { context: vec![("events:source", source)], ..Need::new("events:PutEvents", resource) }
    };
    body["Entries"].as_array().map_or_else(Vec::new, |entries| entries.iter().map(need).collect())
}

/// The function's ARN, with a qualifier if the request names one.
fn function(request: &Request<Bytes>, Place { account, region }: &Place) -> String {
    let name = request.uri().path().split('/').nth(3).unwrap_or_default();
    let name = percent_decode_str(name).decode_utf8_lossy();
    let arn = if name.starts_with("arn:") {
        name.into_owned()
    } else {
        format!("arn:aws:lambda:{region}:{account}:function:{name}")
    };
    parameter(request, "Qualifier").map_or(arn.clone(), |qualifier| format!("{arn}:{qualifier}"))
}

fn parameter(request: &Request<Bytes>, name: &str) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

/// The text of the first element of that name.
fn element<'a>(xml: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(quick_xml::escape::unescape(text).unwrap_or(Cow::Borrowed(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_of_delete_objects_needs_its_own_permissions() {
        let body = "<Delete><Object><Key>photos/a&amp;b</Key><VersionId>null</VersionId></Object>\
                    <Object><Key>c</Key></Object></Delete>";
        let needs = to_delete_all("arn:aws:s3:::b", &Bytes::from_static(body.as_bytes()));
        let told: Vec<(&str, &str)> = needs.iter().map(|need| (need.action.as_str(), need.resource.as_str())).collect();
        let expected = [
            ("s3:DeleteObject", "arn:aws:s3:::b/photos/a&b"),
            ("s3:DeleteObjectVersion", "arn:aws:s3:::b/photos/a&b"),
            ("s3:DeleteObject", "arn:aws:s3:::b/c"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_job_needs_its_role_passed_on() {
        let body = "<CreateJobRequest><LambdaInvoke></LambdaInvoke><RoleArn>arn:aws:iam::1:role/r</RoleArn>";
        let needs = to_create_job(body, ("aws:RequestedRegion", "r".to_owned()));
        assert_eq!(needs[1].resource, "arn:aws:iam::1:role/r");
        assert!(needs[0].context.contains(&("s3:RequestJobOperation", "LambdaInvoke".to_owned())));
    }

    #[test]
    fn each_event_needs_leave_for_its_bus() {
        let place = Place { account: "1".into(), region: "r".into() };
        let body = br#"{"Entries":[{"EventBusName":"b","Source":"s"},{"EventBusName":"arn:x"},{}]}"#;
        let needs = to_put_events(&Bytes::from_static(body), &place);
        let told: Vec<&str> = needs.iter().map(|need| need.resource.as_str()).collect();
        assert_eq!(told, ["arn:aws:events:r:1:event-bus/b", "arn:x", "arn:aws:events:r:1:event-bus/default"]);
        assert!(needs.iter().all(|need| need.action == "events:PutEvents"));
        assert_eq!(needs[0].context, [("events:source", "s".to_owned())]);
    }

    #[test]
    fn a_function_is_named_with_its_qualifier() {
        let place = Place { account: "1".into(), region: "r".into() };
        let named = |uri: &str| function(&Request::builder().uri(uri).body(Bytes::new()).unwrap(), &place);
        let arn = "arn:aws:lambda:r:1:function:f";
        assert_eq!(named("/2015-03-31/functions/f/invocations"), arn);
        assert_eq!(named("/2015-03-31/functions/f/invocations?Qualifier=7"), format!("{arn}:7"));
        assert_eq!(
            named("/2015-03-31/functions/arn%3Aaws%3Alambda%3Ar%3A1%3Afunction%3Af%3A7/invocations"),
            format!("{arn}:7")
        );
    }
}
