//! What an operator asks of the deletion function, with the operator's own credentials.

use std::fmt;

use anyhow::{Context as _, ensure};
use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use domain::environment::Environment;
use serde_json::{Value, json};

use crate::preflight::sdk_config;

/// The deletion function of an environment.
pub struct Function {
    lambda: Client,
    name: String,
}

/// What it answered, its body read.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// As in HTTP.
    pub status_code: u64,
    /// The body, decoded a second time.
    pub body: Value,
}

/// Asks, prints the answer, and says whether it was one of status 200. `text` makes the body of such an answer readable.
pub async fn show(
    environment: &Environment,
    event: Value,
    as_json: bool,
    text: impl FnOnce(Value) -> anyhow::Result<String>,
) -> anyhow::Result<bool> {
    let answer = Function::new(&sdk_config(environment).await, environment).ask(&event).await?;
    let is_well = answer.is_well();
    if as_json {
        println!("{answer}");
    } else if answer.status_code == 200 {
        println!("{}", text(answer.body)?);
    } else {
        println!("{}", answer.refusal());
    }
    Ok(is_well)
}

impl Function {
    /// With these credentials.
    pub fn new(sdk: &SdkConfig, environment: &Environment) -> Self {
        Self { lambda: Client::new(sdk), name: environment.functions.deletion.clone() }
    }

    /// Invokes it and waits for the answer.
    pub async fn ask(&self, event: &Value) -> anyhow::Result<Answer> {
        let invoke = self.lambda.invoke().function_name(&self.name).payload(Blob::new(event.to_string()));
        let output = invoke.send().await.with_context(|| format!("invoking {}", self.name))?;
        let payload = output.payload.unwrap_or_else(|| Blob::new("null")).into_inner();
        let text = String::from_utf8_lossy(&payload);
        ensure!(output.function_error.is_none(), "{} failed: {text}", self.name);
        Answer::read(&text)
    }
}

impl Answer {
    fn read(payload: &str) -> anyhow::Result<Self> {
        let answer: Value = serde_json::from_str(payload).context("the answer is not JSON")?;
        let status_code = answer["statusCode"].as_u64().context("the answer has no statusCode")?;
        let body = answer["body"].as_str().context("the answer has no body")?;
        Ok(Self { status_code, body: serde_json::from_str(body).context("the answer's body is not JSON")? })
    }

    /// Answered, and without an error beside what was done.
    fn is_well(&self) -> bool {
        self.status_code == 200 && self.body["error"].is_null()
    }

    fn refusal(&self) -> String {
        match self.body["error"].as_str() {
            Some(error) => format!("not done ({}): {error}", self.status_code),
            None => format!("not done ({}): {}", self.status_code, self.body),
        }
    }
}

/// For scripts.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        json!({ "statusCode": self.status_code, "body": self.body }).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_decoded_twice() {
        let answer = Answer::read(r#"{"statusCode":409,"body":"{\"error\":\"too late\"}"}"#).unwrap();
        assert!(!answer.is_well());
        assert_eq!(answer.refusal(), "not done (409): too late");
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for payload in ["", "null", "{}", r#"{"statusCode":200}"#, r#"{"statusCode":200,"body":"no"}"#] {
            assert!(Answer::read(payload).is_err(), "{payload}");
        }
    }

    #[test]
    fn a_run_that_failed_half_way_is_not_well() {
        let answer = Answer::read(r#"{"statusCode":200,"body":"{\"processed\":1,\"error\":\"time is up\"}"}"#);
        assert!(!answer.unwrap().is_well());
    }
}
