//! What the demo starts with: two accounts to delete, a neighbour, and keys that only look like theirs.

use std::time::Instant;

use domain::mapping::BucketKind;
use harness::promises::Scope;
use harness::{Account, Bootstraps, Fixture, Options, Photo, Photolala, Snapshot, look_alikes};

use crate::Fault;
use crate::show::{Proof, Say};

/// Object versions of the small account.
const SMALL: usize = 240;
/// Object versions of the neighbour.
const NEIGHBOUR: usize = 60;
/// Unfinished uploads of each account.
const UPLOADS: usize = 3;

/// An account that will be deleted.
pub struct Subject {
    /// What the demo calls it.
    pub name: &'static str,
    pub account: Account,
    /// Its object versions.
    pub objects: usize,
}

/// The service, its accounts, and everything as it was before.
pub struct World {
    pub photolala: Photolala,
    pub small: Subject,
    pub large: Subject,
    before: Snapshot,
}

impl World {
    /// Starts the local AWS and fills it.
    pub async fn start(objects: usize, photos: Vec<Photo>, say: &Say) -> Result<Self, Fault> {
        let begun = Instant::now();
        let photolala = Photolala::start(options()).await?;
        say.head(&format!("A local AWS at {}, in memory", photolala.local().endpoint()));
        let (small, large) = (Account::seeded(1), Account::seeded(2));
        let full = |account: &Account, versions| Fixture::of(account).versions(versions).uploads(UPLOADS);
        full(&small, SMALL).photos(photos).fill(&photolala).await?;
        full(&large, objects).fill(&photolala).await?;
        for account in [&small, &large] {
            full(&account.neighbour(), NEIGHBOUR).fill(&photolala).await?;
            put_look_alikes(&photolala, account).await?;
        }
        let before = photolala.snapshot().await;
        let subject = |name, account: Account| {
            let scope = Scope::of(photolala.environment(), &[&account]);
            let is_object = |place: &&harness::Place| !place.upload && scope.covers(&place.key);
            let objects = before.0.keys().filter(is_object).count();
            say.line(&format!("the {name} account: {objects} object versions, {UPLOADS} unfinished uploads"));
            Subject { name, account, objects }
        };
        let (small, large) = (subject("small", small), subject("large", large));
        say.line(&format!("neighbours, ids differing in one character: {NEIGHBOUR} object versions each"));
        say.line(&format!("ready after {}", crate::seconds(begun.elapsed())));
        Ok(Self { photolala, small, large, before })
    }

    /// Looks at everything again.
    pub async fn proof(&self) -> Proof {
        let after = self.photolala.snapshot().await;
        let scope = Scope::of(self.photolala.environment(), &[&self.small.account, &self.large.account]);
        let others = |snapshot: &Snapshot| -> Snapshot {
            let others = snapshot.0.iter().filter(|(place, seen)| !scope.owns(place, seen));
            Snapshot(others.map(|(place, seen)| (place.clone(), seen.clone())).collect())
        };
        let (then, now) = (others(&self.before), others(&after));
        Proof {
            remaining: after.0.len() - now.0.len(),
            others: then.0.len(),
            changes: then.changes_to(&now).iter().map(ToString::to_string).collect(),
        }
    }
}

/// A bucket that keeps versions, so that there are old ones and markers to erase.
fn options() -> Options {
    Options { kind: BucketKind::Versioned, bootstraps: Some(Bootstraps::found()), ..Options::default() }
}

async fn put_look_alikes(photolala: &Photolala, account: &Account) -> Result<(), Fault> {
    for key in look_alikes(account) {
        let put = photolala.s3().put_object().bucket(photolala.bucket()).key(key);
        put.body(b"somebody else's".to_vec().into()).send().await?;
    }
    Ok(())
}
