//! What was found by fuzzing, and what is too large or too deep, on any compiler.

mod bombs;
mod corpora;
