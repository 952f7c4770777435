//! What happens when a bound bites: who has to go, that it is counted, and that nothing is paired
//! wrongly for it.

mod support;

use sealwatch::decode::{Flags, Segment};
use sealwatch::flow::{Counts, FlowTable, Limits};
use sealwatch::http::{self, Http};
use sealwatch::net::{Endpoint, FlowKey, Seq, Timestamp};
use support::listener::{Heard, Listener, fates};

/// A table, and connections to write in.
struct Wire {
    table: FlowTable<Http<Listener>>,
    millis: i64,
}

/// One connection: its endpoints, and how far both ends have sent.
#[derive(Clone, Copy)]
struct Talk {
    client: Endpoint,
    next: [u32; 2],
}

impl Talk {
    fn from(host: u8, port: u16) -> Self {
        let addr = [192, 0, 2, host].into();
        Self { client: Endpoint::new(addr, port), next: [1_000, 900_000] }
    }
}

impl Wire {
    fn new(flow: Limits, http: http::Limits) -> Self {
        Self { table: FlowTable::new(Http::new(Listener::default(), http), flow), millis: 0 }
    }

    fn send(&mut self, talk: &mut Talk, from_client: bool, flags: Flags, payload: &str) {
        self.millis += 1;
        let server = Endpoint::new([198, 51, 100, 1].into(), 80);
        let (from, to) = if from_client { (talk.client, server) } else { (server, talk.client) };
        let (flow, direction) = FlowKey::new(from, to);
        let me = usize::from(!from_client);
        self.table.segment(&Segment {
            time: Timestamp::from_nanos(self.millis * 1_000_000),
            flow,
            tunnel: None,
            direction,
            seq: Seq(talk.next[me]),
            ack: flags.has(Flags::ACK).then_some(Seq(talk.next[1 - me])),
            flags,
            payload: payload.as_bytes(),
            unseen: 0,
            missing: 0,
        });
        talk.next[me] += payload.len() as u32 + u32::from(flags.has(Flags::SYN));
        self.balance();
    }

    fn syn(&mut self, talk: &mut Talk) {
        self.send(talk, true, Flags::SYN, "");
    }

    /// A connection is made.
    fn connect(&mut self, talk: &mut Talk) {
        self.syn(talk);
        self.send(talk, false, Flags(Flags::SYN.0 | Flags::ACK.0), "");
    }

    fn asks(&mut self, talk: &mut Talk, payload: &str) {
        self.send(talk, true, Flags::ACK, payload);
    }

    fn answers(&mut self, talk: &mut Talk, payload: &str) {
        self.send(talk, false, Flags::ACK, payload);
    }

    /// Every byte has a fate, or is held.
    fn balance(&mut self) {
        let flow = self.table.counts();
        let http = self.table.consumer().counts();
        assert_eq!(flow.payload_bytes, fates(&flow, &http) + flow.unsettled_bytes);
    }

    fn counts(&self) -> Counts {
        self.table.counts()
    }

    fn heard(&mut self) -> Vec<String> {
        let text = |Heard { target, answer, .. }| {
            let or = |text: Option<String>| text.unwrap_or("-".to_owned());
            format!("{} {}", or(target), or(answer))
        };
        std::mem::take(&mut self.table.consumer().reader.heard).into_iter().map(text).collect()
    }

