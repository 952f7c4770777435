//! Writes a connection down packet by packet.

use super::conversation::Packet;
use super::listener::{Heard, listen};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// A connection being written. Each end's sequence and acknowledgement numbers follow from what
/// was sent; `lose` leaves the next packet out of the capture.
#[derive(Clone, Debug)]
pub struct Script {
    pub packets: Vec<Packet>,
    next: [u32; 2],
    time: i64,
    lost: bool,
}

impl Script {
    /// Joins a connection in the middle.
    pub fn joined() -> Self {
        Self { packets: Vec::new(), next: [1_000_000, u32::MAX - 40], time: 0, lost: false }
    }

    /// Sees a connection from its handshake on.
    pub fn opened() -> Self {
        Self::joined().handshake()
    }

    /// A (new) handshake on the same endpoints.
    pub fn handshake(mut self) -> Self {
        self.next[0] = self.next[0].wrapping_add(77_777_777);
        self.next[1] = self.next[1].wrapping_add(99_999_999);
        self.push(true, SYN, b"", false);
        self.next[0] = self.next[0].wrapping_add(1);
        self.push(false, SYN | ACK, b"", true);
        self.next[1] = self.next[1].wrapping_add(1);
        self.push(true, ACK, b"", true);
        self
    }

    fn push(&mut self, from_client: bool, flags: u8, payload: &[u8], acks: bool) {
        let me = usize::from(!from_client);
        self.time += 1_000_000;
        let packet = Packet {
            time: self.time,
            from_client,
            seq: self.next[me],
            ack: acks.then_some(self.next[1 - me]),
            flags,
            payload: payload.to_vec(),
        };
        self.next[me] = self.next[me].wrapping_add(payload.len() as u32);
        if !std::mem::take(&mut self.lost) {
            self.packets.push(packet);
        }
    }

    /// The client sends a segment.
    pub fn c(mut self, payload: impl AsRef<[u8]>) -> Self {
        self.push(true, ACK, payload.as_ref(), true);
        self
    }

    /// The server sends a segment.
    pub fn s(mut self, payload: impl AsRef<[u8]>) -> Self {
        self.push(false, ACK, payload.as_ref(), true);
        self
    }

    /// The next packet is not captured.
    pub fn lose(mut self) -> Self {
        self.lost = true;
        self
    }

    pub fn c_fin(mut self) -> Self {
        self.push(true, FIN | ACK, b"", true);
        self.next[0] = self.next[0].wrapping_add(1);
        self
    }

    pub fn s_fin(mut self) -> Self {
        self.push(false, FIN | ACK, b"", true);
        self.next[1] = self.next[1].wrapping_add(1);
        self
    }

    pub fn s_rst(mut self) -> Self {
        self.push(false, RST, b"", false);
        self
    }

    /// Changes the packets so far.
    pub fn edit(mut self, edit: impl FnOnce(&mut Vec<Packet>)) -> Self {
        edit(&mut self.packets);
        self
    }

    /// Time passes.
    pub fn wait(mut self, seconds: i64) -> Self {
        self.time += seconds * 1_000_000_000;
        self
    }

    /// What is heard: `METHOD-less target → answer`, sorted by when it was over.
    pub fn hear(&self) -> Vec<String> {
        listen(&self.packets).iter().map(line).collect()
    }

    /// What is heard of the client's side only, and of the server's side only.
    pub fn hear_one_side(&self, client: bool) -> Vec<String> {
        let side: Vec<_> =
            self.packets.iter().filter(|packet| packet.from_client == client).cloned().collect();
        listen(&side).iter().map(line).collect()
    }
}

/// `/target(request body) answer(response body)`, `-` for what was not seen, `?` for a body of
/// unknown length.
fn line(heard: &Heard) -> String {
    let body = |bytes: Option<u64>| bytes.map_or("?".to_owned(), |n| n.to_string());
    let request = heard.target.as_ref().map(|t| format!("{t}({})", body(heard.request_body)));
    let answer = heard.answer.as_ref().map(|a| format!("{a}({})", body(heard.response_body)));
    format!("{} {}", request.as_deref().unwrap_or("-"), answer.as_deref().unwrap_or("-"))
}
