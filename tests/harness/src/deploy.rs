//! Both functions, deployed into the local Lambda as the environment says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::environment::Environment;
use local_lambda::{Code, Function};

use crate::environment::{AWS_ACCOUNT, REGION};
use crate::start::{Options, StartError};

/// Lambda's longest timeout (Lambda Developer Guide, "Lambda quotas"); planning may need it.
pub(crate) const DELETION_TIMEOUT: Duration = Duration::from_mins(15);
/// A page is one request with its retries.
const ERASER_TIMEOUT: Duration = Duration::from_mins(5);
const DELETION_MEMORY_MB: u32 = 512;
const ERASER_MEMORY_MB: u32 = 256;
/// Requests at once where nothing is reserved.
pub(crate) const UNRESERVED: usize = 10;
/// The numbered version that jobs invoke.
const VERSION: &str = "1";

/// The executables of the two functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bootstraps {
    /// Of `photolala-deletion-<environment>`.
    pub deletion: PathBuf,
    /// Of `photolala-eraser-<environment>`.
    pub eraser: PathBuf,
}

impl Bootstraps {
    /// As cargo-lambda builds them: `photolala-deletion/bootstrap` and `photolala-eraser/bootstrap` in the folder.
    pub fn in_folder(folder: &Path) -> Self {
        let bootstrap = |name: &str| folder.join(name).join("bootstrap");
        Self { deletion: bootstrap("photolala-deletion"), eraser: bootstrap("photolala-eraser") }
    }

    /// In the folder that `PHOTOLALA_BOOTSTRAPS` names, else of the same build as this program.
    pub fn found() -> Self {
        let named = std::env::var_os("PHOTOLALA_BOOTSTRAPS");
        named.map_or_else(Self::of_this_build, |folder| Self::in_folder(Path::new(&folder)))
    }

    /// Where `cargo build` leaves programs; test programs lie in a folder below.
    fn of_this_build() -> Self {
        let program = std::env::current_exe().unwrap_or_default();
        let folder = program.parent().unwrap_or(Path::new("."));
        let folder = if folder.ends_with("deps") { folder.with_file_name("") } else { folder.to_owned() };
        Self { deletion: folder.join("photolala-deletion"), eraser: folder.join("photolala-eraser") }
    }

    /// With absolute paths; an executable that is not there is an error.
    fn checked(&self) -> Result<Self, StartError> {
        let check = |path: &PathBuf| {
            let absolute = path.canonicalize().ok().filter(|path| path.is_file());
            absolute.ok_or_else(|| StartError::NotBuilt(path.clone()))
        };
        Ok(Self { deletion: check(&self.deletion)?, eraser: check(&self.eraser)? })
    }
}

/// The functions of these options as processes: none without bootstraps.
pub(crate) fn processes(options: &Options) -> Result<Vec<Function>, StartError> {
    let Some(bootstraps) = &options.bootstraps else { return Ok(Vec::new()) };
    let bootstraps = bootstraps.checked()?;
    Ok(functions(options, bootstraps.deletion.into(), bootstraps.eraser.into()))
}

/// The functions of these options, with this code.
pub(crate) fn functions(options: &Options, deletion: Code, eraser: Code) -> Vec<Function> {
    let environment = &options.environment;
    let deletion = Function {
        variables: deletion_variables(options),
        timeout: options.deletion_timeout,
        concurrency: options.deletion_concurrency,
        memory_mb: DELETION_MEMORY_MB,
        ..Function::new(&environment.functions.deletion, deletion)
    };
    let reserved = environment.eraser_concurrency.and_then(|reserved| usize::try_from(reserved).ok());
    let eraser = Function {
        variables: eraser_variables(options),
        timeout: ERASER_TIMEOUT,
        memory_mb: ERASER_MEMORY_MB,
        concurrency: reserved.unwrap_or(UNRESERVED),
        versions: vec![VERSION.to_owned()],
        ..Function::new(&environment.functions.eraser, eraser)
    };
    vec![deletion, eraser]
}

/// The variables of the deletion function, with what the options put in their place.
pub(crate) fn deletion_variables(options: &Options) -> BTreeMap<String, String> {
    let environment = &options.environment;
    let variables = environment.deletion_variables(&eraser_arn(environment), &batch_role_arn(environment));
    with(variables, &options.deletion_variables)
}

/// The variables of the eraser, likewise.
pub(crate) fn eraser_variables(options: &Options) -> BTreeMap<String, String> {
    with(options.environment.eraser_variables(), &options.eraser_variables)
}

fn eraser_arn(environment: &Environment) -> String {
    format!("arn:aws:lambda:{REGION}:{AWS_ACCOUNT}:function:{}:{VERSION}", environment.functions.eraser)
}

fn batch_role_arn(environment: &Environment) -> String {
    format!("arn:aws:iam::{AWS_ACCOUNT}:role/photolala-deletion-batch-{}", environment.name)
}

/// A fault planted in the tests' own process is planted in the functions' too; those as deployed have no place for it.
fn with(mut variables: BTreeMap<String, String>, others: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    variables.extend(others.clone());
    variables.extend(std::env::var(fault_point::VARIABLE).map(|fault| (fault_point::VARIABLE.to_owned(), fault)));
    variables
}

#[cfg(test)]
mod tests {
    use domain::settings::{DeletionSettings, EraserSettings};

    use super::*;

    fn options(folder: &Path) -> Options {
        let mut options = Options { bootstraps: Some(Bootstraps::in_folder(folder)), ..Options::default() };
        options.deletion_variables.insert("DELETION_THRESHOLD".to_owned(), "7".to_owned());
        options
    }

    #[test]
    fn the_functions_can_read_their_variables() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["photolala-deletion", "photolala-eraser"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("bootstrap"), "").unwrap();
        }
        let functions = processes(&options(folder.path())).unwrap();
        let [deletion, eraser] = functions.as_slice() else { panic!("{functions:?}") };
        let settings = DeletionSettings::parse(|name| deletion.variables.get(name).cloned()).unwrap();
        assert_eq!(settings.deletion_threshold, 7);
        assert!(settings.eraser_function_arn.ends_with("photolala-eraser-development:1"));
        assert!(EraserSettings::parse(|name| eraser.variables.get(name).cloned()).is_ok());
        assert_eq!(eraser.concurrency, 4);
    }

    #[test]
    fn a_missing_executable_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let text = processes(&options(folder.path())).unwrap_err().to_string();
        assert!(text.contains("photolala-deletion/bootstrap") && text.contains("bin/functions"), "{text}");
    }
}
