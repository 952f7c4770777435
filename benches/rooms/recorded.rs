//! What rooms give, written down so that it can be given again; and who takes it and does nothing.

use sealwatch::capture::{CaptureFiles, LinkType, Next, Packet, PacketSource};
use sealwatch::decode::{Config, Decoder, Flags, Segment};
use sealwatch::flow::{Chunk, Consumer, Content, Demand, FlowTable, Limits, Standing, Unfolding};
use sealwatch::http::{
    self, Exchange, Field, Headers, Http, Peers, Reader, RequestHead, ResponseHead,
};
use sealwatch::net::{Direction, FlowKey, Seq, Timestamp, Tunnel};
use sealwatch::s3::S3Reader;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The packets of a file.
pub(crate) struct Recording(Vec<(Timestamp, LinkType, Vec<u8>)>);

impl Recording {
    pub(crate) fn of(file: &Path) -> Self {
        let mut source = CaptureFiles::open(&[PathBuf::from(file)], None);
        let mut packets = Vec::new();
        let mut take = |packet: &Packet<'_>| {
            packets.push((packet.time, packet.link_type, packet.data.to_vec()));
            ControlFlow::Continue(())
        };
        while let Ok(Next::Packets) = source.next(&mut take) {}
        Self(packets)
    }

    pub(crate) fn packets(&self) -> impl Iterator<Item = Packet<'_>> {
        self.0.iter().map(|(time, link_type, data)| Packet {
            time: *time,
            link_type: *link_type,
            data,
            wire_len: data.len() as u32,
            block: None,
        })
    }

    pub(crate) fn segments(&self) -> Vec<OwnSegment> {
        let mut decoder = Decoder::new(Config::default());
        self.packets()
            .filter_map(|packet| decoder.decode(&packet).ok().map(OwnSegment::of))
            .collect()
    }
}

/// A segment with its payload.
pub(crate) struct OwnSegment {
    time: Timestamp,
    flow: FlowKey,
    tunnel: Option<Tunnel>,
    direction: Direction,
    seq: Seq,
    ack: Option<Seq>,
    flags: Flags,
    payload: Rc<[u8]>,
}

impl OwnSegment {
    fn of(segment: Segment<'_>) -> Self {
        let Segment { time, flow, tunnel, direction, seq, ack, flags, payload, .. } = segment;
        Self { time, flow, tunnel, direction, seq, ack, flags, payload: payload.into() }
    }

    pub(crate) fn borrowed(&self) -> Segment<'_> {
        let Self { time, flow, tunnel, direction, seq, ack, flags, ref payload } = *self;
        Segment { time, flow, tunnel, direction, seq, ack, flags, payload, unseen: 0, missing: 0 }
    }
}

/// What the flow room gives of a connection.
pub(crate) enum Given {
    Open(FlowKey),
    /// A chunk; of data, the bytes.
    Chunk(FlowKey, Chunk<'static>, Vec<u8>),
    End(FlowKey, Direction),
    Close(FlowKey),
}

/// Writes down what the flow room gives to HTTP, which says what it wants to see.
struct Recorder {
    http: Http<Nobody>,
    given: Vec<Given>,
}

pub(crate) fn chunks(segments: &[OwnSegment]) -> Vec<Given> {
    let http = Http::new(Nobody, http::Limits::default());
    let recorder = Recorder { http, given: Vec::new() };
    let mut table = FlowTable::new(recorder, Limits::default());
    for segment in segments {
        table.segment(&segment.borrowed());
    }
    table.close();
    std::mem::take(&mut table.consumer().given)
}

/// Gives what was given to HTTP.
pub(crate) fn give<R: Reader>(given: &[Given], http: &mut Http<R>) {
    let mut connections = HashMap::new();
    for one in given {
        match one {
            Given::Open(key) => {
                connections.insert(*key, http.open(key, None));
            }
            Given::Chunk(key, chunk, data) => {
                let Some(connection) = connections.get_mut(key) else { continue };
                let mut chunk = *chunk;
                if let Content::Data { bytes, .. } = &mut chunk.content {
                    *bytes = data;
                }
                http.chunk(connection, key, chunk);
            }
            Given::End(key, direction) => {
                if let Some(connection) = connections.get_mut(key) {
                    http.end(connection, key, *direction);
                }
            }
            Given::Close(key) => {
                if let Some(connection) = connections.remove(key) {
                    http.close(connection, key);
                }
            }
        }
    }
}

impl Consumer for Recorder {
    type Connection = <Http<Nobody> as Consumer>::Connection;

    fn open(&mut self, key: &FlowKey, tunnel: Option<Tunnel>) -> Self::Connection {
        self.given.push(Given::Open(*key));
        self.http.open(key, tunnel)
    }

    fn chunk(&mut self, it: &mut Self::Connection, key: &FlowKey, chunk: Chunk<'_>) -> Demand {
        let (content, data) = match chunk.content {
            Content::Data { bytes, starts_segment, turn, had, starts_stream } => {
                let content =
                    Content::Data { bytes: &[], starts_segment, turn, had, starts_stream };
                (content, bytes.to_vec())
            }
            Content::Passed(bytes) => (Content::Passed(bytes), Vec::new()),
            Content::Gap(bytes) => (Content::Gap(bytes), Vec::new()),
        };
        let Chunk { direction, position, time, ack, .. } = chunk;
        let kept = Chunk { direction, position, time, ack, content };
        self.given.push(Given::Chunk(*key, kept, data));
        self.http.chunk(it, key, chunk)
    }

    fn standing(&self, it: &Self::Connection) -> Standing {
        self.http.standing(it)
    }

