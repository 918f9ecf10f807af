//! How far a job is, asked as the app asks.

use std::time::Duration;

use domain::event::Query;
use domain::ids::{DeletionId, JobId};
use domain::receipt::Receipt;
use harness::{Answer, Photolala};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Fault;
use crate::show::Say;

/// How often it is asked.
const INTERVAL: Duration = Duration::from_millis(250);
/// Questions between two lines where there is no terminal to draw a bar on.
const QUESTIONS_A_LINE: u32 = 8;
/// S3 Batch Operations' words for a job that is over.
const OVER: [&str; 3] = ["Complete", "Failed", "Cancelled"];

/// The progress of one deletion: a bar on a terminal, else a line now and then.
pub struct Progress<'a> {
    bar: ProgressBar,
    say: &'a Say,
}

impl<'a> Progress<'a> {
    pub fn new(say: &'a Say) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style());
        Self { bar, say }
    }

    /// Follows a deletion until its job is over, and answers the job. A direct deletion has none.
    pub async fn follow(
        &self,
        photolala: &Photolala,
        deletion: DeletionId,
        mut job: Option<JobId>,
    ) -> Result<Option<JobId>, Fault> {
        for question in 1_u32.. {
            let query = job.clone().map_or(Query::Deletion(deletion), Query::Job);
            let answer = photolala.status(&query).await?;
            job = job.or_else(|| answer.job_id());
            if is_over(&answer) {
                break;
            }
            self.draw(&answer);
            if self.bar.is_hidden() && question % QUESTIONS_A_LINE == 0 {
                self.say.line(&self.line());
            }
            tokio::time::sleep(INTERVAL).await;
        }
        Ok(job)
    }

    /// Leaves the bar full; only the receipt says that everything is gone, the account's status last.
    pub fn end(&self, receipt: &Receipt) {
        if receipt.jobs.is_empty() {
            return;
        }
        self.bar.set_position(receipt.versions.listed);
        self.bar.abandon();
        if self.bar.is_hidden() {
            self.say.line(&self.line());
        } else {
            // The bar leaves the cursor behind it.
            eprintln!();
        }
    }

    fn draw(&self, answer: &Answer) {
        let count = |field: &str| answer.body["objects"][field].as_u64().unwrap_or_default();
        self.bar.set_length(count("total"));
        self.bar.set_position(count("erased") + count("held"));
    }

    fn line(&self) -> String {
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
        format!("{done} of {all} objects, {:.0} a second, {} s left", self.bar.per_sec(), self.bar.eta().as_secs())
    }
}

/// A deletion without a job is over when it is no longer erasing, one with a job when the job is.
fn is_over(answer: &Answer) -> bool {
    let text = |field: &str| answer.body[field].as_str().unwrap_or_default();
    OVER.contains(&text("status")) || !matches!(text("state"), "claiming" | "erasing")
}

fn style() -> ProgressStyle {
    let template = "{bar:40} {human_pos}/{human_len} objects, {per_sec} a second, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is sound");
    style.with_key("per_sec", |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.0}", state.per_sec());
    })
}
