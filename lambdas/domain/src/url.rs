//! Requests of the function URL (Lambda Developer Guide, "Invoking Lambda function URLs", payload format 2.0).
//!
//! The caller is whom IAM says: a session of the app's role, whose session name is the account. The role must be
//! assumable by the sign-in back end alone, which sets that name; the environment file's `appRole` names it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::answer::Answer;
use crate::event::{BadRequest, Request};
use crate::ids::{AccountId, AwsAccountId};
use crate::json::Json;

/// Bytes of a body: the longest request names 100 keys of 1,024 bytes.
const BODY_MAX: usize = 128 * 1024;

/// Whether the event is a request of the function URL.
pub fn is_request(event: &Value) -> bool {
    event["requestContext"]["http"].is_object()
}

/// The request, and the account that sent it; or what to answer.
pub fn read(event: &Value, owner: &AwsAccountId, app_role: &str) -> Result<(Request, AccountId), Answer> {
    let caller = caller(event, owner, app_role).ok_or_else(|| {
        Answer::error(403, "only a session of the app's role, named by the account, may ask; sign in again")
    })?;
    let http = &event["requestContext"]["http"];
    if event["rawPath"] != "/" {
        return Err(Answer::error(404, "no such path; the one path is /"));
    }
    if http["method"] != "POST" {
        return Err(Answer::error(405, "method not allowed; send a POST"));
    }
    let mut body = body(event)?;
    let own = caller.canonical();
    let user = body.entry("userId").or_insert_with(|| own.into());
    if user.as_str().and_then(|text| AccountId::parse(text).ok()) != Some(caller) {
        return Err(Answer::error(403, "userId: must be the account that is signed in, or left out"));
    }
    if body.get("type").and_then(Value::as_str) == Some("status") && body.len() > 2 {
        // By job or deletion; the caller's own account is no third question.
        body.remove("userId");
    }
    Ok((app_request(&Value::Object(body))?, caller))
}

/// What the app may ask for.
fn app_request(body: &Value) -> Result<Request, Answer> {
    match &body["type"] {
        Value::String(kind) if ["immediate", "schedule", "cancel", "status"].contains(&kind.as_str()) => {
            Ok(Request::parse(body)?)
        }
        _ => Err(BadRequest { field: "type", rule: "known are immediate, schedule, cancel and status".to_owned() })?,
    }
}

fn caller(event: &Value, owner: &AwsAccountId, app_role: &str) -> Option<AccountId> {
    let arn = event["requestContext"]["authorizer"]["iam"]["userArn"].as_str()?;
    let sessions = format!("arn:aws:sts::{}:assumed-role/{app_role}/", owner.as_str());
    AccountId::parse(arn.strip_prefix(&sessions)?).ok()
}

fn body(event: &Value) -> Result<serde_json::Map<String, Value>, Answer> {
    let text = event["body"].as_str().unwrap_or_default();
    if text.len() > BODY_MAX * 4 / 3 + 4 {
        return Err(too_large());
    }
    let bytes = if event["isBase64Encoded"] == true {
        BASE64_STANDARD.decode(text).map_err(|_| Answer::error(400, "body: is not base64, as its flag says"))?
    } else {
        text.as_bytes().to_vec()
    };
    if bytes.len() > BODY_MAX {
        return Err(too_large());
    }
    let body: Json = serde_json::from_slice(&bytes).map_err(|_| no_object())?;
    if body.is_ambiguous {
        return Err(BadRequest::named_twice("body").into());
    }
    if let Value::Object(fields) = body.value { Ok(fields) } else { Err(no_object()) }
}

fn no_object() -> Answer {
    Answer::error(400, "body: must be a JSON object")
}

