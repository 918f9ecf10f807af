//! The function URL, called as the app does: over HTTP, signed as the Lambda service.

use aws_sdk_s3::config::Credentials;
use harness::Account;
use serde_json::json;

use crate::stage::Stage;

/// Words of the function's own answer where it is told of no caller.
const NO_CALLER: &str = "only a session of the app's role";

/// What came of a call.
#[derive(Debug)]
pub struct Called {
    /// As in HTTP.
    pub status: u16,
    /// The body.
    pub text: String,
}

impl Called {
    /// Whether the function was asked and knew no caller.
    pub fn is_without_caller(&self) -> bool {
        self.status == 403 && self.text.contains(NO_CALLER)
    }

    /// Whether the function was asked at all; there is nothing that it could tell.
    fn is_let_through(&self) -> bool {
        self.is_without_caller() || self.status == 404 && self.text.contains("deletion of this account")
    }
}

/// IAM lets the app's role through to the function and nobody else.
pub async fn who_gets_through(stage: &Stage) {
    let app = app_session(stage).await;
    let called = status_of(stage, &app).await;
    assert!(called.is_let_through(), "the app's role is not let through: {called:?}");
    let stranger = stage.emulator.stranger("rehearsal-stranger-of-url").await.expect("a user is made");
    let mut others = vec![("a stranger", stranger)];
    for (role, name, service) in stage.roles.each() {
        others.push((name, stage.emulator.assume(role, service).await.expect("the role can be taken on")));
    }
    for (who, credentials) in others {
        let called = status_of(stage, &credentials).await;
        assert!(called.status == 403 && !called.is_let_through(), "{who} is let through: {called:?}");
    }
}

/// A session of the app's role, as somebody has it who signed in.
pub async fn app_session(stage: &Stage) -> Credentials {
    let role = &stage.photolala.environment().app_role;
    let session = stage.emulator.app_session(role, &Account::seeded(3).upper()).await;
    session.expect("the sign-in back end can take on the app's role")
}

/// Asks for the status of one's own deletion. The SDK has no operation for function URLs: one of Lambda's is sent to
/// the URL's place, and signed for it.
pub async fn status_of(stage: &Stage, credentials: &Credentials) -> Called {
    let address = address(stage).await;
    let lambda = stage.emulator.clients().without_retries().with_credentials(credentials).lambda();
    let request =
        lambda.invoke().function_name("url").payload(json!({"type": "status"}).to_string().into_bytes().into());
    let sent = request.customize().mutate_request(move |request| {
        request.set_uri(address.as_str()).expect("the URL's place is an address");
        request.headers_mut().insert("content-type", "application/json");
    });
    match sent.send().await {
        Ok(output) => {
            let text = String::from_utf8_lossy(output.payload().map(AsRef::as_ref).unwrap_or_default()).into_owned();
            Called { status: u16::try_from(output.status_code()).unwrap_or_default(), text }
        }
        Err(error) => {
            let response = error.raw_response().expect("there is an answer");
            let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default()).into_owned();
            Called { status: response.status().as_u16(), text }
        }
    }
}

/// Where the emulator serves the URL: names under `on.aws` lead nowhere here.
async fn address(stage: &Stage) -> String {
    let function = &stage.photolala.environment().functions.deletion;
    let lambda = stage.emulator.clients().lambda();
    let config = lambda.get_function_url_config().function_name(function).send().await.expect("there is a URL");
    let host = config.function_url().trim_start_matches("https://");
    let id = host.split('.').next().unwrap_or_default();
    format!("{}/_aws/lambda-url/{id}/", stage.emulator.address())
}
