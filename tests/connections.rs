//! Single connections, written packet by packet: what is heard of each.

mod support;

use support::listener::{gaps, listen_for};
use support::script::Script;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
}

fn put(path: &str, length: usize, more: &str) -> String {
    format!("PUT {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n{more}\r\n")
}

fn ok(id: &str, body: &str) -> String {
    let padding = "0123456789".repeat(20);
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nX-Id: {id}\r\nX-Pad: {padding}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn keep_alive() {
    let script =
        Script::opened().c(get("/1")).s(ok("1", "abc")).c(get("/2")).s(ok("2", "")).c_fin().s_fin();
    assert_eq!(script.hear(), ["/1(0) 1(3)", "/2(0) 2(0)"]);
}

#[test]
fn joined_in_the_middle_of_a_body() {
    let script = Script::joined().s("rest of a body").c(get("/1")).s(ok("1", "abc"));
    assert_eq!(script.hear(), ["/1(0) 1(3)"]);
}

#[test]
fn what_waits_for_lost_bytes_is_heard_though_nothing_follows() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-Id: 1\r\n\r\n12345";
    let script =
        Script::opened().c(get("/1")).s(head).lose().s("67890").c(get("/2")).s(ok("2", ""));
    assert_eq!(listen_for(&script.packets, 0), []);
    let targets: Vec<_> = listen_for(&script.packets, 5).into_iter().map(|h| h.target).collect();
    assert_eq!(targets, [Some("/1".to_owned()), Some("/2".to_owned())]);
}

#[test]
fn pipelined() {
    let script = Script::opened()
        .c(get("/1") + &get("/2") + &get("/3"))
        .s(ok("1", "a") + &ok("2", "bc"))
        .s(ok("3", "d"));
    assert_eq!(script.hear(), ["/1(0) 1(1)", "/2(0) 2(2)", "/3(0) 3(1)"]);
}

#[test]
fn pipelined_with_a_lost_answer_pairs_nothing_by_guess() {
    let script = Script::opened()
        .c(get("/1"))
        .c(get("/2"))
        .c(get("/3"))
        .lose()
        .s(ok("1", "a"))
        .s(ok("2", "b"))
        .s(ok("3", "c"))
        .c("");
    for heard in script.hear() {
        assert!(heard.starts_with('-') || heard.ends_with('-'), "paired: {heard}");
    }
}

#[test]
fn a_lost_answer_does_not_shift_the_next_ones() {
    let script = Script::opened()
        .c(get("/1"))
        .lose()
        .s(ok("1", "a"))
        .c(get("/2"))
        .s(ok("2", "b"))
        .c(get("/3"))
        .s(ok("3", "c"));
    assert_eq!(script.hear(), ["/1(0) -", "/2(0) 2(1)", "/3(0) 3(1)"]);
}

#[test]
fn a_lost_request_does_not_shift_the_next_ones() {
    let script = Script::opened()
        .c(get("/1"))
        .s(ok("1", "a"))
        .lose()
        .c(get("/2"))
        .s(ok("2", "b"))
        .c(get("/3"))
        .s(ok("3", "c"));
    assert_eq!(script.hear(), ["/1(0) 1(1)", "- 2(1)", "/3(0) 3(1)"]);
}

#[test]
fn a_gap_inside_a_body_costs_nothing() {
    let script = Script::opened()
        .c(put("/1", 3000, ""))
        .c([b'x'; 1000])
        .lose()
        .c([b'x'; 1000])
        .c([b'x'; 1000])
        .s(ok("1", ""))
        .c(get("/2"))
        .s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(3000) 1(0)", "/2(0) 2(0)"]);
}

#[test]
fn a_gap_beyond_a_body_is_relocked_behind() {
    let script = Script::opened()
        .c(put("/1", 3000, ""))
        .c([b'x'; 1000])
        .lose()
        .c([b'x'; 2000])
        .s(ok("1", ""))
        .lose()
        .c(get("/2"))
        .s(ok("2", ""))
        .c(get("/3"))
        .s(ok("3", ""));
    assert_eq!(script.hear(), ["/1(3000) 1(0)", "- 2(0)", "/3(0) 3(0)"]);
}

#[test]
fn text_of_messages_in_a_body_whose_head_was_lost_never_counts() {
    let script = Script::opened()
        .c(get("/1"))
        .s(ok("1", ""))
        .c("")
        .lose()
        .c(put("/2", 200, ""))
        .c(get("/false"))
        .c(get("/false"))
        .s(ok("2", ""))
        .c(get("/3"))
        .lose()
        .s("HTTP/1.1 200 OK\r\nX-Id: 3\r\nContent-Length: 9999\r\n\r\n")
        .s(ok("false", ""))
        .s(ok("false", ""))
        .c(get("/4"))
        .s(ok("4", ""));
    assert_eq!(script.hear(), ["/1(0) 1(0)", "- 2(0)", "/3(0) -", "/4(0) 4(0)"]);
}

