//! `photolala-deletion`: what an operator runs beside a deployment.

mod ask;
mod canary;
mod clear;
mod confirm;
mod dry_run;
mod due;
mod environment;
mod preflight;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use domain::ids::AccountId;
use domain::tally::SetDigest;

/// Checks and tries a deployment of photolala-deletion, and asks of it what only a person may.
#[derive(Parser)]
#[command(name = "photolala-deletion", bin_name = "photolala-deletion", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Folder of the environments' files.
    #[arg(long, global = true, default_value_os_t = default_folder(), hide_default_value = true)]
    environments: PathBuf,
}

const EXIT_CODES: &str = "Ends with 0 if all is well, with 1 if something was refused or is left, and with 2 if it \
    could not be done at all. Credentials are your own, given the way the AWS SDKs read them.";

#[derive(Subcommand)]
enum Command {
    /// Explains what is wrong with an environment's file: which field, what was found, what is allowed.
    Check {
        /// development, staging or production; all of them if none is named.
        environment: Option<String>,
    },
    /// Says whether an AWS account is fit for a deployment, a reason and a remedy a line; fails unless it is.
    Preflight {
        /// development, staging or production.
        environment: String,
        /// Leaves out the service's own roles and its function URL, which the deployment is about to change.
        #[arg(long)]
        before_deploy: bool,
        /// Prints a JSON array instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Erases a made-up account as the deployed service does it, and shows what came of it.
    Canary {
        /// development, staging or production.
        environment: String,
        /// Photos of the account: from the environment's deletion threshold on it takes a job.
        #[arg(long, default_value_t = 12)]
        objects: usize,
    },
    /// Shows what a deletion of an account would erase, and what that would cost.
    ///
    /// Asks the deletion function for a dry run and prints its answer: versions, delete markers and bytes by bucket,
    /// prefix and storage class, unfinished uploads, mappings, schedule entries, the cost, and the digest that `confirm`
    /// takes.
    ///
    /// Needs lambda:InvokeFunction on the deletion function. Changes nothing.
    DryRun {
        #[command(flatten)]
        account: OfAccount,
        #[command(flatten)]
        form: Form,
    },
    /// Confirms a deletion that waits for a person; the next scheduled run erases the account.
    ///
    /// For an account in quarantine, or one with more versions than may be erased unseen. Look at it with `dry-run`
    /// first: the digest stands for what the account has, and once that changes the confirmation does not hold.
    ///
    /// Needs lambda:InvokeFunction on the deletion function. Changes the request for this deletion, or writes one where
    /// there is only a schedule entry; where nothing asks for a deletion, nothing is confirmed.
    Confirm {
        #[command(flatten)]
        account: OfAccount,
        /// The 64 hexadecimal digits that the dry run shows.
        #[arg(value_parser = digest)]
        digest: SetDigest,
        #[command(flatten)]
        form: Form,
    },
    /// Shows what the next scheduled run would act on: who is due, in quarantine and why, or waiting to be confirmed.
    ///
    /// Asks the deletion function for a dry run of the scheduled run and prints a line an account, and the totals.
    ///
    /// Needs lambda:InvokeFunction on the deletion function. Changes nothing.
    Due {
        /// development, staging or production.
        environment: String,
        #[command(flatten)]
        form: Form,
    },
    /// Removes what the earlier system left under batch-jobs/: lists of the keys of people it erased.
    ///
    /// Without --erase it counts every object version, delete marker and unfinished upload under batch-jobs/ in the
    /// environment's buckets, and prints the command that erases exactly these; no key is printed, since those keys name
    /// people. With --erase it looks again, refuses if anything has changed, erases, looks once more, and says what is
    /// left and until when Object Lock keeps it.
    ///
    /// Needs s3:ListBucketVersions and s3:ListBucketMultipartUploads on the buckets; to erase also s3:DeleteObject,
    /// s3:DeleteObjectVersion, s3:AbortMultipartUpload, s3:GetObjectRetention and s3:GetObjectLegalHold on batch-jobs/*.
    /// Changes nothing without --erase, and never anything outside batch-jobs/.
    ClearBatchJobs {
        /// development, staging or production.
        environment: String,
        /// Only this bucket of the environment.
        #[arg(long)]
        bucket: Option<String>,
        /// Erases what has this digest, for good.
        #[arg(long, value_name = "DIGEST", value_parser = digest)]
        erase: Option<SetDigest>,
        #[command(flatten)]
        form: Form,
    },
}

/// Whose deletion.
#[derive(Args)]
struct OfAccount {
    /// development, staging or production.
    environment: String,
    /// The person's account, a UUID in either letter case.
    #[arg(value_name = "USER_ID", value_parser = AccountId::parse)]
    account: AccountId,
}

/// How the answer is printed.
#[derive(Args)]
struct Form {
    /// Prints JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("photolala-deletion: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether all is well.
async fn run(Arguments { command, environments }: Arguments) -> anyhow::Result<bool> {
    let load = |name: &str| environment::load(&environments, name);
    match command {
        Command::Check { environment } => check(&environments, environment.as_deref()),
        Command::Preflight { environment, before_deploy, json } => {
            preflight::run(&load(&environment)?, before_deploy, json).await
        }
        Command::Canary { environment, objects } => canary::run(&load(&environment)?, objects).await,
        Command::DryRun { account: OfAccount { environment, account }, form } => {
            dry_run::run(&load(&environment)?, &account, form.json).await
        }
        Command::Confirm { account: OfAccount { environment, account }, digest, form } => {
            confirm::run(&load(&environment)?, &account, digest, form.json).await
        }
        Command::Due { environment, form } => due::run(&load(&environment)?, form.json).await,
        Command::ClearBatchJobs { environment, bucket, erase, form } => {
            let request = clear::Request { bucket, erase, as_json: form.json };
            clear::run(&load(&environment)?, &request).await
        }
    }
}

fn check(folder: &Path, name: Option<&str>) -> anyhow::Result<bool> {
    let files = environment::read(folder)?;
    let of_interest = |file: &String| name.is_none_or(|name| name == file);
    anyhow::ensure!(files.keys().any(of_interest), "there is no environment {:?}", name.unwrap_or_default());
    let faults = environment::faults(&files);
    faults.iter().filter(|fault| of_interest(&fault.file)).for_each(|fault| println!("{fault}"));
    Ok(!faults.iter().any(|fault| of_interest(&fault.file)))
}

fn digest(text: &str) -> Result<SetDigest, &'static str> {
    SetDigest::from_hex(text).ok_or("must be the 64 hexadecimal digits that the dry run shows")
}

/// `environments/` of the checkout this was built from.
fn default_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../environments")
}
