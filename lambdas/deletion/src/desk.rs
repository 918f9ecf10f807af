//! One listing of mappings and schedule entries for all accounts that ask at the same time.
//!
//! Whoever finds nobody listing lists for everybody who waits; whoever comes later waits for the next listing. So an
//! answer always comes from a listing that began after the question, and a run over many accounts reads every
//! mapping's row once or twice, not once an account.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws::AwsError;
use domain::ids::AccountId;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::App;
use crate::sign_ins::{SignIns, list};

/// While several accounts are in work, a listing waits this long for others to join it.
const GATHERING: Duration = Duration::from_millis(250);

type Answered = Result<SignIns, AwsError>;

/// Where accounts ask.
#[derive(Debug, Default)]
pub struct Desk {
    waiting: Mutex<Vec<(AccountId, oneshot::Sender<Answered>)>>,
    listing: tokio::sync::Mutex<()>,
    accounts: AtomicUsize,
}

impl Desk {
    /// Counts an account that is in work.
    pub fn arrive(&self) {
        self.accounts.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts it off again.
    pub fn leave(&self) {
        self.accounts.fetch_sub(1, Ordering::Relaxed);
    }

    fn is_busy(&self) -> bool {
        self.accounts.load(Ordering::Relaxed) > 1
    }

    fn wait(&self, account: AccountId) -> oneshot::Receiver<Answered> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().expect("nothing panics while holding it").push((account, sender));
        receiver
    }

    fn take(&self) -> Vec<(AccountId, oneshot::Sender<Answered>)> {
        std::mem::take(&mut self.waiting.lock().expect("nothing panics while holding it"))
    }
}

/// What leads from a sign-in or a date to the account.
pub async fn sign_ins(app: &App, account: &AccountId, deadline: Instant) -> Answered {
    loop {
        let mut answer = app.desk.wait(*account);
        tokio::select! {
            biased;
            answered = &mut answer => match answered {
                Ok(answered) => return answered,
                // Whoever listed was stopped: the question is put again.
                Err(_) => continue,
            },
            _leading = app.desk.listing.lock() => {
                if let Ok(answered) = answer.try_recv() {
                    return answered;
                }
                serve(app, deadline).await;
            }
        }
        if let Ok(answered) = answer.try_recv() {
            return answered;
        }
    }
}

/// Lists for everybody who waits, and answers all of them.
async fn serve(app: &App, deadline: Instant) {
    if app.desk.is_busy() {
        tokio::time::sleep(GATHERING).await;
    }
    let waiting = app.desk.take();
    let accounts: Vec<AccountId> = waiting.iter().map(|(account, _)| *account).collect();
    let answers = list(app, &accounts, deadline).await;
    for (account, sender) in waiting {
        let answer = answers.as_ref().map(|found| found[&account].clone()).map_err(Clone::clone);
        // One that was stopped meanwhile needs no answer.
        let _ = sender.send(answer);
    }
}
