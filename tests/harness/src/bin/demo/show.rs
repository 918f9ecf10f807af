//! What the demo says.

use std::time::Duration;

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use domain::ids::JobId;
use domain::receipt::Receipt;
use harness::Answer;
use serde_json::{Value, json};

/// Where prose goes: to standard output, or out of the way of a program that reads it.
pub struct Say {
    json: bool,
}

/// An account that was deleted.
pub struct Deleted {
    pub name: &'static str,
    /// Object versions it had.
    pub objects: usize,
    /// From Delete Now to the receipt.
    pub taken: Duration,
    pub job: Option<JobId>,
    pub receipt: Receipt,
}

/// What is left, and what happened to everything else.
pub struct Proof {
    /// Versions, markers, uploads and mappings of the deleted accounts.
    pub remaining: usize,
    /// Everything that belongs to others.
    pub others: usize,
    /// What changed of it.
    pub changes: Vec<String>,
}

impl Proof {
    /// Nothing is left, and nothing else was touched.
    pub fn holds(&self) -> bool {
        self.remaining == 0 && self.changes.is_empty()
    }
}

impl Say {
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// A heading.
    pub fn head(&self, text: &str) {
        self.line(&format!("\n{text}"));
    }

    /// A line.
    pub fn line(&self, text: &str) {
        if self.json {
            eprintln!("{text}");
        } else {
            println!("{text}");
        }
    }
}

/// An answer to Delete Now, as it came.
pub fn answer(answer: &Answer) -> String {
    let body = serde_json::to_string_pretty(&answer.body).unwrap_or_default();
    format!("HTTP {} {body}", answer.status_code)
}

/// Receipts, proof, and the summary.
pub fn end(say: &Say, deleted: &[Deleted], proof: &Proof, taken: Duration) {
    say.head("Receipts");
    say.line(&receipts(deleted).to_string());
    say.head("Proof");
    say.line(&format!("left of both accounts, in every bucket and both spellings: {}", proof.remaining));
    say.line(&format!("of others: {} objects, {} of them changed", proof.others, proof.changes.len()));
    for change in &proof.changes {
        say.line(change);
    }
    if say.json {
        println!("{}", summary(deleted, proof, taken));
    }
}

fn receipts(deleted: &[Deleted]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(std::iter::once("").chain(deleted.iter().map(|one| one.name)));
    for (name, value) in ROWS {
        let row = deleted.iter().map(|one| value(&one.receipt));
        table.add_row(std::iter::once((*name).to_owned()).chain(row));
    }
    table
}

/// A row of the table: its name, and its value in a receipt.
type Row = (&'static str, fn(&Receipt) -> String);

const ROWS: &[Row] = &[
    ("deletion", |r| r.deletion_id.to_string()),
    ("state", |r| word(&json!(r.state))),
    ("method", |r| word(&json!(r.method))),
    ("complete as of", |r| r.completed_at.map_or_else(String::new, |at| at.to_string())),
    ("looks that found nothing", |r| r.looks.len().to_string()),
    ("versions listed", |r| r.versions.listed.to_string()),
    ("of these delete markers", |r| r.versions.markers.to_string()),
    ("versions erased", |r| r.versions.erased.to_string()),
    ("versions gone already", |r| r.versions.absent.to_string()),
    ("versions held", |r| r.versions.held.to_string()),
    ("bytes", |r| r.bytes.to_string()),
    ("uploads aborted", |r| r.uploads.to_string()),
    ("mappings severed", |r| r.mappings.erased.to_string()),
    ("jobs", |r| r.jobs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
    ("digest of what was erased", |r| format!("{:.16}…", r.digest.to_hex())),
    ("proof of whose it is", |r| format!("{:.16}…", r.proof)),
];

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn summary(deleted: &[Deleted], proof: &Proof, taken: Duration) -> Value {
    let account = |one: &Deleted| {
        json!({
            "name": one.name,
            "objects": one.objects,
            "seconds": one.taken.as_secs_f64(),
            "method": one.receipt.method,
            "deletionId": one.receipt.deletion_id,
            "jobId": one.job,
            "receipt": one.receipt,
        })
    };
    json!({
        "accounts": deleted.iter().map(account).collect::<Vec<_>>(),
        "objects": deleted.iter().map(|one| one.objects).sum::<usize>(),
        "seconds": taken.as_secs_f64(),
        "neighbourUntouched": proof.changes.is_empty(),
        "remaining": proof.remaining,
    })
}
