//! A call of a typed client: what it says, and who may share its answer.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::reader::Reader;
use super::send::send;
use super::{Client, Path, headers};
use crate::error::{Error, Result};
use crate::fetched::Fetched;
use crate::identity::Fingerprint;

/// A call that does not say yet who may share its answer, so there is nothing to await.
#[derive(Debug)]
#[must_use = "say who may share the answer: shared() or per_identity()"]
pub struct Unsent {
    pub(super) client: Client,
    pub(super) method: Method,
    pub(super) path: Path,
    /// What it says beside what every call says.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers of its answer that are told with the value.
    pub(super) keeps: Vec<HeaderName>,
    pub(super) body: Option<Content>,
    /// What no call can say; told when it is awaited.
    pub(super) defect: Option<Error>,
    pub(super) timeout: Option<Duration>,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) retries: Option<u32>,
    pub(super) hedged: Option<bool>,
    pub(super) ttl: Option<Duration>,
    pub(super) at_least: Option<Duration>,
    pub(super) invalidates: &'static [&'static str],
}

/// What a call sends, and what it calls it.
pub(super) struct Content {
    pub(super) kind: HeaderValue,
    pub(super) bytes: Bytes,
}

/// What is sent is shown nowhere.
impl fmt::Debug for Content {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Content").field("kind", &self.kind).field("bytes", &self.bytes.len()).finish()
    }
}

/// A call that can be awaited; yields [`Result<Fetched<T>>`].
#[derive(Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct Ready<T> {
    pub(super) call: Unsent,
    pub(super) per_identity: bool,
    value: PhantomData<fn() -> T>,
}

impl Unsent {
    pub(super) fn new(client: Client, method: Method, path: Path) -> Self {
        Self {
            client,
            method,
            path,
            headers: Vec::new(),
            keeps: Vec::new(),
            body: None,
            defect: None,
            timeout: None,
            attempt_timeout: None,
            retries: None,
            hedged: None,
            ttl: None,
            at_least: None,
            invalidates: &[],
        }
    }

