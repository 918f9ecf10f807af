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

/// What IAM decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Allowed.
    Allowed,
    /// Denied by a statement, so that no other policy can allow it.
    Denied,
    /// Not allowed by the principal's policies; a policy of the resource still may.
    Silent,
    /// There was no answer.
    Unanswered,
}

/// Whether IAM allows it. Policies of the principal alone: resource policies are not asked.
pub async fn is_allowed(iam: &Client, principal: &str, question: &Question) -> Result<bool, aws_sdk_iam::Error> {
    Ok(match decide(iam, principal, question).await? {
        Decision::Allowed => true,
        Decision::Denied | Decision::Silent => false,
        // No answer is no permission, for what must be allowed; and for what must not, no proof.
        Decision::Unanswered => !question.wanted,
    })
}

/// What IAM decides by the policies of the principal alone.
pub async fn decide(iam: &Client, principal: &str, question: &Question) -> Result<Decision, aws_sdk_iam::Error> {
    let asked = iam
        .simulate_principal_policy()
        .policy_source_arn(principal)
        .action_names(question.action)
        .resource_arns(&question.resource)
        .set_context_entries(Some(question.context.iter().map(entry).collect()));
    let answer = asked.send().await?;
    let decisions: Vec<_> = answer.evaluation_results().iter().map(EvaluationResult::eval_decision).collect();
    let all = |wanted: &PolicyEvaluationDecisionType| decisions.iter().all(|decision| *decision == wanted);
    Ok(match decisions.as_slice() {
        [] => Decision::Unanswered,
        _ if all(&PolicyEvaluationDecisionType::Allowed) => Decision::Allowed,
        some if some.contains(&&PolicyEvaluationDecisionType::ExplicitDeny) => Decision::Denied,
        _ => Decision::Silent,
    })
}

fn entry((key, value): &(&'static str, String)) -> ContextEntry {
    let is_boolean = matches!(value.as_str(), "true" | "false");
    let kind = if is_boolean { ContextKeyTypeEnum::Boolean } else { ContextKeyTypeEnum::String };
    ContextEntry::builder().context_key_name(*key).context_key_values(value).context_key_type(kind).build()
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
    async fn a_denial_is_told_from_silence() {
        let question = Question::must("s3:GetObject", "arn:aws:s3:::b/k");
        for (decisions, decision) in [
            (["allowed", "allowed"], Decision::Allowed),
            (["allowed", "implicitDeny"], Decision::Silent),
            (["implicitDeny", "explicitDeny"], Decision::Denied),
        ] {
            let answer = decide(&iam(&decisions), "arn:aws:iam::123456789012:role/r", &question).await.unwrap();
            assert_eq!(answer, decision, "{decisions:?}");
        }
        let answer = decide(&iam(&[]), "arn:aws:iam::123456789012:role/r", &question).await.unwrap();
        assert_eq!(answer, Decision::Unanswered);
    }

    #[tokio::test]
    async fn an_empty_answer_is_never_what_is_wanted() {
        assert!(!ask(&[], &Question::must("s3:GetObject", "*")).await);
        assert!(ask(&[], &Question::must_not("s3:GetObject", "*")).await);
    }
}
