//! Our three roles: what each may and may not do, as IAM sees it.

use aws_sdk_iam::Client;
use aws_sdk_iam::operation::get_role::GetRoleError;
use domain::environment::{Bucket, Environment};

use super::simulation::{Question, is_allowed};
use super::{Line, said};

/// An account that stands for any.
const SOMEBODY: &str = "0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9";
/// A bucket of nobody's environment.
const ELSEWHERE: &str = "a-bucket-of-another-environment";

/// A line a role that is there and right, or a line for each thing that is wrong with it.
pub async fn look(iam: &Client, environment: &Environment) -> Vec<Line> {
    let batch = batch_role(environment);
    let roles = [
        (environment.functions.deletion.as_str(), deletion(environment)),
        (environment.functions.eraser.as_str(), eraser(environment)),
        (batch.as_str(), batch_questions(environment)),
    ];
    let mut lines = Vec::new();
    for (role, questions) in roles {
        lines.extend(ask(iam, environment, role, questions).await);
    }
    lines
}

/// The name of the role that S3 Batch Operations assumes.
pub fn batch_role(environment: &Environment) -> String {
    format!("photolala-deletion-batch-{}", environment.name)
}

async fn ask(iam: &Client, environment: &Environment, role: &str, questions: Vec<Question>) -> Vec<Line> {
    let about = format!("role {role}");
    let found = match iam.get_role().role_name(role).send().await {
        Ok(found) => found,
        Err(error) if error.as_service_error().is_some_and(GetRoleError::is_no_such_entity_exception) => {
            return vec![Line::refused(about, "not there", "deploy: the service stack makes it")];
        }
        Err(error) => return vec![Line::refused(about, said(&error), "allow the caller iam:GetRole")],
    };
    let Some(role) = found.role() else {
        return vec![Line::refused(about, "an answer without a role", "ask again")];
    };
    let mut wrong = Vec::new();
    for question in &questions {
        let question = question.clone().with("aws:ResourceAccount", environment.aws_account.as_str());
        wrong.extend(answer(iam, &about, role.arn(), &question).await);
    }
    if wrong.is_empty() { vec![Line::fine(about, format!("{} questions, as wanted", questions.len()))] } else { wrong }
}

async fn answer(iam: &Client, about: &str, principal: &str, question: &Question) -> Option<Line> {
    let Question { action, resource, wanted, .. } = question;
    let deploy = "deploy anew; if it stays, look for a boundary or a policy added by hand";
    match is_allowed(iam, principal, question).await {
        Ok(allowed) if allowed == *wanted => None,
        Ok(true) => Some(Line::refused(about, format!("may {action} on {resource}"), deploy)),
        Ok(false) => Some(Line::refused(about, format!("may not {action} on {resource}"), deploy)),
        Err(error) => Some(Line::refused(about, said(&error), "allow the caller iam:SimulatePrincipalPolicy")),
    }
}

/// Sample keys of one person, under each account prefix.
fn account_keys(environment: &Environment) -> Vec<String> {
    let spellings = [SOMEBODY.to_owned(), SOMEBODY.to_lowercase()];
    let key = |template: &String, id: &String| format!("{}sample", template.replace("{account}", id));
    environment.account_prefixes.iter().flat_map(|template| spellings.iter().map(move |id| key(template, id))).collect()
}

