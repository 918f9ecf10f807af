//! Invoke, asynchronously: handing work over to another invocation of the same function.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;

use crate::AwsError;

/// Puts an event into the function's queue and does not wait for it.
pub async fn invoke_later(client: &Client, function: &str, event: &serde_json::Value) -> Result<(), AwsError> {
    let request = client.invoke().function_name(function).invocation_type(InvocationType::Event);
    let request = request.payload(Blob::new(event.to_string()));
    request.send().await.map(|_| ()).map_err(|e| AwsError::of("Invoke", &e))
}
