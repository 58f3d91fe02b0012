//! Redis is refused, hangs, is slow, ends, comes back, or says no.

use std::io;

use super::*;
use crate::testing::SlowProxy;

/// Short enough to wait for.
const SHORT: Duration = Duration::from_millis(100);
/// Short enough to wait for, and long enough for a Redis on a busy machine.
const LIMIT: Duration = Duration::from_millis(500);

/// What is logged by the thread of a test, which with `#[tokio::test]` is the thread of all its tasks.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn levels(&self) -> Vec<String> {
        self.text().lines().map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect()
    }
}

/// Writes past the store.
fn put(server: &RedisServer, store: &Redis, key: &str, value: &str) {
    let () = Direct::to(server).ask("SET", &[&store.inner.name(key), value]);
}

#[tokio::test]
async fn a_redis_that_comes_later_is_used_then() {
    let (log, _guard) = Log::begin();
    let mut server = RedisServer::absent().unwrap();
    let never_again = store(&RedisSettings { pause: NEVER, ..settings(&server) });
    let store = store(&RedisSettings { pause: SHORT, ..settings(&server) });
    for _ in 0..100 {
        assert_eq!(never_again.get("k").await, None);
        never_again.set("k", b"v", TTL);
    }
    let counts = never_again.counts();
    assert_eq!((counts.failures, counts.skipped, counts.dropped, counts.connected), (1, 99, 100, false));
    assert_eq!(log.levels(), ["WARN"]);

    until(|| store.get("k"), |_| store.counts().failures == 3).await;
    assert_eq!(log.levels(), ["WARN", "WARN"], "one for each store");
    server.run().unwrap();
    put(&server, &store, "k", "v");
    assert_eq!(until_there(&store, "k").await, "v");
    assert_eq!(log.levels(), ["WARN", "WARN", "INFO"], "{}", log.text());
}

#[tokio::test]
async fn a_redis_that_ends_in_the_middle_is_used_when_it_is_back() {
    let (log, _guard) = Log::begin();
    let mut server = RedisServer::start().unwrap();
    let store = store(&RedisSettings { pause: SHORT, ..settings(&server) });
    put(&server, &store, "k", "v");
    assert_eq!(store.get("k").await.unwrap(), "v");
    server.kill();
    assert_eq!(store.get("k").await, None);
    assert_eq!((store.counts().failures, store.counts().connected), (1, false));
    server.run().unwrap();
    put(&server, &store, "k", "v");
    assert_eq!(until_there(&store, "k").await, "v");
    assert_eq!(log.levels(), ["WARN", "INFO"], "{}", log.text());
}

#[tokio::test]
async fn a_connection_that_was_closed_is_replaced_without_a_pause() {
    let (log, _guard) = Log::begin();
    let mut server = RedisServer::start().unwrap();
    let store = store(&RedisSettings { pause: NEVER, ..settings(&server) });
    put(&server, &store, "k", "v");
    for _ in 0..3 {
        assert_eq!(store.get("k").await.unwrap(), "v");
        server.run().unwrap();
        put(&server, &store, "k", "v");
    }
    let counts = store.counts();
    assert_eq!((counts.hits, counts.failures, counts.skipped), (3, 0, 0));
    assert_eq!(log.text(), "");
}

#[tokio::test]
async fn a_redis_that_hangs_costs_one_command_a_pause() {
    let (log, _guard) = Log::begin();
    let server = RedisServer::start().unwrap();
    let store = store(&RedisSettings { timeout: LIMIT, pause: NEVER, ..settings(&server) });
    put(&server, &store, "k", "v");
    assert_eq!(store.get("k").await.unwrap(), "v");
    server.stop().unwrap();
    let begin = clock::now();
    assert_eq!(store.get("k").await, None);
    let took = begin.elapsed();
    assert!(took >= LIMIT && took < LIMIT * 3, "{took:?}");
    for _ in 0..1000 {
        assert_eq!(store.get("k").now_or_never(), Some(None), "at once");
    }
    let counts = store.counts();
    assert_eq!((counts.hits, counts.failures, counts.skipped), (1, 1, 1000));
    assert_eq!(log.levels(), ["WARN"]);
    assert!(log.text().contains("no answer within 500ms"), "{}", log.text());
}

#[tokio::test]
async fn after_each_pause_one_of_many_tries_and_the_others_miss() {
    let (log, _guard) = Log::begin();
    let server = RedisServer::start().unwrap();
    let store = store(&RedisSettings { timeout: LIMIT, pause: SHORT, ..settings(&server) });
    put(&server, &store, "k", "v");
    assert_eq!(store.get("k").await.unwrap(), "v");
    server.stop().unwrap();
    // All that are under way wait for the same time, and end together.
    let begin = clock::now();
    let answers = futures::future::join_all((0..50).map(|_| store.get("k"))).await;
    assert!(answers.iter().all(Option::is_none) && begin.elapsed() < LIMIT * 3);
    for _ in 0..3 {
        until(async || store.inner.gate().is_due(clock::now()), |due| *due).await;
        let before = store.counts();
        let begin = clock::now();
        let answers = futures::future::join_all((0..50).map(|_| store.get("k"))).await;
        assert!(answers.iter().all(Option::is_none) && begin.elapsed() < LIMIT * 3);
        let after = store.counts();
        assert_eq!((after.failures - before.failures, after.skipped - before.skipped), (1, 49));
    }
    server.cont().unwrap();
    assert_eq!(until_there(&store, "k").await, "v");
    assert_eq!(log.levels(), ["WARN", "INFO"], "{}", log.text());
}

