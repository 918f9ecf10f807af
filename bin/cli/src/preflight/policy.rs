//! Policies of resources and roles, read as far as they say who may do what.
//!
//! Only what is allowed is read. A `Deny` and most conditions narrow that down further; where they alone stand between
//! somebody and an action, that is not seen, and the action counts as allowed.

use serde_json::Value;

/// A statement that allows something.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a>(&'a Value);

/// Somebody who is allowed: the kind, such as `AWS`, `Service` or `Federated`, and AWS's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// `AWS`, `Service`, `Federated`, `CanonicalUser`; or `NotPrincipal`.
    pub kind: String,
    /// An ARN, an AWS account, `*`, a service's or provider's name.
    pub name: String,
}

/// The statements that allow something; none if the policy cannot be read.
pub fn allowing(policy: &Value) -> Option<Vec<Statement<'_>>> {
    let statements = list(policy.get("Statement")?).into_iter();
    Some(statements.filter(|statement| statement["Effect"] != "Deny").map(Statement).collect())
}

impl Statement<'_> {
    /// Whether it speaks of this action.
    pub fn covers(self, action: &str) -> bool {
        let any = |field: &str| {
            let patterns = self.0.get(field).map(list).unwrap_or_default();
            patterns.into_iter().any(|p| p.as_str().is_some_and(|p| matches(p.as_bytes(), action.as_bytes())))
        };
        if self.0.get("NotAction").is_some() { !any("NotAction") } else { any("Action") }
    }

    /// Everybody it names. Who allows all but somebody allows more than can be looked at.
    pub fn principals(self) -> Vec<Principal> {
        let principal = |kind: &str, name: &str| Principal { kind: kind.to_owned(), name: name.to_owned() };
        if self.0.get("NotPrincipal").is_some() {
            return vec![principal("NotPrincipal", "everybody but some")];
        }
        match &self.0["Principal"] {
            Value::Object(kinds) => {
                let names = |(kind, names): (&String, &Value)| {
                    let each = list(names).into_iter().map(|name| principal(kind, name.as_str().unwrap_or("?")));
                    each.collect::<Vec<_>>()
                };
                kinds.iter().flat_map(names).collect()
            }
            other => vec![principal("AWS", other.as_str().unwrap_or("?"))],
        }
    }

    /// Whether it asks for this value of a condition key, and no other.
    pub fn demands(self, operator: &str, key: &str, value: &str) -> bool {
        let wanted = &self.0["Condition"][operator][key];
        let is_value = |one: &Value| *one == value || (one == true && value == "true");
        !wanted.is_null() && list(wanted).into_iter().all(is_value)
    }
}

/// A policy writes a list of one as that one.
fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

/// IAM's wildcards in actions, whose letter case means nothing (IAM User Guide, "Action").
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => matches(rest, text) || text.split_first().is_some_and(|(_, t)| matches(pattern, t)),
        (Some((p, rest)), Some((t, text))) if *p == b'?' || p.eq_ignore_ascii_case(t) => matches(rest, text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn covers(statement: &Value, action: &str) -> bool {
        Statement(statement).covers(action)
    }

    #[test]
    fn actions_match_with_wildcards_and_in_any_case() {
        for action in ["sts:AssumeRole", "STS:assumerole", "sts:*", "*", "sts:Assume*", "sts:AssumeRol?"] {
            assert!(covers(&json!({ "Action": ["sts:TagSession", action] }), "sts:AssumeRole"), "{action}");
        }
        for action in ["sts:TagSession", "sts:AssumeRoleWithSAML", "sts:AssumeRole?", "s3:*", ""] {
            assert!(!covers(&json!({ "Action": action }), "sts:AssumeRole"), "{action}");
        }
        assert!(covers(&json!({ "NotAction": "s3:*" }), "sts:AssumeRole"));
        assert!(!covers(&json!({ "NotAction": "sts:*" }), "sts:AssumeRole"));
        assert!(!covers(&json!({}), "sts:AssumeRole"));
    }

    #[test]
    fn everybody_named_is_found() {
        let names = |statement: Value| -> Vec<String> {
            Statement(&statement).principals().into_iter().map(|p| format!("{} {}", p.kind, p.name)).collect()
        };
        assert_eq!(names(json!({ "Principal": "*" })), ["AWS *"]);
        assert_eq!(
            names(json!({ "Principal": { "AWS": ["a", "b"], "Service": "c" } })),
            ["AWS a", "AWS b", "Service c"]
        );
        assert_eq!(names(json!({ "NotPrincipal": { "AWS": "a" } })), ["NotPrincipal everybody but some"]);
        assert_eq!(names(json!({})), ["AWS ?"], "nobody named is not nobody");
    }

    #[test]
    fn a_condition_demands_one_value_and_no_other() {
        let statement = |value: Value| json!({ "Condition": { "Bool": { "k": value } } });
        let demands = |value: Value| Statement(&statement(value)).demands("Bool", "k", "true");
        assert!(demands(json!("true")) && demands(json!(true)) && demands(json!(["true"])));
        assert!(!demands(json!("false")) && !demands(json!(["true", "false"])));
        assert!(!Statement(&json!({})).demands("Bool", "k", "true"));
    }

    #[test]
    fn what_only_denies_allows_nothing_and_what_cannot_be_read_is_no_policy() {
        let policy = json!({ "Statement": [{ "Effect": "Deny" }, { "Effect": "Allow" }] });
        assert_eq!(allowing(&policy).unwrap().len(), 1);
        assert_eq!(allowing(&json!({ "Statement": { "Effect": "Allow" } })).unwrap().len(), 1);
        assert!(allowing(&json!("no")).is_none() && allowing(&json!({})).is_none());
    }
}
