//! Metrics in CloudWatch's Embedded Metric Format: one line of JSON on standard output
//! (CloudWatch User Guide, "Embedded metric format specification").
//!
//! The environment is the only dimension: every further value of a dimension is a metric of its own to pay for.

use domain::Timestamp;
use domain::ids::DeletionId;
use serde_json::{Map, Value, json};

use crate::host::Host;

/// Namespace of all metrics.
pub const NAMESPACE: &str = "Photolala/Deletion";

/// A metric's unit.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
}

impl Unit {
    fn as_str(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Bytes => "Bytes",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

/// Where and when something was measured.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// Whose standard output takes it.
    pub host: &'a Host,
    /// The only dimension.
    pub environment: &'a str,
    /// When.
    pub at: Timestamp,
}

/// Prints metrics; the deletion id goes along as a property, never as a dimension.
pub fn emit(measured: Measured<'_>, deletion: Option<&DeletionId>, metrics: &[(&str, Unit, u64)]) {
    (measured.host.print)(&line(measured.environment, measured.at, deletion, metrics).to_string());
}

fn line(environment: &str, at: Timestamp, deletion: Option<&DeletionId>, metrics: &[(&str, Unit, u64)]) -> Value {
    let declared: Vec<Value> =
        metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit.as_str()})).collect();
    let mut fields = Map::from_iter([
        (
            "_aws".to_owned(),
            json!({
                "Timestamp": at.as_millisecond(),
                "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["Environment"]], "Metrics": declared}],
            }),
        ),
        ("Environment".to_owned(), environment.into()),
    ]);
    if let Some(deletion) = deletion {
        fields.insert("DeletionId".to_owned(), deletion.to_string().into());
    }
    fields.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), (*value).into())));
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_declares_what_it_carries() {
        let line = line("development", Timestamp::UNIX_EPOCH, None, &[("BytesErased", Unit::Bytes, 7)]);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Metrics"], json!([{"Name": "BytesErased", "Unit": "Bytes"}]));
        assert_eq!((&line["BytesErased"], &line["Environment"]), (&json!(7), &json!("development")));
    }
}
