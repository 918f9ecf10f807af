//! Who may assume the app's role. The function believes the name of its sessions, so whoever may choose that name may
//! have anybody erased: only back ends that sign people in, and set the name themselves, may assume it.

use aws_sdk_iam::Client;
use aws_sdk_iam::operation::get_role::GetRoleError;
use aws_sdk_iam::types::Role;
use domain::environment::Environment;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::policy::{Principal, Statement, allowing};
use super::{Line, said};

/// The ways to assume a role (STS API reference).
const WAYS: [&str; 3] = ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"];
const MEND: &str = "in its trust policy, name the roles of the back end that signs people in, and nobody else";

/// What a principal in the trust policy means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// A role, which is taken to be a back end's.
    Role,
    /// An AWS service, which names the sessions itself.
    Service,
    /// Somebody who chooses the session's name; the word says why.
    Chooses(&'static str),
}

/// The ARN of the app's role.
pub fn app_role(environment: &Environment) -> String {
    format!("arn:aws:iam::{}:role/{}", environment.aws_account.as_str(), environment.app_role)
}

/// One line about the app's role. It has to be there before the first deploy: the function URL's policy names it.
pub async fn look(iam: &Client, environment: &Environment) -> Line {
    let about = format!("role {}: who may assume it", environment.app_role);
    let found = match iam.get_role().role_name(&environment.app_role).send().await {
        Ok(found) => found,
        Err(error) if error.as_service_error().is_some_and(GetRoleError::is_no_such_entity_exception) => {
            let remedy = format!("make it, or mend appRole in environments/{}.json", environment.name);
            return Line::refused(about, "not there, and the function URL names it", remedy);
        }
        Err(error) => return Line::refused(about, said(&error), "allow the caller iam:GetRole"),
    };
    match found.role() {
        Some(role) if role.arn() != app_role(environment) => Line::refused(
            about,
            format!("it is {}", role.arn()),
            "make it without a path: the function URL names it so",
        ),
        role => judge(about, role.and_then(document).as_ref(), environment),
    }
}

/// IAM hands the policy out percent-encoded (IAM API reference, "Role").
fn document(role: &Role) -> Option<Value> {
    let text = percent_decode_str(role.assume_role_policy_document()?).decode_utf8().ok()?;
    serde_json::from_str(&text).ok()
}

fn judge(about: String, policy: Option<&Value>, environment: &Environment) -> Line {
    let Some(statements) = policy.and_then(allowing) else {
        return Line::refused(about, "its trust policy cannot be read", MEND);
    };
    let trusting = statements.iter().copied().filter(|statement| WAYS.iter().any(|way| statement.covers(way)));
    let (mut choosing, mut services, mut roles) = (Vec::new(), Vec::new(), Vec::new());
    for principal in trusting.flat_map(Statement::principals) {
        match standing(&principal, environment) {
            Standing::Chooses(why) => choosing.push(format!("{} ({why})", principal.name)),
            Standing::Service => services.push(principal.name),
            Standing::Role => roles.push(principal.name),
        }
    }
    if !choosing.is_empty() {
        let found = format!("may choose the session's name, and so be anybody: {}", choosing.join(", "));
        return Line::refused(about, found, MEND);
    }
    if !services.is_empty() {
        let found = format!("AWS services, which name sessions their own way: {}", services.join(", "));
        return Line::note(about, found, "see that no name of theirs can be an account's id; or name the role instead");
    }
    if roles.is_empty() {
        return Line::note(about, "nobody: no app can ask over the function URL", MEND);
    }
    Line::fine(about, format!("{}; see that they are the sign-in back end's", roles.join(", ")))
}

/// Whatever is not known to be a role or a service counts as somebody who chooses.
fn standing(principal: &Principal, environment: &Environment) -> Standing {
    let Principal { kind, name } = principal;
    match kind.as_str() {
        // IAM Roles Anywhere lets its callers name their sessions (its API reference, "CreateSession").
        "Service" if name.starts_with("rolesanywhere.") => Standing::Chooses("its callers name their sessions"),
        "Service" if name.ends_with(".amazonaws.com") => Standing::Service,
        "Federated" => Standing::Chooses("whoever signs in there names the session"),
        "AWS" => of_aws(name, environment),
        _ => Standing::Chooses("not known to be a back end"),
    }
}

