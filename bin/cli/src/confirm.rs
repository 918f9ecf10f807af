//! `confirm`: a person has looked at what waits for one, and wants it erased.

use domain::environment::Environment;
use domain::ids::AccountId;
use domain::tally::SetDigest;
use serde_json::json;

use crate::ask;

/// Confirms, prints the answer, and says whether it was accepted.
pub async fn run(
    environment: &Environment,
    account: &AccountId,
    digest: SetDigest,
    as_json: bool,
) -> anyhow::Result<bool> {
    let event = json!({ "type": "confirm", "userId": account.canonical(), "digest": digest });
    let text = |body: serde_json::Value| {
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        Ok(format!("{}: {}", text("status"), text("message")))
    };
    ask::show(environment, event, as_json, text).await
}
