//! `photolala-deletion`: what an operator runs beside a deployment.

mod canary;
mod environment;
mod preflight;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Checks and tries a deployment of photolala-deletion.
#[derive(Parser)]
#[command(name = "photolala-deletion", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Folder of the environments' files.
    #[arg(long, global = true, default_value_os_t = default_folder(), hide_default_value = true)]
    environments: PathBuf,
}

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
        /// Leaves out the service's own roles, which the deployment is about to change.
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
    match command {
        Command::Check { environment } => check(&environments, environment.as_deref()),
        Command::Preflight { environment, before_deploy, json } => {
            preflight::run(&environment::load(&environments, &environment)?, before_deploy, json).await
        }
        Command::Canary { environment, objects } => {
            canary::run(&environment::load(&environments, &environment)?, objects).await
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

/// `environments/` of the checkout this was built from.
fn default_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../environments")
}
