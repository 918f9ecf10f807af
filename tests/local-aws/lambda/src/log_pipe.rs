use std::{
    io::{self, PipeWriter},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::net::unix::pipe::Receiver;

use crate::{environment::Identity, logs::Logs};

/// A longer line is cut in two, as a `CloudWatch` log event ends at 1 MB.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// The reading end of a process's stdout and stderr, which share one pipe so that their order is kept.
pub(crate) struct LogPipe {
    reader: Receiver,
    /// The beginning of a line whose end was not yet written.
    partial: Mutex<Vec<u8>>,
    logs: Arc<Logs>,
    identity: Identity,
}

impl LogPipe {
    /// The pipe and its writing end; a task reads it until the last writer has gone.
    pub(crate) fn new(logs: Arc<Logs>, identity: &Identity) -> io::Result<(Arc<Self>, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        let reader = Receiver::from_owned_fd(reader.into())?;
        let pipe = Arc::new(Self { reader, partial: Mutex::default(), logs, identity: identity.clone() });
        tokio::spawn(pump(pipe.clone()));
        Ok((pipe, writer))
    }

    /// Takes over everything that has been written so far, without waiting.
    /// It reads past tokio's readiness, which may lag behind what the process did before it answered.
    pub(crate) fn drain(&self) {
        // The pump sees an end or an error as well, and it is the one to act on them.
        let _ = self.read(|buffer| Ok(rustix::io::read(&self.reader, buffer)?));
    }

    /// Reads until there is nothing left; answers whether the last writer has gone.
    fn read(&self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<bool> {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = [0; 8192];
        loop {
            match read(&mut buffer) {
                Ok(0) => {
                    self.end(&mut partial);
                    return Ok(true);
                }
                Ok(length) => self.take(&mut partial, &buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&self, partial: &mut Vec<u8>, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || partial.len() >= LINE_BYTES_MAX {
                self.end(partial);
            }
        }
    }

    fn end(&self, partial: &mut Vec<u8>) {
        if partial.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(partial);
        self.logs.add(&self.identity, line.trim_end_matches(['\n', '\r']));
        partial.clear();
    }
}

async fn pump(pipe: Arc<LogPipe>) {
    while pipe.reader.readable().await.is_ok() {
        match pipe.read(|buffer| pipe.reader.try_read(buffer)) {
            Ok(false) => {}
            Ok(true) => return,
            Err(error) => {
                tracing::error!(%error, process = pipe.identity.id, "the log lines of a process are lost");
                return;
            }
        }
    }
}
