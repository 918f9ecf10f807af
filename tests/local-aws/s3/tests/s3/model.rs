//! Random histories against a model that is as simple as can be: a list of everything ever written, searched
//! from end to end.

use std::collections::BTreeMap;

use aws_sdk_s3::types::ObjectIdentifier;
use local_s3::Versioning;
use proptest::prelude::*;

use crate::{BUCKET, Local, delete};

#[derive(Clone, Debug)]
enum Step {
    Put(String),
    Delete(String),
    /// Erases the version that is that far (modulo their number) in the listing.
    Erase(usize),
    Set(Versioning),
}

/// One version; the newest are at the end of the list.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    key: String,
    id: String,
    marker: bool,
}

#[derive(Default)]
struct Model {
    versioning: Versioning,
    entries: Vec<Entry>,
}

impl Model {
    fn write(&mut self, key: &str, id: String, marker: bool) {
        if self.versioning != Versioning::Enabled {
            self.entries.retain(|entry| entry.key != key || entry.id != "null");
        }
        self.entries.push(Entry { key: key.to_owned(), id, marker });
    }

    fn listed(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.entries.iter().rev().cloned().collect();
        entries.sort_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
        entries
    }

    fn apply(&mut self, step: &Step, local: &Local) {
        match step {
            Step::Put(key) => {
                let id = local.store().put(BUCKET, key, "x").unwrap();
                self.write(key, id, false);
            }
            Step::Delete(key) => match local.store().delete(BUCKET, key).unwrap() {
                Some(id) => self.write(key, id, true),
                None => self.entries.retain(|entry| entry.key != *key || entry.id != "null"),
            },
            Step::Erase(at) if !self.entries.is_empty() => {
                let gone = self.listed().swap_remove(at % self.entries.len());
                local.store().erase(BUCKET, &gone.key, &gone.id).unwrap();
                self.entries.retain(|entry| *entry != gone);
            }
            Step::Erase(_) => {}
            Step::Set(versioning) => {
                local.store().set_versioning(BUCKET, *versioning).unwrap();
                self.versioning = *versioning;
            }
        }
    }
}

/// Every version and common prefix that paging by two finds.
async fn paged(local: &Local, prefix: &str, delimiter: Option<&str>) -> (Vec<Entry>, Vec<String>) {
    let (mut entries, mut common) = (Vec::new(), Vec::new());
    let (mut key, mut id) = (None, None);
    loop {
        let list = local.client.list_object_versions().bucket(BUCKET).prefix(prefix);
        let list = list.set_delimiter(delimiter.map(str::to_owned)).set_key_marker(key).set_version_id_marker(id);
        let page = list.send().await.unwrap();
        let versions = page.versions().iter().map(|found| (&found.key, &found.version_id, false));
        let markers = page.delete_markers().iter().map(|found| (&found.key, &found.version_id, true));
        let found = versions.chain(markers).map(|(key, id, marker)| Entry {
            key: key.clone().unwrap(),
            id: id.clone().unwrap(),
            marker,
        });
        entries.extend(found);
        common.extend(page.common_prefixes().iter().map(|found| found.prefix.clone().unwrap()));
        assert!(page.versions().len() + page.delete_markers().len() + page.common_prefixes().len() <= 2);
        if page.is_truncated() != Some(true) {
            return (entries, common);
        }
        (key, id) = (page.next_key_marker, page.next_version_id_marker);
    }
}

/// The pages keep versions and markers apart, so within a page their order is known for each kind only.
fn by_kind(entries: &[Entry]) -> (Vec<&Entry>, Vec<&Entry>) {
    entries.iter().partition(|entry| entry.marker)
}

fn step() -> impl Strategy<Value = Step> {
    let key = || "[ab/é]{1,3}";
    let states = prop_oneof![Just(Versioning::Enabled), Just(Versioning::Suspended)];
    prop_oneof![
        4 => key().prop_map(Step::Put),
        2 => key().prop_map(Step::Delete),
        2 => any::<usize>().prop_map(Step::Erase),
        1 => states.prop_map(Step::Set),
    ]
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn paging_finds_what_the_model_holds(steps in prop::collection::vec(step(), 0..40), prefix in "[ab/]{0,2}") {
        let local = Local::with_pages_of(Versioning::Unversioned, 2);
        let mut model = Model::default();
        for step in &steps {
            model.apply(step, &local);
        }
        let expected: Vec<Entry> =
            model.listed().into_iter().filter(|entry| entry.key.starts_with(&prefix)).collect();
        let (entries, _) = block_on(paged(&local, &prefix, None));
        prop_assert_eq!(by_kind(&entries), by_kind(&expected));
        let (entries, common) = block_on(paged(&local, &prefix, Some("/")));
        let (rolled, kept): (Vec<Entry>, Vec<Entry>) =
            expected.into_iter().partition(|entry| entry.key[prefix.len()..].contains('/'));
        prop_assert_eq!(by_kind(&entries), by_kind(&kept));
        let end = |key: &str| prefix.len() + key[prefix.len()..].find('/').unwrap() + 1;
        let expected: BTreeMap<String, ()> =
            rolled.iter().map(|entry| (entry.key[..end(&entry.key)].to_owned(), ())).collect();
        prop_assert_eq!(common, expected.into_keys().collect::<Vec<_>>());
    }

    #[test]
    fn erasing_page_by_page_leaves_nothing_of_the_prefix_and_all_else(
        steps in prop::collection::vec(step(), 0..40),
        prefix in "[ab]/?",
    ) {
        let local = Local::with_pages_of(Versioning::Unversioned, 2);
        let mut model = Model::default();
        for step in &steps {
            model.apply(step, &local);
        }
        let (entries, _) = block_on(paged(&local, &prefix, None));
        let asked = |entry: &Entry| ObjectIdentifier::builder().key(&entry.key).version_id(&entry.id).build().unwrap();
        for page in entries.chunks(3) {
            let request = local.client.delete_objects().bucket(BUCKET).delete(delete(page.iter().map(asked)));
            prop_assert!(block_on(request.send()).unwrap().errors().is_empty());
        }
        model.entries.retain(|entry| !entry.key.starts_with(&prefix));
        let left: Vec<Entry> =
            local.history().into_iter().map(|(key, id, marker)| Entry { key, id, marker }).collect();
        prop_assert_eq!(left, model.listed());
    }
}
