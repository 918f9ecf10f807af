//! The emulator's IAM, STS and EventBridge, asked directly.

use std::error::Error;

use aws_sdk_eventbridge::types::RuleState;
use aws_sdk_s3::config::Credentials;
use domain::environment::Environment;
use domain::tally::hex;
use harness::environment::{AWS_ACCOUNT, REGION};
use local_aws::Clients;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::grants::{self, Grant};

type Failed = Box<dyn Error + Send + Sync>;

/// The emulator, as the root of its AWS account sees it.
#[derive(Clone, Debug)]
pub struct Emulator {
    iam: aws_sdk_iam::Client,
    sts: aws_sdk_sts::Client,
    events: aws_sdk_eventbridge::Client,
    clients: Clients,
    address: String,
}

/// A rule that invokes a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// When it fires, if by the clock.
    pub schedule: Option<String>,
    /// Whether it fires at all.
    pub is_enabled: bool,
    /// What the function gets in place of the event.
    pub input: Option<Value>,
    /// Whether an event that could not be delivered is kept.
    pub keeps_dead_letters: bool,
}

/// The role of the sign-in back end, which takes on the app's role for whoever signed in. It is not ours; here it is
/// made so that somebody has it.
const SIGN_IN: &str = "sign-in";
/// What keeps the events of a bus.
const ARCHIVE: &str = "rehearsal-notices";

/// The ARN of a role.
pub fn role_arn(role: &str) -> String {
    format!("arn:aws:iam::{AWS_ACCOUNT}:role/{role}")
}

/// The ARN of a function.
pub fn function_arn(function: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{AWS_ACCOUNT}:function:{function}")
}

/// The access key of the session that ministack gives to a function: it follows from function and role. Nothing but
/// this tells whose a request is; a ministack that names its sessions otherwise shows as a caller that nobody knows.
pub fn session_key(function_arn: &str, role: &str) -> String {
    let digest = hex(&Sha256::digest(format!("{function_arn}:{}", role_arn(role))));
    format!("ASIA{}", digest[..16].to_uppercase())
}

impl Emulator {
    /// At `http://HOST:PORT`.
    pub fn at(url: &str) -> Self {
        let clients = Clients::new(url, REGION);
        let sdk = clients.sdk_config();
        Self {
            iam: aws_sdk_iam::Client::new(sdk),
            sts: aws_sdk_sts::Client::new(sdk),
            events: aws_sdk_eventbridge::Client::new(sdk),
            clients,
            address: url.to_owned(),
        }
    }

