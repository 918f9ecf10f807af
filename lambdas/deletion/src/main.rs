//! `photolala-deletion-<environment>`: decides, plans, submits, verifies and writes receipts.

// The SDK's futures nest deeply; the compiler's default stops a little short of them.
#![recursion_limit = "256"]

use aws::host::{Host, stop_by};
use domain::json::Json;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use photolala_deletion::App;
use photolala_deletion::handler::{Call, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    aws::telemetry::init();
    let settings = domain::settings::DeletionSettings::parse(|name| std::env::var(name).ok())?;
    let app = &App::new(&aws::clients::sdk_config().await, settings, Host::LAMBDA);
    run(service_fn(async |event: LambdaEvent<Json>| {
        let context = event.context;
        let call = Call { deadline: stop_by(context.deadline), function: context.env_config.function_name.clone() };
        handle(app, event.payload, &call).await.map_err(Error::from)
    }))
    .await
}
