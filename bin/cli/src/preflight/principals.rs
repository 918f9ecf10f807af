//! The app's principals: whoever may invoke the functions directly could have anybody erased.

use aws_sdk_iam::Client;
use aws_sdk_iam::error::ProvideErrorMetadata as _;
use domain::environment::{Environment, ImmediateMode};

use super::simulation::{Question, is_allowed};
use super::trust::app_role;
use super::{Line, said};

/// A line a principal and thing it must not do.
pub async fn look(iam: &Client, environment: &Environment) -> Vec<Line> {
    let role = app_role(environment);
    let mut lines = Vec::new();
    for principal in environment.app_principals.iter().chain([&role]) {
        for (what, question) in questions(environment) {
            lines.push(one(iam, environment, principal, &what, &question).await);
        }
    }
    lines
}

/// Invoking the functions, also as the numbered versions that jobs invoke; forging records and pages.
fn questions(environment: &Environment) -> Vec<(String, Question)> {
    let Environment { region, aws_account, functions, .. } = environment;
    let function = |name: &str| format!("arn:aws:lambda:{region}:{}:function:{name}", aws_account.as_str());
    let invoking = |name: &str| (name.to_owned(), Question::must_not("lambda:InvokeFunction", function(name)));
    let own = |prefix: &str| format!("arn:aws:s3:::{}/{prefix}sample", environment.manifest_bucket());
    let mut questions =
        vec![invoking(&functions.deletion), invoking(&functions.eraser), invoking(&format!("{}:1", functions.eraser))];
    for prefix in ["records/", "requests/", "pages/"] {
        let acts = ["s3:PutObject", "s3:DeleteObject"];
        questions.extend(acts.map(|action| (own(prefix), Question::must_not(action, own(prefix)))));
    }
    questions
}

async fn one(iam: &Client, environment: &Environment, principal: &str, what: &str, question: &Question) -> Line {
    let about = format!("{principal}: {} on {what}", question.action);
    let question = question.clone().with("aws:ResourceAccount", environment.aws_account.as_str());
    match is_allowed(iam, principal, &question).await {
        Ok(false) => Line::fine(about, "may not"),
        Ok(true) if is_served(environment, what) => {
            Line::note(about, "may", "nothing: \"Delete Now\" is an invocation where it is allowed")
        }
        Ok(true) => Line::refused(about, "may, and so have anybody erased", "take that permission away"),
        Err(error) if error.code() == Some("NoSuchEntity") => unknown(about, environment),
        Err(error) => Line::refused(about, said(&error), "allow the caller iam:SimulatePrincipalPolicy"),
    }
}

/// A principal that is not there cannot be asked about; in development there may be no app yet.
fn unknown(about: String, environment: &Environment) -> Line {
    let mend = format!("make it, or mend appRole and appPrincipals in environments/{}.json", environment.name);
    if environment.name == "development" {
        return Line::note(about, "there is no such principal", mend);
    }
    Line::refused(about, "there is no such principal", mend)
}

/// Whether apps invoke this function directly.
fn is_served(environment: &Environment, function: &str) -> bool {
    environment.immediate_mode == ImmediateMode::Allowed && function == environment.functions.deletion
}