    fn close(mut self) -> Vec<String> {
        self.table.close();
        self.balance();
        assert_eq!((self.counts().buffered_bytes, self.counts().unsettled_bytes), (0, 0));
        self.heard()
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

fn ok(id: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nX-Id: {id}\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn connections_without_data_make_room_before_those_that_speak_http() {
    let mut wire = Wire::new(Limits { max_flows: 10, ..Limits::default() }, Default::default());
    let mut honest = Talk::from(1, 1);
    wire.syn(&mut honest);
    wire.asks(&mut honest, &get("/1"));
    for port in 0..1_000 {
        wire.syn(&mut Talk::from(2, port));
    }
    assert_eq!((wire.counts().flows_active, wire.counts().flows_evicted), (10, 991));
    wire.answers(&mut honest, &ok("1"));
    assert_eq!(wire.close(), ["/1 1"]);
}

#[test]
fn connections_in_which_nothing_was_found_make_room_before_those_that_speak_http() {
    let mut wire = Wire::new(Limits { max_flows: 10, ..Limits::default() }, Default::default());
    let mut honest = Talk::from(1, 1);
    wire.connect(&mut honest);
    wire.asks(&mut honest, &get("/1"));
    for port in 0..1_000 {
        wire.asks(&mut Talk::from(2, port), "\0something else");
    }
    wire.answers(&mut honest, &ok("1"));
    assert_eq!(wire.close(), ["/1 1"]);
}

#[test]
fn connections_that_speak_http_leave_room_for_those_that_begin() {
    let mut wire = Wire::new(Limits { max_flows: 100, ..Limits::default() }, Default::default());
    let flood = |wire: &mut Wire, ports| {
        for port in ports {
            let mut talk = Talk::from(2, port);
            wire.connect(&mut talk);
            wire.asks(&mut talk, &get("/flood"));
        }
    };
    flood(&mut wire, 0..200);
    let mut honest = Talk::from(1, 1);
    wire.connect(&mut honest);
    flood(&mut wire, 200..220);
    let request = get("/1");
    let (head, rest) = request.split_at(20);
    wire.asks(&mut honest, head);
    flood(&mut wire, 220..240);
    wire.asks(&mut honest, rest);
    wire.answers(&mut honest, &ok("1"));
    assert!(wire.close().contains(&"/1 1".to_owned()));
}

#[test]
fn a_request_on_a_connection_that_had_to_go_before_its_first_data_is_heard() {
    let mut wire = Wire::new(Limits { max_flows: 10, ..Limits::default() }, Default::default());
    let mut honest = Talk::from(1, 1);
    wire.syn(&mut honest);
    for port in 0..100 {
        wire.syn(&mut Talk::from(2, port));
    }
    wire.asks(&mut honest, &get("/1"));
    wire.answers(&mut honest, &ok("1"));
    assert_eq!(wire.close(), ["/1 1"]);
}

#[test]
fn one_source_does_not_take_the_room_of_all() {
    let limits = Limits { max_empty_per_source: 5, ..Limits::default() };
    let mut wire = Wire::new(limits, Default::default());
    for port in 0..100 {
        wire.syn(&mut Talk::from(2, port));
        wire.syn(&mut Talk::from(3, port));
        wire.answers(&mut Talk::from(3, port), "");
    }
    let Counts { flows_active, flows_evicted_by_source, flows, .. } = wire.counts();
    assert_eq!((flows_active, flows_evicted_by_source, flows), (10, 190, 200));
    assert_eq!(wire.close(), [""; 0]);
}

#[test]
fn time_outs_shorten_where_the_table_is_nearly_full() {
    for (max_flows, left) in [(200, 100), (105, 0)] {
        let mut wire = Wire::new(Limits { max_flows, ..Limits::default() }, Default::default());
        for port in 0..100 {
            wire.syn(&mut Talk::from(2, port));
        }
        wire.table.sweep(Timestamp::from_nanos(10_000_000_000));
        assert_eq!(wire.counts().flows_active, left, "{max_flows}");
    }
}

#[test]
fn who_holds_the_most_gives_it_up() {
    let limits = Limits { max_buffered_bytes: 40_000, ..Limits::default() };
    let mut wire = Wire::new(limits, Default::default());
    let mut honest = Talk::from(1, 1);
    wire.connect(&mut honest);
    wire.asks(&mut honest, &get("/1"));
    wire.asks(&mut honest, "GET /2 HTTP/1.1\r\nX-Pad");
    // A head that never ends, from many.
    for port in 0..20 {
        let mut drip = Talk::from(2, port);
        wire.asks(&mut drip, "GET / HTTP/1.1\r\n");
        for _ in 0..100 {
            wire.asks(&mut drip, &"X-Drip: drop\r\n".repeat(10));
            assert!(wire.counts().buffered_bytes <= 40_000);
        }
    }
    assert!(wire.counts().memory_bound_hits > 5);
    wire.asks(&mut honest, ": 0\r\nHost: h\r\n\r\n");
    wire.answers(&mut honest, &ok("1"));
    wire.answers(&mut honest, &ok("2"));
    assert_eq!(wire.close(), ["/1 1", "/2 2"]);
}

#[test]
fn what_is_out_of_order_in_small_pieces_counts_with_what_each_piece_costs() {
    let limits = Limits { max_connection_bytes: 100_000, ..Limits::default() };
    let mut wire = Wire::new(limits, Default::default());
    let mut talk = Talk::from(1, 1);
    wire.asks(&mut talk, &get("/1"));
    for _ in 0..2_000 {
        talk.next[0] += 1;
        wire.asks(&mut talk, "x");
        // The request waits, too.
        assert!(wire.counts().buffered_bytes <= 104_000);
    }
    assert!(wire.counts().connection_bound_hits > 0);
    assert_eq!(wire.close(), ["/1 -"]);
}

/// Requests beyond the bound are told at once, and no answer is taken for another's.
fn pipeline(limits: http::Limits) -> Vec<String> {
    let mut wire = Wire::new(Limits::default(), limits);
    let mut talk = Talk::from(1, 1);
    wire.connect(&mut talk);
    for n in 0..6 {
        wire.asks(&mut talk, &get(&format!("/{n}")));
    }
    for n in 0..3 {
        wire.answers(&mut talk, &ok(&n.to_string()));
    }
    wire.asks(&mut talk, &get("/6"));
    for n in 3..7 {
        wire.answers(&mut talk, &ok(&n.to_string()));
    }
    wire.asks(&mut talk, &get("/7"));
    wire.answers(&mut talk, &ok("7"));
    let mut heard = wire.close();
    heard.sort();
    heard
}

#[test]
fn a_pipeline_deeper_than_is_remembered_pairs_nothing_wrongly() {
    let limits = http::Limits { max_pending_exchanges: 3, ..http::Limits::default() };
    let expected =
        ["- 3", "- 4", "- 5", "/0 0", "/1 1", "/2 2", "/3 -", "/4 -", "/5 -", "/6 6", "/7 7"];
    assert_eq!(pipeline(limits), expected);
    let within: Vec<_> = (0..8).map(|n| format!("/{n} {n}")).collect();
    assert_eq!(pipeline(http::Limits::default()), within);
}

#[test]
fn a_request_that_a_pipelining_client_sent_unseen_shifts_no_answer() {
    let mut wire = Wire::new(Limits::default(), http::Limits::default());
    let mut talk = Talk::from(1, 1);
    wire.connect(&mut talk);
    wire.asks(&mut talk, &get("/0"));
    wire.asks(&mut talk, &get("/1"));
    talk.next[0] += get("/2").len() as u32;
    for n in 0..9 {
        wire.answers(&mut talk, &ok(&n.to_string()));
        // Long enough that what is missing is not waited for.
        wire.millis += 1_500;
        if n < 6 {
            wire.asks(&mut talk, &get(&format!("/{}", n + 3)));
        }
    }
    let heard = wire.close();
    for (target, answer) in heard.iter().filter_map(|line| line.split_once(' ')) {
        let wrong = target != "-" && answer != "-" && target != format!("/{answer}");
        assert!(!wrong, "{heard:?}");
    }
    for sure in ["/0 0", "/1 1", "- 2"] {
        assert!(heard.contains(&sure.to_owned()), "{sure}: {heard:?}");
    }
}

#[test]
fn answers_to_requests_that_were_forgotten_have_a_body_only_if_these_were_not_head() {
    let limits = http::Limits { max_pending_exchanges: 1, ..http::Limits::default() };
    let answer = |id: &str, length: usize| {
        format!("HTTP/1.1 200 OK\r\nX-Id: {id}\r\nContent-Length: {length}\r\n\r\n")
    };
    for (methods, last) in [("GGG", "/4 4"), ("GHH", "/4 4"), ("GHG", "/4 -"), ("GGH", "/4 -")] {
        let mut wire = Wire::new(Limits::default(), limits);
        let mut talk = Talk::from(1, 1);
        wire.connect(&mut talk);
        for (n, method) in methods.chars().enumerate() {
            let head = get(&format!("/{n}"));
            wire.asks(&mut talk, &if method == 'H' { head.replace("GET", "HEAD") } else { head });
        }
        let mut answers = String::new();
        for (n, method) in methods.chars().enumerate() {
            // As long as another answer.
            let length = if n == 0 { 0 } else { answer("3", 0).len() };
            answers += &answer(&n.to_string(), length);
            if method == 'G' {
                answers += &answer("false", 0)[..length.min(answer("false", 0).len())];
                answers += &"x".repeat(length.saturating_sub(answer("false", 0).len()));
            }
        }
        wire.answers(&mut talk, &answers);
        wire.asks(&mut talk, &get("/4"));
        wire.answers(&mut talk, &ok("4"));
        let heard = wire.close();
        assert!(!heard.iter().any(|line| line.contains("false")), "{methods}: {heard:?}");
        let found = heard.iter().find(|line| line.starts_with("/4"));
        assert_eq!(found.map(String::as_str), Some(last), "{methods}: {heard:?}");
    }
}

#[test]
fn after_a_loss_in_a_pipeline_answers_stay_unpaired_until_all_can_have_come() {
    let mut wire = Wire::new(Limits::default(), http::Limits::default());
    // The beginning of the server's direction is not captured.
    let mut talk = Talk::from(1, 1);
    wire.syn(&mut talk);
    for n in 0..3 {
        wire.asks(&mut talk, &get(&format!("/{n}")));
    }
    wire.answers(&mut talk, &ok("0"));
    wire.asks(&mut talk, &get("/3"));
    for n in 1..4 {
        wire.answers(&mut talk, &ok(&n.to_string()));
    }
    wire.asks(&mut talk, &get("/4"));
    wire.answers(&mut talk, &ok("4"));
    let mut heard = wire.close();
    heard.sort();
    assert_eq!(heard, ["- 0", "- 1", "- 2", "- 3", "/0 -", "/1 -", "/2 -", "/3 -", "/4 4"]);
}

#[test]
fn answers_after_a_loss_are_not_paired_where_requests_were_forgotten() {
    let limits = http::Limits { max_pending_exchanges: 2, ..http::Limits::default() };
    let mut wire = Wire::new(Limits::default(), limits);
    let mut talk = Talk::from(1, 1);
    wire.connect(&mut talk);
    for n in 0..4 {
        wire.asks(&mut talk, &get(&format!("/{n}")));
    }
    wire.answers(&mut talk, &ok("0"));
    // The answers to 1 and 2 are not captured.
    talk.next[1] += 2 * ok("1").len() as u32;
    wire.answers(&mut talk, &ok("3"));
    wire.asks(&mut talk, &get("/4"));
    wire.answers(&mut talk, &ok("4"));
    let heard = wire.close();
    for (target, answer) in heard.iter().filter_map(|line| line.split_once(' ')) {
        let wrong = target != "-" && answer != "-" && target != format!("/{answer}");
        assert!(!wrong, "{heard:?}");
    }
    assert!(heard.contains(&"/0 0".to_owned()) && heard.contains(&"- 4".to_owned()), "{heard:?}");
}

#[test]
fn exchanges_that_were_given_up_for_memory_are_told_and_later_answers_stay_without_a_request() {
    let limits = Limits { max_buffered_bytes: 50_000, ..Limits::default() };
    let mut wire = Wire::new(limits, Default::default());
    let mut greedy = Talk::from(2, 1);
    wire.connect(&mut greedy);
    let mut sent = 0;
    while wire.counts().memory_bound_hits == 0 {
        wire.asks(&mut greedy, &get(&format!("/{sent}")));
        sent += 1;
    }
    for n in 0..sent {
        wire.answers(&mut greedy, &ok(&n.to_string()));
    }
    wire.asks(&mut greedy, &get("/last"));
    wire.answers(&mut greedy, &ok("last"));
    let heard = wire.close();
    assert_eq!(heard.len(), 2 * sent + 1);
    assert_eq!(heard[0], "/0 -");
    assert_eq!(heard[sent], "- 0");
    assert_eq!(heard[2 * sent], "/last last");
}

#[test]
fn heads_over_their_bounds_are_counted_and_the_next_message_is_heard() {
    let limits =
        http::Limits { max_head_bytes: 2_000, max_header_fields: 20, ..http::Limits::default() };
    let mut wire = Wire::new(Limits::default(), limits);
    let mut talk = Talk::from(1, 1);
    wire.connect(&mut talk);
    let head = |path: &str, fields: usize, length: usize| {
        let field = format!("X: {}\r\n", "y".repeat(length));
        format!("GET {path} HTTP/1.1\r\n{}\r\n", field.repeat(fields))
    };
    for (n, (fields, length)) in
        [(19, 10), (21, 10), (3, 500), (10, 300), (20, 10)].into_iter().enumerate()
    {
        wire.asks(&mut talk, &head(&format!("/{n}"), fields, length));
        wire.answers(&mut talk, &ok(&n.to_string()));
    }
    let http = wire.table.consumer().counts();
    assert_eq!((http.heads_too_long, http.heads_with_too_many_fields), (1, 1));
    assert_eq!(wire.close(), ["/0 0", "- 1", "/2 2", "- 3", "/4 4"]);
}

#[test]
fn what_was_acknowledged_and_not_captured_is_missing_also_where_nothing_else_was_seen() {
    let mut wire = Wire::new(Limits::default(), http::Limits::default());
    let mut talk = Talk::from(1, 1);
    wire.connect(&mut talk);
    talk.next[1] += 700;
    wire.asks(&mut talk, "");
    wire.table.sweep(Timestamp::from_nanos(1_000_000_000_000));
    assert_eq!((wire.counts().gap_bytes, wire.counts().flows_active), (700, 0));
    // A handshake misses nothing.
    let mut talk = Talk::from(1, 2);
    wire.connect(&mut talk);
    wire.asks(&mut talk, "");
    wire.table.sweep(Timestamp::from_nanos(2_000_000_000_000));
    assert_eq!(wire.counts().gap_bytes, 700);
}
