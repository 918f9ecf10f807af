use domain::event::{Query, Request};
use domain::ids::{AccountId, AwsAccountId};
use domain::url;
use serde_json::{Value, json};

use crate::silence;

const OWNER: &str = "123456789012";
const ROLE: &str = "app";
const CALLER: &str = "arn:aws:sts::123456789012:assumed-role/app/11111111-2222-4333-8444-55555555555A";

/// A request of the function URL: the bytes as the whole event, and as the body of one that is signed.
pub fn url(data: &[u8]) {
    if let Ok(event) = serde_json::from_slice(data) {
        read(&event, data);
    }
    let body = String::from_utf8_lossy(data);
    for is_base64 in [false, true] {
        read(&signed(&body, is_base64), data);
    }
}

fn signed(body: &str, is_base64: bool) -> Value {
    json!({"rawPath": "/", "body": body, "isBase64Encoded": is_base64,
        "requestContext": {"http": {"method": "POST"}, "authorizer": {"iam": {"userArn": CALLER}}}})
}

fn read(event: &Value, data: &[u8]) {
    let owner = AwsAccountId::parse(OWNER).expect("twelve digits");
    let _ = url::is_request(event);
    match url::read(event, &owner, ROLE) {
        Ok((request, caller)) => assert!(about(&request).is_none_or(|account| account == caller), "somebody else"),
        Err(answer) => silence::check(&answer.body, data),
    }
}

/// Whom the request is about, if it is about an account. What an app may not ask for at all is never read.
fn about(request: &Request) -> Option<AccountId> {
    match request {
        Request::Immediate { account, .. }
        | Request::Schedule(account)
        | Request::Cancel(account)
        | Request::Status(Query::Account(account)) => Some(*account),
        Request::Status(_) => None,
        other => panic!("an app may not ask for {other:?}"),
    }
}
