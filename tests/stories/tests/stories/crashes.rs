//! The functions killed at one request that matters. At every request they make: `sweeps`.

use domain::ids::JobId;
use domain::layout::record_key;
use domain::record::Record;
use harness::promises;

use crate::gates::{Dies, Kill, request};
use crate::stage::{Stage, by_job, only_in_memory};

/// Versions of each account.
const VERSIONS: usize = 12;

/// P2, P3: an eraser that dies over its page, before or after the versions are gone, is no success: the next attempt
/// finds out what is left.
#[tokio::test]
async fn an_eraser_that_dies_over_its_page_is_followed_by_another_attempt() {
    for dies in [Dies::Before, Dies::After] {
        let stage = Stage::set(by_job(5), VERSIONS).await;
        let eraser = stage.photolala.environment().functions.eraser.clone();
        let kill = Kill::set(&stage.photolala, request(&eraser, "DeleteObjects", "", ""), dies);
        let answer = stage.delete_now().await;
        stage.photolala.quiet().await;
        assert!(kill.struck(), "the eraser was to die");
        let receipt = stage.end_settled(&answer).await;
        // S3 Batch Operations does not try a failed invocation again: another attempt asks what is left.
        assert_eq!(receipt.attempts, 2, "{dies:?}");
        let jobs = if dies == Dies::Before { 2 } else { 1 };
        assert_eq!(stage.photolala.local().batch().jobs().len(), jobs, "{dies:?}");
    }
}

/// P3, P4: a run that dies between the job and its notes about it finds the job again; there is no second one.
#[tokio::test]
async fn a_job_is_found_again_by_whoever_takes_over() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    for dies in [Dies::Before, Dies::After] {
        let stage = Stage::set(by_job(5), VERSIONS).await;
        let function = stage.photolala.environment().functions.deletion.clone();
        let kill = Kill::set(&stage.photolala, request(&function, "CreateJob", "", ""), dies);
        assert!(stage.photolala.delete_now(&stage.account.upper()).await.is_err(), "the function dies");
        assert!(kill.struck());
        let record = stage.photolala.own_object(record_key(&stage.account.id()).as_str()).await;
        let record = Record::parse(&record.expect("the record is there")).expect("it can be read");
        let receipt = stage.photolala.run_until_complete(record.deletion_id).await.expect("the deletion completes");
        promises::kept(&stage.photolala, &stage.before, &stage.account, &receipt).await;
        let jobs = stage.photolala.local().batch().jobs();
        assert_eq!(jobs.len(), 1, "{dies:?}");
        assert_eq!(receipt.jobs.iter().map(JobId::as_str).collect::<Vec<_>>(), [jobs[0].id.as_str()]);
    }
}
