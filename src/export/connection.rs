//! Connections: how many there may be, how long each step may take, and how each ended.
//!
//! Takes connections as they come in. Gives questions to the routes, one after the other. Promises
//! that there are never more than a fixed number, and that a peer who holds many cannot keep out
//! one who holds few: where there is no room, the peer with the most connections loses one, first
//! of those on which nothing is being answered, first the oldest. No step is waited for without end:
//!
//! | step | at most |
//! |---|---|
//! | TLS handshake | [`HANDSHAKE`] |
//! | a question's head, from its first byte; the first one's from the beginning | [`HEAD`] |
//! | from a question to the last byte of its answer being taken | [`ANSWER`] |
//! | between an answer and the next question | [`IDLE`] |

use super::counts::{Counts, Outcome};
use super::listen::{Peer, Stream};
use super::server::Routes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::{self, AbortHandle};
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long a question's head may take.
const HEAD: Duration = Duration::from_secs(5);
/// How long an answer may take, from the question to its last byte; Prometheus waits 10 s unless told
/// otherwise.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a connection may wait for the next question; Prometheus asks every minute unless told
/// otherwise.
const IDLE: Duration = Duration::from_secs(120);
/// How often it is looked whether a step takes too long.
const TICK: Duration = Duration::from_millis(500);
/// The most bytes of a question's head. Those of Prometheus have a few hundred.
const MAX_HEAD: usize = 16 << 10;

/// What is going on on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Handshake,
    Head,
    /// A question is there, and not yet its answer.
    Making,
    /// The answer is being sent.
    Sending,
    Idle,
}

impl Step {
    const fn limit(self) -> Duration {
        match self {
            Self::Handshake => HANDSHAKE,
            Self::Head => HEAD,
            Self::Making | Self::Sending => ANSWER,
            Self::Idle => IDLE,
        }
    }

    /// Whether somebody waits for an answer.
    const fn is_answering(self) -> bool {
        matches!(self, Self::Making | Self::Sending)
    }
}

/// Where a connection has got to.
pub(super) struct Progress(Mutex<Steps>);

struct Steps {
    step: Step,
    since: Instant,
    answers: u64,
}

impl Progress {
    fn new(step: Step) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Steps { step, since: Instant::now(), answers: 0 })))
    }

    fn with<T>(&self, what: impl FnOnce(&mut Steps) -> T) -> T {
        what(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn enter(&self, step: Step) {
        self.with(|steps| (steps.step, steps.since) = (step, Instant::now()));
    }

    /// From one step to another, if it is in the one.
    fn pass(&self, from: Step, to: Step) {
        if self.with(|steps| steps.step == from) {
            self.enter(to);
        }
    }

    /// A question is there.
    pub(super) fn asked(&self) {
        self.enter(Step::Making);
    }

    /// Its answer is made. The time that it may take goes on.
    pub(super) fn made(&self) {
        self.with(|steps| {
            steps.step = Step::Sending;
            steps.answers += 1;
        });
    }

    /// Waits until a step takes too long.
    async fn overdue(&self) {
        while self.with(|steps| steps.since.elapsed() < steps.step.limit()) {
            sleep(TICK).await;
        }
    }
}

/// The connections that there are.
pub(super) struct Connections {
    most: usize,
    counts: Counts,
    routes: Arc<Routes>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    /// The number of the next one: lower ones are older.
    next: u64,
    by_number: HashMap<u64, Entry>,
}

struct Entry {
    peer: Peer,
    progress: Arc<Progress>,
    task: AbortHandle,
}

impl Open {
    /// Which one is to go: of the peer that has the most.
    fn victim(&self) -> Option<u64> {
        let mut held: HashMap<Peer, usize> = HashMap::new();
        for entry in self.by_number.values() {
            *held.entry(entry.peer).or_default() += 1;
        }
        let most = held.values().copied().max()?;
        let candidates = self.by_number.iter().filter(|(_, entry)| held[&entry.peer] == most);
        let order = |(number, entry): &(&u64, &Entry)| {
            (entry.progress.with(|steps| steps.step.is_answering()), **number)
        };
        candidates.min_by_key(order).map(|(number, _)| *number)
    }
}

impl Connections {
    pub(super) fn new(most: usize, counts: Counts, routes: Arc<Routes>) -> Arc<Self> {
        Arc::new(Self { most, counts, routes, open: Mutex::default() })
    }

    /// Serves a connection, in a task of its own. Makes room for it if there is none.
    pub(super) fn take(self: &Arc<Self>, stream: Box<dyn Stream>, peer: Peer) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while open.by_number.len() >= self.most {
            let Some(number) = open.victim() else { break };
            if let Some(entry) = open.by_number.remove(&number) {
                entry.task.abort();
            }
        }
        let tls = self.routes.tls();
        let progress = Progress::new(if tls.is_some() { Step::Handshake } else { Step::Head });
        let number = open.next;
        open.next += 1;
        self.counts.began();
        let leave = Leave { connections: self.clone(), number, outcome: Outcome::Displaced };
        let (routes, steps) = (self.routes.clone(), progress.clone());
        let task = task::spawn(async move {
            // Dropped also where the task is ended from outside.
            let mut leave = leave;
            leave.outcome = serve(stream, tls, &routes, &steps).await;
        });
        open.by_number.insert(number, Entry { peer, progress, task: task.abort_handle() });
    }
}

