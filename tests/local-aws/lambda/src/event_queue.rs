use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::{sync::watch, task::JoinSet, time::sleep};

use crate::{Outcome, invoke, lambda::Shared, name::Target};

/// An asynchronous request whose function failed at every try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The function's name.
    pub function: String,
    /// The request's id, the same at every try.
    pub request_id: String,
    /// What the function was sent.
    pub payload: Bytes,
    /// How often it was tried.
    pub tries: usize,
    /// The function error of the last try.
    pub error: Bytes,
}

/// The asynchronous requests of all functions.
/// They wait for a free slot of their function in the order of their arrival, for as long as it takes;
/// AWS gives up after six hours.
#[derive(Default)]
pub(crate) struct EventQueue {
    unsettled: Arc<watch::Sender<usize>>,
    tasks: Mutex<JoinSet<()>>,
    dead_letters: Mutex<Vec<DeadLetter>>,
}

impl EventQueue {
    /// Takes the request and answers its id.
    pub(crate) fn push(&self, shared: Arc<Shared>, target: Target, payload: Bytes) -> String {
        let id = invoke::new_request_id();
        let counted = Counted::new(self.unsettled.clone());
        let request_id = id.clone();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            deliver(&shared, target, request_id, payload).await;
            drop(counted);
        });
        id
    }

    pub(crate) async fn settled(&self) {
        // The sender lives as long as the queue, so the wait cannot fail.
        let _ = self.unsettled.subscribe().wait_for(|unsettled| *unsettled == 0).await;
    }

    pub(crate) fn is_settled(&self) -> bool {
        *self.unsettled.borrow() == 0
    }

    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        self.dead_letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn bury(&self, letter: DeadLetter) {
        self.dead_letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
    }

    pub(crate) fn stop(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

async fn deliver(shared: &Arc<Shared>, target: Target, id: String, payload: Bytes) {
    let mut delays = shared.options.retry_delays.iter();
    let mut tries = 0;
    loop {
        tries += 1;
        let Outcome::FunctionError(error) = try_once(shared, &target, &id, &payload).await else {
            return;
        };
        if let Some(delay) = delays.next() {
            sleep(*delay).await;
        } else {
            let function = target.pool.function.name.clone();
            shared.events.bury(DeadLetter { function, request_id: id, payload, tries, error });
            return;
        }
    }
}

/// The function may have been replaced since the request was queued.
async fn try_once(shared: &Arc<Shared>, target: &Target, id: &str, payload: &Bytes) -> Outcome {
    let target = Target::find(shared, &target.arn, None).unwrap_or_else(|_| target.clone());
    let slot = target.pool.slot().await;
    invoke::run(shared, &target, id.to_owned(), payload.clone(), slot).await.outcome
}

/// Counts a request as unsettled for as long as it lives.
struct Counted(Arc<watch::Sender<usize>>);

impl Counted {
    fn new(unsettled: Arc<watch::Sender<usize>>) -> Self {
        unsettled.send_modify(|count| *count += 1);
        Self(unsettled)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
