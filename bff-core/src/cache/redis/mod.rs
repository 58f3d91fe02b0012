//! The second level of the cache: bytes by key in Redis, for a fleet of instances.
//!
//! It never costs a user anything. A command ends within `timeout`; after one that failed Redis is not asked for
//! `pause`, and then by one command at first, while all others miss at once. Writes are made in the background.
//!
//! - `settings`: `[cache.redis]`, and which URLs it takes.
//! - `gate`: whether Redis is asked, a pure state machine.
//! - `lookup`: names are looked up once at a time.
//! - `removals`: what is to be forgotten waits, bounded, until Redis can be asked again.

mod gate;
mod lookup;
mod removals;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use bytes::Bytes;
use futures::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionAddr, RedisError, RedisResult, Value};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};

use super::SecondLevel;
use crate::clock::{self, Instant};
use crate::telemetry::SecondLevelCounts;
use gate::{Gate, Turn};
use lookup::PatientLookup;
use removals::Removals;

pub use settings::{RedisSettings, UnfitUrl};

/// The version of what is written. Two versions that run side by side do not read each other's entries.
const FORMAT: u8 = 1;
/// How many commands may wait for their turn on the connection; further ones wait for a place.
const QUEUE: usize = 1024;

type Entry = gate::Entry<MultiplexedConnection>;

/// Entries in Redis, by key. Clones share one connection.
#[derive(Clone, Debug)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    connecting: AsyncConnectionConfig,
    prefix: String,
    timeout: Duration,
    largest: usize,
    gate: Mutex<Gate<MultiplexedConnection>>,
    /// Tells the removals that Redis is back.
    opened: Notify,
    writes: Arc<Semaphore>,
    removals: Removals,
    tally: Tally,
}

/// Totals since the start.
#[derive(Debug, Default)]
struct Tally {
    hits: AtomicU64,
    misses: AtomicU64,
    skipped: AtomicU64,
    failures: AtomicU64,
    dropped: AtomicU64,
    lost: AtomicU64,
}

/// What has become of one command.
enum Asked {
    Answered(Value),
    /// Redis works, and does not do this.
    Refused,
    Failed,
}

/// What it means when a command is not answered in time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Late {
    /// Redis hangs.
    Hangs,
    /// Perhaps only that the value is large; nobody waits for it, and who asks next will see.
    Perhaps,
}

