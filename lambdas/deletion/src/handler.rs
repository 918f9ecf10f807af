//! One invocation: an event in, an answer out.

use std::time::Duration;

use domain::answer::{Answer, RETRY_AFTER_SECONDS};
use domain::environment::ImmediateMode;
use domain::event::{BadRequest, Request};
use domain::ids::AccountId;
use domain::json::Json;
use domain::record::Kind;
use domain::url;
use fault_point::planted;
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{App, Stop, Turn, cancel, confirm, immediate, reconcile, schedule, scheduled, status};

/// How long a caller waits for planning.
const PATIENCE: Duration = Duration::from_secs(20);

/// What Lambda says beside the event.
#[derive(Debug, Clone)]
pub struct Call {
    /// When to have stopped.
    pub deadline: Instant,
    /// The function's own name.
    pub function: String,
}

/// Serves an event. App-facing requests always get an answer with a status code; a failure of one that nobody waits
/// for is a failed invocation, so that it is tried again and alarmed.
///
/// The future is boxed so that it is compiled here, once, and not again in every program that polls it.
pub fn handle<'a>(app: &'a App, event: Json, call: &'a Call) -> LocalBoxFuture<'a, Result<Value, Stop>> {
    answer(app, event, call).boxed_local()
}

async fn answer(app: &App, event: Json, call: &Call) -> Result<Value, Stop> {
    let is_ambiguous = event.is_ambiguous && !planted!("named-twice");
    let event = event.value;
    if url::is_request(&event) && !is_ambiguous {
        return Ok(json!(from_url(app, &event, call).await));
    }
    let request = if is_ambiguous { Err(BadRequest::named_twice("event")) } else { Request::parse(&event) };
    let request = match request {
        Ok(request) => request,
        Err(bad) if event.get("detail-type").is_some() => return Err(Stop::Refused(bad.to_string())),
        Err(bad) => return Ok(json!(Answer::from(bad))),
    };
    if let Some(refusal) = refusal(app, &request) {
        return Ok(json!(refusal));
    }
    let turn = turn(call, &request);
    match request {
        Request::JobStatus(job) => reconcile::job_ended(app, &job, &turn).boxed_local().await,
        Request::Reconcile => reconcile::reconcile(app, &turn).boxed_local().await,
        Request::Scheduled(run) if !run.is_attended => {
            scheduled::scheduled(app, &run, &turn).boxed_local().await.map(|answer| json!(answer))
        }
        request => Ok(json!(serve(app, request, None, &turn).await)),
    }
}

/// A direct invocation carries no caller, so only where Delete Now is served at once may it ask in a person's place.
/// A dry run changes nothing.
fn refusal(app: &App, request: &Request) -> Option<Answer> {
    let asks_for_a_person =
        matches!(request, Request::Immediate { dry_run: false, .. } | Request::Schedule(_) | Request::Cancel(_));
    let is_refused = asks_for_a_person && app.settings.immediate_mode != ImmediateMode::Allowed;
    let is_refused = is_refused && !planted!("who-asks");
    is_refused.then(|| Answer::error(403, "in this environment the app asks over the function URL only"))
}

/// A request of the app, signed by a session that names its account.
async fn from_url(app: &App, event: &Value, call: &Call) -> Answer {
    let shared = &app.settings.shared;
    match url::read(event, &shared.aws_account, &app.settings.app_role) {
        Ok((request, caller)) => {
            let turn = turn(call, &request);
            serve(app, request, Some(caller), &turn).await
        }
        Err(answer) => answer,
    }
}

/// Serves somebody who reads the answer.
async fn serve(app: &App, request: Request, caller: Option<AccountId>, turn: &Turn) -> Answer {
    let grace = app.settings.grace_seconds;
    answered(match request {
        Request::Immediate { account, dry_run, hints } => {
            immediate::immediate(app, account, dry_run, &hints, turn).boxed_local().await
        }
        Request::Schedule(account) => {
            schedule::schedule(app, account, Kind::Scheduled, grace, turn).boxed_local().await
        }
        Request::Cancel(account) => cancel::cancel(app, account, turn).boxed_local().await,
        Request::Status(query) => status::status(app, &query, caller, turn.deadline).boxed_local().await,
        Request::Confirm { account, digest } => confirm::confirm(app, account, digest, turn).boxed_local().await,
        Request::Scheduled(run) => scheduled::scheduled(app, &run, turn).boxed_local().await,
        Request::JobStatus(_) | Request::Reconcile => {
            Err(Stop::Refused("an event that nobody waits for has no answer".to_owned()))
        }
    })
}

fn turn(call: &Call, request: &Request) -> Turn {
    let is_run = matches!(request, Request::Scheduled(_));
    Turn {
        deadline: call.deadline,
        patience: (!is_run && !request.is_unattended()).then(|| Instant::now() + PATIENCE),
        function: call.function.clone(),
        ahead: SignedDuration::ZERO,
        gathers: false,
    }
}

/// What went wrong inside is logged, not told: the caller learns whether to come again, and when.
fn answered(result: Result<Answer, Stop>) -> Answer {
    let stop = match result {
        Ok(answer) => return answer,
        Err(stop) => stop,
    };
    tracing::error!(reason = %stop, "an app-facing request failed");
    let again = json!({ "error": "not now; please ask again", "retryAfterSeconds": RETRY_AFTER_SECONDS });
    match stop {
        Stop::Lost | Stop::TimeUp => Answer::new(503, &again),
        Stop::Aws(error) if error.is_passing() => Answer::new(503, &again),
        Stop::Aws(_) | Stop::Refused(_) => Answer::error(500, "internal error; the operators can see why"),
    }
}
