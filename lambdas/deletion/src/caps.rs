//! How many accounts runs may claim without a person: so many a run, and so many a day over all runs.

use std::cell::Cell;

use aws::Cause;
use aws::get_object::get_object;
use aws::put_object::{Condition, put_own};
use aws::retry::{backoff, retrying};
use domain::day::Day;
use domain::keys::ObjectKey;
use domain::layout::day_key;
use fault_point::planted;
use jiff::tz::TimeZone;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::{App, Stop};

/// Claims set aside with one write.
const SET_ASIDE: u32 = 50;
/// Tries of one conditional write.
const TRIES_MAX: u32 = 10;

/// What a run may still claim.
pub struct Budget<'a> {
    app: &'a App,
    deadline: Instant,
    /// The day the run began, also for what it gives back after midnight.
    key: ObjectKey,
    of_run: Cell<u32>,
    of_day: Mutex<u32>,
    is_spent: Cell<bool>,
}

impl<'a> Budget<'a> {
    /// A run's: the environment's cap, or what another invocation of the same run has left.
    pub fn new(app: &'a App, allowance: Option<u32>, deadline: Instant) -> Self {
        let cap = app.settings.caps.accounts_per_run;
        let of_run = Cell::new(allowance.map_or(cap, |allowance| allowance.min(cap)));
        let key = day_key(TimeZone::UTC.to_datetime(app.clock.now()).date());
        Self { app, deadline, key, of_run, of_day: Mutex::new(0), is_spent: Cell::new(false) }
    }

    /// Whether a cap stood in the way of a claim.
    pub fn is_spent(&self) -> bool {
        self.is_spent.get()
    }

    /// What the run may still claim.
    pub fn left_of_run(&self) -> u32 {
        self.of_run.get()
    }

    /// Takes leave to claim one account, if there is any.
    pub async fn take(&self) -> Result<bool, Stop> {
        planted!("claim-uncapped" => return Ok(true));
        if self.is_spent() {
            return Ok(false);
        }
        let mut of_day = self.of_day.lock().await;
        if *of_day == 0 && self.of_run.get() > 0 {
            *of_day = self.set_aside(SET_ASIDE.min(self.of_run.get())).await?;
        }
        if *of_day == 0 {
            self.is_spent.set(true);
            return Ok(false);
        }
        *of_day -= 1;
        self.of_run.set(self.of_run.get() - 1);
        Ok(true)
    }

    /// Gives leave back that led to no claim.
    pub async fn put_back(&self) {
        *self.of_day.lock().await += 1;
        self.of_run.set(self.of_run.get() + 1);
        self.is_spent.set(false);
    }

    /// Gives back what this run set aside and did not use.
    pub async fn give_back(&self) -> Result<(), Stop> {
        let unused = std::mem::take(&mut *self.of_day.lock().await);
        if unused > 0 {
            self.change(|day| (day.map(|day| day.give_back(unused, self.app.nonce())), unused)).await?;
        }
        Ok(())
    }

    async fn set_aside(&self, wanted: u32) -> Result<u32, Stop> {
        let cap = self.app.settings.caps.accounts_per_day;
        self.change(|day| {
            let (day, granted) = Day::take(day.as_ref(), wanted, cap, self.app.nonce());
            ((granted > 0).then_some(day), granted)
        })
        .await
    }

    /// Changes the count by conditional writes. Where nothing is to be written, nothing is.
    async fn change(&self, change: impl Fn(Option<Day>) -> (Option<Day>, u32)) -> Result<u32, Stop> {
        let (manifest, key) = (self.app.manifest(), &self.key);
        for tries in 1..=TRIES_MAX {
            let got = retrying(self.deadline, async || get_object(manifest, key, None).await).await?;
            let day = got.as_ref().map(|got| Day::parse(&got.body)).transpose().map_err(Stop::Refused)?;
            let (Some(next), granted) = change(day) else { return Ok(0) };
            let condition = got.as_ref().map_or(Condition::Absent, |got| Condition::Etag(&got.etag));
            match put_own(manifest, key, next.to_json(), condition).await {
                Ok(_) => return Ok(granted),
                Err(error) if error.is_passing() || matches!(error.cause, Cause::Condition | Cause::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
            // An answer that was lost: our own nonce tells that the write happened.
            let got = retrying(self.deadline, async || get_object(manifest, key, None).await).await?;
            if got.is_some_and(|got| Day::parse(&got.body).is_ok_and(|day| day.nonce == next.nonce)) {
                return Ok(granted);
            }
            tokio::time::sleep(backoff(tries)).await;
        }
        Err(Stop::Refused("the count of the day keeps changing while it is written".to_owned()))
    }
}
