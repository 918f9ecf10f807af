use domain::task::{Invocation, TaskResult};

use crate::silence;

/// An event of S3 Batch Operations. Every task of one that is read gets an answer.
pub fn task(data: &[u8]) {
    let Ok(event) = serde_json::from_slice(data) else { return };
    match Invocation::parse(event) {
        Ok(invocation) => is_answered(&invocation),
        Err(refusal) => silence::check(&refusal, data),
    }
}

fn is_answered(invocation: &Invocation) {
    let results: Vec<_> = invocation.tasks.iter().map(|_| TaskResult::Succeeded("done".to_owned())).collect();
    let answer = serde_json::to_value(invocation.answer(&results)).expect("an answer is plain JSON");
    let ids: Vec<_> = invocation.tasks.iter().map(|task| task.id.as_str()).collect();
    let answered = answer["results"].as_array().expect("a list");
    assert!(answered.iter().map(|result| result["taskId"].as_str().expect("an id")).eq(ids), "tasks and answers");
}