impl Redis {
    /// A store that connects when it is first asked; `None` without a URL. Needs neither Redis nor a runtime yet.
    ///
    /// # Errors
    /// When the URL cannot be used, which [`RedisSettings`] reports as a mistake too.
    pub fn new(settings: &RedisSettings) -> Result<Option<Self>, UnfitUrl> {
        let Some(client) = settings.client()? else { return Ok(None) };
        // One limit holds for a command, connecting included: see `ask`.
        let connecting = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE)
            .set_dns_resolver(PatientLookup::default());
        let inner = Inner {
            client,
            connecting,
            prefix: settings.prefix.clone(),
            timeout: settings.timeout,
            largest: usize::try_from(settings.largest.as_u64()).unwrap_or(usize::MAX),
            gate: Mutex::new(Gate::new(settings.timeout, settings.pause)),
            opened: Notify::new(),
            writes: Arc::new(Semaphore::new(settings.writes.min(Semaphore::MAX_PERMITS))),
            removals: Removals::default(),
            tally: Tally::default(),
        };
        Ok(Some(Self { inner: Arc::new(inner) }))
    }

    /// What Redis has for `key`; nothing if it cannot be asked.
    pub async fn get(&self, key: &str) -> Option<Bytes> {
        let runtime = Handle::try_current().ok()?;
        let Ok(entry) = self.inner.enter() else {
            count(&self.inner.tally.skipped);
            return None;
        };
        let mut command = redis::cmd("GET");
        command.arg(self.inner.name(key));
        let inner = self.inner.clone();
        // A task of its own: a caller who does not wait for the end must not hide that Redis hangs.
        runtime.spawn(async move { inner.fetch(entry, &command).await }).await.ok().flatten()
    }

    /// Writes an entry that ends after `ttl`, in the background. It stays unwritten if it is too large, if too many
    /// are on their way, or if Redis cannot be asked.
    pub fn set(&self, key: &str, value: &[u8], ttl: Duration) {
        if value.len() > self.inner.largest || ttl.is_zero() {
            return;
        }
        let place = self.inner.writes.clone().try_acquire_owned();
        let (Ok(runtime), Ok(place)) = (Handle::try_current(), place) else {
            return count(&self.inner.tally.dropped);
        };
        let Ok(entry) = self.inner.enter() else {
            return count(&self.inner.tally.dropped);
        };
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut command = redis::cmd("SET");
        command.arg(self.inner.name(key)).arg(value).arg("PX").arg(ttl);
        let inner = self.inner.clone();
        runtime.spawn(async move {
            inner.ask(entry, &command, Late::Perhaps).await;
            drop(place);
        });
    }

    /// Removes an entry in the background. While Redis cannot be asked the removal waits, and is made when it is back.
    pub fn remove(&self, key: &str) {
        let Ok(runtime) = Handle::try_current() else {
            return count(&self.inner.tally.lost);
        };
        let added = self.inner.removals.add(self.inner.name(key));
        if added.lost {
            count(&self.inner.tally.lost);
        }
        if added.begin {
            let inner = self.inner.clone();
            runtime.spawn(async move { inner.sweep().await });
        }
    }

    /// What has become of what was asked, as of now.
    #[must_use]
    pub fn counts(&self) -> SecondLevelCounts {
        let Tally { hits, misses, skipped, failures, dropped, lost } = &self.inner.tally;
        let total = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SecondLevelCounts {
            hits: total(hits),
            misses: total(misses),
            skipped: total(skipped),
            failures: total(failures),
            dropped: total(dropped),
            lost: total(lost),
            connected: self.inner.gate().is_open(),
        }
    }
}

impl SecondLevel for Redis {
    fn get<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Option<Bytes>> {
        Box::pin(self.get(question))
    }

    fn set(&self, question: &str, value: Bytes, ttl: Duration) {
        self.set(question, &value, ttl);
    }

    fn remove(&self, question: &str) {
        self.remove(question);
    }

    fn counts(&self) -> SecondLevelCounts {
        self.counts()
    }
}

impl Inner {
    fn gate(&self) -> MutexGuard<'_, Gate<MultiplexedConnection>> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way to Redis, or when to try again. Whoever enters has to ask.
    fn enter(&self) -> Result<Entry, Instant> {
        self.gate().enter(clock::now())
    }

    /// The name of an entry in Redis: nothing that a key says can be read there.
    fn name(&self, key: &str) -> String {
        const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        let hash = digest::digest(&digest::SHA256, key.as_bytes());
        let digits = hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let mut name = format!("{}:{FORMAT}:", self.prefix);
        name.extend(digits.map(|digit| DIGITS[usize::from(digit)]));
        name
    }

    async fn fetch(&self, entry: Entry, command: &Cmd) -> Option<Bytes> {
        match self.ask(entry, command, Late::Hangs).await {
            Asked::Answered(Value::BulkString(value)) => {
                count(&self.tally.hits);
                Some(value.into())
            }
            Asked::Answered(_) => {
                count(&self.tally.misses);
                None
            }
            Asked::Refused | Asked::Failed => None,
        }
    }

    /// Makes all removals that wait, and those that are added meanwhile.
    async fn sweep(self: Arc<Self>) {
        for names in self.removals.sweep() {
            let mut command = redis::cmd("UNLINK");
            command.arg(&names);
            loop {
                match self.enter() {
                    Ok(entry) => match self.ask(entry, &command, Late::Hangs).await {
                        Asked::Answered(_) => break,
                        Asked::Refused => {
                            self.tally.lost.fetch_add(names.len() as u64, Ordering::Relaxed);
                            break;
                        }
                        Asked::Failed => {}
                    },
                    // The store itself is gone, and nobody adds or asks any more.
                    Err(_) if Arc::strong_count(&self) == 1 => return,
                    Err(until) => {
                        tokio::select! {
                            () = tokio::time::sleep_until(until) => {}
                            () = self.opened.notified() => {}
                        }
                    }
                }
            }
        }
    }

