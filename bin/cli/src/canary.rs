//! The canary: a made-up account, erased by the deployed service as the app asks for it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use aws_config::{Region, SdkConfig};
use aws_sdk_s3::Client;
use domain::environment::{BucketRole, Environment, ImmediateMode};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ask::Function;
use crate::preflight::sdk_config;

/// How long a deletion of the canary's may take. A job starts within minutes.
const PATIENCE: Duration = Duration::from_mins(30);
const PAUSE: Duration = Duration::from_secs(2);
const PUTS_IN_FLIGHT: usize = 16;

/// Puts an account of `objects` photos, has it erased, and looks whether it is gone.
pub async fn run(environment: &Environment, objects: usize) -> anyhow::Result<bool> {
    let canary = Canary::new(&sdk_config(environment).await, environment)?;
    if environment.immediate_mode != ImmediateMode::Allowed {
        return canary.only_ask().await;
    }
    let left = canary.fill_and_delete(objects).await.with_context(|| {
        format!("the made-up account {} may be left in {}: ask for its deletion", canary.account, canary.bucket)
    })?;
    println!("left of the account: {left} objects, versions, delete markers and uploads");
    Ok(left == 0)
}

struct Canary<'a> {
    environment: &'a Environment,
    s3: Client,
    function: Function,
    bucket: String,
    account: String,
    mapping: String,
}

impl<'a> Canary<'a> {
    fn new(sdk: &SdkConfig, environment: &'a Environment) -> anyhow::Result<Self> {
        let primary = environment.buckets.iter().find(|bucket| bucket.role == BucketRole::Primary);
        let primary = primary.context("the environment has no primary bucket")?;
        let config = aws_sdk_s3::config::Builder::from(sdk).region(Region::new(primary.region.clone()));
        let account = Uuid::new_v4();
        Ok(Self {
            environment,
            s3: Client::from_conf(config.build()),
            function: Function::new(sdk, environment),
            bucket: primary.name.as_str().to_owned(),
            account: account.to_string().to_uppercase(),
            mapping: format!("identities/canary:{account}"),
        })
    }

    /// How much is left of the account in the end.
    async fn fill_and_delete(&self, objects: usize) -> anyhow::Result<usize> {
        self.fill(objects).await?;
        let asked = Instant::now();
        let deletion = self.delete_now().await?;
        self.wait(&deletion, asked).await?;
        self.left().await
    }

    /// Where "Delete Now" is not served, an unknown deletion is asked for: the function answers, and nobody is erased.
    async fn only_ask(&self) -> anyhow::Result<bool> {
        let answer = self.function.ask(&json!({ "type": "status", "deletionId": Uuid::new_v4() })).await?;
        println!("\"Delete Now\" is not served in {}; asked for a deletion nobody knows:", self.environment.name);
        println!("{answer}");
        Ok(answer.status_code == 404)
    }

    /// Photos, a thumbnail in the other spelling, a status, and a sign-in.
    async fn fill(&self, objects: usize) -> anyhow::Result<()> {
        let Self { account, .. } = self;
        println!("putting the account {account} with {objects} photos into {}", self.bucket);
        let photos = (0..objects).map(|i| self.put(format!("photos/{account}/{i:032x}.dat"), "a photo"));
        stream::iter(photos).buffer_unordered(PUTS_IN_FLIGHT).try_collect::<()>().await?;
        self.put(format!("thumbnails/{}/canary.jpg", account.to_lowercase()), "a thumbnail").await?;
        self.put(format!("users/{account}/status.json"), r#"{"accountStatus":"active"}"#).await?;
        self.put(self.mapping.clone(), account).await
    }

    async fn put(&self, key: String, body: &str) -> anyhow::Result<()> {
        let put = self.s3.put_object().bucket(&self.bucket).key(key).body(body.as_bytes().to_vec().into());
        put.expected_bucket_owner(self.environment.aws_account.as_str()).send().await.context("PutObject")?;
        Ok(())
    }

    async fn delete_now(&self) -> anyhow::Result<String> {
        let answer = self.function.ask(&json!({ "type": "immediate", "userId": self.account })).await?;
        println!("{answer}");
        let deletion = answer.body["deletionId"].as_str().context("the answer names no deletion")?;
        Ok(deletion.to_owned())
    }

    /// Asks until the deletion has ended, and says when its state changes.
    async fn wait(&self, deletion: &str, asked: Instant) -> anyhow::Result<()> {
        let mut state = Value::Null;
        while asked.elapsed() < PATIENCE {
            let answer = self.function.ask(&json!({ "type": "status", "deletionId": deletion })).await?;
            let body = &answer.body;
            if body["state"] != state {
                state = body["state"].clone();
                println!("after {:.1} s: {state}, {}", asked.elapsed().as_secs_f64(), body["objects"]);
            }
            match state.as_str() {
                Some("complete") => return Ok(()),
                Some("failed" | "held") => bail!("the deletion has ended as {state}: {answer}"),
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
        bail!("the deletion {deletion} has not ended within {} minutes", PATIENCE.as_secs() / 60)
    }

    /// How much is left under the account's prefixes, and of its sign-in.
    async fn left(&self) -> anyhow::Result<usize> {
        let spellings = [self.account.clone(), self.account.to_lowercase()];
        let templates = &self.environment.account_prefixes;
        let prefixes = templates.iter().flat_map(|t| spellings.iter().map(move |id| t.replace("{account}", id)));
        let mut left = 0;
        for prefix in prefixes.chain([self.mapping.clone()]) {
            let versions = self.s3.list_object_versions().bucket(&self.bucket).prefix(&prefix);
            let versions = versions.send().await.context("ListObjectVersions")?;
            let uploads = self.s3.list_multipart_uploads().bucket(&self.bucket).prefix(&prefix);
            let uploads = uploads.send().await.context("ListMultipartUploads")?;
            left += versions.versions().len() + versions.delete_markers().len() + uploads.uploads().len();
        }
        Ok(left)
    }
}
