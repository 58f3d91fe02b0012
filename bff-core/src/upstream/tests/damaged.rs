//! What could not be read is told once, and not told to anybody who waits.

use std::io::{self, Write};
use std::sync::Mutex;

use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::testing::RedisServer;

/// Everything that is logged while it is the thread's own.
#[derive(Clone, Default)]
pub(super) struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Logged {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logged {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Wire {
    text: String,
    count: u8,
}

#[derive(Debug, Serialize, ToSchema)]
struct Page {
    weather: Option<Text>,
    meta: Meta,
}

impl From<Wire> for Text {
    fn from(wire: Wire) -> Self {
        Self(format!("{} {}", wire.text, wire.count))
    }
}

#[utoipa::path(get, path = "/page", responses((status = OK, body = Page), Problems))]
async fn page(page: Composer, up: Upstreams) -> Result<Json<Page>> {
    compose!(page => Page { weather: optional(async { up.weather.0.get(path!("/now")).shared::<Wire>().await }) })
}

#[tokio::test(start_paused = true)]
async fn k02_what_could_not_be_read_is_said_once_for_each_field() {
    let logged = Logged::default();
    let subscriber = tracing_subscriber::fmt().with_writer(logged.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let asked = Arc::new(AtomicUsize::new(0));
    let fake = move |_: Request<bytes::Bytes>| {
        let field = if asked.fetch_add(1, Ordering::Relaxed) < 3 { "a" } else { "b" };
        let body = format!("{{\"text\":\"secret \\ud83d\",\"count\":7.0,\"more\":{{\"{field}\":[\"\\ude00\"]}}}}");
        std::future::ready(Reply { body: body.into(), ..Reply::json(&Value::Null) })
    };
    let bff = Bff::new("coast", "1.0.0").page(routes!(page), Policy::public().budget(1000.ms()));
    let bff = Builder::<Upstreams>::new(bff).unwrap().upstream("weather", fake).build().await.unwrap();
    for _ in 0..5 {
        assert_eq!(bff.get("/page").await.json()["weather"], "secret \u{FFFD} 7");
    }
    let logged = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
    for field in ["text", "more.a", "more.b"] {
        let line = format!("upstream=weather field=\"{field}\"");
        assert_eq!(logged.matches(&line).count(), 1, "{field}: {logged}");
    }
    assert!(!logged.contains("secret"), "{logged}");
}

/// What is kept of an answer that took some guessing is what was read: others read it strictly.
#[tokio::test]
async fn what_redis_holds_needs_no_guessing() {
    let server = tokio::task::spawn_blocking(RedisServer::start).await.unwrap().unwrap();
    let fleet = async |reply: Reply| {
        let bff = Bff::new("coast", "1.0.0").page(routes!(page), Policy::public().budget(20_000.ms()));
        let bff = Builder::<Upstreams>::new(bff).unwrap().answers("weather", reply).settings(|settings| {
            settings.cache.redis.url = server.url();
            settings.cache.redis.timeout = Duration::from_secs(20);
        });
        bff.build().await.unwrap()
    };
    let body = "\u{FEFF}{\"text\":\"x\\ud83d\",\"count\":7.0,\"more\":1.50}";
    let told = Reply { body: body.into(), ..Reply::json(&Value::Null) }.header("cache-control", "max-age=60");
    let first = fleet(told).await.get("/page").await.json();
    assert_eq!(first["weather"], "x\u{FFFD} 7");
    let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let held = async {
        loop {
            let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis).unwrap();
            match keys.first() {
                Some(key) => break redis::cmd("GET").arg(key).query::<Vec<u8>>(&mut redis).unwrap(),
                None => tokio::task::yield_now().await,
            }
        }
    };
    let held = tokio::time::timeout(Duration::from_secs(20), held).await.expect("nothing is kept");
    let kept = br#"{"text":"x\ufffd","count":7,"more":1.50}"#;
    assert!(held.windows(kept.len()).any(|window| window == kept), "{}", held.escape_ascii());
    // Nobody else is asked.
    let other = fleet(Reply::status(http::StatusCode::SERVICE_UNAVAILABLE)).await.get("/page").await.json();
    assert_eq!(other, first);
}
