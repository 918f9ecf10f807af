//! Every permission used against every permission granted.

use std::collections::BTreeSet;
use std::path::Path;

use crate::grants::{Grant, matches};
use crate::watch::Use;

/// A row of the table of grants that no story uses: patterns, and why they are granted all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pattern: [String; 4],
    /// Why it is needed.
    pub reason: String,
}

/// What came of the comparison.
#[derive(Debug, Default)]
pub struct Audit {
    /// Grants, all of them.
    pub granted: usize,
    /// Grants that the stories used.
    pub used: usize,
    /// Grants that no story used, with the reason where the table gives one.
    pub unused: Vec<(Grant, Option<String>)>,
    /// Uses that no grant covers.
    pub not_granted: Vec<Use>,
    /// Rows of the table that speak of no unused grant.
    pub idle: Vec<Reason>,
}

impl Audit {
    /// Compares. The table names roles by the names that `nickname` gives them.
    pub fn of(grants: &[Grant], uses: &BTreeSet<Use>, reasons: &[Reason], nickname: impl Fn(&str) -> String) -> Self {
        let covers = |grant: &Grant, one: &Use| grant.covers(&one.role, &one.action, &one.resource);
        let is_used = |grant: &&Grant| uses.iter().any(|one| covers(grant, one));
        let (at_work, unused): (Vec<&Grant>, Vec<&Grant>) = grants.iter().partition(is_used);
        let told = |grant: &Grant, reason: &Reason| reason.covers(&nickname(&grant.role), grant);
        let reason = |grant: &Grant| reasons.iter().find(|reason| told(grant, reason)).map(|r| r.reason.clone());
        let is_idle = |reason: &&Reason| !unused.iter().any(|grant| told(grant, reason));
        let is_foreign = |one: &&Use| !grants.iter().any(|grant| covers(grant, one));
        Self {
            granted: grants.len(),
            used: at_work.len(),
            unused: unused.iter().map(|grant| ((*grant).clone(), reason(grant))).collect(),
            not_granted: uses.iter().filter(is_foreign).cloned().collect(),
            idle: reasons.iter().filter(is_idle).cloned().collect(),
        }
    }

    /// Whether every grant is used or has its reason, every use is granted, and no reason is out of date.
    pub fn is_clean(&self) -> bool {
        self.unused.iter().all(|(_, reason)| reason.is_some()) && self.not_granted.is_empty() && self.idle.is_empty()
    }
}

impl Reason {
    fn covers(&self, role: &str, grant: &Grant) -> bool {
        let told = [role, &grant.statement, &grant.action, &grant.resource];
        self.pattern.iter().zip(told).all(|(pattern, text)| matches(pattern, text))
    }
}

/// Reads the table: rows `| role | statement | action | resource | reason |` of a Markdown file.
pub fn reasons(path: &Path) -> std::io::Result<Vec<Reason>> {
    std::fs::read_to_string(path).map(|text| rows(&text))
}

fn rows(text: &str) -> Vec<Reason> {
    let row = |line: &str| {
        let cells: Vec<String> = line.trim().strip_prefix('|')?.split('|').map(cell).collect();
        let [role, statement, action, resource, reason, _] = cells.try_into().ok()?;
        let is_row = role != "role" && !role.starts_with("--") && !reason.is_empty();
        is_row.then_some(Reason { pattern: [role, statement, action, resource], reason })
    };
    text.lines().filter_map(row).collect()
}

fn cell(text: &str) -> String {
    text.trim().trim_matches('`').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(action: &str) -> Grant {
        Grant {
            role: "r".into(),
            statement: "S".into(),
            action: action.into(),
            resource: "b/*".into(),
            conditions: serde_json::Value::Null,
        }
    }

    fn used(action: &str, resource: &str) -> Use {
        Use { role: "r".into(), action: action.into(), resource: resource.into() }
    }

    fn audit(grants: &[Grant], uses: &[Use], table: &str) -> Audit {
        Audit::of(grants, &uses.iter().cloned().collect(), &rows(table), str::to_owned)
    }

    const TABLE: &str = "| role | statement | action | resource | reason |\n|--|--|--|--|--|\n";

    #[test]
    fn what_is_granted_and_used_is_clean() {
        let audit = audit(&[grant("get")], &[used("get", "b/1")], TABLE);
        assert!(audit.is_clean() && audit.used == 1, "{audit:?}");
    }

    #[test]
    fn a_grant_without_use_needs_a_reason() {
        assert!(!audit(&[grant("get")], &[], TABLE).is_clean());
        assert!(audit(&[grant("get")], &[], &format!("{TABLE}| `r` | S | `get` | `b/*` | for later |")).is_clean());
    }

    #[test]
    fn a_use_without_grant_is_told() {
        let audit = audit(&[grant("get")], &[used("get", "b/1"), used("get", "c/1")], TABLE);
        assert_eq!(audit.not_granted, [used("get", "c/1")]);
        assert!(!audit.is_clean());
    }

    #[test]
    fn a_reason_without_unused_grant_is_out_of_date() {
        let row = format!("{TABLE}| r | S | get | * | for later |");
        assert!(!audit(&[grant("get")], &[used("get", "b/1")], &row).is_clean());
    }
}
