//! The PROXY protocol, version 2: a balancer that passes bytes on says before them from whom they come.
//!
//! Specification: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use ppp::v2::{Addresses, Command, Header};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Signature, version, family and length stand in so many bytes.
const FIXED: usize = 16;
/// More than addresses and what balancers add to them (a TLS name, an id) ever take.
const MOST: usize = 2048;

/// Reads the header, and not a byte more; the client that it names, or `peer` where the balancer speaks for itself.
///
/// # Errors
/// When there is none, or one of another version: with the protocol switched on a connection has to begin with it.
pub(super) async fn client(stream: &mut TcpStream, peer: SocketAddr) -> Result<SocketAddr> {
    let mut header = vec![0; FIXED];
    stream.read_exact(&mut header).await?;
    let length = FIXED + usize::from(u16::from_be_bytes([header[14], header[15]]));
    if length > MOST {
        return Err(bad("its header is too long"));
    }
    // The rest is only waited for where the beginning is right.
    if let Err(error) = Header::try_from(&header[..])
        && !matches!(error, ppp::v2::ParseError::Partial(..) | ppp::v2::ParseError::Incomplete(_))
    {
        return Err(bad(error));
    }
    header.resize(length, 0);
    stream.read_exact(&mut header[FIXED..]).await?;
    let header = Header::try_from(&header[..]).map_err(bad)?;
    if header.command == Command::Local {
        return Ok(peer);
    }
    match header.addresses {
        Addresses::IPv4(ip) => Ok((ip.source_address, ip.source_port).into()),
        Addresses::IPv6(ip) => Ok((ip.source_address, ip.source_port).into()),
        // Nothing is said of where it comes from.
        Addresses::Unspecified | Addresses::Unix(_) => Ok(peer),
    }
}

fn bad(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::InvalidData, cause)
}
