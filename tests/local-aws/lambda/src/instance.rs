use std::{io, sync::Arc};

use bytes::Bytes;

use crate::{
    Outcome, ProcessInfo,
    function::Code,
    hosted::Hosted,
    lambda::Shared,
    name::Target,
    process::{Ended, Process},
};

/// What works on a function's requests, one at a time: a process, or what stands for one in this program.
pub(crate) enum Instance {
    Process(Arc<Process>),
    Hosted(Hosted),
}

impl Instance {
    /// Starts one for that function and version.
    pub(crate) fn start(shared: &Shared, target: &Target) -> io::Result<Arc<Self>> {
        let instance = Arc::new(match &target.pool.function.code {
            Code::Bootstrap(code) => Self::Process(Process::start(shared, target, code)?),
            Code::Hosted(requests) => Self::Hosted(Hosted::start(shared, target, requests.clone())),
        });
        target.pool.remember(instance.clone());
        Ok(instance)
    }

    /// Gives it one request and waits for the answer, its death or its timeout.
    pub(crate) async fn run(&self, id: &str, arn: &str, payload: Bytes) -> Result<Outcome, Ended> {
        match self {
            Self::Process(process) => process.run(id, arn, payload).await,
            Self::Hosted(hosted) => hosted.run(payload).await,
        }
    }

    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Process(process) => process.id(),
            Self::Hosted(hosted) => &hosted.identity().id,
        }
    }

    pub(crate) fn version(&self) -> &str {
        match self {
            Self::Process(process) => process.version(),
            Self::Hosted(hosted) => &hosted.identity().version,
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        match self {
            Self::Process(process) => process.is_alive(),
            Self::Hosted(hosted) => hosted.is_alive(),
        }
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) {
        if let Self::Process(process) = self {
            process.ended().await;
        }
    }

    pub(crate) fn kill(&self) -> bool {
        match self {
            Self::Process(process) => process.kill(),
            Self::Hosted(hosted) => hosted.kill(),
        }
    }

    /// Only a process can be stopped and go on.
    pub(crate) fn freeze(&self) -> bool {
        matches!(self, Self::Process(process) if process.freeze())
    }

    pub(crate) fn resume(&self) -> bool {
        matches!(self, Self::Process(process) if process.resume())
    }

    pub(crate) fn info(&self) -> ProcessInfo {
        match self {
            Self::Process(process) => process.info(),
            Self::Hosted(hosted) => hosted.info(),
        }
    }
}
