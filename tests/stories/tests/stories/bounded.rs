//! Requests and memory do not run away with the size of an account.

use crate::stage::{Stage, only_in_memory, options};

const MIB: u64 = 1024 * 1024;

/// What erasing an account by a job took.
struct Cost {
    /// Requests of both functions, from the request until the second look is over.
    requests: u64,
    /// The most memory that a process of each function ever had.
    peak_bytes: [u64; 2],
}

async fn cost(versions: usize) -> Cost {
    let stage = Stage::set(options(), versions).await;
    stage.photolala.local().recorder().reset();
    let answer = stage.delete_now().await;
    stage.end_settled(&answer).await;
    let functions = &stage.photolala.environment().functions;
    let names = [&functions.deletion, &functions.eraser];
    let counts = stage.photolala.local().recorder().counts();
    let is_theirs = |caller: Option<&str>| names.iter().any(|name| Some(name.as_str()) == caller);
    let requests =
        counts.iter().filter(|(count, _)| is_theirs(count.caller.as_deref())).map(|(_, number)| number).sum();
    let peak_bytes = names.map(|name| {
        let processes = stage.photolala.local().lambda().processes(name);
        processes.into_iter().filter_map(|process| process.peak_memory_bytes).max().expect("a process ran")
    });
    Cost { requests, peak_bytes }
}

/// P8: an account five times as large takes six requests more for each thousand versions, and no more memory.
#[tokio::test]
async fn a_larger_account_takes_its_requests_and_no_more_memory() {
    only_in_memory("20,000 objects take too long to put");
    let (smaller, larger) = (cost(4_000).await, cost(20_000).await);
    for (cost, thousands) in [(&smaller, 4), (&larger, 20)] {
        let allowed = 130 + 6 * thousands;
        assert!(cost.requests <= allowed, "{} requests, and {allowed} are allowed", cost.requests);
    }
    for (less, more) in smaller.peak_bytes.into_iter().zip(larger.peak_bytes) {
        assert!(more <= 64 * MIB && more <= less + 8 * MIB, "{more} bytes, and {less} for a smaller account");
    }
}
