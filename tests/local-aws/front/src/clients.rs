use aws_credential_types::Credentials;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region, SharedCredentialsProvider, StalledStreamProtectionConfig};
use aws_sdk_s3control::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::endpoint::EndpointAuthScheme;
use aws_types::{SdkConfig, app_name::AppName};

/// SDK clients of the local AWS, which look at no environment variable, no file and no proxy.
#[derive(Clone, Debug)]
pub struct Clients {
    endpoint: String,
    region: String,
    sdk: SdkConfig,
}

impl Clients {
    /// For the endpoint `http://127.0.0.1:PORT`.
    pub fn new(endpoint: &str, region: &str) -> Self {
        Self::over(aws_smithy_http_client::Builder::new().build_http(), endpoint, region)
    }

    /// Over any HTTP client.
    pub(crate) fn over(http: SharedHttpClient, endpoint: &str, region: &str) -> Self {
        let credentials = Credentials::new("test", "test", None, None, "local-aws");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http)
            // A gate may hold an answer back for as long as it likes.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self { endpoint: endpoint.to_owned(), region: region.to_owned(), sdk }
    }

    /// The same, with an app id that the gate and the recorder see as the caller.
    pub fn named(&self, app_id: &str) -> Self {
        let name = AppName::new(app_id.to_owned()).expect("an app id is made of letters, digits and a few signs");
        Self { sdk: self.sdk.to_builder().app_name(name).build(), ..self.clone() }
    }

    /// The same, with these credentials.
    pub fn with_credentials(&self, credentials: &Credentials) -> Self {
        let provider = SharedCredentialsProvider::new(credentials.clone());
        Self { sdk: self.sdk.to_builder().credentials_provider(provider).build(), ..self.clone() }
    }

    /// The same, without the SDK's own retries.
    pub fn without_retries(&self) -> Self {
        let sdk = self.sdk.to_builder().retry_config(RetryConfig::disabled()).build();
        Self { sdk, ..self.clone() }
    }

    /// What all clients share.
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.sdk
    }

    /// A client of S3, with the bucket in the path.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk).force_path_style(true);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// A client of Lambda.
    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.sdk)
    }

    /// A client of S3 Control, which leaves the AWS account out of the host.
    pub fn s3control(&self) -> aws_sdk_s3control::Client {
        let plain = PlainHost { endpoint: self.endpoint.clone(), region: self.region.clone() };
        let config = aws_sdk_s3control::config::Builder::from(&self.sdk).endpoint_resolver(plain);
        aws_sdk_s3control::Client::from_conf(config.build())
    }
}

/// The SDK's own resolver puts the account before any host, and `123456789012.127.0.0.1` has no address.
#[derive(Debug)]
struct PlainHost {
    endpoint: String,
    region: String,
}

impl ResolveEndpoint for PlainHost {
    fn resolve_endpoint<'a>(&'a self, _: &'a Params) -> EndpointFuture<'a> {
        let signature = EndpointAuthScheme::with_capacity("sigv4", 3)
            .put("signingName", "s3".to_owned())
            .put("signingRegion", self.region.clone())
            .put("disableDoubleEncoding", true);
        EndpointFuture::ready(Ok(Endpoint::builder().url(self.endpoint.clone()).auth_scheme(signature).build()))
    }
}
