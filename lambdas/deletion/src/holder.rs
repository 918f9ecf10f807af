//! Holding a record: every change is a conditional write, made before the side effect it announces.

use std::cell::Cell;
use std::time::Duration;

use aws::delete_object::delete_if_match;
use aws::get_object::{Got, get_object};
use aws::put_object::{Condition, put_own};
use aws::retry::{backoff, retrying};
use aws::{AwsError, Bucket, Cause};
use domain::ids::{AccountId, DeletionId, Nonce};
use domain::keys::ObjectKey;
use domain::layout::record_key;
use domain::record::{Asked, Kind, LEASE_SECONDS, RENEW_SECONDS, Record, State};
use domain::tally::SetDigest;
use fault_point::planted;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::{App, Stop};

/// Tries of one conditional write.
const TRIES_MAX: u32 = 8;

/// A record that this run holds.
#[derive(Debug)]
pub struct Holder<'a> {
    app: &'a App,
    key: ObjectKey,
    held: Mutex<Held>,
    /// When the last write began that S3 took: the lease runs no shorter than from there.
    renewed: Cell<Instant>,
    /// ETag of the receipt, once this run has seen it.
    pub receipt_etag: Mutex<Option<String>>,
    /// When the invocation must have stopped.
    pub deadline: Instant,
}

#[derive(Debug)]
struct Held {
    record: Record,
    etag: String,
}

/// Who got the record.
#[derive(Debug)]
pub enum Claim<'a> {
    /// We did.
    Ours(Box<Holder<'a>>),
    /// Somebody else has it, or has put it down in a state that waits.
    Theirs(Box<Record>, Got),
}

/// A record to be created.
#[derive(Debug)]
pub struct New {
    /// Whose.
    pub account: AccountId,
    /// Who asked.
    pub kind: Kind,
    /// What it rests on.
    pub asked: Asked,
    /// What a person has confirmed.
    pub confirmed: Option<SetDigest>,
    /// `claiming`, `scheduling` or `cancelling`.
    pub state: State,
}

impl Drop for Holder<'_> {
    fn drop(&mut self) {
        self.app.desk.leave();
    }
}

impl<'a> Holder<'a> {
    /// Creates the record of an account, or finds the one there is.
    pub async fn claim(app: &'a App, new: New, deadline: Instant) -> Result<Claim<'a>, Stop> {
        let New { account, kind, asked, confirmed, state } = new;
        let key = record_key(&account);
        let deletion = DeletionId::new((app.host.new_uuid)());
        let mut record = Record::new((deletion, account), (kind, asked), state, app.nonce(), app.nonce());
        record.confirmed = confirmed;
        let began = Instant::now();
        let condition = if planted!("d22-two-at-once") { Condition::None } else { Condition::Absent };
        if let Some(etag) = write(app.manifest(), &key, &record, condition).await? {
            return Ok(Claim::Ours(Box::new(Self::new(app, key, Held { record, etag }, began, deadline))));
        }
        match read(app, &key, deadline).await? {
            Some((record, got)) => Ok(Claim::Theirs(Box::new(record), got)),
            // It was there a moment ago: its deletion ended just now. The caller may ask again.
            None => Err(Stop::Lost),
        }
    }

    /// Takes over a record as it was read. `None` if somebody else was quicker.
    pub async fn take_over(
        app: &'a App,
        record: &Record,
        etag: &str,
        deadline: Instant,
    ) -> Result<Option<Holder<'a>>, Stop> {
        let key = record_key(&record.account_id);
        let record = record.taken_over(app.nonce(), app.nonce());
        let began = Instant::now();
        let etag = write(app.manifest(), &key, &record, Condition::Etag(etag)).await?;
        Ok(etag.map(|etag| Self::new(app, key, Held { record, etag }, began, deadline)))
    }

    fn new(app: &'a App, key: ObjectKey, held: Held, began: Instant, deadline: Instant) -> Self {
        app.desk.arrive();
        let renewed = Cell::new(began);
        Self { app, key, held: Mutex::new(held), renewed, receipt_etag: Mutex::new(None), deadline }
    }

    /// The record as last written.
    pub async fn record(&self) -> Record {
        self.held.lock().await.record.clone()
    }

