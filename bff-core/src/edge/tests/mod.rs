//! The edge as a client sees it.

mod whole;
