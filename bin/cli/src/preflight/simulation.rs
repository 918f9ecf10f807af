//! What IAM says a principal may do.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};

/// A question to SimulatePrincipalPolicy, and the answer we want.
#[derive(Debug, Clone)]
pub struct Question {
    /// AWS's name, such as `s3:GetObject`.
    pub action: &'static str,
    /// The resource's ARN.
    pub resource: String,
    /// Condition keys and their values.
    pub context: Vec<(&'static str, String)>,
    /// Whether the principal is to have it.
    pub wanted: bool,
}

impl Question {
    /// What the principal must be allowed to do.
    pub fn must(action: &'static str, resource: impl Into<String>) -> Self {
        Self { action, resource: resource.into(), context: Vec::new(), wanted: true }
    }

    /// What the principal must not be allowed to do.
    pub fn must_not(action: &'static str, resource: impl Into<String>) -> Self {
        Self { wanted: false, ..Self::must(action, resource) }
    }

    /// With a condition key.
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.context.push((key, value.into()));
        self
    }
}

/// Whether IAM allows it. Policies of the principal alone: resource policies are not asked.
pub async fn is_allowed(iam: &Client, principal: &str, question: &Question) -> Result<bool, aws_sdk_iam::Error> {
    let asked = iam
        .simulate_principal_policy()
        .policy_source_arn(principal)
        .action_names(question.action)
        .resource_arns(&question.resource)
        .set_context_entries(Some(question.context.iter().map(entry).collect()));
    let answer = asked.send().await?;
    let decisions: Vec<_> = answer.evaluation_results().iter().map(EvaluationResult::eval_decision).collect();
    // No answer is no permission, for what must be allowed; and for what must not, no proof.
    Ok(match decisions.as_slice() {
        [] => !question.wanted,
        decisions => decisions.iter().all(|decision| **decision == PolicyEvaluationDecisionType::Allowed),
    })
}

fn entry((key, value): &(&'static str, String)) -> ContextEntry {
    let entry = ContextEntry::builder().context_key_name(*key).context_key_values(value);
    entry.context_key_type(ContextKeyTypeEnum::String).build()
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region};
    use bytes::Bytes;
    use http::Response;

    use super::*;

    /// IAM's answer with these decisions.
    fn iam(decisions: &[&str]) -> Client {
        let member = |decision: &&str| {
            format!("<member><EvalActionName>a</EvalActionName><EvalDecision>{decision}</EvalDecision></member>")
        };
        let members: String = decisions.iter().map(member).collect();
        let body = format!(
            "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>{members}\
             </EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        );
        let http = local_s3::in_process(move |_| {
            let body = Bytes::from(body.clone());
            async move { Response::new(body) }
        });
        let config = aws_sdk_iam::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(http);
        Client::from_conf(config.build())
    }

    async fn ask(decisions: &[&str], question: &Question) -> bool {
        is_allowed(&iam(decisions), "arn:aws:iam::123456789012:role/r", question).await.unwrap()
    }

    #[tokio::test]
    async fn only_allowed_is_allowed() {
        let question = Question::must("s3:GetObject", "arn:aws:s3:::b/k");
        assert!(ask(&["allowed"], &question).await);
        assert!(!ask(&["implicitDeny"], &question).await);
        assert!(!ask(&["explicitDeny"], &question).await);
        assert!(!ask(&["allowed", "explicitDeny"], &question).await);
    }

    #[tokio::test]
    async fn an_empty_answer_is_never_what_is_wanted() {
        assert!(!ask(&[], &Question::must("s3:GetObject", "*")).await);
        assert!(ask(&[], &Question::must_not("s3:GetObject", "*")).await);
    }
}
