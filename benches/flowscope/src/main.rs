//! `flowscope-counts [--vxlan] FILE`: how many requests and answers a capture holds, and how many of
//! each name which mode of server-side encryption, as flowscope hears it; as a JSON object.

use flowscope::extract::{FiveTuple, FiveTupleKey, InnerVxlan};
use flowscope::http::{HttpMessage, HttpParser};
use flowscope::pcap::PcapFlowSource;
use flowscope::session::SessionEvent;
use flowscope::{FlowExtractor, Result};
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

#[derive(Default)]
struct Sums {
    requests: u64,
    responses: u64,
    asked: ByMode,
    applied: ByMode,
}

impl Sums {
    fn read<E>(file: &str, extractor: E) -> Result<Self>
    where
        E: FlowExtractor<Key = FiveTupleKey>,
    {
        let mut sums = Self::default();
        let source = PcapFlowSource::open(file)?;
        for event in source.sessions(extractor, HttpParser::default()) {
            match event? {
                SessionEvent::Application { message: HttpMessage::Request(request), .. } => {
                    sums.requests += 1;
                    count(&mut sums.asked, request.header(HEADER));
                }
                SessionEvent::Application { message: HttpMessage::Response(response), .. } => {
                    sums.responses += u64::from(response.status >= 200);
                    count(&mut sums.applied, response.header(HEADER));
                }
                _ => {}
            }
        }
        Ok(sums)
    }
}

fn object(by_mode: &ByMode) -> String {
    let fields: Vec<_> = by_mode.iter().map(|(mode, count)| format!("{mode:?}:{count}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let plain = FiveTuple::bidirectional();
    let sums = match arguments.as_slice() {
        [flag, file] if flag == "--vxlan" => Sums::read(file, InnerVxlan::new(plain))?,
        [file] => Sums::read(file, plain)?,
        _ => {
            eprintln!("flowscope-counts [--vxlan] FILE");
            std::process::exit(2);
        }
    };
    let Sums { requests, responses, asked, applied } = sums;
    let (asked, applied) = (object(&asked), object(&applied));
    println!(
        r#"{{"requests":{requests},"responses":{responses},"asked":{asked},"applied":{applied}}}"#
    );
    Ok(())
}
