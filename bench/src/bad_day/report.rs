//! The document, so that its figures are always those of one run.

use super::{Asked, crowd, metastable, overload, table};

/// `docs/bad-day.md`.
pub(super) fn document(
    made: &str,
    asked: &Asked,
    table: &str,
    outage: &metastable::Outcome,
    lengths: &str,
    overload: &overload::Outcome,
    crowd: &crowd::Outcome,
) -> String {
    let findings: Vec<String> = outage
        .findings
        .iter()
        .chain(&overload.findings)
        .chain(&crowd.findings)
        .map(|finding| format!("- {}", finding.line()))
        .collect();
    let findings = findings.join("\n");
    let (seconds, rate, capacity) = (asked.each.as_secs(), asked.rate, metastable::capacity());
    let (workers, few) = (table::WORKERS, metastable::WORKERS);
    let (outage, overload) = (&outage.table, &overload.table);
    let crowd::Outcome { connections, starts, hanging, .. } = crowd;
    format!(
        r#"# A bad day

What clients get while a backend is bad. One page over five backends: `a` (subject), `b` (required), `c` and `d` (optional), `e`
(fallback), all five live, 800 ms for the page. `bench/bad-day` measures again and writes this file.

{made}
Promised, and what became of it:

{findings}

## One of five is bad

{rate} clients a second, each backend with {workers} workers of 20 ms; all is well for 2 s, then one backend is bad for {seconds} s. **The
figures begin with the fault**, so its first seconds are in them. A page is *whole* if it is a 200 without `Bff-Degraded` within
800 ms, *partial* if it is a degraded 200 within 800 ms, *failed* otherwise. Times are those of all answers, failures too. Attempts
are those at the bad backend, refused connections included.

- **no protection**: what a careful hand-written handler has. A time limit for each call (500 ms), parallel calls, partial answers;
  no retry, no breaker, no bulkhead, no shedding.
- **ours**: the defaults of the framework.

{table}
*10 × latency* takes a backend with {workers} workers down to a tenth of what it can do, so it is an overload, too. *Flapping* begins with its bad
second.

## An outage that ends

The required backend `b` has {few} workers ({capacity:.0} calls a second), clients take 70 % of that. After 10 s every call to `b` takes ten times as
long, for 10 s; then it is well again.

![Whole pages per second over time, with our defaults and with naive settings](figures/metastable.svg)

{outage}
*Naive* has an attempt limit of 1.5 s, a call limit of 5 s, three retries and no budget for them, no breaker, no bulkhead, no shedding, and
a page that waits for all that. Its clients leave after 800 ms and its server does not notice, as most do not; the backend works on
calls that nobody waits for. So every client brings four calls, which is more than `b` can do even when it is well, and that
does not end by itself. *Back* means 95 % of the goodput of the last 5 s before the fault, over 1 s and over all that follows.

Ours once more, for faults of other lengths, two runs at a time: what is open or paused at the moment of healing depends on it.

{lengths}
## Overload

The same `b`; 70 % of its capacity for 2 s, then more, told apart in the first 2 s and the {seconds} s after them.

{overload}
## Many clients, and nothing wrong

The page of three required parts of [figures](figures.md), three healthy backends, one CPU for the server and another for backends and
clients, who ask again as soon as they are answered. Whole pages per second within the budget of a second, medians of five rounds that take
turns; in brackets as a share of the same at 32 connections, and what share of the answers in the worst round was no page in time.
*No protection* has no retry, breaker or bulkhead, and no limit at the door.

{connections}
A server that has just started, over backends that take 80 ms; two seconds from the first connection on.

{starts}
One of the parts is optional and its backend never answers; {seconds} s, after 5 s.

{hanging}
## How it was made

- But for the last section, everything in one process, HTTP/1.1 over loopback: clients, BFF, backends. A backend is a FIFO queue before workers that are
  exactly as slow as they should be, however busy this machine is. What it has queued it works on, whether the caller waits or not.
- Clients arrive when they arrive (open loop): each somewhere in its own stretch of 1/rate, and its time counts from when it was due.
  How late this machine made them is in the tables; more than 20 ms means that it was too busy for the figures of that line.
- Every page has an id of its own and every answer is `no-store`: no store, no shared flight, no stale answers help.

## What it does not show

- What the store adds: with cacheable answers most of the partial pages above would be whole, and stale.
- Balancing and ejection: each backend is one host here.
- Networks: loopback loses no packet, and a connection takes no time.
- Clients that ask again. Ours never do; real ones make every outage worse.
- What the next run gives: how long the breaker stays open is moved by chance, so the recovery of ours moves with it by about a
  second, and in the first table the share of whole pages by some percent.
"#
    )
}
