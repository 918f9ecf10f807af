//! What the deployed roles are allowed to: one action on one pattern of ARNs each.

use serde_json::Value;

use crate::needs::Need;

/// A permission that a role has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The role's name.
    pub role: String,
    /// The statement's name in the policy.
    pub statement: String,
    /// Such as `s3:GetObject`.
    pub action: String,
    /// An ARN, in which `*` stands for any text and `?` for any character.
    pub resource: String,
    /// The statement's conditions, as in the policy.
    pub conditions: Value,
}

impl Grant {
    /// Whether it allows this, its conditions set aside: those the emulator has judged already.
    pub fn covers(&self, role: &str, action: &str, resource: &str) -> bool {
        let is_action = matches(&self.action.to_lowercase(), &action.to_lowercase());
        self.role == role && is_action && matches(&self.resource, resource)
    }

    /// Whether it allows what is needed, conditions included.
    pub fn allows(&self, role: &str, need: &Need) -> bool {
        self.covers(role, &need.action, &need.resource) && are_met(&self.conditions, &need.context)
    }
}

/// The grants of a role's policy. A statement that does not say what it allows, only what it does not, is an error:
/// what it grants could not be compared with anything.
pub fn of_policy(role: &str, document: &Value) -> Result<Vec<Grant>, String> {
    let statements = list(&document["Statement"]).into_iter();
    let each = statements.map(|statement| of_statement(role, statement));
    each.collect::<Result<Vec<_>, _>>().map(|grants| grants.into_iter().flatten().collect())
}

fn of_statement(role: &str, statement: &Value) -> Result<Vec<Grant>, String> {
    let name = statement["Sid"].as_str().unwrap_or("without a name");
    if statement["Effect"] != "Allow" || statement.get("Action").is_none() || statement.get("Resource").is_none() {
        return Err(format!("the statement {name} of {role} does not allow actions on resources: {statement}"));
    }
    let texts = |field: &str| list(&statement[field]).into_iter().filter_map(Value::as_str);
    let grant = |action: &str, resource: &str| Grant {
        role: role.to_owned(),
        statement: name.to_owned(),
        action: action.to_owned(),
        resource: resource.to_owned(),
        conditions: statement.get("Condition").cloned().unwrap_or_default(),
    };
    Ok(texts("Action").flat_map(|action| texts("Resource").map(move |resource| grant(action, resource))).collect())
}

/// The statements' names with each of their actions, of a policy whose resources may still be intrinsic functions.
pub fn actions(role: &str, document: &Value) -> Result<Vec<(String, String)>, String> {
    let any = |statement: &&Value| {
        let mut any = (*statement).clone();
        any["Resource"] = "*".into();
        any
    };
    let statements = list(&document["Statement"]);
    let grants = statements.iter().map(|statement| of_statement(role, &any(statement)));
    let grants = grants.collect::<Result<Vec<_>, _>>()?.into_iter().flatten();
    Ok(grants.map(|grant| (grant.statement, grant.action)).collect())
}

/// `StringEquals` alone is known: whatever else a policy asks for is not met.
fn are_met(conditions: &Value, context: &[(&'static str, String)]) -> bool {
    let Some(operators) = conditions.as_object() else { return conditions.is_null() };
    let is_told = |key: &str, values: &Value| {
        context.iter().any(|(name, told)| *name == key && list(values).iter().any(|value| *value == told))
    };
    let is_met = |(operator, keys): (&String, &Value)| {
        let keys = keys.as_object().filter(|_| operator == "StringEquals");
        keys.is_some_and(|keys| keys.iter().all(|(key, values)| is_told(key, values)))
    };
    operators.iter().all(is_met)
}

/// A policy writes a list of one as that one.
fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

/// IAM's wildcards: `*` and `?` (IAM User Guide, "Resource").
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                // The last star takes one character more.
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wildcards_match_as_in_iam() {
        for (pattern, text) in [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("*/x/*", "a/x/x/b"), ("a", "a")] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a*c", "ab"), ("a?c", "ac"), ("", "a"), ("a", "ab"), ("photos/????-*", "photos/ab-1")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_statement_is_a_grant_for_each_action_and_resource() {
        let document =
            json!({"Statement": {"Sid": "S", "Effect": "Allow", "Action": ["a", "b"], "Resource": ["1", "2"]}});
        let grants = of_policy("r", &document).unwrap();
        assert_eq!(grants.len(), 4);
        assert!(grants.iter().any(|grant| grant.covers("r", "B", "2")));
        assert!(!grants.iter().any(|grant| grant.covers("q", "b", "2") || grant.covers("r", "b", "3")));
    }

    #[test]
    fn a_grant_holds_on_its_conditions() {
        let grant = |conditions: Value| {
            let statement = json!({"Effect": "Allow", "Action": "a", "Resource": "*", "Condition": conditions});
            of_policy("r", &json!({"Statement": statement})).unwrap().remove(0)
        };
        let need = |context| Need { action: "a".into(), resource: "*".into(), context };
        let equals = grant(json!({"StringEquals": {"k": "v"}}));
        assert!(equals.allows("r", &need(vec![("k", "v".to_owned())])));
        assert!(!equals.allows("r", &need(vec![("k", "w".to_owned())])));
        assert!(!equals.allows("r", &need(Vec::new())));
        assert!(!grant(json!({"Null": {"k": "true"}})).allows("r", &need(Vec::new())), "what is not known is not met");
    }

    #[test]
    fn a_statement_that_allows_all_but_something_is_an_error() {
        let document = json!({"Statement": [{"Sid": "S", "Effect": "Allow", "NotAction": "a", "Resource": "*"}]});
        assert!(of_policy("r", &document).is_err());
    }
}
