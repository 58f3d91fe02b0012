//! A port that can be closed and opened again without losing it to another process.

use std::{
    io,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::Handle,
};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// One listening port.
///
/// While it is closed, a bound socket that does not listen keeps the number: callers are refused, and
/// nobody else can take it.
#[derive(Debug)]
pub(super) struct Port {
    address: SocketAddr,
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    door: Door,
    accepting: Option<Waker>,
}

#[derive(Debug)]
enum Door {
    Open(TcpListener),
    Kept(TcpSocket),
    Gone,
}

impl Port {
    /// Opens the port; 0 takes a free one. Needs a tokio runtime around it.
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        let listener = bind(address)?.listen(BACKLOG)?;
        Ok(Self {
            address: listener.local_addr()?,
            runtime: Handle::current(),
            state: Mutex::new(State { door: Door::Open(listener), accepting: None }),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection; waits while the port is closed.
    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        let mut state = self.state();
        if let Door::Open(listener) = &state.door
            && let Poll::Ready(accepted) = listener.poll_accept(cx)
        {
            return Poll::Ready(accepted.map(|(stream, _)| stream));
        }
        state.accepting = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Closes the port: when this returns, callers are refused.
    pub(super) fn close(&self) -> io::Result<()> {
        let mut state = self.state();
        if let Door::Open(_) = state.door {
            // The listener has to be gone before the number can be bound again.
            state.door = Door::Gone;
            state.door = Door::Kept(bind(self.address)?);
        }
        Ok(())
    }

    /// Opens the port again: when this returns, callers get through.
    pub(super) fn reopen(&self) -> io::Result<()> {
        let _runtime = self.runtime.enter();
        let mut state = self.state();
        let socket = match std::mem::replace(&mut state.door, Door::Gone) {
            Door::Open(listener) => {
                state.door = Door::Open(listener);
                return Ok(());
            }
            Door::Kept(socket) => socket,
            Door::Gone => bind(self.address)?,
        };
        state.door = Door::Open(socket.listen(BACKLOG)?);
        if let Some(accepting) = state.accepting.take() {
            accepting.wake();
        }
        Ok(())
    }

    /// Gives the port up.
    pub(super) fn give_up(&self) {
        self.state().door = Door::Gone;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections that are still closing must not keep the port from us.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
