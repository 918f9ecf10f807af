//! What starts the functions by itself: it must have been deployed as the environment says. URL and policy of the
//! deletion function are the preflight's.

use serde_json::json;

use crate::emulator::{Rule, function_arn};
use crate::stage::Stage;

/// What of it is missing or otherwise.
pub async fn faults(stage: &Stage) -> Vec<String> {
    let environment = stage.photolala.environment();
    let mut faults = match stage.emulator.rules(&function_arn(&environment.functions.deletion)).await {
        Ok(rules) => of_rules(&rules, &environment.schedule_expression),
        Err(error) => vec![format!("the rules cannot be looked at: {error}")],
    };
    if let Err(error) = stage.emulator.bus_policy(&environment.notice_bus()).await {
        faults.push(format!("the notice bus is not there: {error}"));
    }
    faults
}

/// The daily rule among those that invoke the deletion function: it hands the event on as it is.
pub fn daily<'a>(rules: &'a [Rule], schedule: &str) -> Option<&'a Rule> {
    rules.iter().find(|rule| rule.input.is_none() && rule.schedule.as_deref() == Some(schedule))
}

fn of_rules(rules: &[Rule], schedule: &str) -> Vec<String> {
    let reconcile = rules.iter().find(|rule| rule.input == Some(json!({"type": "reconcile"})));
    let is_sound = |rule: &Rule| rule.is_enabled && rule.keeps_dead_letters && rule.schedule.is_some();
    let wanted = [("daily run", daily(rules, schedule)), ("reconcile", reconcile)];
    let missing = wanted.into_iter().filter(|(_, rule)| !rule.is_some_and(is_sound));
    missing.map(|(what, _)| format!("no rule as it should be for {what} among {rules:?}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> [Rule; 2] {
        let rule = |name: &str, input| Rule {
            name: name.to_owned(),
            schedule: Some("rate(1 hour)".to_owned()),
            is_enabled: true,
            input,
            keeps_dead_letters: true,
        };
        [rule("d", None), rule("r", Some(json!({"type": "reconcile"})))]
    }

    #[test]
    fn both_rules_are_wanted_and_sound() {
        assert!(of_rules(&rules(), "rate(1 hour)").is_empty());
        assert_eq!(of_rules(&rules(), "rate(2 hours)").len(), 1);
        assert_eq!(of_rules(&rules()[..1], "rate(1 hour)").len(), 1);
        for spoil in [|rule: &mut Rule| rule.is_enabled = false, |rule: &mut Rule| rule.keeps_dead_letters = false] {
            let mut rules = rules();
            spoil(&mut rules[0]);
            assert_eq!(of_rules(&rules, "rate(1 hour)").len(), 1);
        }
    }
}
