//! One listening backend.
//!
//! - `handle` is what others hold: the [`Backend`] and its controls.
//! - `port` opens, closes and reopens the listener; `socket` can end a connection with a TCP reset.
//! - `exchange` takes one request through barrier, faults and answer; `body` sends the answer.
//! - `log` remembers every request; `gate` is the barrier.

mod body;
mod exchange;
mod gate;
mod handle;
mod log;
mod port;
mod socket;

pub use handle::Backend;
pub use log::Logged;
