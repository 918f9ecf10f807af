//! The emulator's IAM and STS, asked directly.

use std::error::Error;

use aws_sdk_s3::config::Credentials;
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
}

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
        Self { iam: aws_sdk_iam::Client::new(sdk), sts: aws_sdk_sts::Client::new(sdk) }
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
        let assumed = self.sts.assume_role().role_arn(role_arn(role)).role_session_name("rehearsal").send().await?;
        let session = assumed.credentials().ok_or("a session has credentials")?;
        let token = Some(session.session_token().to_owned());
        Ok(Credentials::new(session.access_key_id(), session.secret_access_key(), token, None, "rehearsal"))
    }

    /// An IAM user that is allowed to nothing.
    pub async fn stranger(&self) -> Result<Credentials, Failed> {
        let name = "rehearsal-stranger";
        self.iam.create_user().user_name(name).send().await?;
        let created = self.iam.create_access_key().user_name(name).send().await?;
        let key = created.access_key().ok_or("a key was made")?;
        Ok(Credentials::new(key.access_key_id(), key.secret_access_key(), None, None, "rehearsal"))
    }
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
