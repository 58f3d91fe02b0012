//! Upgraded connections.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{PATIENCE, Way, passing, read_all, read_head};

const UPGRADE: &str = "GET /socket HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                        sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: chat\r\n\r\n";
const OPEN: &str = r#"bff_tunnels_open{upstream="files"} 1"#;
const NONE_OPEN: &str = r#"bff_tunnels_open{upstream="files"} 0"#;

/// The two ends of a tunnel.
async fn dig(way: &Way) -> (TcpStream, TcpStream) {
    let mut client = way.client(UPGRADE).await;
    let (mut server, head) = way.asked().await;
    for line in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-key: "] {
        assert!(head.contains(line), "{head}");
    }
    server.write_all(SWITCHED.as_bytes()).await.unwrap();
    let head = read_head(&mut client).await;
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    for line in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-accept: s3p", "protocol: chat\r\n"]
    {
        assert!(head.contains(line), "{head}");
    }
    (client, server)
}

/// Every byte there is, both ways at once and more than any buffer holds.
async fn talk(client: &mut TcpStream, server: &mut TcpStream) {
    let bytes: Vec<u8> = (0..=255).cycle().take(1_000_003).collect();
    for _ in 0..2 {
        let (mut there, mut back) = (vec![0; bytes.len()], vec![0; bytes.len()]);
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.split(), server.split());
        let (sent, received, returned, echoed) = tokio::join!(
            to_client.write_all(&bytes),
            from_server.read_exact(&mut there),
            to_server.write_all(&bytes),
            from_client.read_exact(&mut back),
        );
        sent.and(returned).unwrap();
        received.and(echoed).unwrap();
        assert!(there == bytes && back == bytes);
    }
}

#[tokio::test]
async fn bytes_go_both_ways_until_one_side_closes() {
    let way = Way::open(passing(PATIENCE)).await;
    for first in ["client", "server"] {
        let (mut client, mut server) = dig(&way).await;
        talk(&mut client, &mut server).await;
        assert!(way.metrics().contains(OPEN), "{}", way.metrics());
        let (closing, mut other) = if first == "client" { (client, server) } else { (server, client) };
        drop(closing);
        assert_eq!(read_all(&mut other).await, b"", "{first}");
    }
    way.shared.background.close();
    way.shared.background.wait().await;
    let metrics = way.metrics();
    assert!(metrics.contains(NONE_OPEN), "{metrics}");
    assert!(metrics.contains(r#"bff_passed_bytes_total{upstream="files",way="up"} 4000012"#), "{metrics}");
    assert!(metrics.contains(r#"bff_passed_bytes_total{upstream="files",way="down"} 4000012"#), "{metrics}");
}

/// Who has said all may still listen.
#[tokio::test]
async fn one_side_that_has_ended_may_still_be_told_something() {
    let way = Way::open(passing(PATIENCE)).await;
    let (mut client, mut server) = dig(&way).await;
    client.shutdown().await.unwrap();
    assert_eq!(read_all(&mut server).await, b"");
    server.write_all(b"farewell").await.unwrap();
    drop(server);
    assert_eq!(read_all(&mut client).await, b"farewell");
}

#[tokio::test]
async fn what_the_upstream_says_with_its_head_is_not_lost() {
    let way = Way::open(passing(PATIENCE)).await;
    let mut client = way.client(UPGRADE).await;
    let (mut server, _) = way.asked().await;
    server.write_all(format!("{SWITCHED}first words").as_bytes()).await.unwrap();
    assert!(read_head(&mut client).await.starts_with("http/1.1 101 "));
    let mut words = [0; 11];
    client.read_exact(&mut words).await.unwrap();
    assert_eq!(&words, b"first words");
}

#[tokio::test]
async fn an_upstream_that_does_not_want_to_says_so_itself() {
    let way = Way::open(passing(PATIENCE)).await;
    let mut client = way.client(UPGRADE).await;
    let (mut server, _) = way.asked().await;
    let refusal = "HTTP/1.1 426 Upgrade Required\r\nsec-websocket-version: 13\r\ncontent-length: 2\r\n\r\nno";
    server.write_all(refusal.as_bytes()).await.unwrap();
    let head = read_head(&mut client).await;
    assert!(head.starts_with("http/1.1 426 ") && head.contains("sec-websocket-version: 13"), "{head}");
    let mut body = [0; 2];
    client.read_exact(&mut body).await.unwrap();
    assert_eq!(&body, b"no");
}

#[tokio::test]
async fn stopping_does_not_wait_for_tunnels() {
    let way = Way::open(passing(PATIENCE)).await;
    let (mut client, mut server) = dig(&way).await;
    talk(&mut client, &mut server).await;
    let Way { stop, ended, upstream, .. } = way;
    stop.send(()).unwrap();
    // Drained without a complaint, which it would have after 30 s.
    ended.await.unwrap().unwrap();
    assert_eq!((read_all(&mut client).await, read_all(&mut server).await), (vec![], vec![]));
    drop(upstream);
}

#[tokio::test(start_paused = true)]
async fn silence_on_both_sides_ends_it() {
    let idle = Duration::from_secs(60);
    let way = Way::open(passing(idle)).await;
    let (mut client, mut server) = dig(&way).await;
    // One side is enough to keep it open.
    for _ in 0..5 {
        tokio::time::sleep(idle - Duration::from_secs(1)).await;
        server.write_all(b"still here").await.unwrap();
        let mut word = [0; 10];
        client.read_exact(&mut word).await.unwrap();
    }
    assert_eq!((read_all(&mut client).await, read_all(&mut server).await), (vec![], vec![]));
}

/// A tunnel is a connection like any other, though HTTP is over on it.
#[tokio::test]
async fn a_tunnel_counts_among_the_connections() {
    let way = Way::with(passing(PATIENCE), |settings| settings.max_connections = 1).await;
    let (client, server) = dig(&way).await;
    let mut second = way.client("GET /x HTTP/1.1\r\nhost: a\r\n\r\n").await;
    drop((client, server));
    // Accepted now, and not before: its request is the next that the upstream sees.
    let (mut server, head) = way.asked().await;
    assert!(head.starts_with("get /x "), "{head}");
    server.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    assert!(read_head(&mut second).await.starts_with("http/1.1 204 "));
}