/// A principal of AWS (IAM User Guide, "AWS JSON policy elements: Principal").
fn of_aws(name: &str, environment: &Environment) -> Standing {
    if environment.app_principals.iter().any(|principal| principal == name) {
        return Standing::Chooses("the app itself");
    }
    if name.len() == 12 && name.bytes().all(|b| b.is_ascii_digit()) {
        return Standing::Chooses("a whole AWS account");
    }
    let parts: Vec<&str> = name.splitn(6, ':').collect();
    let [_, _, service, _, account, resource] = parts.as_slice() else {
        return Standing::Chooses(if name == "*" { "anybody" } else { "not known to be a back end" });
    };
    let is_own = |role: &str| *account == environment.aws_account.as_str() && role == environment.app_role;
    match (*service, resource.split_once('/')) {
        _ if name.contains('*') => Standing::Chooses("more than one"),
        ("iam", None) if *resource == "root" => Standing::Chooses("a whole AWS account"),
        ("iam", Some(("user", _))) => Standing::Chooses("a user"),
        ("iam", Some(("role", role))) if is_own(role) => Standing::Chooses("the app itself"),
        ("iam", Some(("role", _))) => Standing::Role,
        ("sts", Some(("assumed-role", session))) => match session.split_once('/') {
            Some((role, _)) if !is_own(role) => Standing::Role,
            _ => Standing::Chooses("the app itself"),
        },
        ("sts", Some(("federated-user", _))) => Standing::Chooses("a federated user"),
        _ => Standing::Chooses("not known to be a back end"),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region};
    use bytes::Bytes;
    use http::Response;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use serde_json::json;

    use super::*;
    use crate::preflight::Verdict;

    const BACK_END: &str = "arn:aws:iam::123456789012:role/sign-in";

    fn environment() -> Environment {
        let mut environment = crate::environment::load(&crate::default_folder(), "development").unwrap();
        environment.aws_account = domain::ids::AwsAccountId::parse("123456789012").unwrap();
        environment.app_principals = vec!["arn:aws:iam::123456789012:role/app-testers".to_owned()];
        environment
    }

    fn trusting(principal: &Value) -> Value {
        json!({"Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"], "Principal": principal}]})
    }

    fn judged(policy: &Value) -> (Verdict, String) {
        let line = judge("role".to_owned(), Some(policy), &environment());
        (line.verdict, line.found)
    }

    #[test]
    fn roles_of_a_back_end_are_fine_and_named() {
        let (verdict, found) = judged(&trusting(&json!({ "AWS": [BACK_END] })));
        assert_eq!(verdict, Verdict::Fine);
        assert!(found.contains(BACK_END), "{found}");
        let session = json!({"AWS": "arn:aws:sts::123456789012:assumed-role/sign-in/function"});
        assert_eq!(judged(&trusting(&session)).0, Verdict::Fine);
    }

    #[test]
    fn whoever_may_choose_the_name_is_refused_also_beside_a_back_end() {
        for principal in [
            json!("*"),
            json!({"AWS": "*"}),
            json!({"AWS": "123456789012"}),
            json!({"AWS": "arn:aws:iam::123456789012:root"}),
            json!({"AWS": "arn:aws:iam::123456789012:user/operator"}),
            json!({"AWS": "arn:aws:iam::123456789012:role/*"}),
            json!({"AWS": "arn:aws:sts::123456789012:federated-user/somebody"}),
            json!({"AWS": "AIDACKCEVSQ6C2EXAMPLE"}),
            json!({"Federated": "cognito-identity.amazonaws.com"}),
            json!({"Federated": "accounts.google.com"}),
            json!({"Federated": "arn:aws:iam::123456789012:saml-provider/office"}),
            json!({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}),
            json!({"Service": "rolesanywhere.amazonaws.com"}),
        ] {
            assert_eq!(judged(&trusting(&principal)).0, Verdict::Refused, "{principal}");
            let mut policy = trusting(&json!({ "AWS": BACK_END }));
            policy["Statement"].as_array_mut().unwrap().push(trusting(&principal)["Statement"][0].clone());
            assert_eq!(judged(&policy).0, Verdict::Refused, "{principal}");
        }
    }

    #[test]
    fn the_app_may_not_name_its_own_sessions() {
        for own in [
            "arn:aws:iam::123456789012:role/photolala-app-development",
            "arn:aws:sts::123456789012:assumed-role/photolala-app-development/x",
            "arn:aws:iam::123456789012:role/app-testers",
        ] {
            assert_eq!(judged(&trusting(&json!({ "AWS": own }))).0, Verdict::Refused, "{own}");
        }
    }

    #[test]
    fn what_does_not_let_anybody_assume_it_is_no_trust() {
        let tagging = json!({"Effect": "Allow", "Action": "sts:TagSession", "Principal": "*"});
        let denying = json!({"Effect": "Deny", "Action": "sts:AssumeRole", "Principal": "*"});
        let mut policy = trusting(&json!({ "AWS": BACK_END }));
        policy["Statement"].as_array_mut().unwrap().extend([tagging.clone(), denying]);
        assert_eq!(judged(&policy).0, Verdict::Fine);
        assert_eq!(judged(&json!({ "Statement": tagging })).0, Verdict::Note, "nobody may assume it");
    }

    #[test]
    fn services_are_noted() {
        let (verdict, found) = judged(&trusting(&json!({"Service": "lambda.amazonaws.com"})));
        assert_eq!(verdict, Verdict::Note);
        assert!(found.contains("lambda.amazonaws.com"), "{found}");
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_refused() {
        assert_eq!(judge(String::new(), None, &environment()).verdict, Verdict::Refused);
        assert_eq!(judged(&json!({})).0, Verdict::Refused);
    }

    /// What is said where IAM answers like this.
    async fn said_of(status: u16, body: String) -> (Verdict, String) {
        let http = local_s3::in_process(move |_| {
            let answer = Response::builder().status(status).body(Bytes::from(body.clone())).unwrap();
            async move { answer }
        });
        let config = aws_sdk_iam::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(http);
        let line = look(&Client::from_conf(config.build()), &environment()).await;
        (line.verdict, line.found)
    }

    fn role(path: &str, policy: &Value) -> String {
        let policy = utf8_percent_encode(&policy.to_string(), NON_ALPHANUMERIC).to_string();
        format!(
            "<GetRoleResponse><GetRoleResult><Role><Path>/{path}</Path><RoleName>photolala-app-development</RoleName>\
             <RoleId>AROA</RoleId><Arn>arn:aws:iam::123456789012:role/{path}photolala-app-development</Arn>\
             <CreateDate>2026-01-02T03:04:05Z</CreateDate><AssumeRolePolicyDocument>{policy}</AssumeRolePolicyDocument>\
             </Role></GetRoleResult></GetRoleResponse>"
        )
    }

    #[tokio::test]
    async fn the_policy_is_read_as_iam_hands_it_out() {
        let policy = trusting(&json!({ "AWS": BACK_END }));
        assert_eq!(said_of(200, role("", &policy)).await.0, Verdict::Fine);
        assert_eq!(said_of(200, role("", &trusting(&json!("*")))).await.0, Verdict::Refused);
        let (verdict, found) = said_of(200, role("apps/", &policy)).await;
        assert_eq!(verdict, Verdict::Refused, "the function URL names it without a path");
        assert!(found.contains("role/apps/"), "{found}");
    }

    #[tokio::test]
    async fn a_role_that_is_not_there_or_not_shown_is_refused() {
        let error = |code: &str| {
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"
            )
        };
        let (verdict, found) = said_of(404, error("NoSuchEntity")).await;
        assert!(verdict == Verdict::Refused && found.starts_with("not there"), "{found}");
        let (verdict, found) = said_of(403, error("AccessDenied")).await;
        assert!(verdict == Verdict::Refused && found.contains("AccessDenied"), "{found}");
    }
}
