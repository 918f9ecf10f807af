//! Kills under load: the functions' processes, and the engine of the jobs.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::Duration;

use harness::{FunctionError, Photolala};
use local_batch::Pace;
use serde_json::Value;

const BETWEEN_ASKS: Duration = Duration::from_millis(250);

/// Kills without end, and counts.
pub struct Chaos<'a> {
    photolala: &'a Photolala,
    /// From one kill to the next.
    pub every: Duration,
    /// So many processes, then the engine.
    pub engine_every: u64,
    kills: Cell<Kills>,
}

/// What was killed so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kills {
    /// Processes of the functions.
    pub processes: u64,
    /// How often the engine of the jobs.
    pub engine: u64,
    /// Jobs that went on after that, together.
    pub jobs: u64,
}

impl<'a> Chaos<'a> {
    /// Of this service; nothing is killed yet.
    pub fn over(photolala: &'a Photolala, every: Duration, engine_every: u64) -> Self {
        Self { photolala, every, engine_every, kills: Cell::default() }
    }

    /// Lets this happen under kills.
    pub async fn during<T>(&self, happens: impl Future<Output = T>) -> T {
        tokio::select! {
            done = happens => done,
            never = self.kill() => match never {},
        }
    }

    /// What was killed so far.
    pub fn kills(&self) -> Kills {
        self.kills.get()
    }

    /// Kills the oldest running process again and again, of the two functions in turn, and now and then the engine.
    async fn kill(&self) -> Infallible {
        let functions = &self.photolala.environment().functions;
        let names = [&functions.deletion, &functions.eraser].into_iter().cycle();
        for (name, number) in names.zip(1_u64..) {
            tokio::time::sleep(self.every).await;
            self.kill_process(name);
            if number.is_multiple_of(self.engine_every) {
                self.kill_engine().await;
            }
        }
        unreachable!("the names go round")
    }

    fn kill_process(&self, name: &str) {
        let lambda = self.photolala.local().lambda();
        let running = lambda.processes(name).into_iter().find(|process| process.pid.is_some());
        let killed = running.is_some_and(|process| lambda.kill_process(&process.id));
        let before = self.kills.get();
        self.kills.set(Kills { processes: before.processes + u64::from(killed), ..before });
    }

    async fn kill_engine(&self) {
        let jobs = self.photolala.local().batch().crash().await as u64;
        let before = self.kills.get();
        self.kills.set(Kills { engine: before.engine + 1, jobs: before.jobs + jobs, ..before });
    }
}

/// Jobs that live long enough to be met by a kill of their engine.
pub fn long_jobs() -> Pace {
    let pause = Duration::from_millis(400);
    Pace { concurrency: 2, before_preparing: pause, before_active: pause, ..Pace::default() }
}

/// Asks until there is an answer, as an app does; says how often.
pub async fn ask(photolala: &Photolala, event: &Value) -> u64 {
    let mut tries = 0;
    loop {
        tries += 1;
        match photolala.ask(event.clone()).await {
            Ok(answer) if answer.status_code < 500 => return tries,
            Ok(_) | Err(FunctionError::Refused(_) | FunctionError::Failed { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(BETWEEN_ASKS).await;
    }
}
