//! Clients that ask again as soon as they are answered: a program of its own, with a CPU beside the server's.
//!
//! One thread for all of them, or the backends on the same CPU would starve.

use std::net::SocketAddr;
use std::time::Duration;

use bff_core::clock::{self, Instant};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::crowd::Got;
use crate::Result;
use crate::framework::BUDGET;

/// What a crowd is told.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    to: SocketAddr,
    #[arg(long)]
    clients: usize,
    #[arg(long)]
    warm: f64,
    #[arg(long)]
    seconds: f64,
}

/// Prints pages, whole pages, refusals and failures of the seconds after the warm ones.
pub(crate) fn ask(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let got = runtime.block_on(async {
        let from = clock::now() + Duration::from_secs_f64(options.warm);
        let until = from + Duration::from_secs_f64(options.seconds);
        // bound: clients
        let mut clients = JoinSet::new();
        let first = fastrand::u64(..1 << 40);
        for number in 0..options.clients as u64 {
            clients.spawn(client(options.to, first + (number << 24), from, until));
        }
        let mut sum = Got::default();
        while let Some(got) = clients.join_next().await {
            let got = got?;
            sum.pages += got.pages;
            sum.whole += got.whole;
            sum.refused += got.refused;
            sum.failed += got.failed;
        }
        Ok::<_, tokio::task::JoinError>(sum)
    });
    let Got { pages, whole, refused, failed, .. } = got?;
    println!("{pages} {whole} {refused} {failed}");
    Ok(())
}

/// One client, until `until`; counts what is answered from `from` on. A connection that breaks is made anew.
async fn client(to: SocketAddr, first: u64, from: Instant, until: Instant) -> Got {
    let mut got = Got::default();
    let mut number = first;
    while clock::now() < until {
        let Ok(stream) = TcpStream::connect(to).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let Ok((mut sender, connection)) = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await else {
            continue;
        };
        let talk = async {
            while clock::now() < until {
                number += 1;
                let asked = clock::now();
                let request = http::Request::get(format!("/product-page/{number}")).header("host", "bench");
                let Ok(request) = request.body(Empty::new()) else { return };
                let answer = sender.send_request(request).await;
                let answer = match answer {
                    Ok(answer) => {
                        let (head, body) = answer.into_parts();
                        body.collect().await.is_ok().then_some(head)
                    }
                    Err(_) => None,
                };
                let now = clock::now();
                if now >= from && now < until {
                    let is_in_time = now - asked <= BUDGET;
                    match &answer {
                        Some(head) if head.status == http::StatusCode::OK && is_in_time => {
                            got.pages += 1;
                            got.whole += usize::from(!head.headers.contains_key("bff-degraded"));
                        }
                        Some(head) if head.status == http::StatusCode::SERVICE_UNAVAILABLE => got.refused += 1,
                        _ => got.failed += 1,
                    }
                }
                if answer.is_none() {
                    return;
                }
            }
        };
        // Both in this task, so that an answer wakes one and not two.
        tokio::select! {
            () = talk => {}
            _ = connection => {}
        }
    }
    got
}
