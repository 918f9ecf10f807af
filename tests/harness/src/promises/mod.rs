//! What must hold after every deletion, as free functions that panic with everything that is wrong.
//!
//! The names and numbers are those of `lambdas/PROMISES.md`.

mod scope;
mod silence;

use domain::ids::DeletionId;
use domain::receipt::{Receipt, ReceiptState, proof};

pub use scope::Scope;
pub use silence::silent_about_people;
pub(crate) use silence::{silent_answer, silent_to_the_end};

use crate::{Account, Change, Photolala, Snapshot};

/// Problems told in one panic; more would bury the first.
const TOLD_MAX: usize = 20;

/// All of them for one deletion that is complete, against the snapshot taken before it. Answers the snapshot after.
pub async fn kept(photolala: &Photolala, before: &Snapshot, account: &Account, receipt: &Receipt) -> Snapshot {
    let scope = Scope::of(photolala.environment(), &[account]);
    let after = photolala.snapshot().await;
    no_over_deletion(before, &after, &scope, &[]);
    nothing_left(&after, &scope);
    no_false_receipt(receipt, &after, account, &scope);
    no_lost_request(photolala, account, receipt.deletion_id).await;
    tidied_up(photolala, receipt.deletion_id).await;
    silent_about_people(photolala, before, &[account]).await;
    after
}

/// P1: nothing outside the scope changed. Keys that the story itself changed meanwhile are `touched`: it must look at
/// them itself.
pub fn no_over_deletion(before: &Snapshot, after: &Snapshot, scope: &Scope, touched: &[&str]) {
    let is_wrong = |change: &Change| !touched.contains(&change.place().key.as_str()) && !scope.allows(change, before);
    let wrong: Vec<Change> = before.changes_to(after).into_iter().filter(is_wrong).collect();
    tell("P1, over-deletion: changed although nobody asked for it", &wrong);
}

/// P2: no version, marker, upload, entry or mapping of the accounts is left, in either spelling.
pub fn nothing_left(after: &Snapshot, scope: &Scope) {
    let left: Vec<_> = after.0.iter().filter(|(place, seen)| scope.owns(place, seen)).map(|(place, _)| place).collect();
    tell("P2, under-deletion: still there", &left);
}

/// P3: a receipt that says complete is right, belongs to the account, and its sums add up.
pub fn no_false_receipt(receipt: &Receipt, after: &Snapshot, account: &Account, scope: &Scope) {
    if receipt.state == ReceiptState::Complete {
        nothing_left(after, scope);
    }
    sound_receipt(receipt, account);
}

/// P3: a receipt belongs to the account, and its sums add up.
pub fn sound_receipt(receipt: &Receipt, account: &Account) {
    tell(&format!("P3, false receipt: {receipt:?}"), &receipt_faults(receipt, account));
}

/// P4: until the receipt says complete, a record exists from which a run alone can finish.
pub async fn no_lost_request(photolala: &Photolala, account: &Account, deletion: DeletionId) {
    let state = photolala.receipt(deletion).await.state;
    let is_kept = state == ReceiptState::Complete || photolala.has_record(account).await;
    assert!(is_kept, "P4, lost request: deletion {deletion} is {state:?}, and the account has no record");
}

/// Nothing that lists what was erased is kept: no page and no outcome of the deletion.
pub async fn tidied_up(photolala: &Photolala, deletion: DeletionId) {
    let mut kept = photolala.own_keys(&domain::layout::pages_prefix(&deletion)).await;
    kept.extend(photolala.own_keys(&domain::layout::outcomes_prefix(&deletion)).await);
    tell("left in the manifest bucket after the receipt", &kept);
}

fn receipt_faults(receipt: &Receipt, account: &Account) -> Vec<String> {
    let versions = receipt.versions;
    let answered = versions.erased + versions.absent + versions.held;
    let is_complete = receipt.state == ReceiptState::Complete;
    let groups: u64 = receipt.groups.iter().map(|group| group.count).sum();
    let bytes: u64 = receipt.groups.iter().map(|group| group.bytes).sum();
    // What is left behind or held is listed once an attempt, so only one attempt adds up exactly.
    let adds_up = answered == versions.listed || receipt.attempts > 1 && answered <= versions.listed;
    let rules = [
        (receipt.proof == proof(&receipt.deletion_id, &account.id()), "the proof is not this account's"),
        (groups == versions.listed, "the groups do not add up to the versions listed"),
        (bytes == receipt.bytes, "the groups do not add up to the bytes"),
        (versions.markers <= versions.listed, "there are more markers than versions"),
        (!is_complete || receipt.at_least || adds_up, "erased, absent and held do not add up to listed"),
        (!is_complete || versions.held == 0, "complete, and versions are held"),
        (!is_complete || receipt.completed_at.is_some(), "complete, and not as of when"),
        (!is_complete || !receipt.looks.is_empty(), "complete, and nobody looked"),
    ];
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault.to_owned()).collect()
}

/// Panics if there is anything to tell.
pub fn tell(what: &str, wrong: &[impl ToString]) {
    if wrong.is_empty() {
        return;
    }
    let told: Vec<String> = wrong.iter().take(TOLD_MAX).map(ToString::to_string).collect();
    let more = wrong.len().saturating_sub(TOLD_MAX);
    let more = if more == 0 { String::new() } else { format!("\nand {more} more") };
    panic!("{what}:\n{}{more}", told.join("\n"));
}

#[cfg(test)]
mod tests;