/// Takes a connection off the list when it ends, however it does.
struct Leave {
    connections: Arc<Connections>,
    number: u64,
    outcome: Outcome,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.connections.counts.ended(self.outcome);
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.by_number.remove(&self.number);
    }
}

/// Answers on a connection until it ends.
async fn serve(
    stream: Box<dyn Stream>,
    tls: Option<TlsAcceptor>,
    routes: &Arc<Routes>,
    progress: &Arc<Progress>,
) -> Outcome {
    let talk = async {
        match tls {
            None => converse(stream, routes, progress).await,
            Some(tls) => match tls.accept(stream).await {
                Ok(stream) => {
                    progress.enter(Step::Head);
                    converse(Box::new(stream), routes, progress).await
                }
                Err(_) => Outcome::TlsFailed,
            },
        }
    };
    let (mut talk, mut overdue) = (pin!(talk), pin!(progress.overdue()));
    poll_fn(|context| {
        if let Poll::Ready(outcome) = talk.as_mut().poll(context) {
            return Poll::Ready(outcome);
        }
        ready!(overdue.as_mut().poll(context));
        Poll::Ready(match progress.with(|steps| steps.step) {
            // All that was asked has been answered.
            Step::Idle => Outcome::Served,
            _ => Outcome::TimedOut,
        })
    })
    .await
}

/// HTTP/1.1, one question after the other.
async fn converse(
    stream: Box<dyn Stream>,
    routes: &Arc<Routes>,
    progress: &Arc<Progress>,
) -> Outcome {
    let watched = Watched { stream, progress: progress.clone() };
    let service = service_fn(|request| routes.clone().answer(request, progress.clone()));
    let talk = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(watched), service)
        .await;
    let answered = progress.with(|steps| steps.answers > 0);
    match talk {
        Ok(()) if answered => Outcome::Served,
        Ok(()) => Outcome::Unused,
        Err(error) if error.is_parse() => Outcome::Malformed,
        Err(_) if answered && progress.with(|steps| steps.step == Step::Idle) => Outcome::Served,
        Err(_) => Outcome::Broken,
    }
}

/// A stream that notes when a question begins, and when an answer has been taken.
struct Watched {
    stream: Box<dyn Stream>,
    progress: Arc<Progress>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.progress.pass(Step::Idle, Step::Head);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    /// hyper asks for this when it has handed over all that it had: an answer is one piece.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.progress.pass(Step::Sending, Step::Idle);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn open(entries: &[(u8, Step)]) -> Open {
        let entry = |(number, (peer, step)): (u64, &(u8, Step))| {
            let peer = Peer::Machine(IpAddr::from(Ipv4Addr::new(192, 0, 2, *peer)));
            let task = task::spawn(async {}).abort_handle();
            (number, Entry { peer, progress: Progress::new(*step), task })
        };
        Open { next: 0, by_number: (0..).zip(entries).map(entry).collect() }
    }

    #[test]
    fn who_has_the_most_connections_loses_the_oldest_that_waits() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("there is a runtime").block_on(async {
            use Step::{Head, Idle, Making, Sending};
            for (entries, victim) in [
                (&[][..], None),
                (&[(1, Sending)], Some(0)),
                (&[(1, Head), (2, Sending), (2, Making)], Some(1)),
                (&[(1, Head), (2, Sending), (2, Idle)], Some(2)),
                (&[(1, Head), (2, Sending), (2, Idle), (2, Head)], Some(2)),
                (&[(1, Making), (2, Sending), (3, Head)], Some(2)),
            ] {
                assert_eq!(open(entries).victim(), victim, "{entries:?}");
            }
        });
    }
}