fn too_large() -> Answer {
    Answer::error(413, "body: larger than 131,072 bytes")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::Query;

    const ID: &str = "0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9";
    const ROLE: &str = "arn:aws:sts::123456789012:assumed-role/photolala-app-development/";

    fn event(arn: &str, body: &str) -> Value {
        json!({"version": "2.0", "rawPath": "/", "isBase64Encoded": false, "body": body,
            "requestContext": {"http": {"method": "POST", "path": "/"}, "authorizer": {"iam": {"userArn": arn}}}})
    }

    fn ask(event: &Value) -> Result<(Request, AccountId), u16> {
        let owner = AwsAccountId::parse("123456789012").unwrap();
        read(event, &owner, "photolala-app-development").map_err(|answer| answer.status_code)
    }

    fn mine(body: &str) -> Value {
        event(&format!("{ROLE}{ID}"), body)
    }

    #[test]
    fn a_body_that_names_a_field_twice_is_refused() {
        assert_eq!(ask(&mine(r#"{"type":"immediate","dryRun":true,"dryRun":false}"#)), Err(400));
        assert_eq!(ask(&mine(r#"{"type":"cancel","type":"immediate"}"#)), Err(400));
    }

    #[test]
    fn the_session_says_who_asks() {
        let account = AccountId::parse(ID).unwrap();
        assert_eq!(ask(&mine(r#"{"type":"cancel"}"#)), Ok((Request::Cancel(account), account)));
        let named = format!(r#"{{"type":"schedule","userId":"{}"}}"#, ID.to_lowercase());
        assert_eq!(ask(&mine(&named)), Ok((Request::Schedule(account), account)));
        assert_eq!(ask(&mine(r#"{"type":"status"}"#)), Ok((Request::Status(Query::Account(account)), account)));
        let by_job = ask(&mine(r#"{"type":"status","jobId":"job-1"}"#)).unwrap();
        assert!(matches!(by_job.0, Request::Status(Query::Job(_))));
    }

    #[test]
    fn nobody_asks_for_somebody_else() {
        let other = ID.replace('A', "B");
        assert_eq!(ask(&mine(&format!(r#"{{"type":"schedule","userId":"{other}"}}"#))), Err(403));
        assert_eq!(ask(&mine(r#"{"type":"schedule","userId":7}"#)), Err(403));
        for arn in [
            "",
            ID,
            "arn:aws:iam::123456789012:user/operator",
            &format!("arn:aws:sts::123456789012:assumed-role/another-role/{ID}"),
            &format!("arn:aws:sts::999999999999:assumed-role/photolala-app-development/{ID}"),
            &format!("{ROLE}x{ID}"),
            &format!("{ROLE}{ID}/x"),
            ROLE,
        ] {
            assert_eq!(ask(&event(arn, r#"{"type":"cancel"}"#)), Err(403), "{arn}");
        }
        let mut unsigned = mine(r#"{"type":"cancel"}"#);
        unsigned["requestContext"]["authorizer"] = Value::Null;
        assert_eq!(ask(&unsigned), Err(403));
    }

    #[test]
    fn what_is_not_served_is_said_clearly() {
        for kind in ["scheduled", "reconcile", "confirm", "delete"] {
            assert_eq!(ask(&mine(&format!(r#"{{"type":"{kind}"}}"#))), Err(400), "{kind}");
        }
        for body in ["", "{}", "[]", "no", r#"{"type":"immediate","surprise":1}"#] {
            assert_eq!(ask(&mine(body)), Err(400), "{body}");
        }
        assert_eq!(ask(&mine(&format!("{{\"type\":\"{}\"}}", "x".repeat(BODY_MAX)))), Err(413));
        assert_eq!(ask(&mine(&"x".repeat(2 * BODY_MAX))), Err(413));
        let mut get = mine("");
        get["requestContext"]["http"]["method"] = "GET".into();
        assert_eq!(ask(&get), Err(405));
        get["rawPath"] = "/admin".into();
        assert_eq!(ask(&get), Err(404));
    }

    #[test]
    fn a_body_in_base64_is_read() {
        let mut encoded = mine(&BASE64_STANDARD.encode(r#"{"type":"cancel"}"#));
        encoded["isBase64Encoded"] = true.into();
        assert!(ask(&encoded).is_ok());
        encoded["body"] = "{\"type\":\"cancel\"}".into();
        assert_eq!(ask(&encoded), Err(400));
    }
}
