//! The command itself, on a local AWS with the functions deployed.

mod clear;
mod questions;

use std::path::{Path, PathBuf};
use std::process::Output;

use harness::{Options, Photolala};
use serde_json::Value;
use tokio::process::Command;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The environments' files, in the AWS account of the local AWS.
fn environments() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["development", "staging", "production"] {
        let file = format!("{name}.json");
        let text = std::fs::read_to_string(Path::new(REPOSITORY).join("environments").join(&file)).unwrap();
        let mut environment: Value = serde_json::from_str(&text).unwrap();
        environment["awsAccount"] = "123456789012".into();
        std::fs::write(folder.path().join(file), environment.to_string()).unwrap();
    }
    folder
}

async fn run(endpoint: &str, environments: PathBuf, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cli"))
        .args(arguments)
        .arg("--environments")
        .arg(environments)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .await
        .unwrap()
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_canary_is_erased_directly_and_by_a_job() {
    let photolala = Photolala::start(Options::default()).await.unwrap();
    let environments = environments();
    for objects in ["12", "1000"] {
        let endpoint = photolala.local().endpoint();
        let arguments = ["canary", "development", "--objects", objects];
        let canary = tokio::spawn({
            let folder = environments.path().to_owned();
            async move { run(&endpoint, folder, &arguments).await }
        });
        while !canary.is_finished() {
            photolala.reconcile().await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        let output = canary.await.unwrap();
        assert!(output.status.success(), "{objects}: {}", told(&output));
        assert!(told(&output).contains("left of the account: 0 "), "{}", told(&output));
    }
    photolala.shutdown().await;
}

#[tokio::test]
async fn a_preflight_without_an_aws_account_refuses() {
    let environments = environments();
    let output = run("http://127.0.0.1:9", environments.path().to_owned(), &["preflight", "development"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains("AWS account of the credentials"), "{}", told(&output));
}

#[tokio::test]
async fn an_unknown_environment_is_told_by_the_names_of_those_there_are() {
    let environments = environments();
    let output = run("http://127.0.0.1:9", environments.path().to_owned(), &["preflight", "testing"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("development, production, staging"), "{}", told(&output));
}
