//! Everybody whom the service was ever told of, so that nothing it tells names any of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use domain::ids::AccountId;
use serde_json::Value;

use crate::Account;

/// File names that are looked for: the functions treat all alike.
const NAMES_MAX: usize = 2_000;
/// Shorter names, such as `status.json`, are the layout's and not a person's.
const NAME_MIN: usize = 16;

/// What names somebody; it grows with every account that is filled or asked about.
#[derive(Default)]
pub(crate) struct People(Mutex<Known>);

#[derive(Default)]
struct Known {
    secrets: BTreeSet<String>,
    names: usize,
    /// Of all that is known; none once more became known.
    finder: Option<Arc<Finder>>,
}

impl Known {
    fn add(&mut self, secret: String) {
        if self.secrets.insert(secret) {
            self.finder = None;
        }
    }
}

impl People {
    pub(crate) fn add(&self, account: &Account) {
        let mut known = self.lock();
        account.secrets().into_iter().for_each(|secret| known.add(secret));
    }

    /// Whoever an event asks about: by id, or in the name of a session of the app's role.
    pub(crate) fn add_asked(&self, event: &Value) {
        let body: Value = event["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        let session = event["requestContext"]["authorizer"]["iam"]["userArn"].as_str();
        let session = session.and_then(|arn| arn.rsplit('/').next());
        let ids = [event["userId"].as_str(), body["userId"].as_str(), session].into_iter().flatten();
        ids.filter_map(|id| AccountId::parse(id).ok()).for_each(|id| self.add(&Account::of(id)));
    }

    /// The name of a file of somebody.
    pub(crate) fn add_key(&self, key: &str) {
        let mut known = self.lock();
        let name = key.rsplit('/').next().filter(|name| name.len() >= NAME_MIN && known.names < NAMES_MAX);
        if let Some(name) = name {
            known.names += 1;
            known.add(name.to_owned());
        }
    }

    pub(crate) fn finder(&self) -> Arc<Finder> {
        let mut known = self.lock();
        let Known { secrets, finder, .. } = &mut *known;
        finder.get_or_insert_with(|| Arc::new(Finder::of(secrets.iter().cloned().collect()))).clone()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds what names somebody, in any case.
pub(crate) struct Finder {
    secrets: Vec<String>,
    automaton: AhoCorasick,
}

impl Finder {
    pub(crate) fn of(secrets: Vec<String>) -> Self {
        // An automaton that is quick to build: keys may be long, and each is looked for a few times only.
        let kind = Some(AhoCorasickKind::NoncontiguousNFA);
        let automaton = AhoCorasick::builder().kind(kind).ascii_case_insensitive(true).build(&secrets);
        Self { automaton: automaton.expect("some thousand short patterns fit"), secrets }
    }

    /// The names of files under these keys that are a person's own.
    pub(crate) fn names<'a>(keys: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
        let names = keys.filter_map(|key| key.rsplit('/').next()).filter(|name| name.len() >= NAME_MIN);
        names.take(NAMES_MAX).map(str::to_owned).collect()
    }

    pub(crate) fn find(&self, text: &str) -> Option<&str> {
        self.automaton.find(text).map(|found| self.secrets[found.pattern()].as_str())
    }

    /// The same, but for what whoever asked had said themselves.
    pub(crate) fn find_but(&self, text: &str, asked: &str) -> Option<&str> {
        let asked = asked.to_lowercase();
        let mut found = self.automaton.find_iter(text).map(|found| self.secrets[found.pattern()].as_str());
        found.find(|secret| !asked.contains(&secret.to_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn everybody_an_event_asks_about_is_known() {
        let [direct, by_url, session] = [1, 2, 3].map(Account::seeded);
        let arn = format!("arn:aws:sts::123456789012:assumed-role/app/{}", session.lower());
        let body = json!({"userId": by_url.upper()}).to_string();
        let people = People::default();
        people.add_asked(&json!({"type": "status", "userId": direct.lower()}));
        people.add_asked(
            &json!({"requestContext": {"authorizer": {"iam": {"userArn": arn}}}, "body": body, "userId": "nobody"}),
        );
        for account in [direct, by_url, session] {
            assert!(people.finder().find(&account.email().to_uppercase()).is_some());
        }
        assert!(people.finder().find(&Account::seeded(4).upper()).is_none());
    }

    #[test]
    fn what_was_asked_may_be_repeated_and_nothing_else() {
        let [person, other] = [1, 2].map(Account::seeded);
        let people = People::default();
        people.add(&person);
        people.add(&other);
        people.add_key("photos/x/0123456789abcdef.dat");
        let (finder, asked) = (people.finder(), person.lower());
        assert_eq!(finder.find_but(&person.upper(), &asked), None);
        for told in [
            other.upper(),
            person.email(),
            format!("{} {}", person.upper(), other.lower()),
            "0123456789abcdef.dat".to_owned(),
        ] {
            assert!(finder.find_but(&told, &asked).is_some(), "{told}");
        }
    }
}
