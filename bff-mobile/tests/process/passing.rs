//! What a route passes on does not pile up here.

use mock_services::Running;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::program::{Folder, Process, backends, shipped, within};

const MIB: u64 = 1024 * 1024;
const PIECE: usize = 128 * 1024;

/// How much goes each way.
const ALL: u64 = 1024 * MIB;

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn send(stream: &mut TcpStream, mut count: u64) {
    let piece = vec![b'x'; PIECE];
    while count > 0 {
        let size = count.min(PIECE as u64);
        stream.write_all(&piece[..usize::try_from(size).unwrap()]).await.unwrap();
        count -= size;
    }
}

async fn receive(stream: &mut TcpStream, mut count: u64) {
    let mut piece = vec![0; PIECE];
    while count > 0 {
        let most = usize::try_from(count.min(PIECE as u64)).unwrap();
        let read = stream.read(&mut piece[..most]).await.unwrap();
        assert!(read > 0, "{count} bytes are missing");
        count -= read as u64;
    }
}

/// Sends to whoever asks for `down`, takes from all others; as many bytes as the path says.
async fn upstream(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let head = read_head(&mut stream).await;
            let target = head.split(' ').nth(1).unwrap();
            let count = target.rsplit('/').next().unwrap().parse().unwrap();
            if target.contains("/down/") {
                let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {count}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                send(&mut stream, count).await;
            } else {
                receive(&mut stream, count).await;
                stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
            }
        });
    }
}

async fn down(process: &Process, count: u64) {
    let mut stream = TcpStream::connect(process.public).await.unwrap();
    stream.write_all(format!("GET /big/down/{count} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    receive(&mut stream, count).await;
}

async fn up(process: &Process, count: u64) {
    let mut stream = TcpStream::connect(process.public).await.unwrap();
    let head = format!("PUT /big/up/{count} HTTP/1.1\r\nhost: a\r\ncontent-length: {count}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    send(&mut stream, count).await;
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 204 "), "{head}");
}

/// The program, with one route to a listener of ours.
async fn start(folder: &Folder, route: &str) -> (Process, TcpListener, Running) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("[upstreams.files]\nurl = \"http://{}\"\n", listener.local_addr().unwrap());
    let route = format!("[routes.big]\npath = \"/big/*\"\nupstream = \"files\"\n{route}\n");
    let file = folder.file("passing.toml", &format!("{}\n{route}\n{upstream}", shipped()));
    let mocks = backends().await;
    (Process::start(&mocks, &["--config", &file]).await, listener, mocks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_passed_on_does_not_pile_up() {
    let folder = Folder::new("passing");
    let (process, listener, _mocks) = start(&folder, "body_limit = \"2 GiB\"").await;
    tokio::spawn(upstream(listener));
    // What is made once for all requests is there after the first.
    within(async { tokio::join!(down(&process, 8 * MIB), up(&process, 8 * MIB)) }).await;
    let (before, _) = process.memory();
    within(async { tokio::join!(down(&process, ALL), up(&process, ALL)) }).await;
    let (_, most) = process.memory();
    let grown = most.saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB more than the {before} KiB before, for a gigabyte each way");
}

/// Through the whole door, and not waited for when the program is told to stop.
#[tokio::test]
async fn a_socket_is_open_until_the_program_stops() {
    let folder = Folder::new("socket");
    let (process, listener, _mocks) = start(&folder, "websocket = true").await;
    let mut client = TcpStream::connect(process.public).await.unwrap();
    let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.write_all(format!("GET /big/socket HTTP/1.1\r\nhost: a\r\n{upgrade}").as_bytes()).await.unwrap();
    let (mut server, _) = within(listener.accept()).await.unwrap();
    let head = within(read_head(&mut server)).await.to_ascii_lowercase();
    for line in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-key: "] {
        assert!(head.contains(line), "{head}");
    }
    let switched = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    server.write_all(switched.as_bytes()).await.unwrap();
    let head = within(read_head(&mut client)).await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    for line in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-accept: s3pp"] {
        assert!(head.contains(line), "{head}");
    }
    let bytes: Vec<u8> = (0..=255).collect();
    for _ in 0..2 {
        client.write_all(&bytes).await.unwrap();
        let mut seen = vec![0; bytes.len()];
        within(server.read_exact(&mut seen)).await.unwrap();
        server.write_all(&seen).await.unwrap();
        within(client.read_exact(&mut seen)).await.unwrap();
        assert_eq!(seen, bytes);
    }
    process.signal("TERM").await;
    let mut rest = Vec::new();
    within(client.read_to_end(&mut rest)).await.unwrap();
    within(server.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"");
    let (status, output, errors) = process.ended().await;
    assert_eq!((status.code(), errors.len()), (Some(0), 0), "{errors:?}");
    assert!(output.iter().any(|line| line.contains("tunnel closed") && line.contains("stopping")), "{output:?}");
}

/// A client of events comes again by itself; a deployment is not held up by it.
#[tokio::test]
async fn k14b_a_stream_of_events_is_open_until_the_program_stops() {
    let folder = Folder::new("events");
    let (process, listener, _mocks) = start(&folder, "").await;
    let mut client = TcpStream::connect(process.public).await.unwrap();
    client.write_all(b"GET /big/events HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let (mut server, _) = within(listener.accept()).await.unwrap();
    within(read_head(&mut server)).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    server.write_all(format!("{head}9\r\ndata: 1\n\n\r\n").as_bytes()).await.unwrap();
    let head = within(read_head(&mut client)).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut event = [0; 14];
    within(client.read_exact(&mut event)).await.unwrap();
    assert_eq!(&event, b"9\r\ndata: 1\n\n\r\n");
    process.signal("TERM").await;
    let mut rest = Vec::new();
    within(client.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&rest), "0\r\n\r\n", "ended, not broken off");
    let (status, _, errors) = process.ended().await;
    assert_eq!((status.code(), errors.len()), (Some(0), 0), "{errors:?}");
}