    fn shed(&mut self, it: &mut Self::Connection, key: &FlowKey) {
        self.http.shed(it, key);
    }

    fn unfold(&mut self, from: &mut Unfolding<'_>) -> Self::Connection {
        self.http.unfold(from)
    }

    fn end(&mut self, it: &mut Self::Connection, key: &FlowKey, direction: Direction) {
        self.given.push(Given::End(*key, direction));
        self.http.end(it, key, direction);
    }

    fn close(&mut self, it: Self::Connection, key: &FlowKey) {
        self.given.push(Given::Close(*key));
        self.http.close(it, key);
    }
}

/// Takes anything, and does nothing.
pub(crate) struct Nobody;

impl Consumer for Nobody {
    type Connection = ();

    fn open(&mut self, _: &FlowKey, _: Option<Tunnel>) {}

    fn chunk(&mut self, (): &mut (), _: &FlowKey, _: Chunk<'_>) -> Demand {
        Demand::Look
    }

    fn standing(&self, (): &()) -> Standing {
        Standing::default()
    }

    fn shed(&mut self, (): &mut (), _: &FlowKey) {}

    fn unfold(&mut self, _: &mut Unfolding<'_>) {}

    fn end(&mut self, (): &mut (), _: &FlowKey, _: Direction) {}

    fn close(&mut self, (): (), _: &FlowKey) {}
}

impl Reader for Nobody {
    type Connection = ();
    type Request = ();
    type Response = ();

    fn request_heap((): &()) -> usize {
        0
    }

    fn response_heap((): &()) -> usize {
        0
    }

    fn request(&mut self, (): &mut (), _: Peers, _: &RequestHead<'_>) {}

    fn response(&mut self, (): &mut (), _: Peers, _: Option<&mut ()>, _: &ResponseHead<'_>) {}

    fn over(&mut self, (): &mut (), _: Peers, _: Exchange<(), ()>) {}
}

pub(crate) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A head; of a request, its method and target, of an answer, its status.
pub(crate) struct Head {
    time: Timestamp,
    minor_version: u8,
    said: Result<(String, String), u16>,
    fields: Fields,
}

/// An exchange that is over: who spoke, and its heads.
type Over = (Peers, Option<Rc<Head>>, Option<Rc<Head>>);

/// The heads of a capture, exchange by exchange.
pub(crate) struct Heads(Vec<Over>);

impl Heads {
    pub(crate) fn of(segments: &[OwnSegment]) -> Self {
        let http = Http::new(Self(Vec::new()), http::Limits::default());
        let mut table = FlowTable::new(http, Limits::default());
        for segment in segments {
            table.segment(&segment.borrowed());
        }
        table.close();
        Self(std::mem::take(&mut table.consumer().reader.0))
    }

    /// Gives them to the S3 room; how many observations it made. All are of one connection.
    pub(crate) fn give(&self, reader: &mut S3Reader) -> usize {
        let mut memory = Default::default();
        let mut observed = 0;
        for (peers, asked, answered) in &self.0 {
            let mut request = asked.as_ref().map(|head| {
                let fields = borrowed(&head.fields);
                let (method, target) = head.said.as_ref().map_or(("", ""), |(a, b)| (a, b));
                let Head { time, minor_version, .. } = **head;
                let headers = Headers::new(&fields);
                let head = RequestHead { time, method, target, minor_version, headers };
                reader.request(&mut memory, *peers, &head)
            });
            let response = answered.as_ref().map(|head| {
                let fields = borrowed(&head.fields);
                let status = head.said.as_ref().err().copied().unwrap_or(0);
                let Head { time, minor_version, .. } = **head;
                let headers = Headers::new(&fields);
                let head = ResponseHead { time, status, minor_version, headers };
                reader.response(&mut memory, *peers, request.as_mut(), &head)
            });
            let (request_body_bytes, response_body_bytes) = (Some(0), Some(0));
            let exchange = Exchange { request, response, request_body_bytes, response_body_bytes };
            reader.over(&mut memory, *peers, exchange);
            observed += reader.drain().count();
        }
        observed
    }
}

fn owned(headers: Headers<'_>) -> Fields {
    headers.iter().map(|field| (field.name().to_vec(), field.value().to_vec())).collect()
}

fn borrowed(fields: &Fields) -> Vec<Field<'_>> {
    fields.iter().map(|(name, value)| Field::new(name, value)).collect()
}

impl Reader for Heads {
    type Connection = ();
    type Request = Rc<Head>;
    type Response = Rc<Head>;

    fn request_heap(_: &Rc<Head>) -> usize {
        0
    }

    fn response_heap(_: &Rc<Head>) -> usize {
        0
    }

    fn request(&mut self, (): &mut (), _: Peers, head: &RequestHead<'_>) -> Rc<Head> {
        let said = Ok((head.method.to_owned(), head.target.to_owned()));
        let RequestHead { time, minor_version, headers, .. } = *head;
        Rc::new(Head { time, minor_version, said, fields: owned(headers) })
    }

    fn response(
        &mut self,
        (): &mut (),
        _: Peers,
        _: Option<&mut Rc<Head>>,
        head: &ResponseHead<'_>,
    ) -> Rc<Head> {
        let ResponseHead { time, minor_version, status, headers } = *head;
        Rc::new(Head { time, minor_version, said: Err(status), fields: owned(headers) })
    }

    fn over(&mut self, (): &mut (), peers: Peers, exchange: Exchange<Rc<Head>, Rc<Head>>) {
        self.0.push((peers, exchange.request, exchange.response));
    }
}
