//! Against a real Redis, which each test starts for itself.

mod faults;

use std::time::Duration;

use bytes::Bytes;
use bytesize::ByteSize;
use futures::FutureExt;
use redis::ConnectionLike;

use super::*;
use crate::settings::{Check, Mistakes};
use crate::testing::RedisServer;

/// Longer than any test: what is to end within the limit or the pause does not.
const NEVER: Duration = Duration::from_secs(3600);
/// For what is to be answered: on a busy machine a good answer may be late.
const PATIENT: Duration = Duration::from_secs(20);
const TTL: Duration = Duration::from_secs(60);

fn settings(server: &RedisServer) -> RedisSettings {
    RedisSettings { url: server.url(), timeout: PATIENT, ..RedisSettings::default() }
}

fn store(settings: &RedisSettings) -> Redis {
    Redis::new(settings).unwrap().unwrap()
}

/// Commands past the store.
struct Direct(redis::Connection);

impl Direct {
    fn to(server: &RedisServer) -> Self {
        Self(redis::Client::open(server.url()).unwrap().get_connection().unwrap())
    }

    fn ask<T: redis::FromRedisValue>(&mut self, command: &str, arguments: &[&str]) -> T {
        let value = self.0.req_command(redis::cmd(command).arg(arguments)).unwrap().extract_error().unwrap();
        redis::from_redis_value(value).unwrap()
    }
}

/// Asks until it is as expected, for as long as a very busy machine may take.
async fn until<T>(mut ask: impl AsyncFnMut() -> T, expected: impl Fn(&T) -> bool) -> T {
    let asking = async {
        loop {
            let answer = ask().await;
            if expected(&answer) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENT, asking).await.expect("it never came to what was expected")
}

async fn until_there(store: &Redis, key: &str) -> Bytes {
    until(|| store.get(key), Option::is_some).await.unwrap()
}

async fn until_gone(store: &Redis, key: &str) {
    until(|| store.get(key), Option::is_none).await;
}

#[tokio::test]
async fn what_one_instance_has_written_another_reads() {
    let server = RedisServer::start().unwrap();
    let (one, other) = (store(&settings(&server)), store(&settings(&server)));
    assert_eq!(one.get("a key").await, None);
    // All bytes, also those that mean something to Redis.
    let value: Vec<u8> = (0..=255).chain(*b"\r\n$3\r\n").collect();
    one.set("a key", &value, TTL);
    assert_eq!(until_there(&other, "a key").await, value);
    assert_eq!(other.get("another key").await, None);
    one.set("empty", b"", TTL);
    assert_eq!(until_there(&other, "empty").await, "");
    let counts = other.counts();
    assert_eq!((counts.hits, counts.failures, counts.skipped, counts.connected), (2, 0, 0, true));

    let mut direct = Direct::to(&server);
    let mut names: Vec<String> = direct.ask("KEYS", &["*"]);
    names.sort_unstable();
    // printf 'a key' | sha256sum
    let name = "bff:1:8fa3aab2faa9b79e0a0398da5b5abd0780142442a5be80b9a64608d718cb1fcd";
    assert!(names.iter().all(|name| name.starts_with("bff:1:") && name.len() == 70), "{names:?}");
    assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{names:?}");
    let left: u64 = direct.ask("PTTL", &[name]);
    assert!((1..=60_000).contains(&left), "{left}");
}

#[tokio::test]
async fn fleets_with_different_prefixes_do_not_meet() {
    let server = RedisServer::start().unwrap();
    let one = store(&settings(&server));
    let other = store(&RedisSettings { prefix: "other".into(), ..settings(&server) });
    one.set("k", b"v", TTL);
    until_there(&one, "k").await;
    assert_eq!(other.get("k").await, None);
}

#[tokio::test]
async fn an_entry_ends_with_its_time() {
    let server = RedisServer::start().unwrap();
    let store = store(&settings(&server));
    store.set("k", b"v", Duration::from_millis(300));
    until_there(&store, "k").await;
    until_gone(&store, "k").await;
    store.set("k", b"v", Duration::ZERO);
    store.set("barely", b"v", Duration::from_micros(10));
    store.set("last", b"v", TTL);
    until_there(&store, "last").await;
    assert_eq!((store.get("k").await, store.counts().failures), (None, 0));
}

#[tokio::test]
async fn what_is_removed_is_gone_for_all() {
    let server = RedisServer::start().unwrap();
    let (one, other) = (store(&settings(&server)), store(&settings(&server)));
    let keys: Vec<_> = (0..600).map(|index| format!("key {index}")).collect();
    let mut direct = Direct::to(&server);
    for key in &keys {
        let () = direct.ask("SET", &[&one.inner.name(key), "v"]);
    }
    for key in &keys[1..] {
        other.remove(key);
    }
    until(async || direct.ask::<u64>("DBSIZE", &[]), |left| *left == 1).await;
    assert_eq!(one.get(&keys[0]).await.unwrap(), "v");
    other.remove(&keys[0]);
    until_gone(&one, &keys[0]).await;
    assert_eq!((other.counts().failures, other.counts().lost), (0, 0));
    // Many at once went in few commands.
    let told: String = direct.ask("INFO", &["commandstats"]);
    let unlinked = told.lines().find(|line| line.starts_with("cmdstat_unlink:calls=")).unwrap();
    let calls: u64 = unlinked.split(['=', ',']).nth(1).unwrap().parse().unwrap();
    assert!((3..100).contains(&calls), "{unlinked}");
}

#[tokio::test]
async fn what_is_too_large_stays_in_memory() {
    let server = RedisServer::start().unwrap();
    let store = store(&RedisSettings { largest: ByteSize::b(10), ..settings(&server) });
    store.set("large", b"12345678901", TTL);
    store.set("fits", b"1234567890", TTL);
    until_there(&store, "fits").await;
    assert_eq!(store.get("large").await, None);
    assert_eq!(store.counts().dropped, 0);
}

#[tokio::test]
async fn a_thousand_ask_at_once_by_one_connection() {
    let server = RedisServer::start().unwrap();
    let store = store(&settings(&server));
    store.set("k", &[7; 2000], TTL);
    until_there(&store, "k").await;
    let before = store.counts();
    let answers = futures::future::join_all((0..1000).map(|_| store.get("k"))).await;
    assert!(answers.iter().all(|answer| answer.as_deref() == Some(&[7; 2000])));
    let counts = store.counts();
    assert_eq!((counts.hits - before.hits, counts.failures, counts.skipped), (1000, 0, before.skipped));
    let told: String = Direct::to(&server).ask("INFO", &["clients"]);
    assert!(told.contains("connected_clients:2\r\n"), "one of the store, one of the test: {told}");
}

#[tokio::test]
async fn more_writes_than_may_be_under_way_are_dropped() {
    let server = RedisServer::start().unwrap();
    let store = store(&RedisSettings { writes: 2, ..settings(&server) });
    until(|| store.get("k"), |_| store.counts().connected).await;
    for index in 0..10 {
        store.set(&index.to_string(), b"v", TTL);
    }
    assert_eq!(store.counts().dropped, 8);
    until_there(&store, "0").await;
    until_there(&store, "1").await;
    // Their places are free again.
    until(async || store.inner.writes.available_permits(), |free| *free == 2).await;
    store.set("2", b"v", TTL);
    until_there(&store, "2").await;
}

#[test]
fn without_a_runtime_it_is_made_and_asks_nothing() {
    let settings = RedisSettings { url: "redis://127.0.0.1:1".into(), ..RedisSettings::default() };
    let store = store(&settings);
    store.set("k", b"v", TTL);
    store.remove("k");
    assert_eq!(store.get("k").now_or_never(), Some(None));
    assert_eq!((store.counts().dropped, store.counts().lost), (1, 1));
    assert!(Redis::new(&RedisSettings::default()).unwrap().is_none());
    assert!(Redis::new(&RedisSettings { url: "rediss://host:6380/3".into(), ..settings }).unwrap().is_some());
}

#[tokio::test]
async fn a_store_outlives_the_runtime_that_connected_it() {
    let server = RedisServer::start().unwrap();
    let store = store(&settings(&server));
    let (other, own) = (store.clone(), std::thread::spawn);
    let inside = own(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            other.set("k", b"v", TTL);
            until_there(&other, "k").await
        })
    });
    assert_eq!(inside.join().unwrap(), "v");
    assert_eq!(until_there(&store, "k").await, "v");
}

