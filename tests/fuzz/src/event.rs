use domain::event::{Query, Request};
use serde_json::Value;

use crate::silence;

/// An event of the deletion function.
pub fn event(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(data) else { return };
    match Request::parse(&event) {
        Ok(request) => is_as_asked(&request, &event),
        Err(refusal) => silence::check(&refusal, data),
    }
}

/// Nobody is erased, confirmed or taken back whom the event does not name; and no run or look names anybody.
fn is_as_asked(request: &Request, event: &Value) {
    let account = match request {
        Request::Immediate { account, .. }
        | Request::Schedule(account)
        | Request::Cancel(account)
        | Request::Confirm { account, .. }
        | Request::Status(Query::Account(account)) => account,
        Request::Scheduled(_) | Request::Reconcile | Request::JobStatus(_) | Request::Status(_) => return,
    };
    let named = event["userId"].as_str().unwrap_or_default();
    assert!(account.canonical().eq_ignore_ascii_case(named), "somebody else");
}
