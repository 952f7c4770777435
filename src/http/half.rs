//! One direction of a connection: where in the message framing it stands.

use super::body::Body;
use super::method::Methods;
use super::pairing::Serial;
use super::session::{Cursor, Turned};
use crate::flow::Turn;
use crate::net::{Position, Timestamp};

/// Where a direction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing was seen of it.
    Fresh,
    /// At its first bytes, which may be the header of the PROXY protocol.
    Preface,
    /// Within such a header, of which so many bytes are to come; with none, at the first bytes that it
    /// stands before, or where there is none.
    Proxied(usize),
    /// At a message boundary.
    Boundary,
    /// Inside a head.
    Head(Otherwise),
    /// Inside a body.
    Body {
        body: Body,
        of: Serial,
        /// Nothing of the body was seen yet, and it may turn out not to be there.
        doubtful: bool,
    },
    /// Somewhere; looking for the next message.
    Lost,
    /// Inside the first message of TLS, which may say with whom.
    Hello,
    /// No longer HTTP/1: what it is now, its next bytes tell.
    Tunnel,
    /// Not HTTP/1, or no longer.
    Closed(Why),
}

/// What bytes are that began like a head and turn out to be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// The beginning of a connection that is not HTTP.
    NotHttp,
    /// Bytes at a message boundary that are no message: the place is lost.
    Broken,
    /// Bytes in place of a body that need not come: the place is lost.
    Instead,
    /// Bytes of a direction that is lost anyway.
    StillLost {
        /// By which methods they may be a request: none where the body of one may go on.
        asks: Option<Methods>,
    },
    /// Bytes of a body that ends with its direction.
    Content(Serial),
}

impl Otherwise {
    /// Whether the framing alone does not say that a message begins, so that what does must look
    /// more like one.
    pub(super) const fn is_doubted(self) -> bool {
        matches!(self, Self::Instead | Self::StillLost { .. } | Self::Content(_))
    }
}

/// Why a direction is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Tls,
    Http2,
    Other,
}

/// Where a head began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Start {
    pub(super) position: Position,
    pub(super) time: Timestamp,
    pub(super) ack: Option<Position>,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Half {
    pub(super) state: State,
    /// The bytes of a head that is not complete, and how far they were searched for its end.
    pub(super) partial: Vec<u8>,
    pub(super) scanned: usize,
    /// The latest segment within it that takes its turn, unless the other direction went on since.
    pub(super) turned: Option<Box<Turned>>,
    pub(super) start: Start,
    /// Where the place was lost, until the next message that settles it.
    pub(super) hole: Option<Position>,
    /// Where the latest gap ended.
    pub(super) gap_end: Option<Position>,
    /// How much of the other direction had been received when this one's latest bytes were sent.
    pub(super) last_ack: Option<Position>,
    /// Whether any byte of it was captured.
    pub(super) seen: bool,
    /// Bytes passed over before anything on this connection told what they were.
    pub(super) unplaced: u64,
}

impl Half {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Fresh,
            partial: Vec::new(),
            scanned: 0,
            turned: None,
            start: Start {
                position: Position::origin(crate::net::Seq(0)),
                time: Timestamp::from_nanos(0),
                ack: None,
            },
            hole: None,
            gap_end: None,
            last_ack: None,
            seen: false,
            unplaced: 0,
        }
    }

    /// Begins to collect a head.
    pub(super) fn begin(&mut self, start: Start, otherwise: Otherwise) {
        self.state = State::Head(otherwise);
        self.start = start;
        self.partial = Vec::new();
        self.scanned = 0;
        self.turned = None;
    }

    /// What of that which is held takes its turn; where `cursor` takes one, that is nowhere before.
    pub(super) fn take_turned(&mut self, cursor: &Cursor) -> Option<Box<Turned>> {
        self.turned.take().filter(|_| cursor.turn == Turn::Continues)
    }

    /// Notes what of more that is to be held, at `cursor` and behind `held` bytes, takes its turn; `turned` did
    /// so far.
    pub(super) fn note_turned(
        &mut self,
        turned: Option<Box<Turned>>,
        held: usize,
        cursor: &Cursor,
    ) {
        self.turned = turned;
        if held > 0 && cursor.turn != Turn::Continues {
            let (cursor, last_ack) = (*cursor, self.last_ack);
            self.turned = Some(Box::new(Turned { behind: held, cursor, last_ack }));
        }
    }

    /// Begins to read the first message of TLS, of which `held` came before.
    pub(super) fn greet(&mut self, held: &[u8]) {
        self.state = State::Hello;
        self.partial = held.to_vec();
        self.scanned = 0;
    }

    /// Notes that the place was lost at `position`.
    pub(super) fn lose(&mut self, position: Position) {
        self.state = State::Lost;
        self.hole.get_or_insert(position);
    }
}
