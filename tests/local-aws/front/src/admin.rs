use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Count, Input, NotFired, Rule, When, answers::json_answer, cloud::Cloud};

/// No bucket can have a name that starts with an underscore.
const ADMIN: &str = "/_local/";

/// Whether the request is for the local AWS itself rather than for AWS.
pub(crate) fn is_request(uri: &Uri) -> bool {
    uri.path().starts_with(ADMIN)
}

/// Looks into the local AWS and steers it, in JSON, without credentials: the port is on loopback only.
pub(crate) fn answer(cloud: &Cloud, request: &Request<Bytes>) -> Response<Bytes> {
    let path = request.uri().path().strip_prefix(ADMIN).unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    let body = request.body();
    let answered = match (request.method(), segments.as_slice()) {
        (&Method::GET, ["health"]) => Ok(health(cloud)),
        (&Method::GET, ["clock"]) => Ok(clock(cloud)),
        (&Method::POST, ["clock"]) => move_clock(cloud, body),
        (&Method::GET, ["functions"]) => Ok(functions(cloud)),
        (&Method::GET, ["logs", function]) => Ok(logs(cloud, function)),
        (&Method::GET, ["metrics"]) => Ok(metrics(cloud)),
        (&Method::GET, ["dead-letters"]) => Ok(dead_letters(cloud)),
        (&Method::GET, ["requests"]) => Ok(requests(cloud)),
        (&Method::GET, ["events"]) => Ok(events(cloud)),
        (&Method::GET, ["jobs"]) => Ok(jobs(cloud)),
        (&Method::GET, ["rules"]) => Ok(rules(cloud)),
        (&Method::POST, ["rules", name]) => fire(cloud, name, body),
        (method, _) => Err((404, format!("there is no {method} {ADMIN}{path}"))),
    };
    match answered {
        Ok(body) => json_answer(200, &body),
        Err((status, message)) => json_answer(status, &json!({ "error": message })),
    }
}

/// A status with a message.
type Refused = (u16, String);

fn health(cloud: &Cloud) -> Value {
    let s3 = match (&cloud.other_s3, cloud.other_aws) {
        (None, _) => "in memory",
        (Some(_), false) => "another server",
        (Some(_), true) => "another AWS",
    };
    json!({ "status": "ok", "endpoint": cloud.endpoint, "account": cloud.account, "region": cloud.region, "s3": s3 })
}

fn clock(cloud: &Cloud) -> Value {
    json!({ "now": cloud.clock.now(), "offsetSeconds": cloud.clock.offset().as_secs() })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum MoveClock {
    Set(Timestamp),
    AdvanceSeconds(i64),
}

/// `{"set":"2030-01-01T00:00:00Z"}` or `{"advanceSeconds":86400}`; fires the rules that became due.
fn move_clock(cloud: &Cloud, body: &Bytes) -> Result<Value, Refused> {
    match serde_json::from_slice(body).map_err(|error| (400, error.to_string()))? {
        MoveClock::Set(now) => cloud.clock.set(now),
        MoveClock::AdvanceSeconds(seconds) => cloud.clock.advance(SignedDuration::from_secs(seconds)),
    }
    let fired = cloud.rules.fire_due();
    let mut answer = clock(cloud);
    answer["fired"] = json!(fired);
    Ok(answer)
}

fn functions(cloud: &Cloud) -> Value {
    let process = |process: local_lambda::ProcessInfo| {
        json!({ "id": process.id, "pid": process.pid, "version": process.version, "ended": process.ended,
            "initMilliseconds": process.init.map(|init| init.as_secs_f64() * 1e3),
            "peakMemoryBytes": process.peak_memory_bytes })
    };
    let function = |function: local_lambda::Function| {
        let processes: Vec<Value> = cloud.lambda.processes(&function.name).into_iter().map(process).collect();
        json!({ "name": function.name, "timeoutSeconds": function.timeout.as_secs_f64(),
            "concurrency": function.concurrency, "processes": processes })
    };
    cloud.lambda.functions().into_iter().map(function).collect()
}

fn logs(cloud: &Cloud, function: &str) -> Value {
    let lines = cloud.lambda.logs(function).into_iter();
    lines.map(|line| json!({ "process": line.process, "time": line.time, "text": line.text })).collect()
}

fn metrics(cloud: &Cloud) -> Value {
    let metric = |metric: local_lambda::Metric| {
        json!({ "function": metric.function, "namespace": metric.namespace, "name": metric.name,
            "unit": metric.unit, "dimensions": metric.dimensions, "values": metric.values,
            "timestampMilliseconds": metric.timestamp_ms })
    };
    cloud.lambda.metrics().into_iter().map(metric).collect()
}

fn dead_letters(cloud: &Cloud) -> Value {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let letter = |letter: local_lambda::DeadLetter| {
        json!({ "function": letter.function, "requestId": letter.request_id, "tries": letter.tries,
            "payload": text(&letter.payload), "error": text(&letter.error) })
    };
    cloud.lambda.dead_letters().into_iter().map(letter).collect()
}

fn requests(cloud: &Cloud) -> Value {
    let count = |(count, requests): (Count, u64)| {
        json!({ "caller": count.caller, "service": count.service.to_string(), "operation": count.operation,
            "requests": requests })
    };
    cloud.recorder.counts().into_iter().map(count).collect()
}

fn events(cloud: &Cloud) -> Value {
    let put: Vec<Value> =
        cloud.events.put().into_iter().map(|put| json!({ "bus": put.bus, "envelope": put.envelope })).collect();
    json!({ "put": put, "jobs": cloud.events.of_jobs() })
}

fn jobs(cloud: &Cloud) -> Value {
    let job = |job: local_batch::Job| {
        json!({ "id": job.id, "description": job.spec.description, "status": job.status.as_str(),
            "priority": job.priority, "created": job.created, "terminated": job.terminated })
    };
    cloud.batch.jobs().into_iter().map(job).collect()
}

fn rules(cloud: &Cloud) -> Value {
    let rule = |rule: Rule| {
        let input = match rule.input {
            Input::Envelope => Value::Null,
            Input::Json(constant) => constant,
        };
        let when = match rule.when {
            When::OnDemand => "on demand".to_owned(),
            When::JobStatus => "job status".to_owned(),
            When::Schedule(schedule) => schedule.to_string(),
        };
        json!({ "name": rule.name, "target": rule.target, "input": input, "when": when })
    };
    cloud.rules.list().into_iter().map(rule).collect()
}

/// An empty body fires the rule as it is, JSON with that payload.
fn fire(cloud: &Cloud, name: &str, body: &Bytes) -> Result<Value, Refused> {
    let fired = if body.is_empty() {
        cloud.rules.fire(name)
    } else {
        let payload = serde_json::from_slice(body).map_err(|error| (400, error.to_string()))?;
        cloud.rules.fire_with(name, payload)
    };
    match fired {
        Ok(id) => Ok(json!({ "requestId": id })),
        Err(NotFired::NoSuchRule(name)) => Err((404, format!("there is no rule {name}"))),
        Err(NotFired::Refused(error)) => Err((500, error.to_string())),
    }
}
