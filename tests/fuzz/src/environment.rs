use std::collections::BTreeMap;

use domain::environment::Environment;
use domain::settings::{DeletionSettings, EraserSettings};

/// An environment's file. The functions can read what one that is accepted makes of them. Refusals tell the operator
/// what stands in the operator's own file, so they are not searched for it.
pub fn environment(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(environment) = Environment::parse(text) else { return };
    let written = serde_json::to_string(&environment).expect("an environment is plain JSON");
    let again = Environment::parse(&written).expect("as it was written");
    assert_eq!(serde_json::to_string(&again).expect("plain JSON"), written, "as it was written");
    is_read_by_the_functions(&environment);
}

fn is_read_by_the_functions(environment: &Environment) {
    let lookup = |variables: BTreeMap<String, String>| move |name: &str| variables.get(name).cloned();
    EraserSettings::parse(lookup(environment.eraser_variables())).expect("what the eraser reads");
    let variables = environment.deletion_variables("arn:aws:lambda:x", "arn:aws:iam::x");
    let settings = DeletionSettings::parse(lookup(variables)).expect("what the deletion function reads");
    let prefixes: Vec<_> = settings.shared.account_prefixes.iter().map(|prefix| prefix.as_str().to_owned()).collect();
    assert_eq!(prefixes, environment.account_prefixes, "prefixes of accounts");
    assert_eq!(settings.mapping_prefixes, environment.mapping_prefixes, "prefixes of mappings");
    assert_eq!(settings.schedule_prefix, environment.schedule_prefix, "prefix of entries");
    assert_eq!(settings.other_stores, environment.other_stores, "stores outside S3");
    assert_eq!(settings.shared.buckets, environment.buckets, "buckets");
}
