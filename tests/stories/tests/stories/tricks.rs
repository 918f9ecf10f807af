//! Ids, moments and keys made to be read as something else: paths, other spellings, other letters.

use harness::Answer;
use harness::person::{entry, entry_key, scheduled, status_key};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::answers::everything;
use crate::scheduled::with_grace;
use crate::stage::{Stage, only_in_memory, options};

/// The digits as full-width letters, which look the same.
fn full_width(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_digit() { char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c) } else { c })
        .collect()
}

/// Texts that a lenient reader would take for this id.
fn nearly(id: &str) -> Vec<String> {
    let simple = id.replace('-', "");
    vec![
        format!("../{id}"),
        format!("{id}/.."),
        format!("{id}/../{id}"),
        format!("%2e%2e%2f{id}"),
        format!("{id}%2f"),
        format!("..%c0%af{}", &id[..27]),
        format!("{{{id}}}"),
        format!("{{{}}}", &id[..34]),
        format!("urn:uuid:{id}"),
        simple.clone(),
        format!("{}-{}-{}-{}-{}", &simple[..12], &simple[12..16], &simple[16..20], &simple[20..24], &simple[24..]),
        format!("{id} "),
        format!(" {}", &id[..35]),
        format!("{} ", &id[..35]),
        format!("{}\n", &id[..35]),
        format!("{}\u{0}", &id[..35]),
        full_width(id),
        full_width("012345678901"),
        id.replace('-', "\u{2010}"),
        format!("0x{}", &id[..34]),
    ]
}

/// P1: no text but the id itself asks for an account, a deletion or a job.
#[tokio::test]
async fn what_is_nearly_an_id_is_nobodys() {
    let stage = Stage::set(options(), 12).await;
    let upper = stage.account.upper();
    let before = everything(&stage.photolala).await;
    for text in nearly(&upper) {
        for (kind, field) in [
            ("immediate", "userId"),
            ("schedule", "userId"),
            ("cancel", "userId"),
            ("status", "userId"),
            ("status", "deletionId"),
        ] {
            let answer = stage.photolala.ask(json!({"type": kind, field: text})).await.expect("an answer");
            assert_eq!((answer.status_code, &answer.body["field"]), (400, &json!(field)), "{kind} {text:?}");
        }
        let confirm = json!({"type": "confirm", "userId": text, "digest": "0".repeat(64)});
        assert_eq!(stage.photolala.ask(confirm).await.expect("an answer").body["field"], "userId", "{text:?}");
        let by_url = stage.photolala.ask_by_url(&upper, json!({"type": "immediate", "userId": text})).await;
        assert_eq!(by_url.expect("an answer").status_code, 403, "{text:?}");
        let session = stage.photolala.ask_by_url(&text, json!({"type": "immediate"})).await;
        assert_eq!(session.expect("an answer").status_code, 403, "a session named {text:?}");
    }
    for job in ["../records/x", "..", "%2e%2e", "a/../b", "job 1", "job-1\n", "ｊｏｂ-1", "{job-1}"] {
        let answer = stage.photolala.ask(json!({"type": "status", "jobId": job})).await.expect("an answer");
        assert_eq!((answer.status_code, &answer.body["field"]), (400, &json!("jobId")), "{job:?}");
    }
    assert_eq!(before.changes_to(&everything(&stage.photolala).await), []);
}

