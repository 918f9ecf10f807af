//! Preflight: whether an AWS account is fit for a deployment. One table, a reason and a remedy a line.

mod buckets;
mod policy;
mod principals;
mod roles;
mod simulation;
mod trust;
mod url;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::error::ProvideErrorMetadata;
use comfy_table::Table;
use domain::environment::Environment;
use serde_json::json;

use crate::table::with_header;

/// What was looked at, and what it means for a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    about: String,
    verdict: Verdict,
    found: String,
    remedy: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Fine,
    /// Nothing against a deployment, but to be known.
    Note,
    /// A deployment would erase too much, too little, or not at all.
    Refused,
}

impl Verdict {
    fn sign(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Refused => "NO",
        }
    }
}

impl Line {
    fn to_json(&self) -> serde_json::Value {
        let Self { about, verdict, found, remedy } = self;
        json!({ "about": about, "verdict": verdict.sign(), "found": found, "remedy": remedy })
    }

    fn fine(about: impl Into<String>, found: impl Into<String>) -> Self {
        Self { about: about.into(), verdict: Verdict::Fine, found: found.into(), remedy: String::new() }
    }

    fn note(about: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Note, remedy: remedy.into(), ..Self::fine(about, found) }
    }

    fn refused(about: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Refused, remedy: remedy.into(), ..Self::fine(about, found) }
    }
}

/// Looks, prints the table, and says whether a deployment may go on.
pub async fn run(environment: &Environment, before_deploy: bool, as_json: bool) -> anyhow::Result<bool> {
    let sdk = sdk_config(environment).await;
    let caller = caller(&sdk, environment).await;
    let mut lines = vec![caller];
    // Of another AWS account every answer would be about somebody else's resources.
    if lines[0].verdict == Verdict::Fine {
        lines.extend(buckets::look(&sdk, environment).await);
        let iam = aws_sdk_iam::Client::new(&sdk);
        if !before_deploy {
            lines.extend(roles::look(&iam, environment).await);
            lines.extend(url::look(&sdk, &iam, environment).await);
        }
        lines.push(trust::look(&iam, environment).await);
        lines.extend(principals::look(&iam, environment).await);
    }
    let refused = lines.iter().filter(|line| line.verdict == Verdict::Refused).count();
    if as_json {
        println!("{}", lines.iter().map(Line::to_json).collect::<serde_json::Value>());
    } else {
        println!("{}\n{} looked at, {refused} against a deployment", table(&lines), lines.len());
    }
    Ok(refused == 0)
}

/// The SDK's configuration in the environment's Region.
pub async fn sdk_config(environment: &Environment) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest()).region(Region::new(environment.region.clone())).load().await
}

/// Whose credentials these are.
async fn caller(sdk: &SdkConfig, environment: &Environment) -> Line {
    let about = "AWS account of the credentials";
    let expected = environment.aws_account.as_str();
    match aws_sdk_sts::Client::new(sdk).get_caller_identity().send().await {
        Ok(identity) if identity.account() == Some(expected) => Line::fine(about, expected),
        Ok(identity) => {
            let found = format!("{}, not {expected}", identity.account().unwrap_or("none"));
            Line::refused(
                about,
                found,
                format!("use other credentials, or mend environments/{}.json", environment.name),
            )
        }
        Err(error) => Line::refused(about, said(&error), "give credentials the way the AWS SDKs read them"),
    }
}

fn table(lines: &[Line]) -> Table {
    let mut table = with_header(["", "what", "found", "to do"]);
    for line in lines {
        table.add_row([line.verdict.sign(), &line.about, &line.found, &line.remedy]);
    }
    table
}

/// What AWS said, with its code; or what kept it from saying anything.
fn said(error: &(impl ProvideErrorMetadata + std::error::Error + 'static)) -> String {
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("could not be asked: {code}: {message}"),
        _ => format!("could not be asked: {}", aws_sdk_s3::error::DisplayErrorContext(error)),
    }
}
