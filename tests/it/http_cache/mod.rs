//! The cache of routes as a client and an origin see it, by the sections of the RFCs.
//!
//! A real BFF with a route that keeps answers stands in front of an origin that answers by a script ([`origin`]). Whether an
//! answer came from the store is judged by what the origin was asked, and by `Cache-Status`. Time passes by what the origin
//! says of its answers (`Age`, `Date`, `Expires`), or by moving the clock of the process.

mod credentials;
mod crowds;
mod directives;
mod freshness;
mod incomplete;
mod invalidating;
mod merging;
mod origin;
mod ranges;
mod route;
mod selecting;
mod stale;
mod status;
mod storing;
mod validating;
mod wishes;
