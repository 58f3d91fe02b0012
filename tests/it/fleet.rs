//! Instances of one BFF that share a Redis: what one has, the others have; and a Redis that fails costs nobody an answer.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;

use bff_core::config::{Settings, Sources};
use bff_core::testing::RedisServer;
use mock_services::{Running, Service};
use reqwest::{Client, Method};

use crate::world::{Answer, PATIENCE, Served, backends, client, within};

/// An endpoint whose whole answers are kept.
const PAGE: &str = "/category/kettles";
/// A route whose answers are kept.
const ROUTE: &str = "/catalogue/products/42";

struct Fleet {
    mocks: Running,
    redis: RedisServer,
    instances: Vec<Served>,
    client: Client,
}

impl Fleet {
    async fn start(instances: usize) -> Self {
        let redis = tokio::task::spawn_blocking(RedisServer::start).await.unwrap().unwrap();
        let mut fleet = Self { mocks: backends().await, redis, instances: Vec::new(), client: client() };
        for _ in 0..instances {
            fleet.join().await;
        }
        fleet
    }

    /// One more instance.
    async fn join(&mut self) {
        let instance = Served::start(&bff_web::bff(), settings(&self.mocks, &self.redis)).await;
        self.instances.push(instance);
    }

    async fn get(&self, instance: usize, path: &str) -> Answer {
        self.ask(instance, path, "").await
    }

    async fn ask(&self, instance: usize, path: &str, cache_control: &str) -> Answer {
        let url = format!("http://{}{path}", self.instances[instance].address);
        let request = self.client.request(Method::GET, url).header("cache-control", cache_control);
        // The name that clients know all of them by.
        Answer::to(request.header("host", "web.test")).await
    }

    /// Once it is there: writing to Redis is nothing that an answer waits for.
    async fn once_kept(&self, instance: usize, path: &str) -> Answer {
        within(async {
            loop {
                let answer = self.ask(instance, path, "only-if-cached").await;
                if answer.status != 504 {
                    return answer;
                }
            }
        })
        .await
    }

    fn asked(&self) -> usize {
        Service::ALL.into_iter().map(|service| self.mocks.requests(service).len()).sum()
    }

    /// A command in Redis's own inline form; what comes back but for its first line.
    fn redis(&self, command: &str) -> Vec<String> {
        let mut stream = TcpStream::connect(self.redis.address()).unwrap();
        stream.write_all(format!("{command}\r\nPING\r\n").as_bytes()).unwrap();
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        lines.take_while(|line| line != "+PONG").collect()
    }

    /// The names of all entries.
    fn names(&self) -> Vec<String> {
        self.redis("KEYS *").into_iter().filter(|line| line.starts_with("bff:")).collect()
    }
}

fn settings(mocks: &Running, redis: &RedisServer) -> Settings {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/web.toml");
    let sources = Sources { file: Some(file), ..Sources::new("web") };
    let mut settings = Settings::load(&sources).unwrap().settings;
    settings.cache.redis.url = redis.url();
    // The machine may be busy; what hangs is to hang, and is a test of its own.
    settings.cache.redis.timeout = std::time::Duration::from_secs(5);
    for (name, upstream) in &mut settings.upstreams {
        upstream.url = mocks.url(name.parse().unwrap());
        (upstream.timeout, upstream.attempt_timeout, upstream.connect_timeout) = (PATIENCE, PATIENCE, PATIENCE);
    }
    settings.endpoints.entry("getCategory".to_owned()).or_default().budget = Some(PATIENCE);
    settings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_made_by_one_is_a_hit_on_the_other() {
    let fleet = Fleet::start(2).await;
    let made = fleet.get(0, PAGE).await;
    assert_eq!((made.status, made.header("cache-status").as_str()), (200, "bff; fwd=uri-miss; stored"));
    let asked = fleet.asked();
    let hit = fleet.once_kept(1, PAGE).await;
    assert_eq!((hit.status, &hit.body), (200, &made.body));
    assert!(hit.header("cache-status").starts_with("bff; hit"), "{}", hit.header("cache-status"));
    assert!(!hit.header("age").is_empty());
    assert_eq!(hit.header("etag"), made.header("etag"));
    assert_eq!(fleet.asked(), asked);
    // Nothing that a question says can be read there.
    assert!(fleet.names().iter().all(|name| name.starts_with("bff:web:1:") && !name.contains("kettles")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_route_brought_to_one_is_a_hit_on_the_other() {
    let fleet = Fleet::start(2).await;
    let brought = fleet.get(0, ROUTE).await;
    assert_eq!((brought.status, brought.header("cache-status").as_str()), (200, "bff; fwd=uri-miss; stored"));
    assert_eq!(brought.json()["sku"], serde_json::Value::Null);
    let hit = fleet.once_kept(1, ROUTE).await;
    assert_eq!((hit.status, &hit.body), (200, &brought.body));
    assert!(hit.header("cache-status").starts_with("bff; hit"), "{}", hit.header("cache-status"));
    assert_eq!(fleet.mocks.requests(Service::Catalog).len(), 1);
}

/// Whatever becomes of Redis while they are at it, everybody is answered, and well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_dies_or_hangs_or_comes_back_costs_no_answer() {
    let mut fleet = Fleet::start(2).await;
    for times in 0..200 {
        match times {
            40 => fleet.redis.kill(),
            80 => fleet.redis.run().unwrap(),
            120 => fleet.redis.stop().unwrap(),
            160 => fleet.redis.cont().unwrap(),
            _ => {}
        }
        let path = format!("/catalogue/products/{}", 1 + times % 60);
        for instance in 0..2 {
            let answer = fleet.get(instance, &path).await;
            assert_eq!(answer.status, 200, "{times}: {}", answer.text());
            assert_eq!(fleet.get(instance, PAGE).await.status, 200, "{times}");
        }
    }
    let failures = |metrics: &str| {
        let line = metrics.lines().find(|line| line.starts_with("bff_cache_redis_failures_total")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert!(failures(&fleet.instances[0].metrics().await) > 0);
}

/// Two versions side by side, or somebody else's hand in the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_a_miss() {
    let mut fleet = Fleet::start(1).await;
    let made = fleet.get(0, PAGE).await;
    fleet.join().await;
    fleet.once_kept(1, PAGE).await;
    for name in fleet.names() {
        assert_eq!(fleet.redis(&format!("SET {name} nonsense")), ["+OK"]);
    }
    fleet.join().await;
    let again = fleet.get(2, PAGE).await;
    assert_eq!((again.status, &again.body), (200, &made.body));
    assert_eq!(again.header("cache-status"), "bff; fwd=uri-miss; stored");
}
