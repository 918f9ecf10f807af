//! The synthesized templates: what they grant must have been deployed, all of it.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use serde_json::Value;

use crate::grants::{self, Grant};

/// A statement's name and one of its actions.
pub type Named = (String, String);

/// What the policies of roles grant in all templates of the folder that `cdk synth` wrote.
pub fn granted(folder: &Path) -> Result<BTreeSet<Named>, Box<dyn Error + Send + Sync>> {
    let mut all = BTreeSet::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if path.to_string_lossy().ends_with(".template.json") {
            let template: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
            let resources = template["Resources"].as_object().ok_or("a template has resources")?;
            for (name, resource) in resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::IAM::Policy") {
                all.extend(grants::actions(name, &resource["Properties"]["PolicyDocument"])?);
            }
        }
    }
    Ok(all)
}

/// What one side has and the other has not.
pub fn differences(templates: &BTreeSet<Named>, deployed: &[Grant]) -> Vec<String> {
    let deployed = deployed.iter().map(|grant| (grant.statement.clone(), grant.action.clone())).collect();
    let missing = templates.difference(&deployed).map(|(s, a)| format!("{s} {a} is in a template and not deployed"));
    let foreign = deployed.difference(templates).map(|(s, a)| format!("{s} {a} is deployed and in no template"));
    missing.chain(foreign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_that_was_not_deployed_is_told() {
        let grant = Grant {
            role: "r".into(),
            statement: "S".into(),
            action: "a".into(),
            resource: "*".into(),
            conditions: Value::Null,
        };
        let templates = BTreeSet::from([("S".to_owned(), "a".to_owned())]);
        assert!(differences(&templates, std::slice::from_ref(&grant)).is_empty());
        assert_eq!(differences(&templates, &[]).len(), 1);
        assert_eq!(differences(&BTreeSet::new(), &[grant]).len(), 1);
    }
}
