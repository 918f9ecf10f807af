//! `clear-batch-jobs`: removes what the earlier system left under `batch-jobs/`, lists of the keys of people it erased.
//! No key is ever printed, since those keys name people.

mod erase;
mod inventory;
mod leftovers;

use anyhow::{Context as _, ensure};
use aws::Bucket;
use aws_config::{Region, SdkConfig};
use domain::environment::Environment;
use domain::tally::SetDigest;
use serde_json::json;

use self::erase::Erasure;
use self::inventory::Inventory;

/// What lies under this belongs to the earlier system. It is no option: with another prefix this command would be one
/// that erases anything.
const PREFIX: &str = "batch-jobs/";

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Only this bucket of the environment.
    pub bucket: Option<String>,
    /// What a dry run showed; none for a dry run.
    pub erase: Option<SetDigest>,
    /// Whether to print JSON.
    pub as_json: bool,
}

/// Counts, or erases what was counted. Says whether all that was asked for is done.
pub async fn run(environment: &Environment, request: &Request) -> anyhow::Result<bool> {
    let buckets = buckets(environment, request.bucket.as_deref()).await?;
    let found = leftovers::list(&buckets).await?;
    let Some(digest) = request.erase else {
        show_dry_run(environment, request, &found.inventory);
        return Ok(true);
    };
    ensure!(
        found.inventory.digest == digest,
        "what lies under {PREFIX} is not what had this digest: look again, without --erase"
    );
    let erasure = erase::erase(&buckets, &found, environment.pace_keys_per_second).await;
    let left = leftovers::list(&buckets).await.context("what is left could not be listed; look without --erase")?;
    show_erasure(environment, request, &erasure, &left.inventory);
    Ok(left.inventory.is_empty())
}

/// The environment's buckets, or the one that was named.
async fn buckets(environment: &Environment, only: Option<&str>) -> anyhow::Result<Vec<Bucket>> {
    let home = Region::new(environment.region.clone());
    // The engine brings its own retries and pace.
    let sdk = aws::clients::sdk_config().await.into_builder().region(home).build();
    let is_wanted = |name: &str| only.is_none_or(|only| only == name);
    let wanted = environment.buckets.iter().filter(|bucket| is_wanted(bucket.name.as_str()));
    let buckets: Vec<Bucket> = wanted.map(|bucket| of_environment(&sdk, environment, bucket)).collect();
    ensure!(!buckets.is_empty(), "{:?} is no bucket of {}", only.unwrap_or_default(), environment.name);
    Ok(buckets)
}

fn of_environment(sdk: &SdkConfig, environment: &Environment, bucket: &domain::environment::Bucket) -> Bucket {
    let config = aws_sdk_s3::config::Builder::from(sdk).region(Region::new(bucket.region.clone()));
    Bucket {
        client: aws_sdk_s3::Client::from_conf(config.build()),
        name: bucket.name.clone(),
        region: bucket.region.clone(),
        owner: environment.aws_account.clone(),
    }
}

fn show_dry_run(environment: &Environment, request: &Request, found: &Inventory) {
    let next = (!found.is_empty()).then(|| command(environment, request, found.digest));
    if request.as_json {
        let environment = &environment.name;
        println!("{}", json!({ "environment": environment, "prefix": PREFIX, "found": found, "next": next }));
        return;
    }
    println!("{found}");
    match next {
        Some(next) => println!("nothing was changed; to erase exactly this:\n  {next}"),
        None => println!("nothing lies under {PREFIX}"),
    }
}

/// The command line that erases what has this digest.
fn command(environment: &Environment, request: &Request, digest: SetDigest) -> String {
    let bucket = request.bucket.as_ref().map(|bucket| format!(" --bucket {bucket}")).unwrap_or_default();
    format!("bin/photolala-deletion clear-batch-jobs {}{bucket} --erase {}", environment.name, digest.to_hex())
}

fn show_erasure(environment: &Environment, request: &Request, erasure: &Erasure, left: &Inventory) {
    if request.as_json {
        let environment = &environment.name;
        println!(
            "{}",
            json!({ "environment": environment, "prefix": PREFIX, "erasure": erasure.to_json(), "left": left })
        );
        return;
    }
    println!("{erasure}");
    if left.is_empty() {
        println!("nothing is left under {PREFIX}");
    } else {
        println!("left under {PREFIX}:\n{left}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_command_repeats_what_was_asked_for() {
        let environment = crate::environment::load(&crate::default_folder(), "development").unwrap();
        let digest = SetDigest::default();
        let mut request = Request { bucket: None, erase: None, as_json: false };
        let zeros = "0".repeat(64);
        let expected = format!("bin/photolala-deletion clear-batch-jobs development --erase {zeros}");
        assert_eq!(command(&environment, &request, digest), expected);
        request.bucket = Some("photolala-dev".to_owned());
        let expected =
            format!("bin/photolala-deletion clear-batch-jobs development --bucket photolala-dev --erase {zeros}");
        assert_eq!(command(&environment, &request, digest), expected);
    }
}