#[test]
fn the_first_answer_after_a_request_of_unknown_end_is_its_answer() {
    let head = "PUT /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let script = Script::opened()
        .c(get("/1"))
        .lose()
        .s(ok("1", ""))
        .c(head)
        .lose()
        .c("1\r\nx\r\n0\r\n\r\n")
        .s(ok("2", ""))
        .c(get("/3"))
        .s(ok("3", ""));
    assert_eq!(script.hear(), ["/1(0) -", "/2(?) 2(0)", "/3(0) 3(0)"]);
    // What it was told before is no answer.
    let script = Script::opened()
        .c(get("/1"))
        .lose()
        .s(ok("1", ""))
        .c(head.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"))
        .s("HTTP/1.1 100 Continue\r\n\r\n")
        .lose()
        .c("1\r\nx\r\n0\r\n\r\n")
        .s(ok("2", ""))
        .c(get("/3"))
        .s(ok("3", ""));
    assert_eq!(script.hear(), ["/1(0) -", "/2(?) 2(0)", "/3(0) 3(0)"]);
}

#[test]
fn after_a_loss_a_request_looks_like_one_also_where_it_comes_in_pieces() {
    let script = || Script::opened().c(get("/1")).s(ok("1", "")).lose().c(get("/2")).s(ok("2", ""));
    let expected = ["/1(0) 1(0)", "- 2(0)"];
    assert_eq!(script().c("I /false HTTP/1.1\r\nHost: h\r\n\r\n").hear(), expected);
    assert_eq!(script().c("I").c(" /false HTTP/1.1\r\nHost: h\r\n\r\n").hear(), expected);
}

#[test]
fn what_is_left_of_a_body_behind_a_loss_is_no_beginning_of_the_next_request() {
    let script = Script::opened().lose().c(put("/1", 6, "")).lose().s(ok("0", "")).c("GET /f");
    let script = script.s(ok("1", "")).c(get("/2")).s(ok("2", ""));
    assert_eq!(script.hear(), ["- 1(0)", "/2(0) 2(0)"]);
}

#[test]
fn what_may_be_a_body_or_the_next_request_is_neither() {
    // The first answer may be to a request that was sent before the capture: it is not known whether
    // the body was refused.
    let expect = put("/2", 2, "Expect: 100-continue\r\n");
    let script = Script::joined().c(get("/1")).c(expect).s(ok("1", "")).s(ok("2", ""));
    let script = script.c(put("/3", 0, "")).s(ok("3", "")).c(get("/4")).s(ok("4", ""));
    let heard = script.hear();
    assert!(heard.iter().all(|one| !one.starts_with("/3")), "{heard:?}");
    assert!(heard.iter().any(|one| one.starts_with("/4")), "{heard:?}");
}

#[test]
fn what_is_left_of_a_method_behind_a_loss_is_no_method() {
    let rest = get("/false").replace("GET", "ELETE");
    let joined = Script::joined().c(&rest).s(ok("1", "")).c(get("/2")).s(ok("2", ""));
    assert_eq!(joined.hear(), ["- 1(0)", "/2(0) 2(0)"]);
    let alone = |method: &str| {
        let (lost, rest) = method.split_once('|').expect("cut");
        let script = Script::opened().c(get("/1")).lose().s(ok("1", "")).lose().c(lost);
        let script = script.c(get("/2").replace("GET", rest)).lose().s(ok("2", ""));
        script.c(get("/3")).hear()
    };
    for method in ["HE|AD", "P|UT", "DELE|TE", "PROP|PATCH", "UN|LOCK"] {
        assert_eq!(alone(method), ["/1(0) -", "/3(0) -"], "{method}");
    }
    assert_eq!(alone("x|GET"), ["/1(0) -", "/2(0) -", "/3(0) -"]);
}

#[test]
fn a_method_that_may_be_what_is_left_of_another_is_read_where_it_takes_a_turn() {
    let patch = get("/2").replace("GET", "PATCH");
    let script = Script::opened().c(get("/1")).lose().c(get("/x")).s(ok("1", ""));
    assert_eq!(script.c(patch).s(ok("2", "")).hear()[1..], ["/2(0) 2(0)"]);
}

#[test]
fn one_side_only() {
    let script = Script::opened().c(get("/1")).s(ok("1", "abc")).c(get("/2")).s(ok("2", ""));
    assert_eq!(script.hear_one_side(true), ["/1(0) -", "/2(0) -"]);
    assert_eq!(script.hear_one_side(false), ["- 1(3)", "- 2(0)"]);
}

#[test]
fn answers_to_unseen_head_requests_have_no_body() {
    let head = "HTTP/1.1 200 OK\r\nX-Id: 1\r\nContent-Length: 500\r\n\r\n";
    let script = Script::opened().c("x").s(head).c("x").s(ok("2", "abc"));
    assert_eq!(script.hear_one_side(false), ["- 1(0)", "- 2(3)"]);
}

#[test]
fn head_has_no_body_whatever_its_answer_says() {
    let script = Script::opened()
        .c("HEAD /1 HTTP/1.1\r\nHost: h\r\n\r\n")
        .s("HTTP/1.1 200 OK\r\nX-Id: 1\r\nContent-Length: 500\r\n\r\n")
        .c(get("/2"))
        .s("HTTP/1.1 304 Not Modified\r\nX-Id: 2\r\nContent-Length: 500\r\n\r\n")
        .c(get("/3"))
        .s("HTTP/1.1 204 No Content\r\nX-Id: 3\r\n\r\n")
        .c(get("/4"))
        .s(ok("4", ""));
    assert_eq!(script.hear(), ["/1(0) 1(0)", "/2(0) 2(0)", "/3(0) 3(0)", "/4(0) 4(0)"]);
}

#[test]
fn what_follows_leave_to_go_on_with_an_unseen_request_is_no_request() {
    // Of the request that was told to go on nothing was captured, nor of the answer before it.
    for leave in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 102 Processing\r\n\r\n"] {
        let script = Script::opened().c(get("/1")).lose().s(ok("1", ""));
        let script = script.lose().c(put("/2", 90, "Expect: 100-continue\r\n")).s(leave);
        let script = script.c(get("/false")).c(get("/false")).c(get("/false")).s(ok("2", ""));
        let heard = script.c(get("/3")).s(ok("3", "")).hear();
        assert_eq!(heard, ["/1(0) -", "- 2(0)", "/3(0) 3(0)"], "{leave}");
    }
}

