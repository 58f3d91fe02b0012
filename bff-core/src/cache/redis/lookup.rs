//! Where Redis is: its name looked up once at a time.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use redis::io::AsyncDNSResolver;
use redis::{RedisError, RedisFuture};

type Answer = Result<Vec<SocketAddr>, Arc<io::Error>>;
type Lookup = Shared<BoxFuture<'static, Answer>>;

/// Looks up a name and goes on with it after the trial that asked has given up.
///
/// A lookup holds a thread until the name server answers, whoever waits for it. So the next trial waits for the same
/// one, instead of taking a further thread each pause; and a name server that is slower than the limit of a command
/// delays the connection by a pause instead of preventing it.
#[derive(Default)]
pub(super) struct PatientLookup {
    under_way: Arc<Mutex<Option<Lookup>>>,
}

impl fmt::Debug for PatientLookup {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PatientLookup")
    }
}

impl PatientLookup {
    fn lock(&self) -> MutexGuard<'_, Option<Lookup>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_up(&self, host: &str, port: u16) -> Answer {
        let lookup = self.lock().get_or_insert_with(|| begin(host.to_owned(), port)).clone();
        let answer = lookup.clone().await;
        let mut under_way = self.lock();
        // An answer is used once; the address may be another one next time.
        if under_way.as_ref().is_some_and(|other| other.ptr_eq(&lookup)) {
            *under_way = None;
        }
        answer
    }
}

fn begin(host: String, port: u16) -> Lookup {
    let task = tokio::spawn(async move { tokio::net::lookup_host((host, port)).await.map(Iterator::collect) });
    async move { task.await.unwrap_or_else(|gone| Err(io::Error::other(gone))).map_err(Arc::new) }.boxed().shared()
}

impl AsyncDNSResolver for PatientLookup {
    fn resolve<'a, 'b: 'a>(
        &'a self,
        host: &'b str,
        port: u16,
    ) -> RedisFuture<'a, Box<dyn Iterator<Item = SocketAddr> + Send + 'a>> {
        async move {
            match self.look_up(host, port).await {
                Ok(found) if found.is_empty() => Err(told(io::ErrorKind::NotFound, "the name has no address")),
                Ok(found) => Ok(Box::new(found.into_iter()) as Box<dyn Iterator<Item = SocketAddr> + Send>),
                Err(cause) => Err(told(cause.kind(), &format!("the name cannot be looked up ({cause})"))),
            }
        }
        .boxed()
    }
}

fn told(kind: io::ErrorKind, what: &str) -> RedisError {
    io::Error::new(kind, what.to_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lookup_outlives_who_asked_and_its_answer_is_used_once() {
        let lookup = PatientLookup::default();
        let (answer, late) = tokio::sync::oneshot::channel();
        let address: SocketAddr = "127.0.0.1:6379".parse().unwrap();
        *lookup.lock() = Some(async move { Ok(late.await.unwrap()) }.boxed().shared());
        assert!(lookup.look_up("x.invalid", 1).now_or_never().is_none());
        answer.send(vec![address]).unwrap();
        // Not a lookup of its own, which would fail.
        assert_eq!(lookup.look_up("x.invalid", 1).await.unwrap(), [address]);
        assert!(lookup.lock().is_none());
        assert_eq!(lookup.look_up("127.0.0.2", 5).await.unwrap(), ["127.0.0.2:5".parse().unwrap()]);
    }
}
