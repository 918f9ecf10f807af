//! The local AWS from outside: one port, and jobs over it.

mod endpoint;
mod jobs;
