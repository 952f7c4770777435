//! A source that is read on a thread of its own, so that where nothing comes, nobody waits for it.

use super::held::Held;
use super::{CaptureError, Next, PacketSource, Take};
use crate::net::Timestamp;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use std::io;
use std::ops::ControlFlow;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How many packets wait at most.
const QUEUE: usize = 1_024;
/// How long it waits before it says that there is nothing now.
const STEP: Duration = Duration::from_millis(5);

/// The packets of another source.
pub struct Apart {
    packets: Receiver<Result<Held, CaptureError>>,
    /// `None` once it has ended.
    thread: Option<JoinHandle<()>>,
}

impl Apart {
    /// Opens a source on a thread of its own and reads it there. What it says of silences and losses
    /// is not passed on; files know of none.
    ///
    /// # Errors
    ///
    /// The system's, when it has no thread to give.
    pub fn read<S: PacketSource>(open: impl FnOnce() -> S + Send + 'static) -> io::Result<Self> {
        let (sender, packets) = bounded(QUEUE);
        let read = move || {
            let mut source = open();
            let send = |given| match sender.send(given) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            };
            loop {
                let mut listening = ControlFlow::Continue(());
                let given = source.next(&mut |packet| {
                    listening = send(Ok(Held::of(packet)));
                    listening
                });
                match given {
                    Ok(Next::End) => return,
                    Ok(_) => {}
                    Err(problem) => listening = send(Err(problem)),
                }
                if listening.is_break() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("reader".to_owned()).spawn(read)?;
        Ok(Self { packets, thread: Some(thread) })
    }
}

impl PacketSource for Apart {
    fn next(&mut self, take: &mut Take<'_>) -> Result<Next, CaptureError> {
        match self.packets.recv_timeout(STEP) {
            Ok(Ok(held)) => {
                // One at a time: whether it has enough does not matter.
                let _ = take(&held.packet());
                Ok(Next::Packets)
            }
            Ok(Err(problem)) => Err(problem),
            Err(RecvTimeoutError::Timeout) => Ok(Next::Idle(Timestamp::EARLIEST)),
            Err(RecvTimeoutError::Disconnected) => {
                if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
                    std::panic::resume_unwind(panic);
                }
                Ok(Next::End)
            }
        }
    }
}
