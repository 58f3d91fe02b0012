//! A TCP stream that can end with a reset.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// How a connection ended, where it was us who ended it.
#[derive(Debug, Default)]
pub(super) struct Ending {
    reset: AtomicBool,
    closed_by_us: AtomicBool,
}

impl Ending {
    /// From now on the connection ends with a reset.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.closed_by_us();
    }

    /// The connection is being closed by this side: what is in flight was not hung up on.
    pub(super) fn closed_by_us(&self) {
        self.closed_by_us.store(true, Ordering::Release);
    }

    pub(super) fn was_by_us(&self) -> bool {
        self.closed_by_us.load(Ordering::Acquire)
    }
}

/// A TCP stream that sends a reset instead of an orderly close, where its [`Ending`] says so.
pub(super) struct Socket {
    stream: TcpStream,
    ending: Arc<Ending>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, ending: Arc<Ending>) -> Self {
        Self { stream, ending }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.ending.reset.load(Ordering::Acquire) {
            // With no time to linger, the kernel drops what is unsent and resets. Where that fails,
            // the caller still sees the connection close without an answer.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