    /// Sends `value` as JSON.
    pub fn json<T: Serialize>(self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.content(HeaderValue::from_static("application/json"), bytes.into()),
            Err(error) => self.defect(Error::internal(error)),
        }
    }

    /// Sends `value` as a form (`application/x-www-form-urlencoded`): a struct or a map of texts, numbers and booleans.
    /// Lists and structs within it are no form: the call fails, and nothing is sent.
    ///
    /// ```
    /// use bff_core::{Result, path, upstream::Client};
    ///
    /// #[derive(serde::Serialize)]
    /// struct Vote<'a> {
    ///     choice: &'a str,
    ///     weight: u32,
    /// }
    ///
    /// async fn vote(polls: &Client) -> Result<()> {
    ///     let vote = Vote { choice: "tea & cake", weight: 2 };
    ///     polls.post(path!("/votes")).form(&vote).per_identity::<()>().await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn form<T: Serialize>(self, value: &T) -> Self {
        match serde_urlencoded::to_string(value) {
            Ok(text) => {
                self.content(HeaderValue::from_static("application/x-www-form-urlencoded"), text.into_bytes().into())
            }
            Err(error) => self.defect(Error::internal(error)),
        }
    }

    /// Sends these bytes as they are, as what `content_type` says (`"text/csv; charset=utf-8"`).
    ///
    /// ```
    /// use bff_core::{Result, path, upstream::Client};
    ///
    /// async fn import(library: &Client, rows: String) -> Result<()> {
    ///     library.post(path!("/imports")).body("text/csv", rows).per_identity::<()>().await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn body(self, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        match HeaderValue::from_str(content_type) {
            Ok(kind) => self.content(kind, bytes.into()),
            Err(_) => self.defect(Error::internal("a content type that cannot stand in a header")),
        }
    }

    fn content(mut self, kind: HeaderValue, bytes: Bytes) -> Self {
        self.body = Some(Content { kind, bytes });
        self
    }

    fn defect(mut self, error: Error) -> Self {
        self.defect.get_or_insert(error);
        self
    }

    /// Says one more header. It stands in place of one from the upstream's `request_headers`, and tells the answer from
    /// those to calls that say something else there.
    ///
    /// What the framework makes (who asks, trace, time, length, host, content type) cannot be said, nor can `Authorization`
    /// and `Cookie`: the call fails then, and nothing is sent. A value that comes from the visitor makes the answer the
    /// visitor's: say [`per_identity`](Self::per_identity). No log shows a value.
    ///
    /// ```
    /// use bff_core::{Result, path, upstream::Client};
    ///
    /// async fn titles(library: &Client) -> Result<Vec<String>> {
    ///     let call = library.get(path!("/titles")).header("accept", "application/vnd.library.v2+json");
    ///     Ok(call.shared::<Vec<String>>().await?.into_inner())
    /// }
    /// ```
    pub fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        let (Ok(name), Ok(mut value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value.as_ref())) else {
            return self.defect(Error::internal(format!("no header {name}, or a value that cannot stand in one")));
        };
        if let Some(why) = headers::why_not(&name) {
            return self.defect(Error::internal(format!("a call says {name}, which {why}")));
        }
        value.set_sensitive(true);
        self.headers.push((name, value));
        self
    }

    /// Tells what the answer says under this name with the value ([`Fetched::header`]), also when it is kept. Default: the
    /// upstream's `keep_headers`. `Set-Cookie`, and what belongs to a connection, is never told: the call fails then.
    pub fn keep_header(mut self, name: &'static str) -> Self {
        match name.parse::<HeaderName>() {
            Ok(name) if headers::is_told(&name) => {
                self.keeps.push(name);
                self
            }
            _ => self.defect(Error::internal(format!("{name} is never told with a value"))),
        }
    }

    /// How long an answer is fresh at least, whatever it says of that (`no-cache`, `max-age=0` and `Expires` too). Default:
    /// the upstream's `cache.at_least`.
    ///
    /// A trade: for so long nobody asks whether it has changed. What the upstream says of *who* may have it always stands:
    /// `no-store`, `Vary: *`, and `private` to a call that is declared shared are not kept. Clients are told what the
    /// upstream said, so a page made of it is asked for again.
    pub fn fresh_for(mut self, least: Duration) -> Self {
        self.at_least = Some(least);
        self
    }

    /// What tells its answer from that to another call to the same target; `None` where nothing does.
    pub(super) fn mark(&self) -> Option<Fingerprint> {
        if !self.method.is_safe() || (self.headers.is_empty() && self.keeps.is_empty() && self.body.is_none()) {
            return None;
        }
        let headers =
            self.headers.iter().flat_map(|(name, value)| [&b"header"[..], name.as_str().as_bytes(), value.as_bytes()]);
        // What is kept holds what is told of it.
        let keeps = self.keeps.iter().flat_map(|name| [&b"keeps"[..], name.as_str().as_bytes()]);
        let body = self.body.iter().flat_map(|body| [&b"body"[..], body.kind.as_bytes(), &body.bytes[..]]);
        Some(Fingerprint::of_fields(headers.chain(keeps).chain(body)))
    }

    /// How long this call may take. Default: the upstream's `timeout`.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// How long one attempt of this call may take. Default: the upstream's `attempt_timeout`; never longer than the call.
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt_timeout = Some(limit);
        self
    }

    /// At most so many further attempts; 0 for none. Default: the upstream's `retry.tries`. A write is only sent again
    /// where it is certain that the upstream has heard nothing of it.
    pub fn retries(mut self, tries: u32) -> Self {
        self.retries = Some(tries);
        self
    }

    /// Whether a second attempt may run beside one that is late. Default: the upstream's `hedge.enabled`; without that
    /// no latencies are known, and saying yes here changes nothing. A write is never hedged.
    pub fn hedged(mut self, hedged: bool) -> Self {
        self.hedged = Some(hedged);
        self
    }

    /// How long an answer that says nothing is kept. Default: the upstream's `cache.ttl`.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The upstreams whose answers for this identity a write makes old. Its own is always among them.
    pub fn invalidates(mut self, upstreams: &'static [&'static str]) -> Self {
        self.invalidates = upstreams;
        self
    }

    /// Everybody may share the answer: the call is sent without anything of the caller's identity.
    pub fn shared<T>(self) -> Ready<T> {
        Ready { call: self, per_identity: false, value: PhantomData }
    }

    /// The answer belongs to the identity in whose name the call is made. Without one nothing is sent.
    pub fn per_identity<T>(self) -> Ready<T> {
        Ready { call: self, per_identity: true, value: PhantomData }
    }

    /// A shared call for a document that its caller reads, strictly, whatever its content type says.
    pub(crate) async fn document(self) -> Result<Bytes> {
        let ready = Ready { call: self, per_identity: false, value: PhantomData };
        send::<Bytes>(ready, Reader::of_document()).await.map(Fetched::into_inner)
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> IntoFuture for Ready<T> {
    type Output = Result<Fetched<T>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        send(self, Reader::of::<T>()).boxed()
    }
}
