//! Whatever comes in from outside is read or refused: no input makes a reader panic, and no refusal repeats what it was
//! given. Good samples are changed in every place at once: a value is replaced, dropped, nested, cut off or garbled.

use domain::day::Day;
use domain::entry::{Entry, EntryKey};
use domain::environment::Environment;
use domain::event::Request;
use domain::ids::AwsAccountId;
use domain::keys::ObjectKey;
use domain::page::Page;
use domain::record::{Awaited, Record};
use domain::report::{ReportManifest, count_rows};
use domain::task::Invocation;
use domain::{request, status, url};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// What must never be repeated.
const SECRET: &str = "0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9";
/// The longest refusal: a sentence, not a dump.
const REFUSAL_MAX: usize = 2_000;

/// A reader of JSON, by name, with a good sample. It gives its refusal, if it refuses.
struct Reader {
    name: &'static str,
    sample: Value,
    read: fn(&Value) -> Option<String>,
}

fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn readers() -> Vec<Reader> {
    let id = "0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f8";
    let iam = json!({"userArn": format!("arn:aws:sts::123456789012:assumed-role/app/{id}")});
    vec![
        Reader {
            name: "event",
            sample: json!({"type": "immediate", "userId": id, "dryRun": true, "hints": ["emails/1"]}),
            read: |value| Request::parse(value).err().map(|e| e.to_string()),
        },
        Reader {
            name: "job event",
            sample: json!({"source": "aws.s3", "detail-type": "AWS Service Event via CloudTrail",
                "detail": {"eventSource": "s3.amazonaws.com", "serviceEventDetails": {"jobId": id}}}),
            read: |value| Request::parse(value).err().map(|e| e.to_string()),
        },
        Reader {
            name: "confirmation",
            sample: json!({"type": "confirm", "userId": id, "digest": "0".repeat(64)}),
            read: |value| Request::parse(value).err().map(|e| e.to_string()),
        },
        Reader {
            name: "schedule of a rule",
            sample: json!({"source": "aws.events", "detail-type": "Scheduled Event", "time": "2026-01-02T03:04:05Z",
                "detail": {"allowance": 3}}),
            read: |value| Request::parse(value).err().map(|e| e.to_string()),
        },
        Reader {
            name: "function URL",
            sample: json!({"version": "2.0", "rawPath": "/", "isBase64Encoded": false, "body": r#"{"type":"cancel"}"#,
                "requestContext": {"http": {"method": "POST"}, "authorizer": {"iam": iam}}}),
            read: |value| {
                let owner = AwsAccountId::parse("123456789012").expect("twelve digits");
                url::read(value, &owner, "app").err().map(|answer| answer.body)
            },
        },
        Reader {
            name: "S3 Batch event",
            sample: json!({"invocationSchemaVersion": "2.0", "invocationId": "i", "job": {"id": "j"},
                "tasks": [{"taskId": "t", "s3Key": "pages%2F1", "s3VersionId": null, "s3Bucket": "b"}]}),
            read: |value| Invocation::parse(value.clone()).err(),
        },
        Reader {
            name: "status",
            sample: json!({"accountStatus": "scheduled_for_deletion", "deleteDate": "2026-01-02T03:04:05Z",
                "lastModified": "2026-01-02T03:04:05Z", "deletionId": id, "before": {"accountStatus": "active"}}),
            read: |value| status::see(&text(value)).says.err().map(|e| e.to_string()),
        },
        Reader {
            name: "entry",
            sample: json!({"userId": id, "deleteOn": "2026-01-02T03:04:05Z", "email": "a@example.com"}),
            read: |value| {
                let key = ObjectKey::new("scheduled-deletions/2026-01-02/0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f8.json");
                let key = EntryKey::parse("scheduled-deletions/", &key).expect("a good key");
                Entry::parse(&key, &text(value)).err().map(|e| e.to_string())
            },
        },
        Reader {
            name: "request",
            sample: json!({"schema": 1, "accountId": id, "kind": "scheduled", "accepted": "2026-01-02T03:04:05Z",
                "notBefore": "2026-01-02T03:04:05Z", "tooLarge": 7, "confirmed": "0".repeat(64)}),
            read: |value| request::Request::parse(&text(value)).err(),
        },
        Reader {
            name: "record",
            sample: json!({"schema": 1, "deletionId": id, "accountId": id, "kind": "immediate", "asked": {"by": "now"},
                "confirmed": null, "nonce": id, "holder": null, "state": {"name": "submitted", "runId": id,
                "versions": 3}, "claimedAt": null, "attempt": 1, "tries": 0, "epoch": 0, "notified": false,
                "mappings": [{"bucket": "bucket", "key": "emails/1", "movedTo": null}], "done": {"listed": {"digest":
                "0".repeat(64), "groups": []}, "erased": 0, "absent": 0, "digest": "0".repeat(64), "held": 0,
                "statuses": 0, "marks": [], "uploads": 0, "mappings": 0, "repaired": 0, "entries": 0, "jobs": [],
                "runs": [], "atLeast": false}}),
            read: |value| {
                let _ = Awaited::parse(&text(value));
                Record::parse(&text(value)).err()
            },
        },
        Reader {
            name: "day",
            sample: json!({"schema": 1, "nonce": id, "claims": 3}),
            read: |value| Day::parse(&text(value)).err(),
        },
        Reader {
            name: "completion report",
            sample: json!({"Format": "Report_CSV_20180820", "Results": [{"TaskExecutionStatus": "succeeded", "Key": "k"}]}),
            read: |value| serde_json::from_slice::<ReportManifest>(&text(value)).err().map(|_| String::new()),
        },
        Reader {
            name: "environment",
            sample: serde_json::from_str(include_str!("../../../environments/production.json")).expect("a good file"),
            // It is the operator's own, and is told what was found.
            read: |value| Environment::parse(&value.to_string()).err().map(|_| String::new()),
        },
    ]
}

