//! Where an answer by TLS ends is beyond doubt, as by plain HTTP. (The whole table stands in `tests/it/framing.rs`.)

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::program::{Folder, Process, backends, shipped, within};

/// What the backend writes; whether it closes after that; and the status and the body that are made of it.
const ANSWERS: [(&str, bool, u16, &str); 10] = [
    ("200 X\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n", false, 200, "[1,2]"),
    ("200 X\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n", false, 200, "[1,2]"),
    ("200 X\r\nContent-Length: 5, 5\r\n\r\n[1,2]", false, 200, "[1,2]"),
    ("200 X\r\nContent-Length: 5\r\n\r\n[1,2]HTTP/1.1 200 X\r\ncontent-length: 4\r\n\r\nevil", true, 200, "[1,2]"),
    ("200 X\r\nContent-Length: 5\r\n\r\n[1,2]", false, 200, "[1,2]"),
    ("204 X\r\nContent-Length: 3\r\n\r\nabc", true, 204, ""),
    ("304 X\r\nETag: \"1\"\r\nContent-Length: 3\r\n\r\n", false, 304, ""),
    ("200 X\r\nContent-Length: 5, 6\r\n\r\n[1,2]", true, 502, ""),
    ("200 X\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n", false, 502, ""),
    ("200 X\r\nContent-Length: 9\r\n\r\n[1,2]", true, 0, ""),
];

/// Answers what the path says, by TLS; gives the certificate of whoever signed its own.
async fn upstream() -> (u16, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                loop {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        head.push(byte);
                    }
                    let head = String::from_utf8(head).unwrap();
                    let number: usize = head.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().parse().unwrap();
                    let (answer, closes, ..) = ANSWERS[number];
                    let answer = answer.replacen("\r\n", "\r\nContent-Type: application/json\r\n", 1);
                    stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await.unwrap();
                    if closes {
                        let _ = stream.shutdown().await;
                        return;
                    }
                }
            });
        }
    });
    (port, issuer.pem())
}

/// One answer, read as its own head says; without a status where it is not whole.
async fn read(stream: &mut TcpStream) -> (u16, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return (0, String::new()) };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let is_coded = head.contains("transfer-encoding: chunked");
    assert!(!(is_coded && length.is_some()), "{head}");
    let mut body = Vec::new();
    let whole = async {
        if status == 204 || status == 304 {
            assert!(!is_coded && (status == 304 || length.is_none()), "{head}");
        } else if let Some(length) = length {
            body.resize(length.parse().unwrap(), 0);
            stream.read_exact(&mut body).await?;
        } else {
            assert!(is_coded, "{head}");
            while !body.ends_with(b"\r\n0\r\n\r\n") {
                body.push(stream.read_u8().await?);
            }
            // In one chunk: its size, and the end.
            body = body[3..body.len() - 7].to_vec();
        }
        std::io::Result::Ok(())
    };
    if whole.await.is_err() { (0, String::new()) } else { (status, String::from_utf8(body).unwrap()) }
}

#[tokio::test]
async fn k01_one_answer_for_each_request_by_tls() {
    let (port, issuer) = upstream().await;
    let folder = Folder::new("secure");
    let issuer = folder.file("issuer.pem", &issuer);
    let routes: String = [("x", ""), ("k", "cache = true\n"), ("f", "json = { deny = [\"secret\"] }\n")]
        .map(|(name, more)| {
            format!("[routes.{name}]\npath = \"/{name}/*\"\nupstream = \"far\"\nstrip_prefix = \"/{name}\"\n{more}\n")
        })
        .concat();
    let upstream = format!(
        "[upstreams.far]\nurl = \"https://localhost:{port}\"\ntimeout = \"30s\"\nattempt_timeout = \"29s\"\nconnect_timeout = \"20s\"\n"
    );
    let file = folder.file("mobile.toml", &format!("{}\n{routes}{upstream}breaker.enabled = false\n", shipped()));
    let mocks = backends().await;
    let process = Process::trusting(&mocks, &issuer, &["--config", &file]).await;
    for (number, (answer, _, status, body)) in ANSWERS.into_iter().enumerate() {
        for route in ["x", "k", "k", "f"] {
            let mut stream = TcpStream::connect(process.public).await.unwrap();
            let asked = format!("GET /{route}/{number} HTTP/1.1\r\nhost: a\r\n\r\n");
            stream.write_all(format!("{asked}GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
            let told = within(read(&mut stream)).await;
            if status == 0 {
                assert!(told.0 == 0 || told.0 == 502, "{route} {answer}: {told:?}");
                continue;
            }
            assert_eq!(told.0, status, "{route} {answer}: {told:?}");
            assert!(told.1 == body || status == 502, "{route} {answer}: {told:?}");
            assert_eq!(within(read(&mut stream)).await.0, 404, "{route} {answer}");
        }
    }
}
