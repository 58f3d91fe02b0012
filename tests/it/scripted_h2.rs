//! A backend by HTTP/2 that does what a script says with each stream, frame by frame (RFC 9113 §4, §6).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const REFUSED_STREAM: u32 = 7;

/// A request, as far as it has come.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Its number among all that were begun, from 0.
    pub(crate) begun: usize,
    /// So many were answered on its connection.
    pub(crate) answered: usize,
    pub(crate) body: Vec<u8>,
    pub(crate) is_whole: bool,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Then {
    /// Wait for more of it.
    Wait,
    /// 200, with a body of two bytes.
    Answer,
    /// The same, with a `Content-Length` of this digit.
    Saying(u8),
    /// The same as without, and no stream of this connection after it is looked at.
    AnswerAndLeave,
    /// `REFUSED_STREAM`.
    Refuse,
}

type Script = dyn Fn(&Asked) -> Then + Send + Sync;

/// Listens until the test ends. The script is asked when a head has come, and with each piece of a body.
pub(crate) async fn scripted_h2(script: impl Fn(&Asked) -> Then + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (script, begun): (Arc<Script>, _) = (Arc::new(script), Arc::new(AtomicUsize::new(0)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(serve(stream, script.clone(), begun.clone()));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, script: Arc<Script>, begun: Arc<AtomicUsize>) -> Option<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.ok()?;
    write(&mut stream, SETTINGS, 0, 0, &[]).await?;
    let (mut open, mut answered, mut is_over) = (HashMap::new(), 0, false);
    loop {
        let (kind, flags, id, payload) = read(&mut stream).await?;
        match kind {
            SETTINGS if flags & ACK == 0 => write(&mut stream, SETTINGS, ACK, 0, &[]).await?,
            PING if flags & ACK == 0 => write(&mut stream, PING, ACK, 0, &payload).await?,
            HEADERS if !is_over => {
                let begun = begun.fetch_add(1, Ordering::SeqCst);
                open.insert(id, Asked { begun, answered, body: Vec::new(), is_whole: false });
            }
            DATA if !payload.is_empty() => {
                let more = u32::try_from(payload.len()).unwrap().to_be_bytes();
                write(&mut stream, WINDOW_UPDATE, 0, 0, &more).await?;
            }
            _ => {}
        }
        let Some(asked) = open.get_mut(&id).filter(|_| matches!(kind, HEADERS | DATA)) else { continue };
        if kind == DATA {
            asked.body.extend_from_slice(&payload);
        }
        (asked.is_whole, asked.answered) = (flags & END_STREAM != 0, answered);
        let then = script(asked);
        if then == Then::Wait {
            continue;
        }
        open.remove(&id);
        if then == Then::Refuse {
            write(&mut stream, RST_STREAM, 0, id, &REFUSED_STREAM.to_be_bytes()).await?;
            continue;
        }
        answered += 1;
        if then == Then::AnswerAndLeave {
            is_over = true;
            open.retain(|other, _| *other < id);
            let last = [id.to_be_bytes(), 0_u32.to_be_bytes()].concat();
            write(&mut stream, GOAWAY, 0, 0, &last).await?;
        }
        // `:status: 200` is the eighth of the static table (RFC 7541 A).
        let mut head = vec![0x88];
        if let Then::Saying(digit) = then {
            // `content-length` is the 28th.
            head.extend([0x0f, 28 - 15, 1, digit]);
        }
        write(&mut stream, HEADERS, END_HEADERS, id, &head).await?;
        write(&mut stream, DATA, END_STREAM, id, b"ok").await?;
    }
}

async fn read(stream: &mut TcpStream) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let [a, b, c, kind, flags, id @ ..] = head;
    let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap()];
    stream.read_exact(&mut payload).await.ok()?;
    Some((kind, flags, u32::from_be_bytes(id), payload))
}

async fn write(stream: &mut TcpStream, kind: u8, flags: u8, id: u32, payload: &[u8]) -> Option<()> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&id.to_be_bytes());
    frame.extend_from_slice(payload);
    stream.write_all(&frame).await.ok()
}
