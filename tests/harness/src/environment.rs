//! The environments of the repository, moved to the local AWS.

use std::path::{Path, PathBuf};

use domain::environment::Environment;
use domain::ids::{AwsAccountId, BucketName};

/// The AWS account of the local AWS.
pub const AWS_ACCOUNT: &str = "123456789012";
/// The Region of the local AWS.
pub const REGION: &str = "us-east-1";

/// Why an environment cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// There is no such file.
    #[error("there is no environment {name:?}; known are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The file is there and wrong.
    #[error("environments/{name}.json cannot be used: {faults}")]
    Faulty {
        /// The environment.
        name: String,
        /// What is wrong, a line each.
        faults: String,
    },
}

/// `environments/{name}.json`, with account and Region of the local AWS in place of its own.
pub fn load(name: &str) -> Result<Environment, EnvironmentError> {
    let folder = repository().join("environments");
    let known = known(&folder);
    if !known.iter().any(|file| file == name) {
        return Err(EnvironmentError::Unknown { name: name.to_owned(), known: known.join(", ") });
    }
    let faulty = |faults: String| EnvironmentError::Faulty { name: name.to_owned(), faults };
    let json = std::fs::read_to_string(folder.join(format!("{name}.json"))).map_err(|e| faulty(e.to_string()))?;
    Environment::parse(&json).map(moved).map_err(faulty)
}

/// The folder of the repository: the one that the program was built in, or else, if that has moved, the one it stands in.
pub fn repository() -> PathBuf {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if built_in.join("environments").is_dir() { built_in } else { PathBuf::from(".") }
}

/// The same environment with names of its own for its buckets, so that several can share one S3 server.
/// Panics if a bucket's name would break S3's rules: a suffix has up to 16 of `a-z`, `0-9` and `-`.
pub fn apart(mut environment: Environment, suffix: &str) -> Environment {
    environment.name = format!("{}-{suffix}", environment.name);
    for bucket in &mut environment.buckets {
        bucket.name = bucket_name(&format!("{}-{suffix}", bucket.name));
    }
    bucket_name(&environment.manifest_bucket());
    environment
}

fn bucket_name(text: &str) -> BucketName {
    BucketName::parse(text).unwrap_or_else(|| panic!("{text:?} cannot be a bucket's name: choose another suffix"))
}

fn known(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let name = |file: std::fs::DirEntry| file.file_name().into_string().ok()?.strip_suffix(".json").map(str::to_owned);
    let mut names: Vec<String> = files.filter_map(name).filter(|name| name != "schema" && name != "faults").collect();
    names.sort();
    names
}

fn moved(mut environment: Environment) -> Environment {
    environment.aws_account = AwsAccountId::parse(AWS_ACCOUNT).expect("twelve digits");
    REGION.clone_into(&mut environment.region);
    for bucket in &mut environment.buckets {
        REGION.clone_into(&mut bucket.region);
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_moved_to_the_local_account() {
        let environment = load("development").unwrap();
        assert_eq!(environment.manifest_bucket(), format!("photolala-deletion-development-{AWS_ACCOUNT}"));
        assert_eq!(environment.region, REGION);
    }

    #[test]
    fn an_unknown_environment_is_refused_with_the_known_ones() {
        for name in ["nowhere", "../environments/development", "schema", ""] {
            let text = load(name).unwrap_err().to_string();
            assert!(text.contains("known are") && text.contains("development"), "{text}");
        }
    }

    #[test]
    fn an_environment_apart_shares_no_bucket_with_another() {
        let (one, two) = (load("development").unwrap(), apart(load("development").unwrap(), "a1"));
        assert_ne!(one.manifest_bucket(), two.manifest_bucket());
        assert!(two.buckets.iter().all(|bucket| !one.buckets.contains(bucket)));
    }

    #[test]
    #[should_panic(expected = "choose another suffix")]
    fn a_suffix_that_makes_a_name_too_long_is_refused() {
        apart(load("development").unwrap(), "far-too-long-for-any-bucket");
    }
}
