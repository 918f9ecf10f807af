//! The app's principals: whoever may invoke the functions directly could have anybody erased.

use aws_sdk_iam::Client;
use domain::environment::{Environment, ImmediateMode};

use super::simulation::{Question, is_allowed};
use super::{Line, said};

/// A line a principal and function.
pub async fn look(iam: &Client, environment: &Environment) -> Vec<Line> {
    let Environment { aws_account, app_role, app_principals, functions, .. } = environment;
    let role = format!("arn:aws:iam::{}:role/{app_role}", aws_account.as_str());
    let mut lines = Vec::new();
    for principal in app_principals.iter().chain([&role]) {
        for function in [&functions.deletion, &functions.eraser] {
            lines.push(one(iam, environment, principal, function).await);
        }
    }
    lines
}

async fn one(iam: &Client, environment: &Environment, principal: &str, function: &str) -> Line {
    let Environment { region, aws_account, .. } = environment;
    let arn = format!("arn:aws:lambda:{region}:{}:function:{function}", aws_account.as_str());
    let about = format!("{principal} on {function}");
    match is_allowed(iam, principal, &Question::must_not("lambda:InvokeFunction", arn)).await {
        Ok(false) => Line::fine(about, "may not invoke it"),
        Ok(true) if is_served(environment, function) => {
            Line::note(about, "may invoke it", "nothing: \"Delete Now\" is an invocation where it is allowed")
        }
        Ok(true) => {
            Line::refused(about, "may invoke it, and so have anybody erased", "take lambda:InvokeFunction away")
        }
        Err(error) if error.to_string().contains("NoSuchEntity") => Line::note(
            about,
            "there is no such principal",
            format!("make it, or mend appRole and appPrincipals in environments/{}.json", environment.name),
        ),
        Err(error) => Line::refused(about, said(&error), "allow the caller iam:SimulatePrincipalPolicy"),
    }
}

/// Whether apps invoke this function directly.
fn is_served(environment: &Environment, function: &str) -> bool {
    environment.immediate_mode == ImmediateMode::Allowed && function == environment.functions.deletion
}
