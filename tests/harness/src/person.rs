//! A person with an app that writes S3 by itself, as the app does where it does not ask this service.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::{Account, Photolala};

/// What such an app writes and reads: ISO 8601 with whole seconds.
fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).expect("a whole second is a moment").to_string()
}

/// Where the entry lies for this moment.
pub fn entry_key(user_id: &str, delete_on: Timestamp) -> String {
    format!("scheduled-deletions/{}/{user_id}.json", TimeZone::UTC.to_datetime(delete_on).date())
}

/// Where the status lies.
pub fn status_key(user_id: &str) -> String {
    format!("users/{user_id}/status.json")
}

/// The body of an entry.
pub fn entry(account: &Account, scheduled_at: Timestamp, delete_on: Timestamp) -> Value {
    json!({"userId": account.upper(), "email": account.email(), "appleId": account.apple_id(),
        "googleId": account.google_id(), "scheduledAt": seconds(scheduled_at), "deleteOn": seconds(delete_on)})
}

/// The body of the status of an account that waits to be erased.
pub fn scheduled(delete_date: Timestamp, now: Timestamp) -> Value {
    json!({"accountStatus": "scheduled_for_deletion", "deleteDate": seconds(delete_date), "lastModified": seconds(now)})
}

/// The body of the status of an account in use.
pub fn active(now: Timestamp) -> Value {
    json!({"accountStatus": "active", "lastModified": seconds(now)})
}

impl Photolala {
    /// S3's time.
    pub fn now(&self) -> Timestamp {
        self.local().clock().now()
    }

    /// The app schedules by itself: entry first, then status. Answers the moment it names.
    pub async fn app_schedules(&self, account: &Account, grace_seconds: i64) -> Timestamp {
        self.people().add(account);
        let now = self.now();
        let delete_on = now.checked_add(jiff::SignedDuration::from_secs(grace_seconds)).expect("a moment of our time");
        self.put(&entry_key(&account.upper(), delete_on), &entry(account, now, delete_on).to_string()).await;
        self.put(&status_key(&account.upper()), &scheduled(delete_on, now).to_string()).await;
        delete_on
    }

    /// The app cancels by itself: the entry of the status's date goes, then the status says active.
    pub async fn app_cancels(&self, account: &Account, delete_on: Timestamp) {
        let delete = self.s3().delete_object().bucket(self.bucket()).key(entry_key(&account.upper(), delete_on));
        delete.send().await.expect("an entry is deleted");
        self.put(&status_key(&account.upper()), &active(self.now()).to_string()).await;
    }

    /// The word of the status that an app reads, if there is one.
    pub async fn status_word(&self, account: &Account) -> Option<String> {
        let get = self.s3().get_object().bucket(self.bucket()).key(status_key(&account.upper()));
        let got = match get.send().await {
            Ok(got) => got,
            Err(error) if error.code() == Some("NoSuchKey") => return None,
            Err(error) => panic!("a status cannot be read: {error:?}"),
        };
        let body = got.body.collect().await.expect("a body arrives whole").to_vec();
        let status: Value = serde_json::from_slice(&body).expect("a status is JSON");
        status["accountStatus"].as_str().map(str::to_owned)
    }

    /// Writes an object into the first bucket.
    pub async fn put(&self, key: &str, body: &str) {
        let put = self.s3().put_object().bucket(self.bucket()).key(key).body(body.as_bytes().to_vec().into());
        put.send().await.unwrap_or_else(|error| panic!("{key:?} cannot be put: {error:?}"));
    }
}
