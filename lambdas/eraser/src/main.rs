//! `photolala-eraser-<environment>`: erases what a page lists, and nothing else.

use aws::host::{Host, stop_by};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use photolala_eraser::Eraser;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    aws::telemetry::init();
    let settings = domain::settings::EraserSettings::parse(|name| std::env::var(name).ok())?;
    let eraser = &Eraser::new(&aws::clients::sdk_config().await, settings.shared, Host::LAMBDA);
    let serve = async |event: LambdaEvent<Value>| eraser.handle(event.payload, stop_by(event.context.deadline)).await;
    run(service_fn(serve)).await
}
