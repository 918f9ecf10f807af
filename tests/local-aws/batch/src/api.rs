use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header::CONTENT_TYPE};
use uuid::Uuid;

use crate::{
    create::{self, CreateJob},
    error::ApiError,
    job::{Job, Status},
    render,
    routes::{self, Route},
    store::Shared,
    tags,
    xml::Element,
};

/// Most jobs in one page of ListJobs (API_control_ListJobs).
const PAGE_MAX: usize = 1000;

/// Answers one request; every answer carries a request id.
pub(crate) fn answer(shared: &Arc<Shared>, request: Request<Bytes>) -> Response<Bytes> {
    let request_id = Uuid::new_v4().simple().to_string();
    let (status, body) = match serve(shared, &request) {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => {
            tracing::debug!(%error, method = %request.method(), path = request.uri().path(), "refused");
            (error.status, Some(error.body(&request_id)))
        }
    };
    let mut response = Response::new(body.map(|root| root.document().into()).unwrap_or_default());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/xml"));
    if let Ok(id) = request_id.parse() {
        headers.insert("x-amz-request-id", id);
    }
    response
}

fn serve(shared: &Arc<Shared>, request: &Request<Bytes>) -> Result<Option<Element>, ApiError> {
    let route = Route::of(request.method(), request.uri())
        .ok_or_else(|| ApiError::not_implemented(format!("{} {}", request.method(), request.uri().path())))?;
    check_account(request, &shared.options.account)?;
    match route {
        Route::CreateJob => create_job(shared, request.body()).map(Some),
        Route::ListJobs => list_jobs(shared, request.uri()).map(Some),
        Route::DescribeJob(id) => describe_job(shared, &id).map(Some),
        Route::UpdateJobPriority(id) => update_priority(shared, &id, request.uri()).map(Some),
        Route::UpdateJobStatus(id) => update_status(shared, &id, request.uri()).map(Some),
        Route::PutJobTagging(id) => put_tags(shared, &id, request.body()).map(|()| None),
        Route::GetJobTagging(id) => get_tags(shared, &id).map(Some),
        Route::DeleteJobTagging(id) => set_tags(shared, &id, BTreeMap::new()).map(|()| None),
    }
}

/// The account is in the header `x-amz-account-id`, which every SDK sends.
fn check_account(request: &Request<Bytes>, ours: &str) -> Result<(), ApiError> {
    let account = request.headers().get("x-amz-account-id").and_then(|value| value.to_str().ok());
    let account = account.ok_or_else(|| ApiError::bad_request("the header x-amz-account-id is missing"))?;
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ApiError::bad_request(format!(
            "x-amz-account-id is an AWS account of twelve digits, not {account}"
        )));
    }
    if account != ours {
        return Err(ApiError::access_denied(format!("the jobs here are of the AWS account {ours}")));
    }
    Ok(())
}

fn create_job(shared: &Arc<Shared>, body: &[u8]) -> Result<Element, ApiError> {
    let request = CreateJob::read(body, &shared.options.account)?;
    shared.create(request).map(|id| Element::new("CreateJobResult").leaf("JobId", id))
}

fn describe_job(shared: &Shared, id: &str) -> Result<Element, ApiError> {
    find(shared, id).map(|job| Element::new("DescribeJobResult").with(render::descriptor(&job, shared.now())))
}

fn find(shared: &Shared, id: &str) -> Result<Job, ApiError> {
    check_id(id)?;
    shared.swept().job(id).cloned().ok_or_else(|| ApiError::no_such_job(id))
}

/// A job id has 5 to 36 characters (API_control_DescribeJob).
fn check_id(id: &str) -> Result<(), ApiError> {
    let fits =
        (5..=36).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if fits { Ok(()) } else { Err(ApiError::bad_request(format!("not a job id: {id}"))) }
}

/// Newest first. A token is the sequence of the last job shown, so jobs made meanwhile shift no page.
fn list_jobs(shared: &Shared, uri: &Uri) -> Result<Element, ApiError> {
    let listing = Listing::read(uri)?;
    let state = shared.swept();
    let older = |job: &&Job| listing.before.is_none_or(|before| job.sequence < before);
    let wanted = |job: &&Job| listing.statuses.is_empty() || listing.statuses.contains(&job.status);
    let mut jobs = state.jobs().rev().filter(older).filter(wanted);
    let page: Vec<&Job> = jobs.by_ref().take(listing.most).collect();
    let next = page.last().filter(|_| jobs.next().is_some()).map(|job| token(job.sequence));
    let now = shared.now();
    let members = page.iter().map(|job| render::list_descriptor(job, now));
    Ok(Element::new("ListJobsResult").leaf_some("NextToken", next).with(Element::new("Jobs").with_all(members)))
}

struct Listing {
    statuses: Vec<Status>,
    most: usize,
    before: Option<u64>,
}

