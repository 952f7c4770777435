//! Target: heads of requests and answers through the S3 room, to observations, to the tally.
//!
//! The input is text: heads as they are on the wire, each ended by an empty line. An answer is to
//! the request before it, if that has none yet. A line of two hyphens begins another connection.
//!
//! What must hold:
//! - each exchange is over once; what was asked for, applied, refused or odd is said once, and its
//!   record says the same;
//! - no mode, key or encryption context is observed that no head names;
//! - no secret (authorisation, keys, signatures, tokens) is in anything that is observed;
//! - a host is a name in lower case, or stands for none;
//! - the case of field names means nothing, nor does a field that is repeated as it is;
//! - the tally counts each observation once;
//! - where nobody wants records, all else is the same, and what is counted of an exchange.

mod heads;
mod judged;

use heads::{Head, heads};
use sealwatch::http::{Exchange, Headers, Peers, Reader, RequestHead, ResponseHead};
use sealwatch::net::{Endpoint, Timestamp};
use sealwatch::s3::{Config, Ended, Inventory, Observation, S3Reader};
use std::net::IpAddr;

/// The target.
pub fn run(data: &[u8]) {
    let heads = heads(data);
    let observed = observe(&heads, false);
    for exchange in &observed {
        judged::check(exchange, &heads);
    }
    let all: Vec<_> = observed.iter().flatten().collect();
    judged::check_tally(&all);
    let said = format!("{all:?}");
    for secret in heads::secrets(&heads) {
        assert!(!said.contains(&secret), "{secret:?} in {said}");
    }
    let loud: Vec<_> = heads.iter().map(Head::in_capitals).collect();
    assert_eq!(format!("{:?}", observe(&loud, false).concat()), said, "the case of names");
    let doubled: Vec<_> = heads.iter().map(Head::doubled).collect();
    assert_eq!(
        format!("{:?}", observe(&doubled, false).concat()),
        said,
        "fields that are repeated"
    );
    let sums: Vec<_> = observed.iter().flatten().map(without_record).collect();
    assert_eq!(format!("{:?}", observe(&heads, true).concat()), format!("{sums:?}"), "sums");
}

/// What is observed instead where nobody wants records.
fn without_record(observation: &Observation) -> Observation {
    let Observation::Over(record) = observation else { return observation.clone() };
    Observation::Ended(Ended {
        time: record.time,
        host: record.host.clone(),
        bucket: record.bucket.clone(),
        object_store: record.object_store,
        object_bytes: record.object_bytes,
    })
}

/// What is observed, exchange by exchange.
fn observe(heads: &[Head], sums_only: bool) -> Vec<Vec<Observation>> {
    let end = |host, port| Endpoint::new(IpAddr::from([192, 0, 2, host]), port);
    let peers = Peers { client: end(1, 4000), server: end(2, 80), tunnel: None };
    let config = Config {
        s3_hosts: Vec::new(),
        endpoint_suffixes: vec!["objects.example".to_owned()],
        inventory: Inventory::Values,
        sums_only,
    };
    let mut watcher = Watcher { reader: S3Reader::new(&config), peers, observed: Vec::new() };
    let mut connection = Default::default();
    let mut asked = None;
    for (number, head) in heads.iter().enumerate() {
        match head {
            Head::Request { .. } => {
                watcher.over(&mut connection, asked.take(), None);
                asked = watcher.request(&mut connection, head, number);
            }
            Head::Response { .. } => watcher.response(&mut connection, asked.take(), head, number),
            Head::NewConnection => {
                watcher.over(&mut connection, asked.take(), None);
                connection = Default::default();
            }
        }
    }
    watcher.over(&mut connection, asked, None);
    watcher.observed
}

type Asked = (<S3Reader as Reader>::Request, Vec<Observation>, u64);
type Memory = <S3Reader as Reader>::Connection;

struct Watcher {
    reader: S3Reader,
    peers: Peers,
    observed: Vec<Vec<Observation>>,
}

impl Watcher {
    fn request(&mut self, memory: &mut Memory, head: &Head, number: usize) -> Option<Asked> {
        let Head::Request { method, target, minor_version, fields } = head else { return None };
        let fields = heads::borrowed(fields);
        let head = RequestHead {
            time: Timestamp::from_parts(number as i64, 0),
            method,
            target,
            minor_version: *minor_version,
            headers: Headers::new(&fields),
        };
        let request = self.reader.request(memory, self.peers, &head);
        Some((request, self.reader.drain().collect(), 1000 + number as u64))
    }

    fn response(
        &mut self,
        memory: &mut Memory,
        mut asked: Option<Asked>,
        head: &Head,
        number: usize,
    ) {
        let Head::Response { status, minor_version, fields } = head else { return };
        let fields = heads::borrowed(fields);
        let head = ResponseHead {
            time: Timestamp::from_parts(number as i64, 0),
            status: *status,
            minor_version: *minor_version,
            headers: Headers::new(&fields),
        };
        let request = asked.as_mut().map(|(request, ..)| request);
        let response = self.reader.response(memory, self.peers, request, &head);
        self.over(memory, asked, Some((response, 2000 + number as u64)));
    }

    /// An exchange is over; where there is neither, there was none.
    fn over(
        &mut self,
        memory: &mut Memory,
        asked: Option<Asked>,
        answer: Option<(<S3Reader as Reader>::Response, u64)>,
    ) {
        if asked.is_none() && answer.is_none() {
            return;
        }
        let (mut observed, request, request_body_bytes) = match asked {
            Some((request, observed, bytes)) => (observed, Some(request), Some(bytes)),
            None => (Vec::new(), None, None),
        };
        let (response, response_body_bytes) = answer.unzip();
        let exchange = Exchange { request, response, request_body_bytes, response_body_bytes };
        self.reader.over(memory, self.peers, exchange);
        observed.extend(self.reader.drain());
        self.observed.push(observed);
    }
}