    /// `http://HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Clients that pass no front.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// What must be there before the stacks are: the app's role, which the sign-in back end alone may take on.
    pub async fn make_app_role(&self, environment: &Environment) -> Result<(), Failed> {
        for (role, principal) in
            [(SIGN_IN, format!("arn:aws:iam::{AWS_ACCOUNT}:root")), (environment.app_role.as_str(), role_arn(SIGN_IN))]
        {
            let trust = trust(&json!({"AWS": principal}));
            self.iam.create_role().role_name(role).assume_role_policy_document(trust).send().await?;
        }
        // The emulator asks for this too; on AWS a trust policy that names the role suffices in one AWS account.
        let may = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role_arn(&environment.app_role)});
        let policy = json!({"Version": "2012-10-17", "Statement": [may]}).to_string();
        self.iam.put_role_policy().role_name(SIGN_IN).policy_name("SignIn").policy_document(policy).send().await?;
        Ok(())
    }

    /// A session of the app's role with the name that the sign-in back end gives it: the account.
    pub async fn app_session(&self, app_role: &str, account: &str) -> Result<Credentials, Failed> {
        let back_end = session(&self.sts, SIGN_IN, "back-end").await?;
        let clients = self.clients.without_retries().with_credentials(&back_end);
        session(&aws_sdk_sts::Client::new(clients.sdk_config()), app_role, account).await
    }

    /// The rules that invoke a function.
    pub async fn rules(&self, function_arn: &str) -> Result<Vec<Rule>, Failed> {
        let mut rules = Vec::new();
        for name in self.events.list_rule_names_by_target().target_arn(function_arn).send().await?.rule_names() {
            let rule = self.events.describe_rule().name(name).send().await?;
            let targets = self.events.list_targets_by_rule().rule(name).send().await?;
            for target in targets.targets().iter().filter(|target| target.arn() == function_arn) {
                rules.push(Rule {
                    name: name.clone(),
                    schedule: rule.schedule_expression().map(str::to_owned),
                    is_enabled: rule.state() == Some(&RuleState::Enabled),
                    input: target.input().map(serde_json::from_str).transpose()?,
                    keeps_dead_letters: target.dead_letter_config().is_some_and(|config| config.arn().is_some()),
                });
            }
        }
        Ok(rules)
    }

    /// Has a rule fire at these times from now on.
    pub async fn reschedule(&self, rule: &str, schedule: &str) -> Result<(), Failed> {
        self.events.put_rule().name(rule).schedule_expression(schedule).send().await?;
        Ok(())
    }

    /// The policy of a bus; none if it has none. A bus that is not there is an error.
    pub async fn bus_policy(&self, bus: &str) -> Result<Option<String>, Failed> {
        Ok(self.events.describe_event_bus().name(bus).send().await?.policy().map(str::to_owned))
    }

    /// Keeps what a bus takes from now on.
    pub async fn keep_events(&self, bus: &str) -> Result<(), Failed> {
        let bus = self.events.describe_event_bus().name(bus).send().await?;
        let archive =
            self.events.create_archive().archive_name(ARCHIVE).event_source_arn(bus.arn().unwrap_or_default());
        archive.send().await?;
        Ok(())
    }

    /// How many events were kept.
    pub async fn kept_events(&self) -> Result<i64, Failed> {
        Ok(self.events.describe_archive().archive_name(ARCHIVE).send().await?.event_count())
    }

    /// Everything a role is allowed to by the policies it was deployed with.
    pub async fn grants(&self, role: &str) -> Result<Vec<Grant>, Failed> {
        let attached = self.iam.list_attached_role_policies().role_name(role).send().await?;
        if !attached.attached_policies().is_empty() {
            return Err(format!("{role} has managed policies, whose grants are not compared").into());
        }
        let mut all = Vec::new();
        for name in self.iam.list_role_policies().role_name(role).send().await?.policy_names() {
            let policy = self.iam.get_role_policy().role_name(role).policy_name(name).send().await?;
            all.extend(grants::of_policy(role, &document(policy.policy_document())?)?);
        }
        Ok(all)
    }

    /// A session of a role that trusts this service alone. No caller here is that service, so the role is made to
    /// trust its own AWS account too, once its trust was seen to be what it should be.
    pub async fn assume(&self, role: &str, service: &str) -> Result<Credentials, Failed> {
        let got = self.iam.get_role().role_name(role).send().await?;
        let mut trust = document(got.role().and_then(|role| role.assume_role_policy_document()).unwrap_or_default())?;
        let statements = trust["Statement"].as_array_mut().ok_or("a trust policy has statements")?;
        let us = json!({"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": format!("arn:aws:iam::{AWS_ACCOUNT}:root")}});
        if !statements.contains(&us) {
            if statements.len() != 1 || statements[0]["Principal"] != json!({"Service": service}) {
                return Err(format!("{role} is to trust {service} alone, and trusts {statements:?}").into());
            }
            statements.push(us);
            self.iam.update_assume_role_policy().role_name(role).policy_document(trust.to_string()).send().await?;
        }
        session(&self.sts, role, "rehearsal").await
    }

    /// An IAM user of this name that is allowed to nothing.
    pub async fn stranger(&self, name: &str) -> Result<Credentials, Failed> {
        self.iam.create_user().user_name(name).send().await?;
        let created = self.iam.create_access_key().user_name(name).send().await?;
        let key = created.access_key().ok_or("a key was made")?;
        Ok(Credentials::new(key.access_key_id(), key.secret_access_key(), None, None, "rehearsal"))
    }
}

async fn session(sts: &aws_sdk_sts::Client, role: &str, name: &str) -> Result<Credentials, Failed> {
    let assumed = sts.assume_role().role_arn(role_arn(role)).role_session_name(name).send().await?;
    let session = assumed.credentials().ok_or("a session has credentials")?;
    let token = Some(session.session_token().to_owned());
    Ok(Credentials::new(session.access_key_id(), session.secret_access_key(), token, None, "rehearsal"))
}

/// A trust policy for one principal.
fn trust(principal: &Value) -> String {
    let statement = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// IAM hands policies out percent-encoded (IAM API reference, "GetRolePolicy").
fn document(encoded: &str) -> Result<Value, Failed> {
    Ok(serde_json::from_str(&percent_decode_str(encoded).decode_utf8()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_belongs_to_one_function_and_one_role() {
        let key = session_key(&function_arn("f"), "r");
        assert_eq!(key.len(), 20);
        assert_ne!(key, session_key(&function_arn("f:1"), "r"));
        assert_ne!(key, session_key(&function_arn("f"), "q"));
    }
}
