//! `dry-run`: what a deletion would erase, and what that would cost.

use std::fmt::Write as _;

use anyhow::Context as _;
use domain::environment::Environment;
use domain::ids::AccountId;
use domain::tally::{Group, SetDigest};
use indicatif::{HumanBytes, HumanCount};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{ask, table};

/// The answer's body, as far as it is shown. A field that is missing is an error: no number is no zero.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    method: String,
    object_count: u64,
    delete_markers: u64,
    total_bytes: u64,
    groups: Vec<Group>,
    digest: SetDigest,
    uploads: u64,
    mappings: u64,
    entries: u64,
    statuses: u64,
    cost: Cost,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    requests_usd: f64,
    early_deletion_usd: f64,
}

/// Asks, prints, and says whether there was an answer.
pub async fn run(environment: &Environment, account: &AccountId, as_json: bool) -> anyhow::Result<bool> {
    let event = json!({ "type": "immediate", "userId": account.canonical(), "dryRun": true });
    ask::show(environment, event, as_json, |body| text(environment, account, body)).await
}

fn text(environment: &Environment, account: &AccountId, body: Value) -> anyhow::Result<String> {
    let body: Body = serde_json::from_value(body).context("the answer is not that of a dry run")?;
    let mut text = String::new();
    if !body.groups.is_empty() {
        writeln!(text, "{}", groups(&body.groups))?;
    }
    writeln!(text, "{}\n{}", totals(&body), body.message)?;
    writeln!(text, "If this deletion waits for a person, confirm exactly this with")?;
    let command = format!("confirm {} {} {}", environment.name, account.canonical(), body.digest.to_hex());
    write!(text, "  bin/photolala-deletion {command}")?;
    Ok(text)
}

fn groups(groups: &[Group]) -> comfy_table::Table {
    let mut table = table::with_header(["bucket", "prefix", "storage class", "versions", "bytes"]);
    for Group { bucket, prefix, class, count, bytes } in groups {
        table.add_row([bucket, prefix, class, &HumanCount(*count).to_string(), &HumanBytes(*bytes).to_string()]);
    }
    table
}

fn totals(body: &Body) -> comfy_table::Table {
    let Body { object_count, delete_markers, total_bytes, .. } = body;
    let versions = format!("{}, delete markers among them: {}", HumanCount(*object_count), HumanCount(*delete_markers));
    let Cost { requests_usd, early_deletion_usd } = body.cost;
    let how = match body.method.as_str() {
        "none" => "not at all: no version is there",
        "direct" => "directly",
        "batch" => "by a job",
        other => other,
    };
    table::of_pairs([
        ("versions", versions),
        ("bytes", HumanBytes(*total_bytes).to_string()),
        ("unfinished uploads", HumanCount(body.uploads).to_string()),
        ("mappings", HumanCount(body.mappings).to_string()),
        ("schedule entries", HumanCount(body.entries).to_string()),
        ("statuses", HumanCount(body.statuses).to_string()),
        ("erased", how.to_owned()),
        ("cost", format!("about ${requests_usd:.4} for requests, ${early_deletion_usd:.4} for early deletion")),
        ("digest", body.digest.to_hex()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9";

    fn body() -> Value {
        json!({"status": "dry_run", "userId": ID, "method": "batch", "objectCount": 1_234, "deletedCount": 0,
            "deleteMarkers": 7, "totalBytes": 2_048, "digest": "ab".repeat(32), "uploads": 2, "mappings": 3,
            "entries": 1, "statuses": 1, "cost": {"requestsUsd": 0.2501, "earlyDeletionUsd": 1.5},
            "message": "nothing was changed",
            "groups": [{"bucket": "photolala-dev", "prefix": "photos/{account}/", "class": "STANDARD", "count": 1_227,
                "bytes": 2_048}, {"bucket": "photolala-dev", "prefix": "photos/{account}/", "class": "DELETE_MARKER",
                "count": 7, "bytes": 0}]})
    }

    fn said(body: Value) -> anyhow::Result<String> {
        let environment = crate::environment::load(&crate::default_folder(), "development")?;
        text(&environment, &AccountId::parse(ID)?, body)
    }

    #[test]
    fn everything_counted_is_told_and_how_to_confirm_it() {
        let said = said(body()).unwrap();
        let confirm = format!("confirm development {ID} {}", "ab".repeat(32));
        for part in ["1,234, delete markers among them: 7", "2.00 KiB", "$0.2501", "$1.5000", "by a job", &confirm] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(said.contains("photos/{account}/") && said.contains("1,227"), "{said}");
    }

    #[test]
    fn a_number_that_is_missing_is_an_error() {
        for field in ["objectCount", "deleteMarkers", "totalBytes", "uploads", "mappings", "entries", "cost", "digest"]
        {
            let mut body = body();
            body.as_object_mut().unwrap().remove(field);
            assert!(said(body).is_err(), "{field}");
        }
    }
}
