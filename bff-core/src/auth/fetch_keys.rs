//! How `auth` reaches an issuer without knowing how anything is reached.

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};

use crate::error::Error;

/// Fetches a key set. The roof hands in an outbound stack; a closure will do.
///
/// `url` comes from the configuration, never from a token. The one who implements it bounds the size while
/// reading, does not follow redirects, and answers with an error for any status but 200.
pub trait FetchKeys: Send + Sync + 'static {
    /// The document at `url`.
    fn fetch(&self, url: &str) -> BoxFuture<'static, Result<Bytes, Error>>;
}

impl<Run, Output> FetchKeys for Run
where
    Run: Fn(&str) -> Output + Send + Sync + 'static,
    Output: Future<Output = Result<Bytes, Error>> + Send + 'static,
{
    fn fetch(&self, url: &str) -> BoxFuture<'static, Result<Bytes, Error>> {
        self(url).boxed()
    }
}
