//! An answer that takes work, made once for all who wait for it.
//!
//! Takes what makes the answer. Gives it, also packed by gzip. Promises that no answer is older than
//! the question; that one is made at a time; and that between two there is a pause of several times
//! what the last one took, so that however many ask, however often, whoever counts finds the counts
//! free for most of the time.
//!
//! A thread of its own makes them. The thread that serves has a low priority: were it to hold the
//! counts, those who capture would wait for one who waits for them.

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;
use tokio::sync::{Mutex, oneshot};
use tokio::task;
use tokio::time::{Instant, sleep_until};

/// The least time between two answers that are made.
const PAUSE: Duration = Duration::from_millis(50);
/// How many times as long as an answer took the pause after it is.
const REST: u32 = 4;

/// What makes an answer, or says why it cannot.
type Make = Box<dyn Fn() -> Result<String, String> + Send>;
/// Who waits for the thread that makes answers.
type Order = oneshot::Sender<Result<String, String>>;

/// An answer, as it is and packed.
pub(super) struct Text {
    pub(super) plain: Bytes,
    pub(super) gzip: Bytes,
}

/// What was made, or why it was not.
type Made = Result<Arc<Text>, String>;

/// Makes answers, as often as is good.
pub(super) struct Shared {
    orders: Sender<Order>,
    state: Arc<Mutex<State>>,
}

struct State {
    /// The last answer, and when it was begun.
    last: Option<(Instant, Made)>,
    /// When the next one may be begun.
    next: Instant,
}

impl Shared {
    /// Starts the thread that makes answers, with the priority of the calling thread. It ends with
    /// this.
    pub(super) fn start(make: Make) -> io::Result<Arc<Self>> {
        let (orders, inbox) = channel();
        let work = move || make_to_order(&make, &inbox);
        thread::Builder::new().name("answers".to_owned()).spawn(work)?;
        let state = State { last: None, next: Instant::now() };
        Ok(Arc::new(Self { orders, state: Arc::new(Mutex::new(state)) }))
    }

    /// The answer as of now, or of a moment later.
    pub(super) async fn get(self: &Arc<Self>) -> Made {
        let asked = Instant::now();
        let mut state = self.state.clone().lock_owned().await;
        if let Some((begun, made)) = &state.last
            && *begun >= asked
        {
            return made.clone();
        }
        sleep_until(state.next).await;
        let shared = self.clone();
        // Goes on, and keeps others from beginning, when whoever asked does not wait.
        let made = task::spawn(async move {
            let begun = Instant::now();
            let made = shared.make().await;
            state.last = Some((begun, made.clone()));
            state.next = Instant::now() + PAUSE.max(begun.elapsed() * REST);
            made
        });
        made.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    async fn make(&self) -> Made {
        let (order, made) = oneshot::channel();
        let gone = |_| "the thread that makes answers is gone".to_owned();
        self.orders.send(order).map_err(|error| gone(error.to_string()))?;
        let plain = made.await.map_err(|error| gone(error.to_string()))??;
        let packed = task::spawn_blocking(move || {
            let gzip = pack(plain.as_bytes())?;
            Ok(Arc::new(Text { plain: plain.into(), gzip: gzip.into() }))
        });
        let packed = packed.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        packed.map_err(|error| error.to_string())
    }
}

fn make_to_order(make: &Make, inbox: &Receiver<Order>) {
    for order in inbox {
        // Whoever ordered it may be gone.
        let _ = order.send(make());
    }
}

fn pack(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text)?;
    packed.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn many_who_ask_at_once_share_one_that_is_not_older_than_the_question() {
        let made = Arc::new(AtomicUsize::new(0));
        let count = made.clone();
        let make = move || Ok(count.fetch_add(1, Ordering::Relaxed).to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("there is a runtime").block_on(async {
            let shared = Shared::start(Box::new(make)).expect("a thread can be started");
            let ask = || {
                let shared = shared.clone();
                task::spawn(async move {
                    let text = shared.get().await.expect("it can be made");
                    text.plain.clone()
                })
            };
            for round in 0..3_usize {
                let asked: Vec<_> = (0..100).map(|_| ask()).collect();
                for answer in asked {
                    let answer = answer.await.expect("it ends");
                    // At most one that was under way, and one for all who came too late for it.
                    assert!(answer >= round.to_string().as_str(), "round {round}");
                }
            }
            // Who does not wait does not make others begin at once.
            for _ in 0..50 {
                let asked = ask();
                task::yield_now().await;
                asked.abort();
            }
        });
        assert!(made.load(Ordering::Relaxed) <= 8, "{made:?}");
    }
}
