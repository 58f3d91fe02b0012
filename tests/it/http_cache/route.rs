//! A BFF with one route that keeps answers, in front of an origin.

use std::future::IntoFuture;
use std::time::Duration;

use bff_core::Bff;
use bff_core::config::Settings;
use bff_core::passthrough::RouteSettings;
use bff_core::upstream::{Client as Upstream, UpstreamSettings};
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::{Client, Method, RequestBuilder};
use sfv::{BareItem, ListEntry, Parser};

use super::origin::{Origin, Step};
use crate::world::{Answer, PATIENCE, Served, within};

/// Nothing that is asked by hand.
#[derive(Clone, Debug)]
pub(super) struct Unasked(#[allow(dead_code, reason = "the upstream is there for the route")] Upstream);

impl From<Upstream> for Unasked {
    fn from(client: Upstream) -> Self {
        Self(client)
    }
}

bff_core::upstreams! {
    /// The origin, which only the route asks.
    pub(super) struct Upstreams {
        origin: Unasked,
    }
}

/// The whole way from a client to the origin.
pub(super) struct Route {
    pub(super) bff: Served,
    pub(super) origin: Origin,
    client: Client,
}

impl Route {
    /// A route for everything, with a shared cache.
    pub(super) async fn over(origin: &Origin) -> Self {
        Self::with(origin, |_| {}).await
    }

    /// An origin of these steps, and a route over it.
    pub(super) async fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::over(&Origin::new(steps).await).await
    }

    /// The same, then changed by the test.
    pub(super) async fn with(origin: &Origin, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        settings.cache.jitter = 0.0;
        // A thousand at once are no overload here.
        settings.edge.shed.in_flight = 10_000;
        let mut upstream = UpstreamSettings {
            url: format!("http://{}", origin.address),
            timeout: PATIENCE,
            attempt_timeout: PATIENCE,
            connect_timeout: PATIENCE,
            ..UpstreamSettings::default()
        };
        upstream.retry.tries = 0;
        upstream.breaker.enabled = false;
        upstream.bulkhead.enabled = false;
        settings.upstreams.insert("origin".to_owned(), upstream);
        let everything = RouteSettings {
            path: "/*".to_owned(),
            upstream: "origin".to_owned(),
            auth: bff_core::passthrough::Auth::Upstream,
            cache: true,
            ..RouteSettings::default()
        };
        settings.routes.insert("everything".to_owned(), everything);
        change(&mut settings);
        let bff: Bff<Upstreams> = Bff::new("mobile", "1");
        // A connection for each request: none is closed between two of them when the clock is moved.
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0);
        Self { bff: Served::start(&bff, settings).await, origin: origin.clone(), client: client.build().unwrap() }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.bff.address)
    }

    pub(super) fn get(&self, path: &str) -> Ask {
        self.ask("GET", path)
    }

    pub(super) fn head(&self, path: &str) -> Ask {
        self.ask("HEAD", path)
    }

    pub(super) fn ask(&self, method: &str, path: &str) -> Ask {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Ask { request: self.client.request(method, self.url(path)), origin: self.origin.clone() }
    }

    /// Waits until nothing is done behind an answer any more.
    pub(super) async fn settled(&self) {
        let background = &self.bff.shared.background;
        within(async {
            while !background.is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Waits until so many requests that were sent before this have come to the BFF, or very nearly so: as long as some
    /// that are sent now, each on a connection of its own, take for their whole way. None of these goes to the origin.
    pub(super) async fn arrived(&self, requests: usize) {
        for _ in 0..5 + requests / 50 {
            Answer::to(self.client.get(self.url("/nothing")).header("cache-control", "only-if-cached")).await;
            self.bff.metrics().await;
        }
    }

    /// Asks twice, and says what the second answer is.
    pub(super) async fn twice(&self, path: &str) -> Got {
        self.get(path).await;
        self.get(path).await
    }
}

/// Moves every clock of this process but the one on the wall; only on a runtime of one thread.
pub(super) async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// A question, to be awaited.
pub(super) struct Ask {
    request: RequestBuilder,
    origin: Origin,
}

impl Ask {
    pub(super) fn header(self, name: &str, value: impl ToString) -> Self {
        Self { request: self.request.header(name, value.to_string()), ..self }
    }

    pub(super) fn body(self, body: &'static str) -> Self {
        Self { request: self.request.body(body), ..self }
    }

    /// Whether there is a whole answer at all.
    pub(super) async fn attempt(self) -> reqwest::Result<Answer> {
        within(Answer::try_to(self.request)).await
    }
}

impl IntoFuture for Ask {
    type Output = Got;
    type IntoFuture = BoxFuture<'static, Got>;

    fn into_future(self) -> Self::IntoFuture {
        async move {
            let before = self.origin.count();
            let answer = Answer::to(self.request).await;
            Got { asked: self.origin.count() - before, answer }
        }
        .boxed()
    }
}

/// An answer, and what the origin was asked meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) answer: Answer,
    /// So many requests came to the origin between question and answer, by whomever.
    pub(super) asked: usize,
}

impl Got {
    pub(super) fn status(&self) -> u16 {
        self.answer.status
    }

    pub(super) fn header(&self, name: &str) -> String {
        self.answer.header(name)
    }

    pub(super) fn text(&self) -> String {
        self.answer.text()
    }

    /// What this BFF says of how it came by the answer: the last member, without its name.
    pub(super) fn how(&self) -> String {
        let all = self.header("cache-status");
        let list: sfv::List = Parser::new(all.as_str()).parse().unwrap_or_else(|error| panic!("{error}: {all:?}"));
        let Some(ListEntry::Item(last)) = list.last() else { panic!("no Cache-Status: {self:?}") };
        assert!(matches!(&last.bare_item, BareItem::Token(name) if name.as_str() == "bff"), "{all}");
        let value = |value: &BareItem| match value {
            BareItem::Boolean(true) => String::new(),
            BareItem::Token(token) => format!("={}", token.as_str()),
            BareItem::Integer(number) => format!("={}", i64::from(*number)),
            other => panic!("{other:?} in {all}"),
        };
        last.params.iter().map(|(name, own)| format!("{}{}", name.as_str(), value(own))).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn is_hit(&self) -> bool {
        self.how().split("; ").any(|word| word == "hit")
    }

    /// From the store, and nobody was asked.
    #[track_caller]
    pub(super) fn expect_hit(&self) -> &Self {
        assert!(self.is_hit(), "no hit: {self:#?}");
        assert_eq!(self.asked, 0, "asked: {self:#?}");
        self
    }

    /// The origin's answer to its request of this number, without anything in between.
    #[track_caller]
    pub(super) fn expect_from_origin(&self, number: usize) -> &Self {
        assert!(!self.is_hit(), "a hit: {self:#?}");
        assert_eq!(self.asked, 1, "asked: {self:#?}");
        self.expect_body(&format!("answer {number}"))
    }

    /// From the store, after the origin was asked whether it is still good.
    #[track_caller]
    pub(super) fn expect_confirmed(&self) -> &Self {
        assert_eq!(self.how().replace("; stored", ""), "fwd=stale; fwd-status=304", "{self:#?}");
        assert_eq!(self.asked, 1, "asked: {self:#?}");
        self
    }

    /// From the store, although it is past its time.
    #[track_caller]
    pub(super) fn expect_stale(&self) -> &Self {
        assert!(self.header("cache-status").contains("ttl=-") || self.how().contains("detail="), "{self:#?}");
        assert_eq!(self.status(), 200, "{self:#?}");
        self
    }

    #[track_caller]
    pub(super) fn expect_body(&self, body: &str) -> &Self {
        assert_eq!(self.text(), body, "{self:#?}");
        self
    }

    #[track_caller]
    pub(super) fn expect_status(&self, status: u16) -> &Self {
        assert_eq!(self.status(), status, "{self:#?}");
        self
    }
}

/// Asks twice for each of these answers, which the origin gives each time: those that are kept come from the store.
pub(super) async fn expect_kept(table: Vec<(Step, bool)>) {
    let steps: Vec<Step> = table.iter().map(|(step, _)| step.clone()).collect();
    let origin = Origin::by(move |seen| steps[seen.target[1..].parse::<usize>().unwrap()].clone()).await;
    let route = Route::over(&origin).await;
    let mut wrong = Vec::new();
    for (index, (step, kept)) in table.iter().enumerate() {
        let second = route.twice(&format!("/{index}")).await;
        if second.is_hit() != *kept || second.asked != usize::from(!kept) {
            wrong.push(format!("{step:?} kept: {}, expected: {kept}", second.is_hit()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