/// P1: of a field that is named twice one reader takes the first value and another the last, so a dry run to one would be
/// an erasure to the other: such a request is none, directly and by the URL.
#[tokio::test]
async fn who_names_a_field_twice_erases_nobody() {
    let stage = Stage::set(options(), 12).await;
    let upper = stage.account.upper();
    let before = everything(&stage.photolala).await;
    for fields in [
        r#""type":"immediate","dryRun":true,"dryRun":false"#,
        r#""type":"cancel","type":"immediate""#,
        r#""type":"immediate","dryRun":true,"dryRu\u006e":false"#,
    ] {
        let event = format!(r#"{{{fields},"userId":"{upper}"}}"#);
        let direct = stage.photolala.invoke_text(&event).await.expect("an answer");
        let by_url = stage.photolala.ask_by_url_text(&upper, &format!("{{{fields}}}")).await.expect("an answer");
        for answer in [Answer::decode(&direct).expect("an answer"), by_url] {
            assert_eq!(answer.status_code, 400, "{fields}: {}", answer.body);
        }
    }
    assert_eq!(before.changes_to(&everything(&stage.photolala).await), []);
}

/// P6: what is nearly a moment is none that a run could go by.
#[tokio::test]
async fn what_is_nearly_a_moment_is_none() {
    let stage = Stage::set(with_grace(options()), 12).await;
    stage.schedule().await;
    let before = everything(&stage.photolala).await;
    let moment = "2126-01-05T00:00:00Z";
    let moments = [
        "2126-13-40T00:00:00Z",
        "2126-02-30T00:00:00Z",
        "2126-01-05/../",
        "2126-01-05/../T00:00:00Z",
        "2126-01-05T24:00:01Z",
        "2126-01-05T00:00:00Z ",
        " 2126-01-05T00:00:00Z",
        "2126-01-05",
        "%32126-01-05T00:00:00Z",
        &full_width(moment),
    ];
    for text in moments {
        let answer = stage.photolala.ask(json!({"type": "scheduled", "time": text})).await.expect("an answer");
        assert_eq!((answer.status_code, &answer.body["field"]), (400, &json!("time")), "{text:?}: {}", answer.body);
    }
    assert_eq!(before.changes_to(&everything(&stage.photolala).await), []);
    let run = stage.photolala.ask(json!({"type": "scheduled", "time": moment})).await.expect("an answer");
    assert_eq!(run.body["claimed"], 1, "the moment itself is one: {}", run.body);
    stage.erased_by(run).await;
}

/// Keys that a lenient reader would take for the entry of this account on this day.
fn nearly_entries(day: &str, id: &str) -> Vec<String> {
    let days = [
        "2026-13-40".to_owned(),
        "2026-02-30".to_owned(),
        format!("{day} "),
        format!(" {day}"),
        format!("+{day}"),
        format!("{day}T00:00:00Z"),
        format!("{day}%2f"),
        full_width(day),
        day.replace('-', ""),
        "..".to_owned(),
        format!("../{day}"),
        format!("%2e%2e/{day}"),
        format!("./{day}"),
        format!("/{day}"),
        format!("{day}/.."),
        format!("{day}/../{day}"),
        format!("{day}/"),
    ];
    let files = nearly(id).into_iter().map(|name| format!("{name}.json"));
    let files =
        files.chain([format!("{id}.json "), format!("{id}.JSON"), format!("{id}.json/"), format!("{id}%2ejson")]);
    let days = days.map(|day| format!("scheduled-deletions/{day}/{id}.json")).into_iter();
    days.chain(files.map(|file| format!("scheduled-deletions/{day}/{file}"))).collect()
}

/// P1, P6: an entry whose key is nearly one asks for nobody, though its body and the account's status would. None of
/// them stops the run, and the true entry beside them is served.
#[tokio::test]
async fn what_is_nearly_an_entry_asks_for_nobody() {
    only_in_memory("servers that keep keys as file names do not hold these");
    let stage = Stage::set(with_grace(options()), 12).await;
    let (photolala, account) = (&stage.photolala, &stage.account);
    let due = photolala.now() - SignedDuration::from_hours(48);
    let day = TimeZone::UTC.to_datetime(due).date().to_string();
    let keys = nearly_entries(&day, &account.upper());
    for key in &keys {
        photolala.put(key, &entry(account, due, due).to_string()).await;
    }
    photolala.put(&status_key(&account.upper()), &scheduled(due, due).to_string()).await;
    let stage = stage.taken_anew().await;
    stage.wait().await;
    let run = stage.photolala.run().await;
    assert_eq!((&run.body["claimed"], &run.body["due"]), (&json!(0), &json!(0)), "{}", run.body);
    stage.is_untouched(&[]).await;
    stage.photolala.put(&entry_key(&stage.account.upper(), due), &entry(&stage.account, due, due).to_string()).await;
    stage.wait().await;
    stage.erased_by(stage.photolala.run().await).await;
}
