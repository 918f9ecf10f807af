//! `due`: what the next scheduled run would act on, and what it would leave for a person.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use domain::environment::Environment;
use indicatif::HumanCount;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{ask, table};

/// The answer's body. A field that is missing is an error: no number is no zero.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    processed: u64,
    results: Vec<Row>,
    due: u64,
    claimed: u64,
    cancelled: u64,
    quarantined: u64,
    unconfirmed: u64,
    remaining: u64,
    cap_reached: bool,
    dry_run: bool,
    error: Option<String>,
}

/// What became of one request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    /// None where what asks cannot be read.
    user_id: Option<String>,
    status: String,
    message: String,
}

/// Asks, prints, and says whether the answer is whole.
pub async fn run(environment: &Environment, as_json: bool) -> anyhow::Result<bool> {
    ask::show(environment, json!({ "type": "scheduled", "dryRun": true }), as_json, text).await
}

fn text(body: Value) -> anyhow::Result<String> {
    let mut body: Body = serde_json::from_value(body).context("the answer is not that of a scheduled run")?;
    ensure!(body.dry_run, "the function did not answer with a dry run: look at its log for what it did");
    body.results.sort_by(|a, b| (&a.status, &a.user_id).cmp(&(&b.status, &b.user_id)));
    let mut text = String::new();
    if !body.results.is_empty() {
        writeln!(text, "{}", rows(&body.results))?;
    }
    write!(text, "{}", totals(&body))?;
    if body.cap_reached {
        write!(text, "\na cap is reached: see RUNBOOK.md, Caps")?;
    }
    if let Some(error) = body.error {
        write!(text, "\nnot everything could be looked at: {error}")?;
    }
    Ok(text)
}

fn rows(rows: &[Row]) -> comfy_table::Table {
    let mut table = table::with_header(["user id", "status", "why"]);
    for Row { user_id, status, message } in rows {
        table.add_row([user_id.as_deref().unwrap_or("(cannot be read)"), status, message]);
    }
    table
}

fn totals(body: &Body) -> comfy_table::Table {
    let count = |count: u64| HumanCount(count).to_string();
    table::of_pairs([
        ("due", count(body.due)),
        ("claimed", count(body.claimed)),
        ("cancelled by the person", count(body.cancelled)),
        ("in quarantine", count(body.quarantined)),
        ("waiting to be confirmed", count(body.unconfirmed)),
        ("not looked at for lack of time", count(body.remaining)),
        ("named above", count(body.processed)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Value {
        json!({"processed": 2, "due": 1_001, "claimed": 0, "cancelled": 0, "quarantined": 1, "unconfirmed": 0,
            "remaining": 5, "capReached": true, "dryRun": true,
            "results": [{"userId": null, "status": "quarantined", "message": "the entry is malformed"},
                {"userId": "0A1B", "status": "due", "message": "would be claimed"}]})
    }

    #[test]
    fn every_line_and_every_total_is_told() {
        let said = text(body()).unwrap();
        for part in ["(cannot be read)", "the entry is malformed", "0A1B", "would be claimed", "1,001", "a cap is"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }

    #[test]
    fn an_answer_that_is_not_whole_says_so() {
        let mut body = body();
        body["error"] = "time is up".into();
        assert!(text(body).unwrap().contains("not everything could be looked at: time is up"));
    }

    #[test]
    fn a_run_that_was_none_is_an_error() {
        let mut real = body();
        real["dryRun"] = false.into();
        assert!(text(real).is_err(), "it changed something");
        for field in ["due", "remaining", "quarantined", "unconfirmed", "results"] {
            let mut body = body();
            body.as_object_mut().unwrap().remove(field);
            assert!(text(body).is_err(), "{field}");
        }
    }
}
