use http::{Method, Uri, request::Parts};
use percent_encoding::percent_decode_str;

/// The path all job operations start with.
const JOBS: &str = "/v20180820/jobs";

/// Whether the request is for this API: the path decides, whatever the host
/// (the SDKs put the account id before it).
pub fn is_request(parts: &Parts) -> bool {
    let path = parts.uri.path();
    path.strip_prefix(JOBS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The operation's name as AWS spells it, `Unknown` if it is none of this API.
pub fn operation(parts: &Parts) -> &'static str {
    Route::of(&parts.method, &parts.uri).map_or("Unknown", |route| route.name())
}

/// One of the eight operations, with the job it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    CreateJob,
    ListJobs,
    DescribeJob(String),
    UpdateJobPriority(String),
    UpdateJobStatus(String),
    PutJobTagging(String),
    GetJobTagging(String),
    DeleteJobTagging(String),
}

impl Route {
    /// `None` if no operation has that method and path.
    pub(crate) fn of(method: &Method, uri: &Uri) -> Option<Self> {
        let rest = uri.path().strip_prefix(JOBS)?;
        let Some(rest) = rest.strip_prefix('/') else {
            return Self::of_all_jobs(method).filter(|_| rest.is_empty());
        };
        let (id, facet) = rest.split_once('/').unwrap_or((rest, ""));
        Self::of_one_job(method, facet, decoded(id))
    }

    fn of_all_jobs(method: &Method) -> Option<Self> {
        match method.as_str() {
            "POST" => Some(Self::CreateJob),
            "GET" => Some(Self::ListJobs),
            _ => None,
        }
    }

    fn of_one_job(method: &Method, facet: &str, id: String) -> Option<Self> {
        match (method.as_str(), facet) {
            ("GET", "") => Some(Self::DescribeJob(id)),
            ("POST", "priority") => Some(Self::UpdateJobPriority(id)),
            ("POST", "status") => Some(Self::UpdateJobStatus(id)),
            ("PUT", "tagging") => Some(Self::PutJobTagging(id)),
            ("GET", "tagging") => Some(Self::GetJobTagging(id)),
            ("DELETE", "tagging") => Some(Self::DeleteJobTagging(id)),
            _ => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::CreateJob => "CreateJob",
            Self::ListJobs => "ListJobs",
            Self::DescribeJob(_) => "DescribeJob",
            Self::UpdateJobPriority(_) => "UpdateJobPriority",
            Self::UpdateJobStatus(_) => "UpdateJobStatus",
            Self::PutJobTagging(_) => "PutJobTagging",
            Self::GetJobTagging(_) => "GetJobTagging",
            Self::DeleteJobTagging(_) => "DeleteJobTagging",
        }
    }
}

/// The query's parameters in order, decoded.
pub(crate) fn query(uri: &Uri) -> Vec<(String, String)> {
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::{is_request, operation, query};

    #[test]
    fn every_operation_is_found_with_or_without_the_account_in_the_host() {
        let cases = [
            ("POST", "", "CreateJob"),
            ("GET", "?maxResults=1", "ListJobs"),
            ("GET", "/abcde", "DescribeJob"),
            ("POST", "/abcde/priority?priority=1", "UpdateJobPriority"),
            ("POST", "/abcde/status", "UpdateJobStatus"),
            ("PUT", "/abcde/tagging", "PutJobTagging"),
            ("GET", "/abcde/tagging", "GetJobTagging"),
            ("DELETE", "/abcde/tagging", "DeleteJobTagging"),
            ("DELETE", "/abcde", "Unknown"),
            ("PUT", "", "Unknown"),
        ];
        for (method, rest, name) in cases {
            for host in ["", "http://123456789012.s3-control.us-east-1.amazonaws.com"] {
                let (parts, ()) = Request::builder()
                    .method(method)
                    .uri(format!("{host}/v20180820/jobs{rest}"))
                    .body(())
                    .unwrap()
                    .into_parts();
                assert!(is_request(&parts));
                assert_eq!(operation(&parts), name);
            }
        }
    }

    #[test]
    fn other_paths_are_not_ours() {
        for path in ["/", "/v20180820/jobsx", "/v20180820/accesspoint", "/bucket/v20180820/jobs"] {
            assert!(!is_request(&Request::get(path).body(()).unwrap().into_parts().0), "{path}");
        }
    }

    #[test]
    fn queries_are_decoded() {
        let pairs = query(&"/x?a=1&a=b%20c+d&e".parse().unwrap());
        assert_eq!(
            pairs,
            [("a", "1"), ("a", "b c d"), ("e", "")].map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
}
