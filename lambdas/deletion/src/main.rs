//! `photolala-deletion-<environment>`: decides, plans, submits, verifies and writes receipts.

// The SDK's futures nest deeply; the compiler's default stops a little short of them.
#![recursion_limit = "256"]

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use photolala_deletion::{App, handler};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    aws::telemetry::init();
    let settings = domain::settings::DeletionSettings::parse(|name| std::env::var(name).ok())?;
    let app = &App::new(&aws::clients::sdk_config().await, settings);
    run(service_fn(async |event: LambdaEvent<Value>| {
        handler::handle(app, event.payload, &event.context).await.map_err(Error::from)
    }))
    .await
}