#[test]
fn what_is_missing_and_as_long_as_a_body_that_may_not_have_come_is_not_taken_for_it() {
    // Its refusal was captured in part; the next request is missing, and its body looks like one.
    let next = put("/2", 30, "");
    let refusal = ok("no", "");
    let (head, rest) = refusal.split_at(200);
    let expect = "Expect: 100-continue\r\n";
    let script = Script::opened().c(put("/1", next.len(), expect)).s(head).lose().s(rest);
    let script = script.lose().c(&next).c(get("/false")).s(ok("2", ""));
    let heard = script.c(get("/3")).s(ok("3", "")).hear();
    assert!(!heard.iter().any(|heard| heard.contains("false")), "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("/3(0) 3(0)"));
}

#[test]
fn a_body_behind_a_missing_request_that_replaced_a_refused_body_is_no_request() {
    let refusal = ok("no", "");
    let (head, rest) = refusal.split_at(200);
    let expect = "Expect: 100-continue\r\n";
    let script = Script::opened().c(put("/1", 500, expect)).s(head).lose().s(rest);
    let script = script.lose().c(put("/2", 60, "")).c(get("/false")).c(get("/false"));
    let heard = script.s(ok("2", "")).c(get("/3")).s(ok("3", "")).hear();
    assert!(!heard.iter().any(|heard| heard.contains("false")), "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("/3(0) 3(0)"));
}

#[test]
fn a_body_that_was_asked_for_behind_a_refused_one_is_no_request() {
    // Of the refusal the beginning was captured, of the next request nothing.
    let refusal = ok("no", &"x".repeat(300));
    let (head, rest) = refusal.split_at(200);
    let expect = "Expect: 100-continue\r\n";
    let script = Script::opened().c(put("/1", 500, expect)).s(head).lose().s(rest);
    let script = script.lose().c(put("/2", 60, expect)).s("HTTP/1.1 100 Continue\r\n\r\n");
    let script = script.c(get("/false")).c(get("/false")).s(ok("2", ""));
    let heard = script.c(get("/3")).s(ok("3", "")).hear();
    assert!(!heard.iter().any(|heard| heard.contains("false")), "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("/3(0) 3(0)"));
}

#[test]
fn expect_continue_in_all_its_endings() {
    let expect = "Expect: 100-continue\r\n";
    let refused = "HTTP/1.1 403 Forbidden\r\nX-Id: no\r\nContent-Length: 2\r\n\r\nno";
    // Told to go on.
    let script = Script::opened()
        .c(put("/1", 5, expect))
        .s("HTTP/1.1 100 Continue\r\n\r\n")
        .c("hello")
        .s(ok("1", ""));
    assert_eq!(script.hear(), ["/1(5) 1(0)"]);
    // Not told, went on.
    let script = Script::opened().c(put("/1", 5, expect)).c("hello").s(ok("1", ""));
    assert_eq!(script.hear(), ["/1(5) 1(0)"]);
    // Refused: the body never comes, the next request does.
    let script = Script::opened().c(put("/1", 5000, expect)).s(refused).c(get("/2")).s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(0) no(2)", "/2(0) 2(0)"]);
    // Refused, and the next request comes in small pieces.
    let script = Script::opened()
        .c(put("/1", 5000, expect))
        .s(refused)
        .c("GE")
        .c("T /2 HTTP/1.1\r\nHo")
        .c("st: h\r\n\r\n")
        .s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(0) no(2)", "/2(0) 2(0)"]);
    // Refused while the body was on its way.
    let script =
        Script::opened().c(put("/1", 5, expect)).c("GET /").s(refused).c(get("/2")).s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(5) no(2)", "/2(0) 2(0)"]);
    // The refusal was not captured.
    let script = Script::opened()
        .c(put("/1", 5000, expect))
        .lose()
        .s(ok("no", ""))
        .c(get("/2"))
        .s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(0) -", "/2(0) 2(0)"]);
    // Nor was the next request; perhaps its answer.
    for captured in [true, false] {
        let script = Script::opened()
            .c(put("/1", 5000, expect))
            .lose()
            .s(ok("no", ""))
            .lose()
            .c(get("/2"))
            .s(ok("2", ""))
            .edit(|packets| drop(packets.split_off(packets.len() - usize::from(!captured))))
            .c(get("/3"))
            .s(ok("3", ""))
            .c(get("/4"))
            .s(ok("4", ""));
        assert_eq!(script.hear(), ["/1(?) -", "/3(0) 3(0)", "/4(0) 4(0)"]);
    }
    // An answer that may be to it, or to a request that was not captured.
    let script = Script::opened()
        .c(put("/1", 5000, expect))
        .lose()
        .s(ok("no", ""))
        .c("")
        .lose()
        .c(get("/2"))
        .s("")
        .s(ok("2", ""))
        .c(get("/3"))
        .s(ok("3", ""))
        .c(get("/4"))
        .s(ok("4", ""));
    assert_eq!(script.hear(), ["/1(?) -", "- 2(0)", "/3(0) 3(0)", "/4(0) 4(0)"]);
    // The interim response was not captured; the body looks like a request.
    let body = get("/false");
    let script = Script::opened()
        .c(put("/1", body.len(), expect))
        .lose()
        .s("HTTP/1.1 100 Continue\r\n\r\n")
        .c(&body)
        .s(ok("1", ""));
    assert_eq!(script.hear(), [format!("/1({}) 1(0)", body.len())]);
}

#[test]
fn an_answer_before_the_end_of_the_request() {
    let script = Script::opened()
        .c(put("/1", 10, ""))
        .s(ok("1", ""))
        .c("0123456789")
        .c(get("/2"))
        .s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(10) 1(0)", "/2(0) 2(0)"]);
}

#[test]
fn chunked_with_extensions_trailers_and_a_gap_inside_a_chunk() {
    let head = "HTTP/1.1 200 OK\r\nX-Id: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let script = Script::opened()
        .c(get("/1"))
        .s(head)
        .s("bb8;e=\"x\"\r\n")
        .s([b'x'; 1000])
        .lose()
        .s([b'x'; 1000])
        .s([b'x'; 1000])
        .s("\r\n0\r\nX-Trailer: t\r\n\r\n")
        .c(get("/2"))
        .s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(0) 1(3000)", "/2(0) 2(0)"]);
}

#[test]
fn a_body_until_the_end_of_the_connection() {
    let head = "HTTP/1.0 200 OK\r\nX-Id: 1\r\n\r\n";
    let script = Script::opened().c(get("/1")).s(head).s("HTTP/1.1 200 in a body").s_fin().c_fin();
    assert_eq!(script.hear(), ["/1(0) 1(22)"]);
    // A server that goes on all the same.
    let script = Script::opened().c(get("/1")).s(head).s("body").c(get("/2")).s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(0) 1(4)", "/2(0) 2(0)"]);
}

#[test]
fn connect_and_upgrade_end_http() {
    let script = Script::opened()
        .c("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n")
        .s("HTTP/1.1 200 Connected\r\nX-Id: 1\r\n\r\n")
        .c(get("/inside"))
        .s(ok("inside", ""));
    assert_eq!(script.hear(), ["h:443(0) 1(0)"]);
    let script = Script::opened()
        .c("GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n")
        .s("HTTP/1.1 101 Switching Protocols\r\nX-Id: 1\r\nUpgrade: websocket\r\n\r\n")
        .c("\x01\x02")
        .s("\x01\x02");
    assert_eq!(script.hear(), ["/ws(0) 1(0)"]);
    // Refused: HTTP goes on.
    let script = Script::opened()
        .c("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n")
        .s("HTTP/1.1 403 No\r\nX-Id: 1\r\nContent-Length: 0\r\n\r\n")
        .c(get("/2"))
        .s(ok("2", ""));
    assert_eq!(script.hear(), ["h:443(0) 1(0)", "/2(0) 2(0)"]);
}

#[test]
fn a_new_connection_on_the_same_ports() {
    let script = Script::opened().c(get("/1")).handshake().c(get("/2")).s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(0) -", "/2(0) 2(0)"]);
    // After a proper end.
    let script = Script::opened()
        .c(get("/1"))
        .s(ok("1", ""))
        .c_fin()
        .s_fin()
        .handshake()
        .c(get("/2"))
        .s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(0) 1(0)", "/2(0) 2(0)"]);
}

#[test]
fn a_new_connection_whose_handshake_was_not_captured() {
    let old = Script::opened().c(get("/1")).s(ok("1", ""));
    let count = old.packets.len();
    let script = old
        .edit(|_| {})
        .handshake()
        .c(get("/2"))
        .s(ok("2", ""))
        .c(get("/3"))
        .s(ok("3", ""))
        .edit(|packets| drop(packets.drain(count..count + 3)));
    // Far away in sequence numbers: the second segment confirms the first.
    let moved = script.edit(|packets| {
        for packet in &mut packets[count..] {
            let (seq, ack) =
                if packet.from_client { (1 << 30, 3 << 29) } else { (3 << 29, 1 << 30) };
            packet.seq = packet.seq.wrapping_add(seq);
            packet.ack = packet.ack.map(|a| a.wrapping_add(ack));
        }
    });
    assert_eq!(moved.hear(), ["/1(0) 1(0)", "/2(0) 2(0)", "/3(0) 3(0)"]);
}

#[test]
fn a_new_connection_after_a_reset_one_of_which_one_side_was_captured() {
    let one_side = |packets: &mut Vec<_>| {
        packets.retain(|packet: &support::conversation::Packet| !packet.from_client);
    };
    let script = Script::opened().c(get("/1")).s(ok("1", "")).s_rst().edit(one_side);
    let script = script.handshake().c(get("/2")).s(ok("2", ""));
    assert_eq!(script.hear(), ["- 1(0)", "/2(0) 2(0)"]);
}

#[test]
fn a_reset_ends_and_what_it_overtook_is_heard() {
    let script = Script::opened().c(get("/1")).s_rst().edit(|packets| {
        let last = packets.len() - 1;
        packets.swap(last, last - 1);
    });
    assert_eq!(script.hear(), ["/1(0) -"]);
    // A made-up reset: the connection goes on.
    let script =
        Script::opened().c(get("/1")).s_rst().s(ok("1", "")).wait(30).c(get("/2")).s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(0) 1(0)", "/2(0) 2(0)"]);
}

#[test]
fn repeated_segments_after_the_end_are_no_new_connection() {
    let script = Script::opened().c(get("/1")).s(ok("1", "")).c_fin().s_fin().edit(|packets| {
        let again = packets[3].clone();
        packets.push(again);
    });
    assert_eq!(script.hear(), ["/1(0) 1(0)"]);
}

#[test]
fn nothing_is_missing_behind_the_end() {
    let script =
        Script::opened().c(get("/1")).s(ok("1", "")).c_fin().s_fin().c("far").edit(|packets| {
            let last = packets.len() - 1;
            packets[last].seq = packets[last].seq.wrapping_add(1000);
        });
    assert_eq!((script.hear(), gaps(&script.packets)), (vec!["/1(0) 1(0)".to_owned()], 0));
}

#[test]
fn a_keep_alive_probe_is_no_data() {
    let script = Script::opened().c(get("/1")).s(ok("1", "")).c("x").edit(|packets| {
        let last = packets.len() - 1;
        packets[last].seq = packets[last].seq.wrapping_sub(1);
    });
    assert_eq!(script.hear(), ["/1(0) 1(0)"]);
}

#[test]
fn silence_ends_a_connection() {
    let script = Script::opened().c(get("/1")).wait(700).s(ok("1", "")).c(get("/2")).s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(0) -", "- 1(0)", "/2(0) 2(0)"]);
}

#[test]
fn acknowledgements_that_overtake_data() {
    // Every packet of the server comes before the client's that it answers.
    let script = Script::opened().c(get("/1")).s(ok("1", "abc")).c(get("/2")).s(ok("2", "")).edit(
        |packets| {
            packets.swap(3, 4);
            packets.swap(5, 6);
        },
    );
    assert_eq!(script.hear(), ["/1(0) 1(3)", "/2(0) 2(0)"]);
}

/// The packet at `from` comes last of all.
fn late(script: Script, from: usize) -> Script {
    script.edit(|packets| {
        let packet = packets.remove(from);
        packets.push(packet);
    })
}

#[test]
fn what_comes_several_turns_late_behind_a_hole_is_heard() {
    let answer = Script::opened()
        .c(get("/1"))
        .lose()
        .s(ok("1", "a"))
        .c(get("/2"))
        .s(ok("2", "b"))
        .c(get("/3"))
        .s(ok("3", "c"))
        .c(get("/4"))
        .s(ok("4", "d"));
    assert_eq!(late(answer, 5).hear(), ["/1(0) -", "/2(0) 2(1)", "/3(0) 3(1)", "/4(0) 4(1)"]);
    let request = Script::opened()
        .c(get("/1"))
        .s(ok("1", "a"))
        .lose()
        .c(get("/2"))
        .s(ok("2", "b"))
        .c(get("/3"))
        .s(ok("3", "c"))
        .c(get("/4"))
        .s(ok("4", "d"))
        .c(get("/5"));
    let heard = ["/1(0) 1(1)", "- 2(1)", "/3(0) 3(1)", "/4(0) 4(1)", "/5(0) -"];
    assert_eq!(late(request, 6).hear(), heard);
    // In place of a body that was refused.
    let refused = Script::opened()
        .c(put("/1", 5000, "Expect: 100-continue\r\n"))
        .s("HTTP/1.1 403 Forbidden\r\nX-Id: no\r\nContent-Length: 0\r\n\r\n")
        .c(get("/2"))
        .s(ok("2", ""))
        .c(get("/3"))
        .s(ok("3", ""))
        .c(get("/4"))
        .s(ok("4", ""));
    let heard = ["/1(0) no(0)", "/2(0) 2(0)", "/3(0) 3(0)", "/4(0) 4(0)"];
    assert_eq!(late(refused, 5).hear(), heard);
}

#[test]
fn an_answer_that_was_only_acknowledged_gives_the_turn_to_the_next_request() {
    // The server acknowledges before it answers. Both answer and request are lost.
    let script = Script::opened()
        .c(get("/1"))
        .s(ok("1", ""))
        .lose()
        .c(get("/2"))
        .s("")
        .lose()
        .s(ok("2", ""))
        .c("")
        .c(get("/3"))
        .s(ok("3", ""));
    assert_eq!(script.hear(), ["/1(0) 1(0)", "/3(0) 3(0)"]);
    // The other way round: the client acknowledges before it asks again.
    let script = Script::opened()
        .c(get("/1"))
        .s(ok("1", ""))
        .lose()
        .c(get("/2"))
        .lose()
        .s(ok("2", ""))
        .c("")
        .c(get("/3"))
        .s(ok("3", ""));
    assert_eq!(script.hear(), ["/1(0) 1(0)", "/3(0) 3(0)"]);
    // But the text of a request in a body that came after an interim response does not count.
    let script = Script::opened()
        .c(get("/1"))
        .s(ok("1", ""))
        .lose()
        .c(put("/2", 100, "Expect: 100-continue\r\n"))
        .lose()
        .s("HTTP/1.1 100 Continue\r\n\r\n")
        .c("")
        .c(get("/false"))
        .s(ok("2", ""))
        .c(get("/3"))
        .s(ok("3", ""));
    assert_eq!(script.hear(), ["/1(0) 1(0)", "- 2(0)", "/3(0) 3(0)"]);
}

#[test]
fn what_was_overtaken_where_a_connection_is_joined_is_heard() {
    let script = Script::joined()
        .s("")
        .c(put("/1", 4, ""))
        .c("body")
        .s(ok("1", ""))
        .c(get("/2"))
        .s(ok("2", ""))
        .edit(|packets| packets.swap(1, 2));
    assert_eq!(script.hear(), ["/1(4) 1(0)", "/2(0) 2(0)"]);
}

#[test]
fn other_protocols_are_no_http() {
    for bytes in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "220 mail.example ESMTP\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "OPTIONS rtsp://h/ RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    ] {
        let script = Script::opened().c(bytes).s(bytes).c(get("/false")).s(ok("false", ""));
        assert_eq!(script.hear(), [""; 0], "{bytes:?}");
    }
}

/// Headers of the PROXY protocol, versions 1 and 2.
fn proxy_headers() -> [Vec<u8>; 4] {
    let binary = |rest: &[u8]| [b"\r\n\r\n\0\r\nQUIT\n", rest].concat();
    [
        b"PROXY TCP4 198.51.100.7 192.0.2.2 56324 80\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        binary(b"\x20\0\0\0"),
        binary(
            b"\x21\x11\0\x1c\xc6\x33\x64\x07\xc0\0\x02\x02\xdc\x04\0\x50\x04\0\x0dGET / HTTP/1.",
        ),
    ]
}

#[test]
fn a_header_of_the_proxy_protocol_is_passed_over_wherever_it_is_cut() {
    let heard = ["/1(3) 1(0)", "/2(0) 2(0)"];
    for header in proxy_headers() {
        let more = [&header[..], put("/1", 3, "").as_bytes(), b"abc"].concat();
        let end =
            |script: Script| script.s(ok("1", "")).c(get("/2")).s(ok("2", "")).c_fin().s_fin();
        for cut in 0..more.len() {
            let (first, second) = more.split_at(cut);
            let script = end(Script::opened().c(first).c(second));
            assert_eq!(script.hear(), heard, "{} at {cut}", header.escape_ascii());
        }
        let single = more.iter().fold(Script::opened(), |script, byte| script.c([*byte]));
        assert_eq!(end(single).hear(), heard, "{}", header.escape_ascii());
    }
}

#[test]
fn a_header_of_the_proxy_protocol_is_none_but_where_a_connection_begins() {
    for header in proxy_headers() {
        let hear = |script: Script| script.s(ok("2", "")).c(get("/3")).s(ok("3", "")).hear();
        let twice = [&header[..], &header, get("/2").as_bytes()].concat();
        let heard = hear(Script::opened().c(&twice));
        assert!(!heard.iter().any(|heard| heard.starts_with("/2")), "twice: {heard:?}");
        let later = [&header[..], get("/2").as_bytes()].concat();
        let heard = hear(Script::opened().c(get("/1")).s(ok("1", "")).c(&later));
        assert_eq!(heard[0], "/1(0) 1(0)");
        assert!(!heard.iter().any(|heard| heard.starts_with("/2")), "later: {heard:?}");
        let heard = hear(Script::joined().c(&later));
        assert!(!heard.iter().any(|heard| heard.starts_with("/2")), "joined: {heard:?}");
    }
}

#[test]
fn what_is_missing_of_a_header_of_the_proxy_protocol_is_known_where_its_length_is() {
    let [.., header] = proxy_headers();
    for from in 16..header.len() {
        for to in from..=header.len() {
            let script = Script::opened().c(&header[..from]).lose().c(&header[from..to]);
            let script = script.c([&header[to..], get("/1").as_bytes()].concat());
            let script = script.s(ok("1", "")).c(get("/2")).s(ok("2", ""));
            assert_eq!(script.hear(), ["/1(0) 1(0)", "/2(0) 2(0)"], "{from}..{to}");
        }
    }
}

#[test]
fn a_request_that_begins_like_a_header_of_the_proxy_protocol_is_one() {
    for method in ["PROXY", "PROPFIND", "PROX", "P", "\r\nPUT", "\r\n\r\nGET"] {
        for target in ["/1", "UNKNOWN"] {
            let head = get(target).replace("GET", method);
            for cut in 0..head.len() {
                let script = Script::opened().c(&head[..cut]).c(&head[cut..]).s(ok("1", ""));
                assert_eq!(script.hear(), [format!("{target}(0) 1(0)")], "{head} at {cut}");
            }
        }
    }
}

#[test]
fn a_head_cut_into_single_bytes() {
    let mut script = Script::opened();
    for byte in get("/1").bytes() {
        script = script.c([byte]);
    }
    for byte in ok("1", "abc").bytes() {
        script = script.s([byte]);
    }
    assert_eq!(script.hear(), ["/1(0) 1(3)"]);
}

#[test]
fn what_may_be_the_rest_of_a_request_begins_none_also_where_it_begins_like_an_answer() {
    let script = || {
        let expect = put("/1", 200, "Expect: 100-continue\r\n");
        let script = Script::opened().lose().c(expect);
        script.lose().s("HTTP/1.1 100 Con").s("tinue\r\n\r\n")
    };
    assert_eq!(script().c("HTT /false HTTP/1.1\r\nHost: h\r\n\r\n").hear(), [""; 0]);
    assert_eq!(script().c("HTT").c(" /false HTTP/1.1\r\nHost: h\r\n\r\n").hear(), [""; 0]);
}

#[test]
fn bytes_of_no_message_behind_the_first_request_do_not_end_http() {
    let script = Script::opened().c(get("/1") + "\0\0").s(ok("1", "")).c(get("/2")).s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(0) 1(0)", "/2(0) 2(0)"]);
}

#[test]
fn bytes_that_only_an_unfinished_head_tells_about_have_one_fate() {
    // What the client sent cannot be placed; at the end the server's first line tells that it is HTTP.
    let script = Script::opened().lose().c("x").c("\0\0\0").s("HTTP/1.1 200 OK\r\nX: ");
    assert_eq!(script.hear(), [""; 0]);
}

#[test]
fn a_first_line_is_read_the_same_whole_or_in_pieces() {
    // One that only the line after it would complete; one with a bare CR for a space.
    let cases = [
        ("GET /1\r\n HTTP/1.1\r\nHost: h\r\n\r\n", &[][..]),
        ("GET /1\rHTTP/1.1\r\n\r\n", &["/1(0) -"]),
    ];
    for (head, expected) in cases {
        assert_eq!(Script::opened().c(head).hear(), expected, "{head:?}");
        let pieces = head.bytes().fold(Script::opened(), |script, byte| script.c([byte]));
        assert_eq!(pieces.hear(), expected, "{head:?} in pieces");
    }
}

#[test]
fn framing_that_contradicts_itself_is_believed_by_nobody() {
    let head = "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n";
    let script = Script::opened()
        .c(format!("{head}{}", get("/smuggled")))
        .s(ok("1", ""))
        .c(get("/2"))
        .s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(?) 1(0)", "/2(0) 2(0)"]);
}

#[test]
fn a_body_gives_way_where_its_request_was_passed_over_for_a_later_answer() {
    let refused = ok("1", "").replace("200 OK", "403 Forbidden");
    let script = Script::opened()
        .c(put("/1", 100_000, "Expect: 100-continue\r\n"))
        .lose()
        .s(refused)
        .c("")
        .lose()
        .c(get("/2"))
        .s(ok("2", ""))
        .c(get("/3"))
        .s(ok("3", ""))
        .c(get("/4"))
        .s(ok("4", ""));
    assert_eq!(script.hear(), ["/1(?) -", "- 2(0)", "/3(0) 3(0)", "/4(0) 4(0)"]);
}

#[test]
fn answers_of_a_server_that_is_seen_alone_are_heard_behind_losses() {
    let mut script = Script::joined();
    for n in 1..6 {
        script =
            script.c(get("/unseen")).s(ok(&n.to_string(), "abc")).lose().s("0123456789".repeat(9));
    }
    let heard: Vec<_> = (1..6).map(|n| format!("- {n}(3)")).collect();
    assert_eq!(script.hear_one_side(false), heard);
}

#[test]
fn a_refused_body_gives_way_though_the_end_of_the_refusal_was_not_captured() {
    let refused =
        "HTTP/1.1 403 Forbidden\r\nX-Id: no\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!";
    let script = Script::opened()
        .c(put("/1", 5000, "Expect: 100-continue\r\n"))
        .s(refused)
        .lose()
        .s("\r\n0\r\n\r\n")
        .c(get("/2"))
        .s(ok("2", ""))
        .c(get("/3"))
        .s(ok("3", ""));
    assert_eq!(script.hear(), ["/1(0) no(?)", "/2(0) 2(0)", "/3(0) 3(0)"]);
}

#[test]
fn a_refused_body_gives_way_though_the_refusal_was_lost_where_the_connection_was_joined() {
    let expect = put("/1", 100, "Expect: 100-continue\r\n");
    let script = Script::joined().c(expect).lose().s(ok("1", "")).s("rest of its body");
    let script = script.c(get("/2")).s(ok("2", "")).c(get("/3")).s(ok("3", ""));
    assert_eq!(script.hear(), ["/1(0) -", "/2(0) 2(0)", "/3(0) 3(0)"]);
}

#[test]
fn a_probe_where_a_connection_is_joined_is_no_data() {
    let script = Script::joined().c("").c("").c(get("/1")).s(ok("1", "")).edit(|packets| {
        packets[1].seq = packets[1].seq.wrapping_sub(1);
        packets[1].payload = vec![0];
    });
    assert_eq!(script.hear(), ["/1(0) 1(0)"]);
}

#[test]
fn a_new_connection_behind_a_last_acknowledgement_of_the_old_one() {
    // Nothing else is known of the old one: its pipeline must not be doubted.
    let script = Script::joined()
        .c("")
        .handshake()
        .c(put("/1", 3, "") + "abc" + &get("/2"))
        .s(ok("1", ""))
        .s(ok("2", ""));
    assert_eq!(script.hear(), ["/1(3) 1(0)", "/2(0) 2(0)"]);
}

#[test]
fn a_client_that_is_seen_alone_for_a_while_is_not_taken_to_pipeline() {
    let script = Script::joined()
        .c(get("/1"))
        .lose()
        .s(ok("1", ""))
        .c(get("/2"))
        .lose()
        .s(ok("2", ""))
        .c(get("/3"))
        .s(ok("3", ""))
        .c(get("/4"))
        .s(ok("4", ""));
    // One that pipelines would have been answered to /1 there.
    assert_eq!(script.hear(), ["/1(0) -", "/2(0) -", "/3(0) -", "- 3(0)", "/4(0) 4(0)"]);
}

#[test]
fn a_refused_body_gives_way_though_the_head_of_the_refusal_was_captured_in_part() {
    let refusal = ok("no", "").replace("200 OK", "403 Forbidden");
    let (begin, end) = refusal.split_at(100);
    let script = Script::opened()
        .c(put("/1", 5000, "Expect: 100-continue\r\n"))
        .s(begin)
        .lose()
        .s(end)
        .c(get("/2"))
        .s(ok("2", ""))
        .c(get("/3"))
        .s(ok("3", ""));
    assert_eq!(script.hear(), ["/1(0) -", "/2(0) 2(0)", "/3(0) 3(0)"]);
}