    /// Asks once, within the limit, and says at the gate how it went.
    async fn ask(&self, entry: Entry, command: &Cmd, late: Late) -> Asked {
        let (connection, mut turn) = match entry {
            Entry::Open(connection, turn) => (Some(connection), turn),
            Entry::Trial(turn) => (None, turn),
        };
        let mut trial = connection.is_none();
        let answer = tokio::time::timeout(self.timeout, self.send(connection, &mut turn, &mut trial, command)).await;
        let failure = match answer {
            Ok(Ok(value)) => return Asked::Answered(value),
            Ok(Err(error)) if is_refusal(&error, trial) => {
                count(&self.tally.failures);
                if self.gate().refuse() {
                    tracing::warn!(redis = %self.address(), %error, "redis refuses a command; further refusals are only counted");
                }
                return Asked::Refused;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) if late == Late::Perhaps && !trial => {
                count(&self.tally.failures);
                return Asked::Failed;
            }
            Err(_) => format!("no answer within {:?}", self.timeout),
        };
        count(&self.tally.failures);
        if self.gate().close(turn, clock::now()) {
            tracing::warn!(redis = %self.address(), %failure, "redis cannot be used; entries are kept in memory only");
        }
        Asked::Failed
    }

    async fn send(
        &self,
        connection: Option<MultiplexedConnection>,
        turn: &mut Turn,
        trial: &mut bool,
        command: &Cmd,
    ) -> RedisResult<Value> {
        if let Some(mut connection) = connection {
            let answer = command.query_async(&mut connection).await;
            if !answer.as_ref().is_err_and(RedisError::is_connection_dropped) {
                return answer;
            }
            // Redis closes connections that idle, and restarts: no reason for a pause if a new one can be had at once.
            let Some(next) = self.gate().replace(*turn, clock::now()) else { return answer };
            (*turn, *trial) = (next, true);
        }
        let mut connection = self.connect().await?;
        let answer = command.query_async(&mut connection).await;
        if answer.as_ref().err().is_none_or(|error| is_refusal(error, true)) {
            if self.gate().open(*turn, connection) {
                tracing::info!(redis = %self.address(), "redis can be used again");
            }
            self.opened.notify_one();
        }
        answer
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        if !matches!(self.client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. }) {
            // On the heap, for it is large and rare.
            return Box::pin(self.client.get_multiplexed_async_connection_with_config(&self.connecting)).await;
        }
        // The crate reads all certificates of this machine whenever it connects, which takes a worker some milliseconds.
        let (client, connecting, runtime) = (self.client.clone(), self.connecting.clone(), Handle::current());
        let limit = self.timeout;
        let connecting = move || {
            let connected = client.get_multiplexed_async_connection_with_config(&connecting);
            runtime.block_on(async { tokio::time::timeout(limit, connected).await })
        };
        match tokio::task::spawn_blocking(connecting).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(late)) => Err(io::Error::from(late).into()),
            Err(gone) => Err(io::Error::other(gone).into()),
        }
    }

    /// Host and port, without who logs in.
    fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Inner").field("redis", &self.address()).field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Whether an error is an answer about this one command, from a server that works.
///
/// What says the same to every command closes the gate; what one command may be told and another not (a key of a wrong
/// type, no memory left for writes, a user who may only read) must not, or the gate would open and close all day.
fn is_refusal(error: &RedisError, trial: bool) -> bool {
    match error.code() {
        None | Some("NOAUTH" | "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "BUSY") => false,
        // Said before the connection is closed: too many clients, protected mode.
        Some("ERR" | "DENIED") => !trial,
        Some(_) => true,
    }
}