#[tokio::test]
async fn who_leaves_early_does_not_hide_that_redis_hangs() {
    let server = RedisServer::start().unwrap();
    let store = store(&RedisSettings { timeout: LIMIT, pause: NEVER, ..settings(&server) });
    put(&server, &store, "k", "v");
    assert_eq!(store.get("k").await.unwrap(), "v");
    server.stop().unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(1), store.get("k")).await.is_err());
    until(async || store.counts(), |counts| counts.failures == 1 && !counts.connected).await;
    assert_eq!(store.get("k").now_or_never(), Some(None));
}

#[tokio::test]
async fn who_leaves_during_the_trial_leaves_the_connection_to_the_others() {
    let server = RedisServer::start().unwrap();
    let store = store(&RedisSettings { pause: NEVER, ..settings(&server) });
    put(&server, &store, "k", "v");
    assert_eq!(store.get("k").now_or_never(), None);
    until(async || store.counts(), |counts| counts.connected).await;
    assert_eq!(store.get("k").await.unwrap(), "v");
}

#[tokio::test]
async fn a_slow_redis_is_not_used_until_it_is_quick_again() {
    let (log, _guard) = Log::begin();
    let server = RedisServer::start().unwrap();
    let proxy = SlowProxy::before(server.address()).await.unwrap();
    let url = format!("redis://{}", proxy.address());
    let store = store(&RedisSettings { url, timeout: LIMIT, pause: SHORT, ..RedisSettings::default() });
    put(&server, &store, "a", "of a");
    put(&server, &store, "b", "of b");
    assert_eq!(store.get("a").await.unwrap(), "of a");
    proxy.delay(LIMIT * 2);
    // Answers that come late are never taken for those of another command.
    until(
        || store.get("b"),
        |answer| {
            assert_eq!(*answer, None);
            store.counts().failures == 3
        },
    )
    .await;
    assert_eq!(proxy.accepted(), 3, "one for each trial, after the first that worked");
    proxy.delay(Duration::ZERO);
    assert_eq!(until_there(&store, "a").await, "of a");
    assert_eq!(store.get("b").await.unwrap(), "of b");
    assert_eq!(log.levels(), ["WARN", "INFO"], "{}", log.text());
}

#[tokio::test]
async fn a_thousand_that_ask_first_make_one_connection() {
    let server = RedisServer::start().unwrap();
    let proxy = SlowProxy::before(server.address()).await.unwrap();
    let url = format!("redis://{}", proxy.address());
    let store = store(&RedisSettings { url, timeout: PATIENT, ..RedisSettings::default() });
    put(&server, &store, "k", "v");
    let answers = futures::future::join_all((0..1000).map(|_| store.get("k"))).await;
    assert_eq!(answers.iter().flatten().count(), 1, "the one that tried");
    assert_eq!((proxy.accepted(), store.counts().skipped, store.counts().failures), (1, 999, 0));
    assert_eq!(store.get("k").await.unwrap(), "v");
    assert_eq!(proxy.accepted(), 1);
}

#[tokio::test]
async fn something_else_at_a_key_is_a_miss_of_this_key_only() {
    let (log, _guard) = Log::begin();
    let server = RedisServer::start().unwrap();
    let store = store(&RedisSettings { pause: NEVER, ..settings(&server) });
    let _: u64 = Direct::to(&server).ask("RPUSH", &[&store.inner.name("list"), "x"]);
    put(&server, &store, "k", "v");
    for _ in 0..3 {
        assert_eq!(store.get("list").await, None);
        assert_eq!(store.get("k").await.unwrap(), "v");
    }
    let counts = store.counts();
    assert_eq!((counts.hits, counts.misses, counts.failures, counts.skipped), (3, 0, 3, 0));
    assert_eq!(log.levels(), ["WARN"], "{}", log.text());
    // A write puts it right.
    store.set("list", b"v", TTL);
    until_there(&store, "list").await;
}

