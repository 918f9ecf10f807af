//! The same at each request in turn: a death of the function before and after it, a cancellation at it. Minutes of work,
//! so `bin/test` leaves them to `bin/verify stories`; and no other S3 server can tell them, since its clock cannot be
//! moved past a dead holder's lease or the grace period of many accounts.

mod crashes;
mod decisive;
