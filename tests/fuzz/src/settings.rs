use std::collections::BTreeMap;

use domain::environment::Environment;
use domain::settings::{DeletionSettings, SettingsFaults};

/// Variables of the deletion function: lines `NAME=value` in place of good ones, `NAME` alone takes one away. Each
/// fault is one line that begins with the variable; its value is repeated, since it is the operator's own.
pub fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let variables = changed(good(), text);
    match DeletionSettings::parse(|name| variables.get(name).cloned()) {
        Ok(settings) => is_sound(&settings),
        Err(SettingsFaults(faults)) => {
            let names = good();
            let is_named = |fault: &String| fault.split_once(':').is_some_and(|(name, _)| names.contains_key(name));
            assert!(faults.iter().all(|fault| is_named(fault) && !fault.contains('\n')), "{faults:?}");
        }
    }
}

fn good() -> BTreeMap<String, String> {
    let json = include_str!("../../../environments/development.json");
    Environment::parse(json).expect("a good file").deletion_variables("arn:aws:lambda:x", "arn:aws:iam::x")
}

fn changed(mut variables: BTreeMap<String, String>, text: &str) -> BTreeMap<String, String> {
    for line in text.lines() {
        match line.split_once('=') {
            Some((name, value)) => variables.insert(name.to_owned(), value.to_owned()),
            None => variables.remove(line),
        };
    }
    variables
}

/// No prefix is everybody's, and something is erased.
fn is_sound(settings: &DeletionSettings) {
    let prefixes = settings.mapping_prefixes.iter().chain([&settings.schedule_prefix]);
    for prefix in prefixes {
        let is_folder = prefix.strip_suffix('/').is_some_and(|words| words.split('/').all(|word| !word.is_empty()));
        assert!(is_folder, "{prefix:?} is no folder");
    }
    assert!(!settings.shared.account_prefixes.is_empty() && !settings.shared.buckets.is_empty());
}
