//! The environments' files, checked by their schema and by what a schema cannot say.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use domain::environment::{Environment, Fault};
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

/// The files by environment name, as they were read, and their schema.
pub type Files = BTreeMap<String, Value>;

/// What is wrong with a file.
#[derive(Debug)]
pub struct FileFault {
    /// The environment's name, as its file is called.
    pub file: String,
    /// Where and why.
    pub fault: Fault,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "environments/{}.json: {}", self.file, self.fault)
    }
}

/// Reads an environment, and all others beside it, since no two may share a bucket.
pub fn load(folder: &Path, name: &str) -> anyhow::Result<Environment> {
    let files = read(folder)?;
    let known = || files.keys().cloned().collect::<Vec<_>>().join(", ");
    let file = files.get(name).with_context(|| format!("there is no environment {name:?}; known are {}", known()))?;
    let faults: Vec<String> = faults(&files).into_iter().filter(|f| f.file == name).map(|f| f.to_string()).collect();
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    serde_json::from_value(file.clone()).context("the schema and the code disagree")
}

/// Reads every file, unchecked.
pub fn read(folder: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if path.extension().is_some_and(|ending| ending == "json") && name != "schema" && name != "faults" {
            files.insert(name, read_json(&path)?);
        }
    }
    if files.is_empty() {
        bail!("{} holds no environments", folder.display());
    }
    Ok(files)
}

fn read_json(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// Everything that is wrong with these files: by the schema, by rules of one file, by rules between files.
pub fn faults(files: &Files) -> Vec<FileFault> {
    let schema = serde_json::from_str(include_str!("../../../environments/schema.json")).expect("our schema is JSON");
    let schema = jsonschema::validator_for(&schema).expect("our schema is a schema");
    let of_file = |(file, value): (&String, &Value)| {
        let mut faults: Vec<Fault> = schema.iter_errors(value).map(|error| by_schema(&error)).collect();
        if faults.is_empty() {
            faults = by_rules(file, value);
        }
        faults.extend(shared_buckets(file, files));
        faults.into_iter().map(|fault| FileFault { file: file.clone(), fault }).collect::<Vec<_>>()
    };
    files.iter().flat_map(of_file).collect()
}

/// What the schema cannot say of one file.
fn by_rules(file: &str, value: &Value) -> Vec<Fault> {
    match serde_json::from_value::<Environment>(value.clone()) {
        Ok(environment) => environment.faults(file),
        Err(error) => vec![Fault::new("file", error.to_string(), "what environments/schema.json says")],
    }
}

/// Buckets that another file names too, or this one twice: erasing in one environment would erase in the other.
/// Names are taken from the files as they are, so that another fault hides nothing.
fn shared_buckets(file: &str, files: &Files) -> Vec<Fault> {
    let names = |value: &Value| -> Vec<String> {
        let buckets = value["buckets"].as_array().into_iter().flatten();
        buckets.filter_map(|bucket| bucket["name"].as_str().map(str::to_owned)).collect()
    };
    let all: Vec<String> = files.values().flat_map(names).collect();
    let is_shared = |name: &String| all.iter().filter(|other| *other == name).count() > 1;
    let fault = |name: String| Fault::new("buckets.name", name, "a bucket in exactly one environment, once");
    files.get(file).map(names).unwrap_or_default().into_iter().filter(is_shared).map(fault).collect()
}

/// A message of the schema's validator, in our words.
fn by_schema(error: &ValidationError<'_>) -> Fault {
    let path = error.instance_path().to_string();
    let mut field: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && part.parse::<usize>().is_err()).collect();
    let unknown;
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            field.extend(property.as_str());
            return Fault::new(field.join("."), "nothing", "a value: every field is needed");
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            unknown = unexpected.join(", ");
            field.push(&unknown);
            return Fault::new(field.join("."), "an unknown field", "only the fields of environments/schema.json");
        }
        _ => {}
    }
    let allowed = error.schema_path().to_string();
    let field = if field.is_empty() { "file".to_owned() } else { field.join(".") };
    Fault::new(field, error.instance().to_string(), format!("{error} (schema.json, {allowed})"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde::Deserialize;

    use super::*;

    fn folder() -> PathBuf {
        crate::default_folder()
    }

    /// A change to a good file, and the field that must be named: a table that both sides are tested with.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        file: String,
        #[serde(default)]
        set: BTreeMap<String, Value>,
        #[serde(default)]
        remove: Vec<String>,
        field: String,
    }

    impl Case {
        fn files(&self) -> Files {
            let mut files = read(&folder()).unwrap();
            let file = files.get_mut(&self.file).unwrap();
            for (pointer, value) in &self.set {
                set(file, pointer, value.clone());
            }
            for pointer in &self.remove {
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                file.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
            }
            files
        }
    }

    fn set(file: &mut Value, pointer: &str, value: Value) {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match file.pointer_mut(parent).unwrap() {
            Value::Object(fields) => drop(fields.insert(name.to_owned(), value)),
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
            other => panic!("{pointer} leads into {other}"),
        }
    }

    #[test]
    fn the_files_are_sound() {
        let faults = faults(&read(&folder()).unwrap());
        assert!(faults.is_empty(), "{faults:?}");
        for name in ["development", "staging", "production"] {
            assert_eq!(load(&folder(), name).unwrap().name, name);
        }
    }

    #[test]
    fn every_fault_of_the_table_is_told_by_its_field() {
        let cases = std::fs::read_to_string(folder().join("faults.json")).unwrap();
        let cases: Vec<Case> = serde_json::from_str(&cases).unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let found = faults(&case.files());
            let named = found.iter().any(|f| f.file == case.file && f.fault.field == case.field);
            assert!(named, "{}: {found:?}", case.name);
        }
    }

    /// The variables of a function in the reviewed template; those that only a deployment knows are empty.
    fn variables(template: &Value, function: &str) -> BTreeMap<String, String> {
        let resources = template["Resources"].as_object().unwrap().values();
        let of_function = |resource: &&Value| resource["Properties"]["FunctionName"] == function;
        let environments = resources.filter(|r| r["Type"] == "AWS::Lambda::Function").find(of_function).unwrap();
        let variables = environments["Properties"]["Environment"]["Variables"].as_object().unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        variables.iter().map(|(name, value)| (name.clone(), text(value))).collect()
    }

    #[test]
    fn the_templates_carry_the_variables_that_the_functions_read() {
        for name in ["development", "staging", "production"] {
            let environment = load(&folder(), name).unwrap();
            let golden = folder().join(format!("../cdk/test/golden/{name}.service.json"));
            let template = read_json(&golden).unwrap();
            let functions = &environment.functions;
            assert_eq!(variables(&template, &functions.eraser), environment.eraser_variables(), "{name}");
            assert_eq!(variables(&template, &functions.deletion), environment.deletion_variables("", ""), "{name}");
        }
    }
}