fn in_bucket(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// A sample mapping under each prefix in each bucket.
fn mappings(environment: &Environment) -> Vec<String> {
    let in_one = |bucket: &Bucket| {
        let sample = |prefix: &String| in_bucket(bucket.name.as_str(), &format!("{prefix}sample"));
        environment.mapping_prefixes.iter().map(sample).collect::<Vec<_>>()
    };
    environment.buckets.iter().flat_map(in_one).collect()
}

fn erasing(environment: &Environment) -> impl Iterator<Item = Question> {
    let keys = account_keys(environment);
    environment.buckets.iter().flat_map(move |bucket| {
        let question = |key: &String| Question::must("s3:DeleteObjectVersion", in_bucket(bucket.name.as_str(), key));
        keys.iter().map(question).collect::<Vec<_>>()
    })
}

/// Nobody of ours may read or write a photo, erase above an account, or reach another environment.
fn never(environment: &Environment) -> impl Iterator<Item = Question> {
    let photo = account_keys(environment).swap_remove(0);
    environment.buckets.iter().flat_map(move |bucket| {
        let bucket = bucket.name.as_str();
        [
            Question::must_not("s3:GetObject", in_bucket(bucket, &photo)),
            Question::must_not("s3:PutObject", in_bucket(bucket, &photo)),
            Question::must_not("s3:DeleteObjectVersion", in_bucket(bucket, "photos/sample.dat")),
            Question::must_not("s3:DeleteObjectVersion", in_bucket(ELSEWHERE, &photo)),
            Question::must_not("s3:DeleteBucket", format!("arn:aws:s3:::{bucket}")),
        ]
    })
}

fn deletion(environment: &Environment) -> Vec<Question> {
    let own = environment.manifest_bucket();
    let mut questions: Vec<Question> = erasing(environment).chain(never(environment)).collect();
    for mapping in mappings(environment) {
        let actions = ["s3:GetObject", "s3:DeleteObject", "s3:DeleteObjectVersion"];
        questions.extend(actions.map(|action| Question::must(action, &mapping)));
    }
    let pass = |role: String| {
        let arn = format!("arn:aws:iam::{}:role/{role}", environment.aws_account.as_str());
        (arn, "iam:PassedToService", "batchoperations.s3.amazonaws.com")
    };
    let (batch, key, service) = pass(batch_role(environment));
    let (own_role, ..) = pass(environment.functions.deletion.clone());
    questions.extend([
        Question::must("s3:PutObject", in_bucket(&own, "records/sample")),
        Question::must("s3:PutObject", in_bucket(&own, "receipts/sample")),
        Question::must_not("s3:DeleteObject", in_bucket(&own, "receipts/sample")),
        Question::must_not("s3:PutObject", in_bucket(&own, "outcomes/sample")),
        Question::must("iam:PassRole", batch).with(key, service),
        Question::must_not("iam:PassRole", own_role).with(key, service),
    ]);
    questions
}

fn eraser(environment: &Environment) -> Vec<Question> {
    let own = environment.manifest_bucket();
    let mut questions: Vec<Question> = erasing(environment).chain(never(environment)).collect();
    for mapping in mappings(environment) {
        questions.extend(["s3:GetObject", "s3:DeleteObjectVersion"].map(|action| Question::must_not(action, &mapping)));
    }
    questions.extend([
        Question::must("s3:GetObject", in_bucket(&own, "pages/sample")),
        Question::must("s3:GetObject", in_bucket(&own, "records/sample")),
        Question::must("s3:PutObject", in_bucket(&own, "outcomes/sample")),
        Question::must_not("s3:PutObject", in_bucket(&own, "records/sample")),
        Question::must_not("s3:PutObject", in_bucket(&own, "receipts/sample")),
        Question::must_not("s3:CreateJob", "*"),
    ]);
    questions
}

fn batch_questions(environment: &Environment) -> Vec<Question> {
    let own = environment.manifest_bucket();
    let function = |name: &str, version: &str| {
        let Environment { region, aws_account, .. } = environment;
        format!("arn:aws:lambda:{region}:{}:function:{name}{version}", aws_account.as_str())
    };
    let photo = account_keys(environment).swap_remove(0);
    let mut questions: Vec<Question> = never(environment).collect();
    questions.extend([
        Question::must("s3:GetObject", in_bucket(&own, "manifests/sample")),
        Question::must("s3:PutObject", in_bucket(&own, "reports/sample")),
        Question::must("lambda:InvokeFunction", function(&environment.functions.eraser, ":1")),
        Question::must_not("lambda:InvokeFunction", function(&environment.functions.deletion, "")),
        Question::must_not("s3:DeleteObjectVersion", in_bucket(environment.buckets[0].name.as_str(), &photo)),
    ]);
    questions
}
