//! Listens to conversations through the flow and HTTP rooms.

use super::conversation::{Packet, endpoint};
use sealwatch::flow::{self, FlowTable, Folding, Limits};
use sealwatch::http::{self, Exchange, Http, Peers, Reader, RequestHead, ResponseHead};
use sealwatch::net::Timestamp;

/// What was heard of an exchange.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Heard {
    /// The request's target.
    pub target: Option<String>,
    /// The response's `X-Id`, or its status where it has none.
    pub answer: Option<String>,
    pub status: Option<u16>,
    pub request_body: Option<u64>,
    pub response_body: Option<u64>,
}

#[derive(Debug, Default)]
pub struct Listener {
    pub heard: Vec<Heard>,
}

impl Reader for Listener {
    type Connection = ();
    type Request = String;
    type Response = (String, u16);

    fn request_heap(target: &String) -> usize {
        target.len()
    }

    fn response_heap((id, _): &(String, u16)) -> usize {
        id.len()
    }

    fn fold((): &(), _: &mut Folding) -> bool {
        true
    }

    fn request(&mut self, (): &mut (), _: Peers, head: &RequestHead<'_>) -> String {
        head.target.to_owned()
    }

    fn response(
        &mut self,
        (): &mut (),
        _: Peers,
        _: Option<&mut String>,
        head: &ResponseHead<'_>,
    ) -> (String, u16) {
        let id = head.headers.first("x-id").map(String::from_utf8_lossy);
        (id.map_or_else(|| head.status.to_string(), Into::into), head.status)
    }

    fn over(&mut self, (): &mut (), _: Peers, exchange: Exchange<String, (String, u16)>) {
        let (answer, status) = exchange.response.unzip();
        self.heard.push(Heard {
            target: exchange.request,
            answer,
            status,
            request_body: exchange.request_body_bytes,
            response_body: exchange.response_body_bytes,
        });
    }
}

fn table() -> FlowTable<Http<Listener>> {
    let http = Http::new(Listener::default(), http::Limits::default());
    FlowTable::new(http, Limits::default())
}

/// Listens to one connection's packets, and on for a while after the last; not to the end.
pub fn listen_for(packets: &[Packet], seconds: i64) -> Vec<Heard> {
    let mut table = table();
    for packet in packets {
        packet.with(endpoint(1, 40_000), endpoint(2, 80), |segment| table.segment(segment));
    }
    let last = packets.last().map_or(0, |packet| packet.time);
    table.sweep(Timestamp::from_nanos(last));
    table.sweep(Timestamp::from_nanos(last + seconds * 1_000_000_000));
    std::mem::take(&mut table.consumer().reader.heard)
}

/// How many bytes of payload have a fate.
pub fn fates(flow: &flow::Counts, http: &http::Counts) -> u64 {
    http.head_bytes
        + http.body_bytes
        + http.ignored_bytes
        + http.tls_bytes
        + http.http2_bytes
        + http.lost_bytes
        + flow.duplicate_bytes
        + flow.stray_bytes
        + flow.late_bytes
}

/// Listens to one connection's packets, to the end; checks that every byte has one fate.
pub fn listen(packets: &[Packet]) -> Vec<Heard> {
    let mut table = table();
    for packet in packets {
        packet.with(endpoint(1, 40_000), endpoint(2, 80), |segment| table.segment(segment));
    }
    table.close();
    let flow = table.counts();
    let http = table.consumer().counts();
    let fates = fates(&flow, &http);
    let sent: u64 = packets.iter().map(|packet| packet.payload.len() as u64).sum();
    assert_eq!(flow.payload_bytes, sent, "bytes taken in");
    assert_eq!(flow.payload_bytes, fates, "fates of bytes: {flow:?} {http:?}");
    std::mem::take(&mut table.consumer().reader.heard)
}

/// The same, where the connection is folded up after every packet that leaves it at rest.
pub fn listen_between_rests(packets: &[Packet]) -> Vec<Heard> {
    let http = Http::new(Listener::default(), http::Limits::default());
    let mut table = FlowTable::new(http, Limits { reset_nanos: 1, ..Limits::default() });
    for packet in packets {
        packet.with(endpoint(1, 40_000), endpoint(2, 80), |segment| {
            table.segment(segment);
            table.sweep(Timestamp::from_nanos(segment.time.as_nanos() + 2));
        });
    }
    table.close();
    std::mem::take(&mut table.consumer().reader.heard)
}

/// How many gaps one connection's packets are said to have.
pub fn gaps(packets: &[Packet]) -> u64 {
    let mut table = table();
    for packet in packets {
        packet.with(endpoint(1, 40_000), endpoint(2, 80), |segment| table.segment(segment));
    }
    table.close();
    table.counts().gaps
}
