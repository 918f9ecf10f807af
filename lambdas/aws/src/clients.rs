//! Clients, and the buckets they lead to.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::BehaviorVersion;
pub use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use domain::ids::{AwsAccountId, BucketName};
use domain::settings::SharedSettings;

use crate::clock::ServerClock;
use crate::whole_answers::WholeAnswers;

/// One attempt of one call; S3 answers a full listing page or DeleteObjects well within it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The SDK's configuration, without its retries: their shared budget runs dry under throttling, so retries and
/// pace are ours ([`crate::retry`], [`crate::pace`]).
pub async fn sdk_config() -> SdkConfig {
    without_retries(&aws_config::load_defaults(BehaviorVersion::latest()).await)
}

/// The same configuration without the SDK's retries, and with our timeouts.
pub fn without_retries(sdk: &SdkConfig) -> SdkConfig {
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    sdk.to_builder().retry_config(RetryConfig::disabled()).timeout_config(timeouts).build()
}

/// A bucket, its owner, and a client of its region. Every call names the owner, so that a bucket that fell into
/// other hands answers 403.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// A client of the bucket's region.
    pub client: Client,
    /// Its name.
    pub name: BucketName,
    /// Its region.
    pub region: String,
    /// Its owner.
    pub owner: AwsAccountId,
}

/// The buckets of the environment.
#[derive(Debug, Clone)]
pub struct Buckets {
    /// Records, pages, manifests, outcomes, reports, receipts.
    pub manifest: Bucket,
    /// The buckets that are erased, in the settings' order.
    pub photos: Vec<Bucket>,
}

impl Buckets {
    /// Makes a client a region. The manifest bucket lies in the function's own region.
    pub fn new(sdk: &SdkConfig, settings: &SharedSettings, clock: &ServerClock) -> Self {
        let home = sdk.region().map_or_else(String::new, ToString::to_string);
        let mut clients = BTreeMap::new();
        let mut bucket = |name: &BucketName, region: &str| Bucket {
            client: clients.entry(region.to_owned()).or_insert_with(|| client(sdk, region, clock)).clone(),
            name: name.clone(),
            region: region.to_owned(),
            owner: settings.aws_account.clone(),
        };
        Self {
            manifest: bucket(&settings.manifest_bucket, &home),
            photos: settings.buckets.iter().map(|b| bucket(&b.name, &b.region)).collect(),
        }
    }

    /// The bucket of this name, if it is one of those erased.
    pub fn photo_bucket(&self, name: &BucketName) -> Option<&Bucket> {
        self.photo_index(name).map(|index| &self.photos[index])
    }

    /// Its place among them.
    pub fn photo_index(&self, name: &BucketName) -> Option<usize> {
        self.photos.iter().position(|bucket| bucket.name == *name)
    }
}

/// A client of S3 Batch Operations.
pub fn jobs(sdk: &SdkConfig) -> aws_sdk_s3control::Client {
    let config = aws_sdk_s3control::config::Builder::from(sdk).interceptor(WholeAnswers);
    aws_sdk_s3control::Client::from_conf(config.build())
}

pub(crate) fn client(sdk: &SdkConfig, region: &str, clock: &ServerClock) -> Client {
    let config = aws_sdk_s3::config::Builder::from(sdk)
        .region(aws_sdk_s3::config::Region::new(region.to_owned()))
        .interceptor(clock.clone())
        .interceptor(WholeAnswers);
    Client::from_conf(config.build())
}
