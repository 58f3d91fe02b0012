//! One HTTP/1.1 connection that is kept, with blocking sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use http::StatusCode;

use crate::Result;

/// No answer takes longer.
const LONGEST: Duration = Duration::from_secs(5);

pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    head: usize,
    end: usize,
}

impl Connection {
    pub(super) fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&to, LONGEST)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LONGEST))?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024], head: 0, end: 0 })
    }

    /// Sends a request, and reads its answer to the end.
    pub(super) fn ask(&mut self, request: &[u8]) -> Result<StatusCode> {
        self.stream.write_all(request)?;
        (self.head, self.end) = (0, 0);
        let mut wanted = None;
        loop {
            if self.end == self.buffer.len() {
                self.buffer.resize(2 * self.end, 0);
            }
            let read = self.stream.read(self.buffer.get_mut(self.end..).unwrap_or_default())?;
            if read == 0 {
                return Err("the connection was closed".into());
            }
            self.end += read;
            if wanted.is_none() {
                let received = self.buffer.get(..self.end).unwrap_or_default();
                let Some(blank) = find(received, b"\r\n\r\n") else { continue };
                self.head = blank + 4;
                wanted = Some(self.head + length(self.head())?);
            }
            if wanted.is_some_and(|wanted| self.end >= wanted) {
                return Ok(StatusCode::from_bytes(self.head().get(9..12).unwrap_or_default())?);
            }
        }
    }

    /// The head of the last answer.
    pub(super) fn head(&self) -> &[u8] {
        self.buffer.get(..self.head).unwrap_or_default()
    }

    /// The body of the last answer.
    pub(super) fn body(&self) -> &[u8] {
        self.buffer.get(self.head..self.end).unwrap_or_default()
    }
}

/// hyper writes names in lower case, nginx does not.
fn length(head: &[u8]) -> Result<usize> {
    const NAMES: [&[u8]; 2] = [b"\r\ncontent-length: ", b"\r\nContent-Length: "];
    let at = NAMES.iter().find_map(|name| Some(find(head, name)? + name.len())).ok_or("an answer without a length")?;
    let digits = head.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