/// What a value is replaced by.
fn odd_value() -> impl Strategy<Value = Value> {
    let nested = |depth: usize| (0..depth).fold(json!(SECRET), |inner, _| json!([inner]));
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        Just(json!("")),
        Just(json!(SECRET)),
        Just(json!([SECRET])),
        Just(json!({ (SECRET): SECRET })),
        Just(json!("x".repeat(70_000))),
        (1..120_usize).prop_map(nested),
        "\\PC{0,40}".prop_map(Value::from),
    ]
}

/// Replaces the value at one of the places of a tree.
fn replace(tree: &mut Value, place: Index, by: &Value) {
    fn walk<'v>(value: &'v mut Value, left: &mut usize) -> Option<&'v mut Value> {
        if *left == 0 {
            return Some(value);
        }
        *left -= 1;
        match value {
            Value::Array(items) => items.iter_mut().find_map(|item| walk(item, left)),
            Value::Object(fields) => fields.values_mut().find_map(|field| walk(field, left)),
            _ => None,
        }
    }
    let mut left = place.index(places(tree));
    if let Some(value) = walk(tree, &mut left) {
        *value = by.clone();
    }
}

fn places(tree: &Value) -> usize {
    1 + match tree {
        Value::Array(items) => items.iter().map(places).sum(),
        Value::Object(fields) => fields.values().map(places).sum(),
        _ => 0,
    }
}

#[test]
fn every_sample_is_good() {
    for Reader { name, sample, read } in readers() {
        assert_eq!(read(&sample), None, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn an_odd_value_anywhere_is_read_or_refused_without_being_repeated(
        which: Index, place: Index, second: Index, by in odd_value(), and_by in odd_value(), twice: bool,
    ) {
        let readers = readers();
        let Reader { name, sample, read } = &readers[which.index(readers.len())];
        let mut tree = sample.clone();
        replace(&mut tree, place, &by);
        if twice {
            replace(&mut tree, second, &and_by);
        }
        if let Some(refusal) = read(&tree) {
            prop_assert!(!refusal.contains(SECRET), "{name} repeats what it was given: {refusal}");
            prop_assert!(refusal.len() < REFUSAL_MAX, "{name}: {} bytes of refusal", refusal.len());
        }
    }

    #[test]
    fn garbled_bytes_are_read_or_refused(which: Index, at: Index, byte: u8, cut: Option<Index>) {
        let readers = readers();
        let mut bytes = text(&readers[which.index(readers.len())].sample);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = (Record::parse(&bytes), request::Request::parse(&bytes), Day::parse(&bytes), status::see(&bytes));
        let _ = (Awaited::parse(&bytes), count_rows(&bytes));
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = (Page::parse(text), Environment::parse(text).is_ok());
        }
        if let Ok(value) = serde_json::from_slice::<Value>(&bytes) {
            for reader in &readers {
                let _ = (reader.read)(&value);
            }
        }
    }
}