#[tokio::test]
async fn a_redis_without_memory_is_still_read() {
    let (log, _guard) = Log::begin();
    let server = RedisServer::start().unwrap();
    let store = store(&RedisSettings { pause: NEVER, ..settings(&server) });
    put(&server, &store, "k", "v");
    let () = Direct::to(&server).ask("CONFIG", &["SET", "maxmemory", "1"]);
    assert_eq!(store.get("k").await.unwrap(), "v");
    for _ in 0..3 {
        store.set("other", b"v", TTL);
    }
    until(async || store.counts(), |counts| counts.failures == 3).await;
    assert_eq!(store.get("k").await.unwrap(), "v");
    assert_eq!(log.levels(), ["WARN"], "{}", log.text());
}

#[tokio::test]
async fn a_password_that_is_wrong_is_told_once_and_not_shown() {
    let server = RedisServer::start_with(&["--requirepass", "right"]).unwrap();
    let by = |login: &str| server.url().replace("//", &format!("//{login}"));
    for login in ["", ":wr0ng@", "nobody:wr0ng@"] {
        let (log, _guard) = Log::begin();
        let store = store(&RedisSettings { url: by(login), pause: SHORT, ..settings(&server) });
        until(|| store.get("k"), |answer| answer.is_none() && store.counts().failures == 3).await;
        assert_eq!(log.levels(), ["WARN"], "{}", log.text());
        assert!(!log.text().contains("wr0ng"), "{}", log.text());
    }
    let store = store(&RedisSettings { url: by(":right@"), pause: NEVER, ..settings(&server) });
    store.set("k", b"v", TTL);
    assert_eq!(until_there(&store, "k").await, "v");
}

#[tokio::test]
async fn a_redis_without_tls_is_not_asked_by_tls() {
    let (log, _guard) = Log::begin();
    let server = RedisServer::start().unwrap();
    let url = server.url().replace("redis://", "rediss://:s3cret@");
    let store = store(&RedisSettings { url, timeout: LIMIT, pause: SHORT, ..RedisSettings::default() });
    until(|| store.get("k"), |answer| answer.is_none() && store.counts().failures == 2).await;
    assert_eq!(log.levels(), ["WARN"], "{}", log.text());
    assert!(!log.text().contains("s3cret"), "{}", log.text());
}

#[tokio::test]
async fn a_redis_that_is_full_is_left_alone() {
    let (log, _guard) = Log::begin();
    let server = RedisServer::start_with(&["--maxclients", "1"]).unwrap();
    let store = store(&RedisSettings { pause: SHORT, ..settings(&server) });
    let mut only = until(async || redis::Client::open(server.url()).unwrap().get_connection().ok(), Option::is_some)
        .await
        .unwrap();
    assert!(only.check_connection());
    until(|| store.get("k"), |answer| answer.is_none() && store.counts().failures == 3).await;
    assert_eq!(log.levels(), ["WARN"], "{}", log.text());
    drop(only);
    until(|| store.get("k"), |_| store.counts().connected).await;
    assert_eq!(log.levels(), ["WARN", "INFO"], "{}", log.text());
}

#[tokio::test]
async fn a_removal_waits_until_redis_can_be_asked() {
    let server = RedisServer::start().unwrap();
    let store = store(&RedisSettings { timeout: LIMIT, pause: SHORT, ..settings(&server) });
    for key in ["a", "b"] {
        put(&server, &store, key, "v");
    }
    until_there(&store, "a").await;
    server.stop().unwrap();
    store.remove("a");
    until(async || store.counts(), |counts| counts.failures >= 2).await;
    store.remove("b");
    server.cont().unwrap();
    until(async || Direct::to(&server).ask::<u64>("DBSIZE", &[]), |left| *left == 0).await;
    assert_eq!(store.counts().lost, 0);
}

#[tokio::test]
async fn a_removal_that_met_the_trial_of_another_is_made_when_that_is_answered() {
    let server = RedisServer::start().unwrap();
    let store = store(&RedisSettings { pause: NEVER, ..settings(&server) });
    put(&server, &store, "k", "v");
    assert_eq!(store.get("other").now_or_never(), None);
    store.remove("k");
    until(async || Direct::to(&server).ask::<u64>("DBSIZE", &[]), |left| *left == 0).await;
}

#[tokio::test]
async fn removals_that_wait_end_with_the_store() {
    let server = RedisServer::absent().unwrap();
    let store = store(&RedisSettings { pause: SHORT, ..settings(&server) });
    store.remove("k");
    until(async || store.counts(), |counts| counts.failures >= 1).await;
    let inner = Arc::downgrade(&store.inner);
    drop(store);
    until(async || inner.strong_count(), |held| *held == 0).await;
}

#[tokio::test]
async fn a_write_that_is_late_does_not_turn_away_who_reads() {
    let server = RedisServer::start().unwrap();
    let store = store(&RedisSettings { timeout: LIMIT, pause: NEVER, ..settings(&server) });
    put(&server, &store, "k", "v");
    assert_eq!(store.get("k").await.unwrap(), "v");
    server.stop().unwrap();
    store.set("other", b"v", TTL);
    until(async || store.counts(), |counts| counts.failures == 1).await;
    server.cont().unwrap();
    assert_eq!(store.get("k").await.unwrap(), "v");
}
