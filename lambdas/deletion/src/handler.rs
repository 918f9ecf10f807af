//! One invocation: an event in, an answer out.

use std::time::{Duration, SystemTime};

use domain::answer::Answer;
use domain::event::Request;
use futures::FutureExt as _;
use lambda_runtime::Context;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{App, Stop, Turn, immediate, reconcile, status};

/// Kept free before the function's timeout.
const MARGIN: Duration = Duration::from_secs(10);
/// How long a caller waits for planning.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves an event. App-facing requests always get an answer with a status code; a failure of one that nobody waits
/// for is a failed invocation, so that it is tried again and alarmed.
pub async fn handle(app: &App, event: Value, context: &Context) -> Result<Value, Stop> {
    let request = match Request::parse(&event) {
        Ok(request) => request,
        Err(bad) if event.get("detail-type").is_some() => return Err(Stop::Refused(bad.to_string())),
        Err(bad) => return Ok(json!(Answer::from(bad))),
    };
    let turn = turn(context, !request.is_unattended());
    match request {
        Request::Immediate { account, dry_run, hints } => {
            Ok(json!(answered(immediate::immediate(app, account, dry_run, &hints, &turn).boxed_local().await)))
        }
        Request::Status(query) => Ok(json!(answered(status::status(app, &query, turn.deadline).await))),
        Request::JobStatus(job) => reconcile::job_ended(app, &job, &turn).boxed_local().await,
        Request::Reconcile => reconcile::reconcile(app, &turn).boxed_local().await,
    }
}

fn turn(context: &Context, somebody_waits: bool) -> Turn {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(context.deadline).saturating_sub(now).saturating_sub(MARGIN);
    Turn {
        deadline: Instant::now() + left,
        patience: somebody_waits.then(|| Instant::now() + PATIENCE),
        function: context.env_config.function_name.clone(),
    }
}

/// What went wrong inside is logged, not told: the caller learns whether to come again, and when.
fn answered(result: Result<Answer, Stop>) -> Answer {
    let stop = match result {
        Ok(answer) => return answer,
        Err(stop) => stop,
    };
    tracing::error!(reason = %stop, "an app-facing request failed");
    let again = json!({ "error": "not now; please ask again", "retryAfterSeconds": 30 });
    match stop {
        Stop::Lost | Stop::TimeUp => Answer::new(503, &again),
        Stop::Aws(error) if error.is_passing() => Answer::new(503, &again),
        Stop::Aws(_) | Stop::Refused(_) => Answer::error(500, "internal error; the operators can see why"),
    }
}
