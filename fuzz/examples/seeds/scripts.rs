//! Segments for the flow room, and chunks for the HTTP room.

use crate::Seed;
use sealwatch_fuzz::http::Step;
use sealwatch_fuzz::stream::Options;
use sealwatch_fuzz::tape::Pen;

const SYN: u8 = 220;
const FIN: u8 = 205;
const RST: u8 = 235;

/// A step of the flow room: which connection and end, and its numbers.
fn segment(pen: Pen, what: u8, seq: u8, ack: u8, len: u8, flags: u8) -> Pen {
    pen.bytes(&[what, seq, ack, len, flags, 0, 0, 10])
}

fn stream() -> Vec<(&'static str, Pen)> {
    let begin = |options: u8, demands: [u8; 4]| Pen::default().bytes(&[options, 0]).bytes(&demands);
    let plain = begin(0, [0; 4]);
    let order = [(0, 0, 0, 40, 0), (1, 0, 10, 80, 0), (0, 20, 20, 40, 0), (0, 10, 20, 40, 0)];
    let reordered =
        order.iter().fold(plain.clone(), |pen, &(w, s, a, l, f)| segment(pen, w, s, a, l, f));
    let opened = segment(segment(plain.clone(), 0, 0, 255, 0, SYN), 1, 0, 0, 0, SYN);
    let ended =
        segment(segment(segment(opened, 0, 1, 0, 100, 0), 0, 26, 0, 0, FIN), 1, 0, 26, 0, FIN);
    let reset = segment(segment(plain.clone(), 0, 0, 0, 50, 0), 1, 0, 12, 9, RST);
    let differs = |pen: Pen| pen.bytes(&[0, 5, 0, 40, 0, 210, 0, 1]);
    let overlaps = differs(segment(segment(plain.clone(), 0, 0, 0, 8, 0), 0, 8, 0, 8, 0));
    let short =
        plain.clone().bytes(&[0, 0, 0, 20, 0, 0, 245, 1]).bytes(&[0, 20, 0, 9, 0, 0, 0, 240]);
    let strays = (0..3).fold(plain, |pen, n| segment(pen, 8, n * 10, 0, 40, 0));
    let skipping = (0..6).fold(begin(Options::NARROW, [200, 0, 180, 251]), |pen, n| {
        segment(pen, 0, (n ^ 1) * 10, 0, 40, 0)
    });
    let honest = (0..20).fold(begin(Options::HONEST, [0, 170, 0, 0]), |pen, n: u8| {
        pen.bytes(&[n, n * 9, 255, (n % 5) | (n << 7)])
    });
    vec![
        ("reordered", reordered),
        ("ended", ended),
        ("reset", reset),
        ("overlaps", overlaps),
        ("short", short),
        ("strays", segment(strays, 0, 0, 0, 40, 0)),
        ("skipping", skipping),
        ("honest", honest),
    ]
}

const REQUEST: u8 = Step::OPENS;
const ANSWER: u8 = Step::OPENS | Step::SERVER;

fn data(pen: Pen, kind: u8, bytes: &[u8]) -> Pen {
    pen.bytes(&[kind, bytes.len() as u8]).bytes(bytes)
}

/// A conversation, the first bytes of each end marked.
fn said(steps: &[(u8, &[u8])]) -> Pen {
    let mut begun = [false; 2];
    steps.iter().fold(Pen::default(), |pen, (kind, bytes)| {
        let end = usize::from(kind & Step::SERVER);
        let first = if std::mem::replace(&mut begun[end], true) { 0 } else { Step::FAR };
        data(pen, kind | first, bytes)
    })
}

fn http() -> Vec<(&'static str, Pen)> {
    let get: &[u8] = b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n";
    let put: &[u8] =
        b"PUT /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\nExpect: 100-continue\r\n\r\n";
    let ok: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";
    let go_on: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    let none: &[u8] = b"HTTP/1.1 204 No\r\n\r\n";
    let chunked: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;e=1\r\nhello\r\n0\r\nT: 1\r\n\r\n";
    let hello: &[u8] = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00";
    let gap = |pen: Pen, kind: u8, len: u8| pen.bytes(&[kind | Step::GAP, len - 1]);
    let lost = gap(said(&[(REQUEST, get), (ANSWER, ok), (REQUEST, put)]), 0, 40);
    let lost = gap(data(data(lost, ANSWER, none), REQUEST, get), ANSWER, 60);
    let lost = data(data(data(lost, ANSWER, ok), REQUEST, get), ANSWER, ok);
    vec![
        ("keep-alive", said(&[(REQUEST, get), (ANSWER, ok), (REQUEST, get), (ANSWER, chunked)])),
        ("pipelined", said(&[(REQUEST, &[get, get].concat()), (ANSWER, ok), (ANSWER, none)])),
        (
            "expect",
            said(&[(REQUEST, put), (ANSWER, go_on), (REQUEST, &[b'x'; 40]), (ANSWER, none)]),
        ),
        ("refused", said(&[(REQUEST, put), (ANSWER, ok), (REQUEST, get), (ANSWER, none)])),
        ("head", said(&[(REQUEST, b"HEAD / HTTP/1.1\r\n\r\n"), (ANSWER, &ok[..ok.len() - 4])])),
        (
            "connect",
            said(&[(REQUEST, b"CONNECT h:1 HTTP/1.1\r\n\r\n"), (ANSWER, none), (REQUEST, hello)]),
        ),
        (
            "upgrade",
            said(&[
                (REQUEST, b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"),
                (ANSWER, b"HTTP/1.1 101 S\r\nUpgrade: h2c\r\n\r\n"),
                (ANSWER, &[0; 9]),
            ]),
        ),
        (
            "until-close",
            said(&[
                (REQUEST, get),
                (ANSWER, b"HTTP/1.0 200 OK\r\n\r\nbody"),
                (REQUEST, get),
                (ANSWER | Step::END, none),
            ]),
        ),
        ("tls", said(&[(REQUEST, hello), (ANSWER, hello)])),
        ("http2", said(&[(REQUEST, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), (ANSWER, &[0; 9])])),
        ("other", said(&[(ANSWER, b"220 mail.example ESMTP\r\n"), (REQUEST, b"EHLO a\r\n")])),
        ("lost", lost),
    ]
}

/// All of them.
pub(crate) fn all() -> Vec<Seed> {
    let of = |target| move |(name, pen): (&str, Pen)| (target, name.to_owned(), pen.0);
    stream().into_iter().map(of("stream")).chain(http().into_iter().map(of("http"))).collect()
}
