//! The program, started and listened to.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mock_services::{Options, Running, Service};
use reqwest::Client;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Ends a test that would wait for ever. Only an upper bound.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it came to no end")
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The program, with nothing of this process's environment.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bff-mobile"));
    command.env_clear().current_dir(root()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command that ends by itself.
pub(crate) async fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = within(program().args(arguments).output()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// The program, serving.
pub(crate) struct Process {
    child: Child,
    pub(crate) public: SocketAddr,
    pub(crate) output: Lines,
    pub(crate) errors: Lines,
}

/// What one of its streams has said so far.
pub(crate) struct Lines {
    said: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
    reader: JoinHandle<()>,
}

impl Lines {
    pub(crate) fn of(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let said = Arc::new(Mutex::new(Vec::new()));
        let (counted, count) = watch::channel(0);
        let kept = said.clone();
        let reader = tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            // Only line feeds end a line: a carriage return inside one is what is looked for.
            while stream.read_until(b'\n', &mut line).await.unwrap() > 0 {
                kept.lock().unwrap().push(String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned());
                counted.send_modify(|count| *count += 1);
            }
        });
        Self { said, count, reader }
    }

    /// The first line with this in it.
    pub(crate) async fn wait_for(&self, what: &str) -> String {
        let mut count = self.count.clone();
        within(async {
            loop {
                count.borrow_and_update();
                if let Some(line) = self.said.lock().unwrap().iter().find(|line| line.contains(what)) {
                    return line.clone();
                }
                count.changed().await.unwrap_or_else(|_| panic!("{what} was never said: {:?}", self.said));
            }
        })
        .await
    }

    pub(crate) async fn all(self) -> Vec<String> {
        within(self.reader).await.unwrap();
        std::mem::take(&mut *self.said.lock().unwrap())
    }
}

impl Process {
    /// On free ports, with these backends and more patience than any test, and these arguments on top.
    pub(crate) async fn start(mocks: &Running, arguments: &[&str]) -> Self {
        Self::run(program(), mocks, "127.0.0.1:0".parse().unwrap(), arguments).listening().await
    }

    /// The same, which believes whoever has a certificate of this issuer.
    pub(crate) async fn trusting(mocks: &Running, issuer: &str, arguments: &[&str]) -> Self {
        let mut command = program();
        command.env("SSL_CERT_FILE", issuer);
        Self::run(command, mocks, "127.0.0.1:0".parse().unwrap(), arguments).listening().await
    }

    async fn listening(self) -> Self {
        let mut process = self;
        let line = process.output.wait_for("listening").await;
        let public = line.split("\"public\":\"").nth(1).or_else(|| line.split("public=").nth(1)).unwrap();
        process.public = public.split(['"', ' ', '\n']).next().unwrap().parse().unwrap();
        process
    }

    /// The same, on a port that is known before it listens; not waited for.
    pub(crate) fn begin(mocks: &Running, arguments: &[&str]) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self::run(program(), mocks, free, arguments)
    }

    fn run(mut command: Command, mocks: &Running, public: SocketAddr, arguments: &[&str]) -> Self {
        command.args(["--listen", &public.to_string(), "--management", "127.0.0.1:0", "--workers", "2"]);
        let mut set = |key: &str, value: &str| {
            command.args(["--set", &format!("{key}={value}")]);
        };
        for service in Service::ALL.into_iter().filter(|service| *service != Service::Identity) {
            set(&format!("upstreams.{service}.url"), &mocks.url(service));
            set(&format!("upstreams.{service}.timeout"), "60s");
            set(&format!("upstreams.{service}.attempt_timeout"), "50s");
        }
        set("auth.issuers.main.jwks_url", &format!("{}/.well-known/jwks.json", mocks.url(Service::Identity)));
        for name in ["getHome", "getProductPage", "search", "getCart", "addCartItem", "getOrders"] {
            set(&format!("endpoints.{name}.budget"), "100s");
        }
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = Lines::of(child.stdout.take().unwrap());
        let errors = Lines::of(child.stderr.take().unwrap());
        Self { child, public, output, errors }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }

    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().await.unwrap().success());
    }

    /// KiB of memory that it has now, and the most it has ever had.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let value = |key| status.lines().find_map(|line: &str| line.strip_prefix(key)).unwrap();
        let kib = |key| value(key).trim_end_matches("kB").trim().parse().unwrap();
        (kib("VmRSS:"), kib("VmHWM:"))
    }

    /// Everything it said, and how it ended.
    pub(crate) async fn ended(mut self) -> (ExitStatus, Vec<String>, Vec<String>) {
        let status = within(self.child.wait()).await.unwrap();
        (status, self.output.all().await, self.errors.all().await)
    }

    /// Sends this as it is and reads the answer to its end.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.public).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is as good an end as any.
        let _ = within(stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

pub(crate) async fn backends() -> Running {
    mock_services::start(Options::default()).await.unwrap()
}

pub(crate) fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// `config/mobile.toml`.
pub(crate) fn shipped() -> String {
    std::fs::read_to_string(root().join("config/mobile.toml")).unwrap()
}

/// A folder of its own, gone at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("bff-mobile-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let file = self.0.join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
