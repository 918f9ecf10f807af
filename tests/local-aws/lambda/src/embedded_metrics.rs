use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// One metric of one line in `CloudWatch`'s Embedded Metric Format, for one of its dimension sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The function that wrote it.
    pub function: String,
    /// The namespace.
    pub namespace: String,
    /// The metric's name.
    pub name: String,
    /// The unit, such as `Count`; `None` as a word where the line gave none.
    pub unit: String,
    /// The dimensions with their values.
    pub dimensions: BTreeMap<String, String>,
    /// The values; most lines carry one.
    pub values: Vec<f64>,
    /// Milliseconds since 1970, as the line says.
    pub timestamp_ms: i64,
}

/// Most metrics in one directive (Embedded Metric Format specification).
const METRICS_MAX: usize = 100;

/// Most dimensions in one set (Embedded Metric Format specification).
const DIMENSIONS_MAX: usize = 30;

/// The metrics of a log line: none in an ordinary line.
/// A line that means to carry metrics and is wrong becomes a metric of `AWS/Logs`, as in `CloudWatch`.
pub(crate) fn read(function: &str, line: &str) -> Vec<Metric> {
    if !line.starts_with('{') || !line.contains("\"_aws\"") {
        return Vec::new();
    }
    let Ok(Value::Object(line)) = serde_json::from_str(line) else {
        return vec![fault(function, "EMFParsingErrors")];
    };
    if !line.contains_key("_aws") {
        return Vec::new();
    }
    metrics(function, &line).unwrap_or_else(|| vec![fault(function, "EMFValidationErrors")])
}

/// None if the line breaks the specification.
fn metrics(function: &str, line: &Map<String, Value>) -> Option<Vec<Metric>> {
    let header = line.get("_aws")?;
    let timestamp_ms = header.get("Timestamp")?.as_i64()?;
    let mut found = Vec::new();
    for directive in header.get("CloudWatchMetrics")?.as_array()? {
        let namespace = directive.get("Namespace")?.as_str()?;
        let sets = dimension_sets(line, directive)?;
        for (name, unit, values) in definitions(line, directive)? {
            found.extend(sets.iter().map(|dimensions| Metric {
                function: function.to_owned(),
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                unit: unit.to_owned(),
                dimensions: dimensions.clone(),
                values: values.clone(),
                timestamp_ms,
            }));
        }
    }
    Some(found)
}

/// A directive without dimensions is one set of none.
fn dimension_sets(line: &Map<String, Value>, directive: &Value) -> Option<Vec<BTreeMap<String, String>>> {
    let sets = directive.get("Dimensions")?.as_array()?;
    if sets.is_empty() {
        return Some(vec![BTreeMap::new()]);
    }
    sets.iter().map(|set| dimension_set(line, set.as_array()?)).collect()
}

fn dimension_set(line: &Map<String, Value>, names: &[Value]) -> Option<BTreeMap<String, String>> {
    if names.len() > DIMENSIONS_MAX {
        return None;
    }
    let pair = |name: &Value| {
        let name = name.as_str()?;
        Some((name.to_owned(), line.get(name)?.as_str()?.to_owned()))
    };
    names.iter().map(pair).collect()
}

/// Name, unit and values of each metric that the directive defines.
fn definitions<'a>(line: &Map<String, Value>, directive: &'a Value) -> Option<Vec<(&'a str, &'a str, Vec<f64>)>> {
    let definitions = directive.get("Metrics")?.as_array()?;
    if definitions.len() > METRICS_MAX {
        return None;
    }
    let read = |definition: &'a Value| {
        let name = definition.get("Name")?.as_str()?;
        let unit = definition.get("Unit").map_or(Some("None"), Value::as_str)?;
        Some((name, unit, values(line.get(name)?)?))
    };
    definitions.iter().map(read).collect()
}

fn values(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::Array(values) if values.len() <= METRICS_MAX => values.iter().map(Value::as_f64).collect(),
        value => Some(vec![value.as_f64()?]),
    }
}

fn fault(function: &str, name: &str) -> Metric {
    Metric {
        function: function.to_owned(),
        namespace: "AWS/Logs".into(),
        name: name.to_owned(),
        unit: "Count".into(),
        dimensions: BTreeMap::new(),
        values: vec![1.0],
        timestamp_ms: jiff::Timestamp::now().as_millisecond(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"_aws":{"Timestamp":7,"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["Stage"],["Stage","Step"]],
        "Metrics":[{"Name":"Deleted","Unit":"Count"},{"Name":"Took"}]}]},
        "Stage":"prod","Step":"erase","Deleted":1000,"Took":[1,2.5],"other":"kept apart"}"#;

    #[test]
    fn each_metric_is_read_for_each_dimension_set() {
        let found = read("f", LINE);
        let seen: Vec<_> = found.iter().map(|m| (m.name.as_str(), m.dimensions.len(), m.values.clone())).collect();
        let deleted = ("Deleted", vec![1000.0]);
        let took = ("Took", vec![1.0, 2.5]);
        let expected = [(deleted.clone(), 1), (deleted, 2), (took.clone(), 1), (took, 2)];
        assert_eq!(seen, expected.map(|((name, values), dimensions)| (name, dimensions, values)));
        assert_eq!((found[0].unit.as_str(), found[2].unit.as_str()), ("Count", "None"));
        assert_eq!((found[0].namespace.as_str(), found[0].timestamp_ms), ("n", 7));
        assert_eq!(found[1].dimensions["Step"], "erase");
    }

    #[test]
    fn ordinary_lines_carry_no_metrics() {
        assert_eq!(read("f", "hello"), []);
        assert_eq!(read("f", r#"{"message":"the word \"_aws\" alone"}"#), []);
    }

    #[test]
    fn wrong_lines_are_counted_by_their_fault() {
        assert_eq!(read("f", r#"{"_aws":"#)[0].name, "EMFParsingErrors");
        let without_value = LINE.replace("\"Deleted\":1000,", "");
        assert_eq!(read("f", &without_value)[0].name, "EMFValidationErrors");
        let dimension_as_number = LINE.replace("\"prod\"", "1");
        assert_eq!(read("f", &dimension_as_number)[0].name, "EMFValidationErrors");
    }
}
