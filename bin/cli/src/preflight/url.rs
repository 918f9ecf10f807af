//! The function URL, and whom the deletion function's own policy lets in. SimulatePrincipalPolicy does not see that
//! policy, so it is read.

use aws_config::SdkConfig;
use aws_sdk_iam::error::ProvideErrorMetadata as _;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_policy::GetPolicyError;
use aws_sdk_lambda::types::FunctionUrlAuthType;
use domain::environment::{Environment, ImmediateMode};
use serde_json::Value;

use super::policy::{Statement, allowing};
use super::simulation::{Decision, Question, decide};
use super::trust::app_role;
use super::{Line, said};

/// Both are asked for (Lambda Developer Guide, "Control access to Lambda function URLs"), each with what tells a request
/// over the URL from a direct invocation.
const NEEDED: [Needed; 2] = [
    Needed {
        action: "lambda:InvokeFunctionUrl",
        operator: "StringEquals",
        key: "lambda:FunctionUrlAuthType",
        value: "AWS_IAM",
    },
    Needed { action: "lambda:InvokeFunction", operator: "Bool", key: "lambda:InvokedViaFunctionUrl", value: "true" },
];

#[derive(Debug, Clone, Copy)]
struct Needed {
    action: &'static str,
    operator: &'static str,
    key: &'static str,
    value: &'static str,
}

/// The URL itself, who may invoke the function beside it, and whether the app may ask over it.
pub async fn look(sdk: &SdkConfig, iam: &aws_sdk_iam::Client, environment: &Environment) -> Vec<Line> {
    let lambda = Client::new(sdk);
    let function = &environment.functions.deletion;
    let mut lines = vec![itself(&lambda, function).await];
    match policy(&lambda, function).await {
        Ok(policy) => {
            let statements = allowing(&policy).unwrap_or_default();
            lines.push(direct(&statements, environment));
            lines.push(asking(iam, &statements, environment).await);
        }
        Err(line) => lines.push(line),
    }
    lines
}

async fn itself(lambda: &Client, function: &str) -> Line {
    let about = format!("function URL of {function}");
    match lambda.get_function_url_config().function_name(function).send().await {
        Ok(found) if *found.auth_type() == FunctionUrlAuthType::AwsIam => Line::fine(about, "asks for AWS_IAM"),
        Ok(found) => {
            let found = format!("asks for {}: anybody may call it", found.auth_type().as_str());
            Line::refused(about, found, "deploy anew")
        }
        Err(error) if error.code() == Some("ResourceNotFoundException") => {
            Line::refused(about, "not there", "deploy: the service stack makes it")
        }
        Err(error) => Line::refused(about, said(&error), "allow the caller lambda:GetFunctionUrlConfig"),
    }
}

/// The function's policy; one that nobody ever wrote lets nobody in.
async fn policy(lambda: &Client, function: &str) -> Result<Value, Line> {
    let about = format!("policy of {function}");
    match lambda.get_policy().function_name(function).send().await {
        Ok(found) => serde_json::from_str(found.policy().unwrap_or_default())
            .map_err(|_| Line::refused(about, "cannot be read", "deploy anew")),
        Err(error) if error.as_service_error().is_some_and(GetPolicyError::is_resource_not_found_exception) => {
            Ok(Value::Null)
        }
        Err(error) => Err(Line::refused(about, said(&error), "allow the caller lambda:GetPolicy")),
    }
}

/// Whom of the app the policy lets invoke the function otherwise than over the URL, where no caller is known.
fn direct(statements: &[Statement<'_>], environment: &Environment) -> Line {
    let function = &environment.functions.deletion;
    let about = format!("policy of {function}: direct invocation");
    let [_, by_url] = NEEDED;
    let is_direct = |statement: &Statement<'_>| {
        statement.covers(by_url.action) && !statement.demands(by_url.operator, by_url.key, by_url.value)
    };
    let named = statements.iter().copied().filter(is_direct).flat_map(Statement::principals);
    let apps: Vec<String> = named.map(|principal| principal.name).filter(|name| is_app(name, environment)).collect();
    if apps.is_empty() {
        return Line::fine(about, "lets nobody of the app in");
    }
    let found = format!("lets in {}", apps.join(", "));
    if environment.immediate_mode == ImmediateMode::Allowed && !apps.iter().any(|name| name == "*") {
        return Line::note(about, found, "nothing: \"Delete Now\" is an invocation where it is allowed");
    }
    Line::refused(about, format!("{found}, who so may have anybody erased"), "take that permission away")
}

