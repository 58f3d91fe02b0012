//! An error as a log shows it.

use std::error::Error as StdError;
use std::fmt;

use super::Error;

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((part, _)) = self.part() {
            write!(out, "part {part}: ")?;
        }
        if let Some(upstream) = self.upstream() {
            write!(out, "upstream {upstream}: ")?;
        }
        if let Some(host) = self.host() {
            write!(out, "host {host}: ")?;
        }
        write!(out, "{:?}", self.0.kind)?;
        if let Some(source) = &self.0.source {
            write!(out, ": {source}")?;
            let mut deeper = source.source();
            while let Some(cause) = deeper {
                write!(out, ": {cause}")?;
                deeper = cause.source();
            }
        }
        for fault in &self.0.faults {
            // Only where: the detail quotes what the client sent, and a log is no place for a user's data.
            write!(out, "; at {}", fault.pointer.escape_debug())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}
