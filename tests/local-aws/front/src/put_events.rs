use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Events, PutEvent,
    answers::{json_answer, json_error},
};

/// Most entries in one request (API reference of `EventBridge`, `PutEvents`).
const ENTRIES_MAX: usize = 10;

/// Largest request in bytes, over all entries (`EventBridge` user guide, "`PutEvents` event entry size").
const BYTES_MAX: usize = 256 * 1024;

/// The account, Region and time that `EventBridge` writes into an envelope.
pub(crate) struct Place<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) now: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutEvents {
    entries: Vec<Entry>,
}

/// Unknown members are refused, so that nothing is dropped in silence.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    /// Seconds since 1970.
    time: Option<f64>,
    /// Of X-Ray; no trace is kept.
    #[serde(rename = "TraceHeader")]
    _trace_header: Option<String>,
}

/// Answers `PutEvents`: each entry is accepted or refused by itself.
pub(crate) fn put_events(events: &Events, place: &Place, body: &Bytes) -> Response<Bytes> {
    let entries = match serde_json::from_slice::<PutEvents>(body) {
        Ok(request) => request.entries,
        Err(error) => return json_error(400, "ValidationException", &error.to_string()),
    };
    if entries.is_empty() || entries.len() > ENTRIES_MAX {
        let message = format!("Entries must have 1 to {ENTRIES_MAX} members, not {}", entries.len());
        return json_error(400, "ValidationException", &message);
    }
    if entries.iter().map(size).sum::<usize>() > BYTES_MAX {
        return json_error(400, "ValidationException", "Total size of the entries in the request is over the limit.");
    }
    let results: Vec<Value> = entries.into_iter().map(|entry| put(events, place, entry)).collect();
    let failed = results.iter().filter(|result| result.get("ErrorCode").is_some()).count();
    json_answer(200, &json!({ "FailedEntryCount": failed, "Entries": results }))
}

fn put(events: &Events, place: &Place, entry: Entry) -> Value {
    let bus = entry.event_bus_name.clone().unwrap_or_else(|| "default".into());
    match envelope(place, entry) {
        Ok(envelope) => {
            let id = envelope["id"].clone();
            events.add_put(PutEvent { bus, envelope });
            json!({ "EventId": id })
        }
        Err((code, message)) => json!({ "ErrorCode": code, "ErrorMessage": message }),
    }
}

/// The event as targets see it, or AWS's error code with a message.
fn envelope(place: &Place, entry: Entry) -> Result<Value, (&'static str, String)> {
    let source = required("Source", entry.source)?;
    if source.starts_with("aws.") {
        return Err(("NotAuthorizedForSourceException", "Not authorized for the source.".into()));
    }
    let detail_type = required("DetailType", entry.detail_type)?;
    let detail: Value = serde_json::from_str(&required("Detail", entry.detail)?).unwrap_or_default();
    if !detail.is_object() {
        return Err(("MalformedDetail", "Detail is malformed.".into()));
    }
    Ok(json!({
        "version": "0",
        "id": Uuid::new_v4(),
        "detail-type": detail_type,
        "source": source,
        "account": place.account,
        "time": time(entry.time, place.now),
        "region": place.region,
        "resources": entry.resources,
        "detail": detail,
    }))
}

fn required(name: &str, value: Option<String>) -> Result<String, (&'static str, String)> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        let message = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
        ("InvalidArgument", message)
    })
}

/// Envelopes have whole seconds.
#[expect(clippy::cast_possible_truncation, reason = "whole seconds are what an envelope carries")]
fn time(given: Option<f64>, now: Timestamp) -> String {
    let given = given.and_then(|seconds| Timestamp::from_second(seconds as i64).ok());
    given.unwrap_or(now).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// By the user guide's formula: 14 bytes for the time, and the UTF-8 of the other members.
fn size(entry: &Entry) -> usize {
    let texts = [&entry.source, &entry.detail_type, &entry.detail];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    let resources: usize = entry.resources.iter().map(String::len).sum();
    texts + resources + entry.time.map_or(0, |_| 14)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_all(entries: &Value) -> (u16, Value, Vec<PutEvent>) {
        let events = Events::default();
        let place = Place { account: "123456789012", region: "us-east-1", now: Timestamp::UNIX_EPOCH };
        let response = put_events(&events, &place, &Bytes::from(json!({ "Entries": entries }).to_string()));
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap(), events.put())
    }

    #[test]
    fn an_accepted_entry_becomes_an_envelope() {
        let entry = json!([{ "Source": "photolala.deletion", "DetailType": "completed", "Detail": r#"{"a":1}"#,
            "EventBusName": "notices", "Resources": ["r"], "Time": 60.0 }]);
        let (status, answer, put) = put_all(&entry);
        assert_eq!((status, &answer["FailedEntryCount"]), (200, &json!(0)));
        assert_eq!(put[0].bus, "notices");
        let expected = json!({ "version": "0", "id": answer["Entries"][0]["EventId"], "detail-type": "completed",
            "source": "photolala.deletion", "account": "123456789012", "time": "1970-01-01T00:01:00Z",
            "region": "us-east-1", "resources": ["r"], "detail": { "a": 1 } });
        assert_eq!(put[0].envelope, expected);
    }

    #[test]
    fn each_entry_is_refused_by_itself() {
        let (status, answer, put) = put_all(&json!([
            { "Source": "aws.s3", "DetailType": "d", "Detail": "{}" },
            { "Source": "mine", "DetailType": "d", "Detail": "{}" },
            { "Source": "mine", "DetailType": "d", "Detail": "no json" },
            { "Source": "mine", "Detail": "{}" },
        ]));
        assert_eq!((status, &answer["FailedEntryCount"], put.len()), (200, &json!(3), 1));
        let codes: Vec<_> = (0..4).map(|i| answer["Entries"][i]["ErrorCode"].as_str()).collect();
        let expected =
            [Some("NotAuthorizedForSourceException"), None, Some("MalformedDetail"), Some("InvalidArgument")];
        assert_eq!(codes, expected);
    }

    #[test]
    fn a_request_outside_the_limits_is_refused_whole() {
        let entry = json!({ "Source": "mine", "DetailType": "d", "Detail": "{}" });
        assert_eq!(put_all(&json!(vec![entry.clone(); 11])).0, 400);
        assert_eq!(put_all(&json!([])).0, 400);
        let mut large = entry.clone();
        large["Detail"] = json!(format!("{{\"a\":\"{}\"}}", "x".repeat(BYTES_MAX)));
        assert_eq!(put_all(&json!([large])).0, 400);
        let mut unknown = entry;
        unknown["EndpointId"] = json!("e");
        assert_eq!(put_all(&json!([unknown])).0, 400);
    }
}
