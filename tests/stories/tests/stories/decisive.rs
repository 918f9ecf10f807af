//! A cancellation and a claim in the same moment: exactly one of them wins. Both at each of their requests: `sweeps`.

use harness::{Answer, Photolala};
use serde_json::json;

use crate::gates::{Dies, Kill, request};
use crate::scheduled::GRACE;
use crate::stage::{only_in_memory, options};
use crate::waiting::{Waiting, cancel_event, without_pause};

/// P5: both in the same second, many times, from two sides: exactly one of them wins.
#[tokio::test]
async fn a_cancellation_in_the_second_of_the_claim_is_decisive() {
    only_in_memory("its clock cannot be moved past the grace period of many accounts");
    let photolala = Photolala::start(without_pause(options())).await.expect("the service starts");
    for n in 1..=20 {
        let waiting = Waiting::due(&photolala, n, n.is_multiple_of(2)).await;
        let (lambda, function) =
            (photolala.local().lambda_client(), photolala.environment().functions.deletion.clone());
        let (_, answer) = tokio::join!(photolala.run(), cancel_event(lambda, function, &waiting.account));
        let answer = waiting.decided(answer.expect("cancel answers")).await;
        match answer.status_code {
            200 => waiting.stays(n).await,
            409 => waiting.is_erased(answer.deletion_id()).await,
            code => panic!("{n}: {code} {}", answer.body),
        }
    }
}

/// P4: a cancellation dies half way, and the person asks anew in another app before anybody finishes it: the new request
/// stands.
#[tokio::test]
async fn a_cancellation_that_died_takes_nothing_back_that_came_after_it() {
    only_in_memory("its clock cannot be moved past a dead holder's lease");
    let photolala = Photolala::start(without_pause(options())).await.expect("the service starts");
    let waiting = Waiting::due(&photolala, 1, true).await;
    let point = request(&photolala.environment().functions.deletion, "PutObject", "users/", "active");
    let kill = Kill::set(&photolala, point, Dies::After);
    let cancel = json!({"type": "cancel", "userId": waiting.account.upper()});
    let _ = photolala.invoke(cancel).await;
    photolala.local().open_gate();
    assert!(kill.struck());
    assert_eq!(photolala.own_keys("requests/").await.len(), 1);
    photolala.pass(2).await;
    photolala.app_schedules(&waiting.account, GRACE.into()).await;
    waiting.recover().await;
    assert!(photolala.own_keys("requests/").await.is_empty(), "a person may have waived the grace of what was before");
    assert_eq!(waiting.says().await.as_deref(), Some("scheduled_for_deletion"));
    photolala.pass(i64::from(GRACE) + 2).await;
    let run = photolala.run().await;
    let answer = Answer { status_code: 200, body: run.body["results"][0].clone() };
    waiting.is_erased(answer.deletion_id()).await;
}
