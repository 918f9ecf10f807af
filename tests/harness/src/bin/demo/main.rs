//! `bin/demo`: the main job on this machine. Two accounts full of photos are deleted, one directly and one by a job,
//! beside a neighbour that must not notice.

mod photos;
mod progress;
mod show;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use harness::{Answer, Photolala};

use crate::progress::Progress;
use crate::show::{Deleted, Say};
use crate::world::{Subject, World};

/// Deletes two photo accounts on a local AWS and proves that nothing of them is left, and nothing else was touched.
///
/// Everything runs on this machine, in memory: S3, S3 Batch Operations, and both functions as real processes. No AWS
/// account is used, and nothing leaves the machine.
#[derive(Parser)]
#[command(name = "demo")]
struct Arguments {
    /// Object versions of the large account; from 1,000 on it is erased by a job.
    #[arg(long, value_name = "N", default_value_t = 25_000, value_parser = clap::value_parser!(u64).range(1..=2_000_000))]
    objects: u64,
    /// A folder whose files, in all folders below too, become the small account's photos. They are only read.
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// Ends with one JSON object on standard output; everything else goes to standard error.
    #[arg(long)]
    json: bool,
}

/// What keeps the demo from ending well.
type Fault = Box<dyn std::error::Error>;

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = tokio::select! {
        outcome = run(&arguments) => outcome,
        // Dropping the run closes the port and ends the functions' processes.
        _ = tokio::signal::ctrl_c() => return ExitCode::from(INTERRUPTED),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("demo: {fault}");
            ExitCode::from(2)
        }
    }
}

/// Says whether the proof holds.
async fn run(arguments: &Arguments) -> Result<bool, Fault> {
    let say = Say::new(arguments.json);
    let photos = arguments.photos.as_deref().map(photos::read).transpose()?.unwrap_or_default();
    let world = World::start(usize::try_from(arguments.objects)?, photos, &say).await?;
    let begun = Instant::now();
    let small = delete(&world, &world.small, &say).await?;
    let large = delete(&world, &world.large, &say).await?;
    let proof = world.proof().await;
    show::end(&say, &[small, large], &proof, begun.elapsed());
    world.photolala.shutdown().await;
    Ok(proof.holds())
}

/// Delete Now, as the app does it, to the receipt and past the second look.
async fn delete(world: &World, subject: &Subject, say: &Say) -> Result<Deleted, Fault> {
    let begun = Instant::now();
    say.head(&format!("Delete Now: the {} account, {} object versions", subject.name, subject.objects));
    let answer = delete_now(&world.photolala, subject).await?;
    say.line(&format!("answered after {}: {}", seconds(begun.elapsed()), show::answer(&answer)));
    let deletion = answer.deletion_id();
    let progress = Progress::new(say);
    let job = progress.follow(&world.photolala, deletion, answer.job_id()).await?;
    let receipt = world.photolala.run_until_complete(deletion).await?;
    progress.end(&receipt);
    say.line(&format!("complete after {}", seconds(begun.elapsed())));
    let taken = begun.elapsed();
    world.photolala.settle().await?;
    let receipt = world.photolala.receipt(receipt.deletion_id).await;
    Ok(Deleted { name: subject.name, objects: subject.objects, taken, job, receipt })
}

async fn delete_now(photolala: &Photolala, subject: &Subject) -> Result<Answer, Fault> {
    let answer = photolala.delete_now(&subject.account.upper()).await?;
    if answer.status_code >= 300 || !answer.body["deletionId"].is_string() {
        return Err(format!("Delete Now was answered {}: {}", answer.status_code, answer.body).into());
    }
    Ok(answer)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