impl Listing {
    fn read(uri: &Uri) -> Result<Self, ApiError> {
        let mut listing = Self { statuses: Vec::new(), most: PAGE_MAX, before: None };
        for (name, value) in routes::query(uri) {
            match name.as_str() {
                "jobStatuses" => listing.statuses.push(status(&value)?),
                "maxResults" => listing.most = page_size(&value)?,
                "nextToken" => listing.before = Some(sequence(&value)?),
                other => return Err(invalid(format!("unknown parameter {other}"))),
            }
        }
        Ok(listing)
    }
}

fn status(name: &str) -> Result<Status, ApiError> {
    let found = Status::ALL.into_iter().find(|status| status.as_str() == name);
    found.ok_or_else(|| invalid(format!("unknown job status {name}")))
}

/// 0 to 1,000; AWS does not say what 0 gives, here it asks for the largest page.
fn page_size(text: &str) -> Result<usize, ApiError> {
    match text.parse() {
        Ok(0) => Ok(PAGE_MAX),
        Ok(most) if most <= PAGE_MAX => Ok(most),
        _ => Err(invalid(format!("maxResults is a number from 0 to {PAGE_MAX}, not {text}"))),
    }
}

fn token(sequence: u64) -> String {
    format!("jobs-before-{sequence}")
}

fn sequence(token: &str) -> Result<u64, ApiError> {
    let number = token.strip_prefix("jobs-before-").and_then(|number| number.parse().ok());
    number.ok_or_else(|| ApiError::refused("InvalidNextTokenException", "nextToken is not one that ListJobs gave"))
}

fn invalid(message: String) -> ApiError {
    ApiError::refused("InvalidRequestException", message)
}

/// The priority of a job that is over means nothing, so it cannot be changed.
fn update_priority(shared: &Shared, id: &str, uri: &Uri) -> Result<Element, ApiError> {
    check_id(id)?;
    let [text] = parameters(uri, ["priority"])?;
    let priority = create::priority(&text.ok_or_else(|| ApiError::bad_request("priority is missing"))?)?;
    shared.change(id, |job| {
        if job.status.is_terminal() {
            return Err(ApiError::bad_request(format!("the job is {}", job.status.as_str())));
        }
        job.priority = priority;
        Ok(Element::new("UpdateJobPriorityResult").leaf("JobId", id).leaf("Priority", priority))
    })
}

fn update_status(shared: &Shared, id: &str, uri: &Uri) -> Result<Element, ApiError> {
    check_id(id)?;
    let [requested, reason] = parameters(uri, ["requestedJobStatus", "statusUpdateReason"])?;
    let ready = match requested.as_deref() {
        Some("Ready") => true,
        Some("Cancelled") => false,
        other => {
            return Err(ApiError::bad_request(format!(
                "requestedJobStatus is Cancelled or Ready, not {}",
                other.unwrap_or("missing")
            )));
        }
    };
    if reason.as_ref().is_some_and(|reason| !(1..=256).contains(&reason.chars().count())) {
        return Err(ApiError::bad_request("statusUpdateReason has 1 to 256 characters"));
    }
    let job = shared.request_status(id, ready, reason)?;
    let result = Element::new("UpdateJobStatusResult").leaf("JobId", id).leaf("Status", job.status.as_str());
    Ok(result.leaf_some("StatusUpdateReason", job.status_update_reason))
}

/// The values of the named parameters; any other parameter is refused.
fn parameters<const N: usize>(uri: &Uri, names: [&str; N]) -> Result<[Option<String>; N], ApiError> {
    let mut values = [const { None }; N];
    for (name, value) in routes::query(uri) {
        let index = names.iter().position(|known| *known == name);
        let index = index.ok_or_else(|| ApiError::bad_request(format!("unknown parameter {name}")))?;
        values[index] = Some(value);
    }
    Ok(values)
}

fn put_tags(shared: &Shared, id: &str, body: &[u8]) -> Result<(), ApiError> {
    check_id(id)?;
    let root = Element::parse(body)?;
    if root.name != "PutJobTaggingRequest" {
        return Err(ApiError::bad_request(format!("expected PutJobTaggingRequest, not {}", root.name)));
    }
    root.only(&["Tags"])?;
    let list = root.child("Tags").ok_or_else(|| ApiError::bad_request("Tags is missing in PutJobTaggingRequest"))?;
    set_tags(shared, id, tags::read(list, "TooManyTagsException")?)
}

fn get_tags(shared: &Shared, id: &str) -> Result<Element, ApiError> {
    find(shared, id).map(|job| Element::new("GetJobTaggingResult").with(tags::element(&job.tags)))
}

fn set_tags(shared: &Shared, id: &str, tags: BTreeMap<String, String>) -> Result<(), ApiError> {
    check_id(id)?;
    shared.change(id, |job| {
        job.tags = tags;
        Ok(())
    })
}
