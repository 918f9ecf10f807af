//! From the start of a function's process to its first poll of the Runtime API.

use std::time::Duration;

use harness::{Options, Photolala};

use crate::{Figure, figure};

const STARTS: usize = 21;

/// The median over fresh processes of each function.
pub async fn measure() -> Vec<Figure> {
    let photolala = Photolala::start(Options::default()).await.expect("the service starts");
    let names = [&photolala.environment().functions.deletion, &photolala.environment().functions.eraser];
    let mut figures = Vec::new();
    for name in names {
        for _ in 0..STARTS {
            // Any event will do: the process starts, polls, and refuses it.
            let _ = photolala.local().lambda().invoke(name, bytes::Bytes::from_static(b"{}")).await;
            photolala.local().lambda().kill(name);
        }
        let mut starts: Vec<Duration> =
            photolala.local().lambda().processes(name).iter().filter_map(|process| process.init).collect();
        starts.sort();
        let median = starts[starts.len() / 2];
        figures.push(figure(
            name,
            format!("{:.1} ms (median of {})", median.as_secs_f64() * 1e3, starts.len()),
            "≤ 10 ms",
        ));
    }
    photolala.shutdown().await;
    figures
}
