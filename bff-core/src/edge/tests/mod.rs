//! The edge as a client sees it.

mod flowing;
mod whole;
