use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use jiff::Timestamp;

use crate::{lambda::Shared, name::Target};

/// Who a process is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: String,
    pub(crate) function: String,
    pub(crate) version: String,
}

impl Identity {
    /// A new process of the function.
    pub(crate) fn new(target: &Target) -> Self {
        let function = target.pool.function.name.clone();
        let id = format!("{function}-{}", target.pool.next_number());
        Self { id, function, version: target.version.clone() }
    }
}

/// The whole environment of a process; nothing of ours leaks into it.
/// Reserved names are those of the Lambda Developer Guide, "Defined runtime environment variables".
pub(crate) fn environment(
    shared: &Shared,
    target: &Target,
    identity: &Identity,
    executable: &Path,
    runtime_api: SocketAddr,
) -> BTreeMap<String, String> {
    let mut all = target.pool.function.variables.clone();
    let mut set = |name: &str, value: &str| all.insert(name.to_owned(), value.to_owned());
    for (name, value) in CONSTANT {
        set(name, value);
    }
    let (region, endpoint) = (&shared.options.region, &shared.options.endpoint);
    let today = Timestamp::now().strftime("%Y/%m/%d").to_string();
    let root = executable.parent().unwrap_or(Path::new("/"));
    set("AWS_LAMBDA_RUNTIME_API", &runtime_api.to_string());
    set("AWS_LAMBDA_FUNCTION_NAME", &identity.function);
    set("AWS_LAMBDA_FUNCTION_VERSION", &identity.version);
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &target.pool.function.memory_mb.to_string());
    set("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{}", identity.function));
    set("AWS_LAMBDA_LOG_STREAM_NAME", &format!("{today}/[{}]{}", identity.version, identity.id));
    set("LAMBDA_TASK_ROOT", &root.to_string_lossy());
    set("AWS_REGION", region);
    set("AWS_DEFAULT_REGION", region);
    set("AWS_ENDPOINT_URL", endpoint);
    // SDKs put the AWS account before the host of S3 Control; through a proxy such names need no DNS.
    set("HTTP_PROXY", endpoint);
    // Every request then says in its User-Agent which process sent it.
    set("AWS_SDK_UA_APP_ID", &identity.id);
    all
}

/// What is the same for every process.
const CONSTANT: [(&str, &str); 8] = [
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
    ("_HANDLER", "bootstrap"),
    ("LANG", "en_US.UTF-8"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
    ("TZ", ":UTC"),
];
