//! What a process has used, from the system's own account.

use std::fs;
use std::time::Duration;

use crate::Result;

/// `USER_HZ`, 100 on every Linux that we run on.
const TICK: Duration = Duration::from_millis(10);

/// CPU time and memory of one process, all its threads together.
#[derive(Clone, Copy, Default)]
pub(super) struct Usage {
    /// In user mode and in the kernel.
    pub(super) cpu: Duration,
    /// The most memory it ever held.
    pub(super) peak_kib: u64,
}

impl Usage {
    /// Of the process with this id.
    pub(super) fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name in parentheses may hold anything; behind it come the fields from the third on.
        let (_, fields) = stat.rsplit_once(')').ok_or("a stat without a name")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u32>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).ok_or("a stat without times")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        Ok(Self { cpu: TICK * (user + system), peak_kib: peak.ok_or("a status without VmHWM")? })
    }
}