fn is_app(name: &str, environment: &Environment) -> bool {
    name == "*" || name == app_role(environment) || environment.app_principals.iter().any(|principal| principal == name)
}

/// Whether the app's role may ask over the URL. In one AWS account either policy suffices, unless one denies it.
async fn asking(iam: &aws_sdk_iam::Client, statements: &[Statement<'_>], environment: &Environment) -> Line {
    let about = format!("role {}: function URL of {}", environment.app_role, environment.functions.deletion);
    let mut own = Vec::new();
    for needed in NEEDED {
        own.push(match decide(iam, &app_role(environment), &question(needed, environment)).await {
            Ok(decision) => decision,
            // The line about the role itself says so.
            Err(error) if error.code() == Some("NoSuchEntity") => Decision::Silent,
            Err(error) => return Line::refused(about, said(&error), "allow the caller iam:SimulatePrincipalPolicy"),
        });
    }
    judge(about, statements, &own, environment)
}

fn question(needed: Needed, environment: &Environment) -> Question {
    let Environment { region, aws_account, functions, .. } = environment;
    let function = format!("arn:aws:lambda:{region}:{}:function:{}", aws_account.as_str(), functions.deletion);
    Question::must(needed.action, function).with(needed.key, needed.value)
}

fn judge(about: String, statements: &[Statement<'_>], own: &[Decision], environment: &Environment) -> Line {
    let anybody = |statement: Statement<'_>| {
        statement.covers(NEEDED[0].action) && statement.principals().iter().any(|principal| principal.name == "*")
    };
    if statements.iter().copied().any(anybody) {
        return Line::refused(about, "anybody may ask, by the function's policy", "deploy anew");
    }
    let denied = NEEDED.iter().zip(own).find(|(_, decision)| **decision == Decision::Denied);
    if let Some((needed, _)) = denied {
        let found = format!("its own policies, a boundary or its organization deny {}", needed.action);
        return Line::refused(about, found, "take that Deny away");
    }
    let lets = |needed: &Needed| statements.iter().any(|statement| lets_in(*statement, needed, environment));
    let missing = NEEDED.iter().zip(own).find(|(needed, own)| **own != Decision::Allowed && !lets(needed));
    match missing {
        Some((needed, _)) => {
            let found = format!("may not {}: neither the function's policy nor its own allows it", needed.action);
            Line::refused(about, found, "deploy anew: a role that was made anew is another one to the policy")
        }
        None => Line::fine(about, "may ask; a Deny in the function's policy is not looked for"),
    }
}

fn lets_in(statement: Statement<'_>, needed: &Needed, environment: &Environment) -> bool {
    let role = app_role(environment);
    statement.covers(needed.action)
        && statement.demands(needed.operator, needed.key, needed.value)
        && statement.principals().iter().any(|principal| principal.name == role)
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;
    use aws_sdk_s3::config::{Credentials, Region, SharedCredentialsProvider};
    use bytes::Bytes;
    use http::{Request, Response};
    use serde_json::json;

    use super::*;
    use crate::preflight::Verdict;

    const ROLE: &str = "arn:aws:iam::123456789012:role/photolala-app-development";

    fn environment() -> Environment {
        let mut environment = crate::environment::load(&crate::default_folder(), "development").unwrap();
        environment.aws_account = domain::ids::AwsAccountId::parse("123456789012").unwrap();
        environment
    }

    fn strict() -> Environment {
        Environment { immediate_mode: ImmediateMode::Denied, ..environment() }
    }

    /// The policy as the service stack makes it.
    fn policy() -> Value {
        json!({"Statement": [
            {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "lambda:InvokeFunctionUrl",
                "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}},
            {"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "lambda:InvokeFunction",
                "Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}},
            {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "lambda:InvokeFunction"}]})
    }

    fn with(statement: &Value) -> Value {
        let mut policy = policy();
        policy["Statement"].as_array_mut().unwrap().push(statement.clone());
        policy
    }

    fn asked(policy: &Value, own: [Decision; 2]) -> Verdict {
        judge(String::new(), &allowing(policy).unwrap_or_default(), &own, &strict()).verdict
    }

    #[test]
    fn the_app_may_ask_by_the_functions_policy_or_by_its_own() {
        assert_eq!(asked(&policy(), [Decision::Silent; 2]), Verdict::Fine);
        assert_eq!(asked(&json!({"Statement": []}), [Decision::Allowed; 2]), Verdict::Fine);
        assert_eq!(asked(&json!({"Statement": []}), [Decision::Allowed, Decision::Silent]), Verdict::Refused);
        assert_eq!(asked(&Value::Null, [Decision::Silent; 2]), Verdict::Refused);
        assert_eq!(asked(&policy(), [Decision::Silent, Decision::Denied]), Verdict::Refused);
    }

    #[test]
    fn each_statement_is_needed_and_for_that_role() {
        for place in 0..2 {
            let mut fewer = policy();
            fewer["Statement"].as_array_mut().unwrap().remove(place);
            assert_eq!(asked(&fewer, [Decision::Silent; 2]), Verdict::Refused, "{place}");
            let mut other = policy();
            other["Statement"][place]["Principal"] = json!({"AWS": "AROAEXAMPLE"});
            assert_eq!(asked(&other, [Decision::Silent; 2]), Verdict::Refused, "a role made anew: {place}");
        }
    }

    #[test]
    fn anybody_on_the_url_is_refused() {
        let anybody = json!({"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunctionUrl"});
        assert_eq!(asked(&with(&anybody), [Decision::Silent; 2]), Verdict::Refused);
    }

    #[test]
    fn a_direct_invocation_by_the_app_is_refused_where_it_is_not_served() {
        let said = |policy: &Value, environment: &Environment| direct(&allowing(policy).unwrap(), environment).verdict;
        assert_eq!(said(&policy(), &strict()), Verdict::Fine);
        let app = json!({"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "lambda:Invoke*"});
        assert_eq!(said(&with(&app), &strict()), Verdict::Refused);
        assert_eq!(said(&with(&app), &environment()), Verdict::Note);
        let anybody = json!({"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction"});
        assert_eq!(said(&with(&anybody), &environment()), Verdict::Refused);
    }

    /// What is said where Lambda and IAM answer like this.
    async fn said_of(auth: &'static str, policy: Option<Value>) -> Vec<Verdict> {
        let answer = move |request: &Request<Bytes>| {
            let path = request.uri().path();
            let (status, body) = match &policy {
                _ if path.ends_with("/url") => (
                    200,
                    json!({"AuthType": auth, "FunctionUrl": "u", "FunctionArn": "a",
                    "CreationTime": "t"})
                    .to_string(),
                ),
                Some(policy) if path.ends_with("/policy") => (200, json!({"Policy": policy.to_string()}).to_string()),
                _ if path.ends_with("/policy") => (404, "{}".to_owned()),
                _ => (
                    200,
                    "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults><member>\
                    <EvalActionName>a</EvalActionName><EvalDecision>implicitDeny</EvalDecision></member>\
                    </EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
                        .to_owned(),
                ),
            };
            let answer = Response::builder().status(status).header("x-amzn-errortype", "ResourceNotFoundException");
            answer.body(Bytes::from(body)).unwrap()
        };
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
            .http_client(local_s3::in_process(move |request| {
                let answer = answer(&request);
                async move { answer }
            }))
            .build();
        let lines = look(&sdk, &aws_sdk_iam::Client::new(&sdk), &strict()).await;
        lines.into_iter().map(|line| line.verdict).collect()
    }

    #[tokio::test]
    async fn the_url_and_the_policy_are_read_as_lambda_hands_them_out() {
        use Verdict::{Fine, Refused};
        assert_eq!(said_of("AWS_IAM", Some(policy())).await, [Fine, Fine, Fine]);
        assert_eq!(said_of("NONE", Some(policy())).await, [Refused, Fine, Fine]);
        assert_eq!(said_of("AWS_IAM", None).await, [Fine, Fine, Refused], "no policy lets nobody in");
    }
}
