use std::time::Duration;

mod limits;
mod seats;
mod simulation;

/// What a call may take: more than any of these takes on a good day.
const TIMEOUT: Duration = Duration::from_secs(1);
