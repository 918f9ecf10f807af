//! The stories are in `tests/`: what happens to accounts, end to end, with the real binaries.
