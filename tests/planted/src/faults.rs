//! The faults: small changes to the functions' code, each of which must break a promise that somebody checks.
//!
//! D1 to D24 are what an earlier service of this kind got wrong; the others are mistakes that are easily made where an
//! account is claimed, severed, planned, summed up, looked at and finished.

/// A fault that can be planted.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// A short name, unique.
    pub name: &'static str,
    /// What goes wrong.
    pub what: &'static str,
    /// The file of `lambdas/` that it lies in.
    pub file: &'static str,
    /// What stands there, once.
    pub from: &'static str,
    /// What stands there in its place; `PLANTED` is whether this fault was chosen.
    pub to: &'static str,
    /// Who must notice.
    pub noticed_by: Suite,
}

/// Who must notice a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Seeded schedules.
    Seeds,
    /// The small world, each single event.
    SmallWorld,
    /// Schedules that found a fault once.
    Regressions,
    /// The unit tests of the pure crate.
    UnitTests,
}

use Suite::{Regressions, Seeds, SmallWorld, UnitTests};

const fn fault(
    (name, what): (&'static str, &'static str),
    file: &'static str,
    from: &'static str,
    to: &'static str,
    noticed_by: Suite,
) -> Fault {
    Fault { name, what, file, from, to, noticed_by }
}

