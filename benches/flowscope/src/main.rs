//! `flowscope-counts FILE`: how many requests and answers a capture holds, and how many of each name
//! which mode of server-side encryption, as flowscope hears it; as a JSON object.

use flowscope::Result;
use flowscope::extract::FiveTuple;
use flowscope::http::{HttpMessage, HttpParser};
use flowscope::pcap::PcapFlowSource;
use flowscope::session::SessionEvent;
use std::collections::BTreeMap;

const HEADER: &str = "x-amz-server-side-encryption";

type ByMode = BTreeMap<String, u64>;

fn count(by_mode: &mut ByMode, mode: Option<&[u8]>) {
    if let Some(mode) = mode.and_then(|mode| std::str::from_utf8(mode).ok()) {
        match by_mode.get_mut(mode) {
            Some(count) => *count += 1,
            None => {
                by_mode.insert(mode.to_owned(), 1);
            }
        }
    }
}

fn object(by_mode: &ByMode) -> String {
    let fields: Vec<_> = by_mode.iter().map(|(mode, count)| format!("{mode:?}:{count}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn main() -> Result<()> {
    let file = std::env::args().nth(1).unwrap_or_default();
    let (mut requests, mut responses) = (0_u64, 0_u64);
    let (mut asked, mut applied) = (ByMode::new(), ByMode::new());
    let source = PcapFlowSource::open(file)?;
    for event in source.sessions(FiveTuple::bidirectional(), HttpParser::default()) {
        match event? {
            SessionEvent::Application { message: HttpMessage::Request(request), .. } => {
                requests += 1;
                count(&mut asked, request.header(HEADER));
            }
            SessionEvent::Application { message: HttpMessage::Response(response), .. } => {
                responses += u64::from(response.status >= 200);
                count(&mut applied, response.header(HEADER));
            }
            _ => {}
        }
    }
    let (asked, applied) = (object(&asked), object(&applied));
    println!(
        r#"{{"requests":{requests},"responses":{responses},"asked":{asked},"applied":{applied}}}"#
    );
    Ok(())
}
