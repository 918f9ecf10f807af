//! What belongs to accounts, decided anew here: the functions' own answer to this question is what is checked.

use domain::environment::Environment;

use crate::{Account, Change, Place, Seen, Snapshot};

/// Some accounts and where their things may lie.
#[derive(Clone, Debug)]
pub struct Scope {
    prefixes: Vec<String>,
    ids: Vec<String>,
    mapping_prefixes: Vec<String>,
    schedule_prefix: String,
}

impl Scope {
    /// The accounts in the environment.
    pub fn of(environment: &Environment, accounts: &[&Account]) -> Self {
        let ids: Vec<String> = accounts.iter().flat_map(|account| [account.upper(), account.lower()]).collect();
        let filled = |id: &String| {
            environment.account_prefixes.iter().map(|template| template.replace("{account}", id)).collect::<Vec<_>>()
        };
        Self {
            prefixes: ids.iter().flat_map(filled).collect(),
            ids,
            mapping_prefixes: environment.mapping_prefixes.clone(),
            schedule_prefix: environment.schedule_prefix.clone(),
        }
    }

    /// Whether something belongs to one of the accounts.
    pub fn owns(&self, place: &Place, seen: &Seen) -> bool {
        self.covers(&place.key) || self.leads_here(seen)
    }

    /// Whether the key lies under a prefix of one of the accounts, or is its schedule entry.
    pub fn covers(&self, key: &str) -> bool {
        let is_entry = || {
            let (_, file) = key.strip_prefix(&self.schedule_prefix)?.split_once('/')?;
            Some(self.ids.iter().any(|id| file.strip_suffix(".json") == Some(id)))
        };
        self.prefixes.iter().any(|prefix| key.starts_with(prefix)) || is_entry() == Some(true)
    }

    /// Whether a mapping's body is one of the accounts' ids. Bodies are read only under mapping prefixes.
    fn leads_here(&self, seen: &Seen) -> bool {
        let body = seen.body.as_deref().map(str::trim);
        body.is_some_and(|body| self.ids.iter().any(|id| id.eq_ignore_ascii_case(body)))
    }

    /// Whether a deletion of these accounts may make this change.
    pub fn allows(&self, change: &Change, before: &Snapshot) -> bool {
        let (place, then) = match change {
            Change::Gone(place, then) | Change::Changed(place, then, _) => (place, Some(then)),
            Change::New(place, _) => (place, None),
        };
        if self.covers(&place.key) || then.is_some_and(|then| self.leads_here(then)) {
            return true;
        }
        let is_mapping = self.mapping_prefixes.iter().any(|prefix| place.key.starts_with(prefix));
        is_mapping && self.severs(change, &stack(before, place))
    }

    /// What severing may do to a key that led to one of the accounts: cover others' versions with a marker, put the
    /// body of a newer owner back, and erase markers once nobody else's version is below.
    fn severs(&self, change: &Change, stack: &[&Seen]) -> bool {
        let others = || stack.iter().filter(|seen| !seen.marker && !self.leads_here(seen));
        let was_ours = stack.iter().any(|seen| self.leads_here(seen));
        was_ours
            && match change {
                Change::New(_, now) if now.marker => true,
                Change::New(_, now) => now.body.is_some() && others().any(|other| other.body == now.body),
                Change::Gone(_, then) => then.marker && others().next().is_none(),
                Change::Changed(_, then, now) => then.marker && now.marker,
            }
    }
}

/// All versions and markers of a key.
fn stack<'a>(snapshot: &'a Snapshot, place: &Place) -> Vec<&'a Seen> {
    let first = Place { upload: false, id: String::new(), ..place.clone() };
    let same = |other: &Place| other.bucket == place.bucket && other.key == place.key;
    snapshot.0.range(first..).take_while(|(other, _)| same(other)).map(|(_, seen)| seen).collect()
}
