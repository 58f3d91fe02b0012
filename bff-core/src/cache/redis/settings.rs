//! `[cache.redis]`, and which URLs it takes.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionInfo};
use serde::{Deserialize, Serialize};

use crate::settings::{Check, Mistakes};

/// The longest prefix; it stands in front of every name in Redis.
const LONGEST_PREFIX: usize = 64;
/// Redis takes no larger value.
const LARGEST: ByteSize = ByteSize::mib(512);

/// `[cache.redis]`: the second level of the cache, which the instances of a fleet share.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct RedisSettings {
    /// Where it is: `redis://user:password@host:6379/0`, or `rediss://…` by TLS. Default `""`, none.
    pub url: String,
    /// What the names of all entries begin with; the name of the BFF follows. Default `bff`.
    pub prefix: String,
    /// How long one command may take, connecting included. Default 50 ms.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// How long Redis is left alone after it failed. Default 1 s.
    #[serde(with = "humantime_serde")]
    pub pause: Duration,
    /// The largest entry that is written; larger ones stay in memory only. Default 1 MiB.
    pub largest: ByteSize,
    /// How many entries may be on their way to Redis at once; further ones stay in memory only. Default 64.
    pub writes: usize,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            prefix: "bff".to_owned(),
            timeout: Duration::from_millis(50),
            pause: Duration::from_secs(1),
            largest: ByteSize::mib(1),
            writes: 64,
        }
    }
}

/// Without the URL, in which a password may stand.
impl fmt::Debug for RedisSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, prefix, timeout, pause, largest, writes } = self;
        out.debug_struct("RedisSettings")
            .field("url", &if url.is_empty() { "" } else { "…" })
            .field("prefix", prefix)
            .field("timeout", timeout)
            .field("pause", pause)
            .field("largest", largest)
            .field("writes", writes)
            .finish()
    }
}

impl Check for RedisSettings {
    fn check(&self, mistakes: &mut Mistakes) {
        if let Err(UnfitUrl { problem, remedy }) = self.client() {
            mistakes.note("url", problem, remedy);
        }
        let fits = |prefix: &str| prefix.bytes().all(|byte| byte.is_ascii_graphic());
        if self.prefix.is_empty() || self.prefix.len() > LONGEST_PREFIX || !fits(&self.prefix) {
            let problem = format!("{:?} cannot stand in front of a name", self.prefix);
            mistakes.note("prefix", problem, format!("give 1 to {LONGEST_PREFIX} visible letters of ASCII"));
        }
        for (key, value, why) in [
            ("timeout", self.timeout, "no command ends in no time"),
            ("pause", self.pause, "a failure would cost every call"),
        ] {
            if value.is_zero() {
                mistakes.note(key, format!("0s is too short: {why}"), "give a time such as \"50ms\" or \"1s\"");
            }
        }
        if self.largest > LARGEST {
            mistakes.note("largest", format!("Redis takes nothing of {}", self.largest), "give at most \"512 MiB\"");
        }
        if self.writes == 0 {
            mistakes.note("writes", "0 writes nothing", "give at least 1, or leave out `url`");
        }
    }
}

/// A URL that is not used. It says why without a word of the URL itself, in which a password may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnfitUrl {
    pub(super) problem: &'static str,
    pub(super) remedy: &'static str,
}

impl fmt::Display for UnfitUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the URL of Redis: {}; {}", self.problem, self.remedy)
    }
}

impl std::error::Error for UnfitUrl {}

impl RedisSettings {
    /// Who connects; `None` without a URL. Connects to nothing yet.
    pub(super) fn client(&self) -> Result<Option<Client>, UnfitUrl> {
        if self.url.is_empty() {
            return Ok(None);
        }
        if !["redis://", "rediss://"].iter().any(|scheme| self.url.starts_with(scheme)) {
            let problem = "it begins neither with redis:// nor with rediss:// (the value is not shown)";
            return Err(UnfitUrl { problem, remedy: "write it like redis://user:password@host:6379/0" });
        }
        if self.url.contains('#') {
            // `#insecure` would believe any certificate.
            let remedy = "leave it out, and write %23 for a # in a password";
            return Err(UnfitUrl { problem: "it has a fragment (the value is not shown)", remedy });
        }
        let unreadable = UnfitUrl {
            problem: "it cannot be read (the value is not shown)",
            remedy: "write it like redis://user:password@host:6379/0, with %2F for a / in a password",
        };
        let info: ConnectionInfo = self.url.parse().map_err(|_| unreadable)?;
        // A name of Redis' own for the connection would cost a turn at every connecting. Small commands leave at once.
        let quiet = info.redis_settings().clone().set_skip_set_lib_name();
        let info = info.set_redis_settings(quiet).set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Client::open(info).map(Some).map_err(|_| unreadable)
    }
}