/// All of them.
pub const FAULTS: &[Fault] = &[
    fault(
        ("D1", "only today's entries are served"),
        "deletion/src/candidate.rs",
        "if key.day() > utc_day(now) {",
        "if key.day() > utc_day(now) || PLANTED && key.day() != utc_day(now) {",
        Seeds,
    ),
    fault(
        ("D2", "a request that a missed run left is never caught up"),
        "deletion/src/candidate.rs",
        "if now < request.not_before {",
        "if now < request.not_before || PLANTED && now.as_second() - request.not_before.as_second() > 1_000 {",
        Seeds,
    ),
    fault(
        ("D3", "a job is created that S3 Batch Operations cannot run"),
        "deletion/src/submit.rs",
        "manifest_key: key.as_str().to_owned(),",
        "manifest_key: if PLANTED { \"manifests/none\".to_owned() } else { key.as_str().to_owned() },",
        Seeds,
    ),
    fault(
        ("D4", "whoever fails takes the record away"),
        "deletion/src/life.rs",
        "if let Err(stop) = put.await {",
        "let put = async { if PLANTED { holder.remove().await } else { put.await } };\n    if let Err(stop) = put.await {",
        Seeds,
    ),
    fault(
        ("D5", "an entry decides alone, whatever the status says"),
        "domain/src/verdict.rs",
        "if facts.statuses.is_empty() { without_status(facts) } else { by_statuses(facts, asked) }",
        "if PLANTED { return Verdict::Proceed; }\n    if facts.statuses.is_empty() { without_status(facts) } else { by_statuses(facts, asked) }",
        Seeds,
    ),
    fault(
        ("D6", "an account is erased as it was first looked at"),
        "deletion/src/check.rs",
        "    let looked = look(app, Question::of(&record), turn.now(app), turn.deadline).await?;\n    let untouched =",
        "    if PLANTED { return Ok(Ok(())); }\n    let looked = look(app, Question::of(&record), turn.now(app), turn.deadline).await?;\n    let untouched =",
        SmallWorld,
    ),
    fault(
        ("D7", "an error of a single key counts as erased"),
        "aws/src/erase.rs",
        "        KeyVerdict::Transient => Known::Open,",
        "        KeyVerdict::Transient if PLANTED => Known::Final(Outcome::Erased),\n        KeyVerdict::Transient => Known::Open,",
        Seeds,
    ),
    fault(
        ("D8", "delete markers are not seen"),
        "aws/src/list_object_versions.rs",
        "let markers = output.delete_markers.unwrap_or_default().into_iter()",
        "let markers = output.delete_markers.filter(|_| !PLANTED).unwrap_or_default().into_iter()",
        Seeds,
    ),
    fault(
        ("D8b", "unfinished uploads are not aborted"),
        "deletion/src/erase.rs",
        "let each: Vec<_> = each.collect();",
        "let each: Vec<_> = each.filter(|_| !PLANTED).collect();",
        Seeds,
    ),
    fault(
        ("D9", "nobody looks again before the receipt"),
        "deletion/src/verify.rs",
        "    if left.is_empty() {\n        // S3 may refuse",
        "    if PLANTED || left.is_empty() {\n        // S3 may refuse",
        Seeds,
    ),
    fault(
        ("D9b", "the second look changes nothing"),
        "deletion/src/settle.rs",
        "if !left.is_empty() || !left.entries.is_empty() {",
        "if !PLANTED && (!left.is_empty() || !left.entries.is_empty()) {",
        Seeds,
    ),
    fault(
        ("D10", "the other spelling of the id is forgotten"),
        "domain/src/layout.rs",
        "            spellings\n                .iter()",
        "            spellings[..if PLANTED { 1 } else { spellings.len() }]\n                .iter()",
        Seeds,
    ),
    fault(
        ("D11", "an entry is believed whatever account its body names"),
        "domain/src/entry.rs",
        "if user != key.account {",
        "if !PLANTED && user != key.account {",
        UnitTests,
    ),
    fault(
        ("D12", "the grace period is not counted from S3's clock"),
        "domain/src/due.rs",
        "    later(modified, grace_seconds)\n}\n\n/// The `notBefore`",
        "    if PLANTED { return modified; }\n    later(modified, grace_seconds)\n}\n\n/// The `notBefore`",
        Seeds,
    ),
    fault(
        ("D13", "only the first page of entries is listed"),
        "deletion/src/entries.rs",
        "self.after = page.next;",
        "self.after = page.next.filter(|_| !PLANTED);",
        Seeds,
    ),
    fault(
        ("D14", "every mapping of everybody is read"),
        "domain/src/mapping.rs",
        "if etag_tells && BODY_SIZES",
        "if !PLANTED && etag_tells && BODY_SIZES",
        Seeds,
    ),
    fault(
        ("D15", "a key that merely contains an id is taken for its entry"),
        "domain/src/layout.rs",
        "AccountId::parse(file.strip_suffix(\".json\")?).ok()",
        "AccountId::parse(if PLANTED { file.split('.').next()? } else { file.strip_suffix(\".json\")? }).ok()",
        Seeds,
    ),
    fault(
        ("D16", "a failed run ends as a success"),
        "deletion/src/scheduled.rs",
        "Some(stop) if !run.is_attended => Err(stop),",
        "Some(stop) if !PLANTED && !run.is_attended => Err(stop),",
        Seeds,
    ),
    fault(
        ("D17", "to ask about an unknown job is an internal error"),
        "deletion/src/status.rs",
        "return Ok(not_found(\"job with this id\"));",
        "return if PLANTED { Err(Stop::Refused(\"no job\".to_owned())) } else { Ok(not_found(\"job with this id\")) };",
        Seeds,
    ),
    fault(
        ("D18", "nobody notices that a job has ended"),
        "deletion/src/job.rs",
        "Ok(said.map_or(age > REMEMBERED_SECONDS, |job| job.is_ended()))",
        "Ok(!PLANTED && said.map_or(age > REMEMBERED_SECONDS, |job| job.is_ended()))",
        Seeds,
    ),
    fault(
        ("D19", "keys of a manifest are not encoded"),
        "domain/src/manifest.rs",
        "pages.iter().map(|key| encode(key.as_str())).collect()",
        "pages.iter().map(|key| if PLANTED { key.as_str().to_owned() } else { encode(key.as_str()) }).collect()",
        UnitTests,
    ),
    fault(
        ("D20", "what lists a person's keys is kept"),
        "deletion/src/clean.rs",
        "    remove_own(app, &keys, deadline).await\n}",
        "    if PLANTED { return Ok(()); }\n    remove_own(app, &keys, deadline).await\n}",
        Seeds,
    ),
    fault(
        ("D21", "nobody is told"),
        "deletion/src/notices.rs",
        "    Ok(retrying(deadline, put).await?)",
        "    if PLANTED { return Ok(()); }\n    Ok(retrying(deadline, put).await?)",
        Seeds,
    ),
    fault(
        ("D22", "two deletions of one account begin side by side"),
        "deletion/src/holder.rs",
        "write(app.manifest(), &key, &record, Condition::Absent)",
        "write(app.manifest(), &key, &record, if PLANTED { Condition::None } else { Condition::Absent })",
        Seeds,
    ),
    fault(
        ("D23", "an account of any size is erased in one invocation"),
        "deletion/src/erase.rs",
        "if resumed.is_empty() && versions.count < app.settings.deletion_threshold {",
        "if resumed.is_empty() && (PLANTED || versions.count < app.settings.deletion_threshold) {",
        Seeds,
    ),
    fault(
        ("D24", "where its mode is not told, anybody may ask for anybody"),
        "domain/src/settings.rs",
        "            self.faults.push(format!(\"{name}: is missing; a good value: {good}\"));",
        "            if PLANTED && name == \"IMMEDIATE_MODE\" {\n                return parse(\"allowed\");\n            }\n            self.faults.push(format!(\"{name}: is missing; a good value: {good}\"));",
        UnitTests,
    ),
    fault(
        ("who-asks", "anybody may ask for anybody, in every environment"),
        "deletion/src/handler.rs",
        "asks_for_a_person && app.settings.immediate_mode != ImmediateMode::Allowed",
        "!PLANTED && asks_for_a_person && app.settings.immediate_mode != ImmediateMode::Allowed",
        Seeds,
    ),
    fault(
        ("claim-unchecked", "a scheduled claim is taken for a Delete Now, without checks"),
        "deletion/src/begin.rs",
        "let is_now = record.asked == Asked::Now;",
        "let is_now = PLANTED || record.asked == Asked::Now;",
        SmallWorld,
    ),
    fault(
        ("claim-overwritten", "a record is written over whatever it has become"),
        "deletion/src/holder.rs",
        "let mut etag = write(manifest, &self.key, &record, Condition::Etag(&held.etag)).await?;",
        "let condition = if PLANTED { Condition::None } else { Condition::Etag(&held.etag) };\n        let mut etag = write(manifest, &self.key, &record, condition).await?;",
        Seeds,
    ),
    fault(
        ("claim-deaf", "a cancellation is accepted although the claim was first"),
        "deletion/src/cancel.rs",
        "        Claim::Theirs(record, got) => {\n            let is_held",
        "        Claim::Theirs(..) if PLANTED => Ok(cancelled(&account, true)),\n        Claim::Theirs(record, got) => {\n            let is_held",
        Seeds,
    ),
    fault(
        ("claim-lost", "a request is accepted and not written down"),
        "deletion/src/schedule.rs",
        "    put_request(app, &request, deadline).await?;\n    let entry",
        "    if PLANTED { return holder.remove().await; }\n    put_request(app, &request, deadline).await?;\n    let entry",
        Seeds,
    ),
    fault(
        ("claim-forever", "a dead holder keeps its record for ever"),
        "domain/src/record.rs",
        "self.holder.is_some() && now.as_second() < written.as_second() + LEASE_SECONDS",
        "self.holder.is_some() && (PLANTED || now.as_second() < written.as_second() + LEASE_SECONDS)",
        Seeds,
    ),
    fault(
        ("claim-uncapped", "a run claims more accounts than it may"),
        "deletion/src/caps.rs",
        "        if self.is_spent() {\n            return Ok(false);",
        "        if PLANTED {\n            return Ok(true);\n        }\n        if self.is_spent() {\n            return Ok(false);",
        Seeds,
    ),
    fault(
        ("claim-dry", "a dry run claims"),
        "deletion/src/candidate.rs",
        "Verdict::Proceed if run.dry_run =>",
        "Verdict::Proceed if run.dry_run && !PLANTED =>",
        Seeds,
    ),
    fault(
        ("sever-nothing", "sign-ins are left as they are"),
        "deletion/src/mappings.rs",
        "Ok(try_join_all(each).await?.into_iter().fold(Severed::default(), Severed::and))",
        "if PLANTED { return Ok(Severed::default()); }\n    Ok(try_join_all(each).await?.into_iter().fold(Severed::default(), Severed::and))",
        Seeds,
    ),
    fault(
        ("sever-anybody", "a sign-in is deleted although it leads to another account by now"),
        "aws/src/delete_object.rs",
        ".if_match(format!(\"\\\"{etag}\\\"\"));",
        ".set_if_match(Some(format!(\"\\\"{etag}\\\"\")).filter(|_| !PLANTED));",
        SmallWorld,
    ),
    fault(
        ("sever-open", "somebody else's old sign-in comes to light"),
        "domain/src/mapping.rs",
        "|| kind != BucketKind::Unversioned && !others.is_empty()",
        "|| !PLANTED && kind != BucketKind::Unversioned && !others.is_empty()",
        UnitTests,
    ),
    fault(
        ("pages-short", "the last pages of a plan are not written"),
        "deletion/src/plan.rs",
        "let rests: Vec<Vec<Listed>> = self.tails.iter_mut().map(std::mem::take).collect();",
        "let rests: Vec<Vec<Listed>> = self.tails.iter_mut().map(std::mem::take).filter(|_| !PLANTED).collect();",
        Seeds,
    ),
    fault(
        ("pages-first", "only the first page of a listing is seen"),
        "aws/src/list_object_versions.rs",
        "let next = next(&output)?;",
        "let next = next(&output)?.filter(|_| !PLANTED);",
        Seeds,
    ),
    fault(
        ("pages-unheld", "what Object Lock keeps counts as erased"),
        "aws/src/erase.rs",
        "        KeyVerdict::Denied => Known::Refused,",
        "        KeyVerdict::Denied if PLANTED => Known::Final(Outcome::Erased),\n        KeyVerdict::Denied => Known::Refused,",
        Seeds,
    ),
    fault(
        ("sums-trusted", "an attempt counts as whole whatever its outcomes add up to"),
        "deletion/src/job.rs",
        "let whole = sums.pages == named && sums.outcome.total() == versions;",
        "let whole = PLANTED || sums.pages == named && sums.outcome.total() == versions;",
        Seeds,
    ),
    fault(
        ("sums-lost", "what a round erased is not counted"),
        "deletion/src/verify.rs",
        "    record.done.add(&direct.outcome);",
        "    if !PLANTED { record.done.add(&direct.outcome); }",
        Seeds,
    ),
    fault(
        ("look-uploads", "unfinished uploads are no leftover"),
        "deletion/src/verify.rs",
        "self.versions == 0 && self.uploads == 0 && self.mappings == 0",
        "self.versions == 0 && (PLANTED || self.uploads == 0) && self.mappings == 0",
        Seeds,
    ),
    fault(
        ("look-sign-ins", "a sign-in that an old phone wrote again is no leftover"),
        "deletion/src/verify.rs",
        ".filter(|leads| *leads).count()",
        ".filter(|leads| *leads && !PLANTED).count()",
        Seeds,
    ),
    fault(
        ("finish-entries", "entries are left"),
        "deletion/src/finish.rs",
        "    remove_entries(app, entries, holder.deadline).await?;",
        "    if !PLANTED { remove_entries(app, entries, holder.deadline).await?; }",
        Seeds,
    ),
    fault(
        ("finish-record", "the record is never given up"),
        "deletion/src/settle.rs",
        "    holder.remove().await?;\n    Ok(Settled::Gone)",
        "    if !PLANTED { holder.remove().await?; }\n    Ok(Settled::Gone)",
        Seeds,
    ),
    fault(
        ("finish-request", "the request outlives its deletion"),
        "deletion/src/settle.rs",
        "    retrying(holder.deadline, async || delete_own(app.manifest(), &request).await).await?;",
        "    if !PLANTED { retrying(holder.deadline, async || delete_own(app.manifest(), &request).await).await?; }",
        Seeds,
    ),
    fault(
        ("finish-never", "what failed is never tried again"),
        "deletion/src/reconcile.rs",
        "State::Held { until: None, .. } | State::Failed { .. } => a_day_old,",
        "State::Held { until: None, .. } | State::Failed { .. } => !PLANTED && a_day_old,",
        Seeds,
    ),
    fault(
        ("tell-tale", "a log line names the account"),
        "deletion/src/life.rs",
        "    tracing::warn!(%deletion, reason = %stop, \"the deletion stops for now\");",
        "    if PLANTED { tracing::warn!(account = holder.record().await.account_id.canonical(), \"stops\"); }\n    tracing::warn!(%deletion, reason = %stop, \"the deletion stops for now\");",
        Seeds,
    ),
    fault(
        ("answer-early", "who asks is told that everything was erased before it is"),
        "deletion/src/answer.rs",
        "        State::Claiming | State::Claimed | State::Verifying => {\n",
        "        State::Claiming | State::Claimed | State::Verifying if PLANTED => (200, \"completed\", \"everything was erased\"),\n        State::Claiming | State::Claimed | State::Verifying => {\n",
        Seeds,
    ),
    fault(
        ("answer-stale", "who asks again is told what the last look found, however long ago"),
        "deletion/src/immediate.rs",
        "    if matches!(record.state, State::Settling { .. }) {\n        settle(",
        "    if !PLANTED && matches!(record.state, State::Settling { .. }) {\n        settle(",
        Seeds,
    ),
    fault(
        ("answer-hasty", "who asks while another run looks again is told what it has not found yet"),
        "deletion/src/answer.rs",
        "    if is_held && matches!",
        "    if !PLANTED && is_held && matches!",
        Regressions,
    ),
    fault(
        ("pages-none", "a run without pages waits for a job that cannot be"),
        "deletion/src/plan.rs",
        "if self.versions == 0 { State::Verifying }",
        "if !PLANTED && self.versions == 0 { State::Verifying }",
        Regressions,
    ),
    fault(
        ("pages-cut", "half a listing is taken for a listing"),
        "aws/src/whole_answers.rs",
        "response.status().is_success() && !is_whole(body)",
        "!PLANTED && response.status().is_success() && !is_whole(body)",
        Regressions,
    ),
    fault(
        ("held-for-ever", "what Object Lock held is never tried again"),
        "deletion/src/reconcile.rs",
        "State::Held { until: Some(until), .. } => now > *until,",
        "State::Held { until: Some(until), .. } => !PLANTED && now > *until,",
        Seeds,
    ),
    fault(
        ("marks-stay", "who stays keeps a status that says the account is going"),
        "deletion/src/statuses.rs",
        "change_all(app, account, deadline, |body| unmark(body, deletion)).await",
        "change_all(app, account, deadline, |body| unmark(body, deletion).filter(|_| !PLANTED)).await",
        SmallWorld,
    ),
    fault(
        ("dry-run-writes", "a dry run takes requests away"),
        "deletion/src/candidate.rs",
        "    if !run.dry_run {",
        "    if PLANTED || !run.dry_run {",
        Seeds,
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own_and_each_old_defect_is_there() {
        let names: BTreeSet<&str> = FAULTS.iter().map(|fault| fault.name).collect();
        assert_eq!(names.len(), FAULTS.len());
        assert!((1..=24).all(|n| names.contains(format!("D{n}").as_str())));
        assert!(FAULTS.len() >= 24 + 20);
    }
}
