//! Writes down what the HTTP room says.

use sealwatch::http::{Counts, Exchange, Peers, Reader, RequestHead, ResponseHead};

/// Something that was said. Heads are known by their numbers, each kind's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Request { method: String, target: String, fields: usize },
    Response { status: u16, fields: usize, answers: Option<usize> },
    Over { request: Option<(usize, Option<u64>)>, response: Option<(usize, Option<u64>)> },
}

/// Which end is which, of the recorded kinds.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub(super) events: Vec<Event>,
    requests: usize,
    responses: usize,
    client: Option<Peers>,
}

impl Reader for Recorder {
    type Connection = ();
    type Request = usize;
    type Response = usize;

    fn request_heap(_request: &usize) -> usize {
        0
    }

    fn response_heap(_response: &usize) -> usize {
        0
    }

    fn request(&mut self, (): &mut (), peers: Peers, head: &RequestHead<'_>) -> usize {
        assert_eq!(*self.client.get_or_insert(peers), peers, "an end changes its part");
        let fields = head.headers.iter().count();
        let (method, target) = (head.method.to_owned(), head.target.to_owned());
        self.events.push(Event::Request { method, target, fields });
        self.requests += 1;
        self.requests - 1
    }

    fn response(
        &mut self,
        (): &mut (),
        peers: Peers,
        request: Option<&mut usize>,
        head: &ResponseHead<'_>,
    ) -> usize {
        assert_eq!(*self.client.get_or_insert(peers), peers, "an end changes its part");
        assert!(head.status >= 200 || head.status == 101, "an interim response: {head:?}");
        let fields = head.headers.iter().count();
        let answers = request.copied();
        self.events.push(Event::Response { status: head.status, fields, answers });
        self.responses += 1;
        self.responses - 1
    }

    fn over(&mut self, (): &mut (), _: Peers, exchange: Exchange<usize, usize>) {
        let Exchange { request, response, request_body_bytes, response_body_bytes } = exchange;
        assert!(request.is_some() || request_body_bytes.is_none(), "a body of no request");
        assert!(response.is_some() || response_body_bytes.is_none(), "a body of no response");
        self.events.push(Event::Over {
            request: request.map(|number| (number, request_body_bytes)),
            response: response.map(|number| (number, response_body_bytes)),
        });
    }
}

impl Recorder {
    /// What must hold at the end. `passed`: bytes and gaps, of either end.
    pub(super) fn check(&self, counts: &Counts, passed: [u64; 2]) {
        assert_eq!(counts.requests, self.requests as u64, "{counts:?}");
        assert_eq!(counts.responses, self.responses as u64, "{counts:?}");
        let mut seen = [vec![false; self.requests], vec![false; self.responses]];
        let mut answers = Vec::new();
        let mut bodies = 0;
        for event in &self.events {
            match event {
                Event::Request { .. } => {}
                Event::Response { answers: answered, .. } => answers.push(*answered),
                Event::Over { request, response } => {
                    assert!(request.is_some() || response.is_some(), "an exchange of nothing");
                    let both = [request, response];
                    for (seen, (number, body)) in
                        seen.iter_mut().zip(both).filter_map(|(s, m)| Some((s, (*m)?)))
                    {
                        assert!(!std::mem::replace(&mut seen[number], true), "twice: {event:?}");
                        bodies += body.unwrap_or(0);
                    }
                    if let Some((number, _)) = response {
                        let asked = request.map(|(number, _)| number);
                        assert_eq!(answers[*number], asked, "paired anew: {event:?}");
                    }
                }
            }
        }
        assert!(seen.iter().flatten().all(|over| *over), "not over: {:?}", self.events);
        let answered: Vec<_> = answers.into_iter().flatten().collect();
        assert!(answered.is_sorted_by(|a, b| a < b), "out of order: {answered:?}");
        assert!(bodies <= passed[0] + passed[1], "bodies of {bodies} bytes");
    }
}