#[test]
fn mistakes_are_named_and_no_password_is_shown() {
    let check = |settings: &RedisSettings| {
        let mut mistakes = Mistakes::default();
        settings.check(&mut mistakes);
        mistakes.into_inner().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(check(&RedisSettings::default()), [""; 0]);
    for url in ["redis://h", "redis://:s3cret@h:1/2", "rediss://user:s3cret@h", "redis://[::1]:7?protocol=resp3"] {
        let settings = RedisSettings { url: url.into(), ..RedisSettings::default() };
        assert_eq!(check(&settings), [""; 0], "{url}");
        assert!(!format!("{settings:?} {:?}", store(&settings)).contains("s3cret"));
    }
    for (url, problem) in [
        ("http://:s3cret@h", "url: it begins neither"),
        ("unix:///s3cret", "url: it begins neither"),
        ("s3cret", "url: it begins neither"),
        ("redis://", "url: it cannot be read"),
        ("redis://:s3/cret@h", "url: it cannot be read"),
        ("redis://h:s3cret", "url: it cannot be read"),
        ("redis://h/s3cret", "url: it cannot be read"),
        ("redis://h?protocol=s3cret", "url: it cannot be read"),
        ("rediss://h/#insecure", "url: it has a fragment"),
    ] {
        let settings = RedisSettings { url: url.into(), ..RedisSettings::default() };
        let mistakes = check(&settings);
        assert!(mistakes.len() == 1 && mistakes[0].starts_with(problem), "{url}: {mistakes:?}");
        let told = Redis::new(&settings).unwrap_err();
        assert!(!format!("{mistakes:?} {told} {told:?}").contains("s3"), "{mistakes:?} {told}");
    }
    let all = RedisSettings {
        url: String::new(),
        prefix: "a b".into(),
        timeout: Duration::ZERO,
        pause: Duration::ZERO,
        largest: ByteSize::gib(1),
        writes: 0,
    };
    let keys: Vec<_> = check(&all).iter().map(|told| told.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(keys, ["prefix", "timeout", "pause", "largest", "writes"]);
}