    /// Changes the record, under the condition that nobody else has.
    pub async fn write(&self, change: impl FnOnce(&mut Record)) -> Result<(), Stop> {
        let mut held = self.held.lock().await;
        let mut record = held.record.clone();
        record.nonce = self.app.nonce();
        change(&mut record);
        let (manifest, began) = (self.app.manifest(), Instant::now());
        let condition = if planted!("claim-overwritten") { Condition::None } else { Condition::Etag(&held.etag) };
        let mut etag = write(manifest, &self.key, &record, condition).await?;
        if etag.is_none()
            && let Some(ours) = self.still_ours(held.record.holder).await?
        {
            // A write of ours was given up on its way, and happened: nobody else has held the record since.
            etag = write(manifest, &self.key, &record, Condition::Etag(&ours)).await?;
        }
        *held = Held { record, etag: etag.ok_or(Stop::Lost)? };
        self.renewed.set(began);
        Ok(())
    }

    /// The ETag of the record as it is, if this run still holds it.
    async fn still_ours(&self, holder: Option<Nonce>) -> Result<Option<String>, Stop> {
        let found = read(self.app, &self.key, self.deadline).await?;
        let is_ours = |(record, _): &(Record, Got)| record.holder.is_some() && record.holder == holder;
        Ok(found.filter(is_ours).map(|(_, got)| got.etag))
    }

    /// Changes what the next write will say. Nothing may rest on it before.
    pub async fn note(&self, change: impl FnOnce(&mut Record)) {
        change(&mut self.held.lock().await.record);
    }

    /// Renews the lease once.
    pub async fn renew_once(&self) -> Result<(), Stop> {
        self.write(|_| ()).await
    }

    /// Puts the record down, so that any run may take it up at once.
    pub async fn release(&self) -> Result<(), Stop> {
        if self.record().await.holder.is_none() {
            return Ok(());
        }
        self.write(|record| record.holder = None).await
    }

    /// Removes the record: the deletion is over.
    pub async fn remove(&self) -> Result<(), Stop> {
        let held = self.held.lock().await;
        let (manifest, key, etag) = (self.app.manifest(), &self.key, held.etag.as_str());
        let removed = retrying(self.deadline, async || delete_if_match(manifest, key, etag).await).await;
        match removed {
            Err(error) if error.cause == Cause::NotFound => Ok(()),
            Err(error) if error.cause == Cause::Condition => Err(Stop::Lost),
            other => Ok(other?),
        }
    }

    /// Does some work while the lease is renewed beside it. Losing the record ends the work at its next wait.
    pub async fn while_renewing<T>(&self, work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        tokio::select! {
            // What was done counts, even where something else is ready in the same moment.
            biased;
            done = work => done,
            lost = self.renew() => Err(lost),
            () = self.lapse() => Err(Stop::Lost),
            () = tokio::time::sleep_until(self.deadline) => Err(Stop::TimeUp),
        }
    }

    /// Waits until the lease may have ended, whatever the renewals wait for: then the work must not go on.
    async fn lapse(&self) {
        let lease = Duration::from_secs(LEASE_SECONDS.unsigned_abs());
        while self.renewed.get() + lease > Instant::now() {
            tokio::time::sleep_until(self.renewed.get() + lease).await;
        }
    }

    async fn renew(&self) -> Stop {
        loop {
            tokio::time::sleep(Duration::from_secs(RENEW_SECONDS)).await;
            if let Err(stop) = self.renew_once().await {
                return stop;
            }
        }
    }
}

/// Reads a record by its key.
pub async fn read(app: &App, key: &ObjectKey, deadline: Instant) -> Result<Option<(Record, Got)>, Stop> {
    let got = retrying(deadline, async || get_object(app.manifest(), key, None).await).await?;
    let Some(got) = got else {
        return Ok(None);
    };
    let record = Record::parse(&got.body).map_err(Stop::Refused)?;
    Ok(Some((record, got)))
}

/// One conditional write. `None`: the condition does not hold, somebody else wrote. After an answer that says
/// neither, the record is read back: our own nonce in it means that the write happened.
async fn write(
    bucket: &Bucket,
    key: &ObjectKey,
    record: &Record,
    condition: Condition<'_>,
) -> Result<Option<String>, AwsError> {
    let mut tries = 0;
    loop {
        let error = match put_own(bucket, key, record.to_json(), condition).await {
            Ok(etag) => return Ok(Some(etag)),
            Err(error) => error,
        };
        let unclear = error.is_passing() || error.cause == Cause::Condition || error.cause == Cause::NotFound;
        if !unclear {
            return Err(error);
        }
        if let Ok(Some(got)) = get_object(bucket, key, None).await
            && Record::parse(&got.body).is_ok_and(|found| found.nonce == record.nonce)
        {
            return Ok(Some(got.etag));
        }
        // 412 is S3's last word, 404 says the record is gone. 409 only says that two writes met.
        if matches!(error.status, Some(412 | 404)) {
            return Ok(None);
        }
        tries += 1;
        if tries == TRIES_MAX {
            return Err(error);
        }
        tokio::time::sleep(backoff(tries)).await;
    }
}
