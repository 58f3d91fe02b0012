//! An origin that answers by a script, over real connections, and remembers what it was asked.
//!
//! It speaks HTTP/1.1 by hand, because much of what is tested here no server library would send: answers that break off,
//! lengths that are wrong, headers in any form and order.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bff_core::clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::world::within;

/// So many requests are remembered: a flood is only counted.
const REMEMBERED: usize = 100;

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The first has 1.
    pub(super) number: usize,
    pub(super) method: String,
    pub(super) target: String,
    headers: Vec<(String, String)>,
}

impl Seen {
    /// All values of a header, as one list; empty where it is not there.
    pub(super) fn header(&self, name: &str) -> String {
        let values = self.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str());
        values.collect::<Vec<_>>().join(", ")
    }

    fn read(head: &str) -> Self {
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap().split(' ');
        let mut word = || first.next().unwrap_or_default().to_owned();
        let (method, target) = (word(), word());
        let header =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Self { number: 0, method, target, headers: lines.filter_map(header).collect() }
    }
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With as many bytes as it says.
    Whole,
    /// With the last chunk.
    Chunked,
    /// With the connection, which is how an answer without a length ends.
    Closed,
    /// With the connection, so many bytes before its time.
    Short(usize),
    /// With the connection, in the middle of its chunks.
    BrokenChunk,
    /// Before it began.
    Never,
}

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct Step {
    status: u16,
    headers: Vec<(String, String)>,
    body: Option<String>,
    end: End,
    gate: Option<Gate>,
    pause: Option<Gate>,
}

/// A 200 with the body `answer <number of the request>` and nothing said about it.
pub(super) fn step() -> Step {
    Step { status: 200, headers: Vec::new(), body: None, end: End::Whole, gate: None, pause: None }
}

/// The same with this `Cache-Control`.
pub(super) fn cc(directives: &str) -> Step {
    step().header("cache-control", directives)
}

/// The confirmation of what the client has.
pub(super) fn not_modified() -> Step {
    step().status(304)
}

impl Step {
    pub(super) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// One more line.
    pub(super) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Not before the gate is open.
    pub(super) fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// The last byte not before the gate is open.
    pub(super) fn pauses(mut self, gate: &Gate) -> Self {
        self.pause = Some(gate.clone());
        self
    }

    fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    pub(super) fn chunked(self) -> Self {
        self.end(End::Chunked)
    }

    pub(super) fn until_closed(self) -> Self {
        self.end(End::Closed)
    }

    /// Says that it is so much longer than it is, and closes.
    pub(super) fn short_by(self, bytes: usize) -> Self {
        self.end(End::Short(bytes))
    }

    pub(super) fn broken_chunk(self) -> Self {
        self.end(End::BrokenChunk)
    }

    /// The connection is closed without a word.
    pub(super) fn hang_up(self) -> Self {
        self.end(End::Never)
    }

    fn bytes(&self, seen: &Seen) -> Vec<u8> {
        let body = self.body.clone().unwrap_or_else(|| format!("answer {}", seen.number));
        let mut text = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let bodiless = matches!(self.status, 204 | 304);
        match self.end {
            _ if bodiless => {}
            End::Whole => text.push_str(&format!("content-length: {}\r\n", body.len())),
            End::Short(by) => text.push_str(&format!("content-length: {}\r\n", body.len() + by)),
            End::Chunked | End::BrokenChunk => text.push_str("transfer-encoding: chunked\r\n"),
            End::Closed | End::Never => {}
        }
        if !self.stays_open() {
            text.push_str("connection: close\r\n");
        }
        text.push_str("\r\n");
        if !bodiless && seen.method != "HEAD" {
            match self.end {
                End::Chunked | End::BrokenChunk => {
                    text.push_str(&format!("{:x}\r\n{body}\r\n", body.len()));
                    text.push_str(if self.end == End::Chunked { "0\r\n\r\n" } else { "ff\r\nand then" });
                }
                _ => text.push_str(&body),
            }
        }
        text.into_bytes()
    }

    fn stays_open(&self) -> bool {
        matches!(self.end, End::Whole | End::Chunked) && !self.headers.iter().any(|(name, _)| name == "connection")
    }
}

/// Holds answers until it is opened.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(super) fn open(&self) {
        self.0.send_replace(true);
    }

    async fn pass(&self) {
        self.0.subscribe().wait_for(|open| *open).await.unwrap();
    }
}

type Script = dyn Fn(&Seen) -> Step + Send + Sync;

struct Stage {
    script: Box<Script>,
    /// How many there were, and the first of them.
    seen: Mutex<(usize, Vec<Seen>)>,
    count: watch::Sender<usize>,
}

/// The origin itself; its clones are the same one.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    stage: Arc<Stage>,
    listening: Arc<tokio::task::AbortHandle>,
}

impl Origin {
    /// The first request is answered by the first step, and so on; the last step answers all further ones.
    pub(super) async fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps: Vec<Step> = steps.into_iter().collect();
        Self::by(move |seen| steps[seen.number.min(steps.len()) - 1].clone()).await
    }

    /// Answers each request by what it says.
    pub(super) async fn by(script: impl Fn(&Seen) -> Step + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stage = Stage { script: Box::new(script), seen: Mutex::default(), count: watch::Sender::new(0) };
        let stage = Arc::new(stage);
        let own = stage.clone();
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(own.clone(), stream));
            }
        });
        Self { address, stage, listening: Arc::new(listening.abort_handle()) }
    }

    /// How many requests came.
    pub(super) fn count(&self) -> usize {
        *self.stage.count.borrow()
    }

    /// Waits until so many requests have come.
    pub(super) async fn until(&self, count: usize) {
        within(self.stage.count.subscribe().wait_for(|seen| *seen >= count)).await.unwrap();
    }

    /// The request of this number, from 1.
    pub(super) fn seen(&self, number: usize) -> Seen {
        self.stage.seen.lock().unwrap().1[number - 1].clone()
    }

    /// Nobody listens from now on. Connections that are open stay open.
    pub(super) async fn leave(&self) {
        self.listening.abort();
        while TcpStream::connect(self.address).await.is_ok() {}
    }
}

async fn talk(stage: Arc<Stage>, mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            match stream.read_buf(&mut read).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        read.drain(..end + 4);
        let mut seen = Seen::read(&head);
        let length = seen.header("content-length").parse().unwrap_or(0);
        while read.len() < length {
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        }
        read.drain(..length);
        {
            let (number, first) = &mut *stage.seen.lock().unwrap();
            *number += 1;
            seen.number = *number;
            if first.len() < REMEMBERED {
                first.push(seen.clone());
            }
        }
        let step = (stage.script)(&seen);
        stage.count.send_modify(|count| *count += 1);
        if let Some(gate) = &step.gate {
            gate.pass().await;
        }
        // Who asked may be gone.
        if step.end == End::Never {
            return;
        }
        let bytes = step.bytes(&seen);
        let (now, later) = bytes.split_at(bytes.len() - usize::from(step.pause.is_some()));
        if stream.write_all(now).await.is_err() {
            return;
        }
        if let Some(gate) = &step.pause {
            gate.pass().await;
        }
        if stream.write_all(later).await.is_err() {
            return;
        }
        if !step.stays_open() {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

/// The time of day so many seconds from now, as headers say it.
pub(super) fn date(seconds: i64) -> String {
    let by = Duration::from_secs(seconds.unsigned_abs());
    httpdate::fmt_http_date(if seconds < 0 { clock::wall() - by } else { clock::wall() + by })
}
