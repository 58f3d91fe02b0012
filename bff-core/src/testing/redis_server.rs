//! A Redis of a test's own.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// How often another free port is tried: somebody else may take one between its choice and its use.
const ATTEMPTS: usize = 5;
/// How long a Redis that says that it is ready may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A `redis-server` on a free port of this machine, without a disk; killed when dropped.
#[derive(Debug)]
pub struct RedisServer {
    address: SocketAddr,
    arguments: Vec<String>,
    folder: PathBuf,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Child,
    /// Kept open, so that Redis can write its log.
    _log: BufReader<ChildStdout>,
}

impl RedisServer {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// When there is no `redis-server`, with how to get it; when it does not start.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&[])
    }

    /// Like [`start`](Self::start), with arguments such as `["--requirepass", "secret"]`.
    ///
    /// # Errors
    /// Like [`start`](Self::start).
    pub fn start_with(arguments: &[&str]) -> io::Result<Self> {
        let mut failed = None;
        for _ in 0..ATTEMPTS {
            let mut server = Self::absent_with(arguments)?;
            match server.run() {
                Ok(()) => return Ok(server),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| io::Error::other("not tried")))
    }

    /// One that does not run yet: [`run`](Self::run) starts it at the address it already has.
    ///
    /// # Errors
    /// When there is no free port, or no place for its folder.
    pub fn absent() -> io::Result<Self> {
        Self::absent_with(&[])
    }

    fn absent_with(arguments: &[&str]) -> io::Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let folder = std::env::temp_dir().join(format!("bff-redis-{}-{}", std::process::id(), address.port()));
        fs::create_dir_all(&folder)?;
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Ok(Self { address, arguments, folder, running: None })
    }

    /// Where it is, as `cache.redis.url` takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it (again), at the same address and empty, and waits until it answers.
    ///
    /// # Errors
    /// When there is no `redis-server`, or when it does not start.
    pub fn run(&mut self) -> io::Result<()> {
        self.kill();
        let port = self.address.port().to_string();
        let mut process = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"])
            .args(["--logfile", "", "--loglevel", "notice"])
            .args(&self.arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => io::Error::new(
                    error.kind(),
                    "this test starts a redis-server, and there is none: \
                     `apt-get install redis-server` (Debian, Ubuntu) or `brew install redis` (macOS)",
                ),
                _ => error,
            })?;
        let log = process.stdout.take().map(BufReader::new);
        let mut log = log.ok_or_else(|| io::Error::other("redis-server without a log"))?;
        let said = wait_until_ready(&mut log);
        self.running = Some(Running { process, _log: log });
        said?;
        self.ping()
    }

    /// Makes it hang: it keeps its connections, accepts new ones (the kernel does) and answers nothing.
    ///
    /// # Errors
    /// When it does not run.
    pub fn stop(&self) -> io::Result<()> {
        self.signal("-STOP")
    }

    /// Lets it go on after [`stop`](Self::stop).
    ///
    /// # Errors
    /// When it does not run.
    pub fn cont(&self) -> io::Result<()> {
        self.signal("-CONT")
    }

    /// Ends it at once; connections to its address are refused from now on.
    pub fn kill(&mut self) {
        if let Some(Running { mut process, .. }) = self.running.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let running = self.running.as_ref().ok_or_else(|| io::Error::other("redis-server does not run"))?;
        let status = Command::new("kill").args([signal, &running.process.id().to_string()]).status()?;
        status.success().then_some(()).ok_or_else(|| io::Error::other(format!("kill {signal}: {status}")))
    }

    fn ping(&self) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"PING\r\n")?;
        let mut first = [0; 1];
        stream.read_exact(&mut first)?;
        // `+PONG`, or `-NOAUTH …` where it wants a password.
        matches!(first, [b'+' | b'-']).then_some(()).ok_or_else(|| io::Error::other("this is no redis-server"))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Reads the log up to the line that says that connections are accepted.
fn wait_until_ready(log: &mut impl BufRead) -> io::Result<()> {
    let mut said = String::new();
    loop {
        let start = said.len();
        if log.read_line(&mut said)? == 0 {
            return Err(io::Error::other(format!("redis-server has ended: {said}")));
        }
        if said[start..].contains("Ready to accept connections") {
            return Ok(());
        }
    }
}
