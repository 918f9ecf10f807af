//! End to end on the local AWS, one file a story: with the functions of the tests' own build, or with those that
//! `PHOTOLALA_BOOTSTRAPS` names, as `bin/verify` does.
//!
//! `PHOTOLALA_S3_URL` puts another S3 server behind the local AWS; jobs, functions and events stay ours.

mod answers;
mod app;
mod bounded;
mod crashes;
mod decisive;
mod deployed;
mod earlier;
mod earlier_consent;
mod earlier_remains;
mod elsewhere;
mod floods;
mod forged;
mod gates;
mod jobs;
mod late;
mod leases;
mod locks;
mod mappings;
mod odd_keys;
mod replays;
mod runs;
mod scheduled;
mod sizes;
mod stage;
mod sweeps;
mod together;
mod tricks;
mod versions;
mod waiting;
mod who;
