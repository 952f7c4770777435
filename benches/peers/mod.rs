//! Other tools on the same captures: how they are asked, and what they say.
//!
//! Each takes a capture file whose server listens on port 9000, and gives [`Report`]s; `None` where
//! the tool is not installed. Each is asked as its manual says, with what serves it best here.

use crate::traffic::judge::{Report, answer_number, request_number};
use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// A tool, and how to ask it.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Whether it says which answer belongs to which request.
    pub(crate) pairs: bool,
    pub(crate) ask: fn(&Path) -> io::Result<Vec<Report>>,
}

pub(crate) const PEERS: [Peer; 3] = [
    Peer { name: "tshark", pairs: true, ask: tshark },
    Peer { name: "tcpflow", pairs: false, ask: tcpflow },
    Peer { name: "httpry", pairs: false, ask: httpry },
];

fn output(command: &mut Command) -> io::Result<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Wireshark's HTTP dissector, with its defaults: `tcp.reassemble_out_of_order` finds more only where
/// nothing is lost.
fn tshark(file: &Path) -> io::Result<Vec<Report>> {
    const FIELDS: [&str; 4] =
        ["frame.number", "http.request.uri", "http.content_type", "http.request_in"];
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-d", "tcp.port==9000,http", "-Y", "http", "-T", "fields"]);
    let text = output(command.args(FIELDS.iter().flat_map(|field| ["-e", field])))?;
    let mut asked: HashMap<&str, VecDeque<u64>> = HashMap::new();
    let mut reports = Vec::new();
    for line in text.lines() {
        let mut fields = line.split('\t');
        let mut field = || fields.next().unwrap_or_default();
        let (frame, targets, types, request_in) = (field(), field(), field(), field());
        let targets = targets.split(',').filter(|target| !target.is_empty());
        asked.entry(frame).or_default().extend(targets.map(request_number));
        let mut request_in = request_in.split(',').filter(|frame| !frame.is_empty());
        for content_type in types.split(',').filter(|one| !one.is_empty()) {
            let frame = request_in.next().and_then(|frame| asked.get_mut(frame));
            let request = frame.and_then(VecDeque::pop_front);
            reports.push(Report::new(request, Some(answer_number(content_type))));
        }
    }
    let unanswered = asked.into_values().flatten();
    reports.extend(unanswered.map(|request| Report::new(Some(request), None)));
    Ok(reports)
}

/// tcpflow puts streams together, and does not say where in them messages are: all that looks like
/// a start-line is taken for one, if its head ends and has no hole.
fn tcpflow(file: &Path) -> io::Result<Vec<Report>> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new("tcpflow");
    command.arg("-r").arg(file).arg("-o").arg(folder.path()).args(["-q", "-S", "enable_report=NO"]);
    output(&mut command)?;
    let mut reports = Vec::new();
    for entry in fs::read_dir(folder.path())? {
        let stream = fs::read(entry?.path())?;
        for at in memchr::memmem::find_iter(&stream, " /bucket/") {
            let target = head_from(&stream, at).and_then(|head| head.split(' ').nth(1));
            reports.extend(target.map(|it| Report::new(Some(request_number(it)), None)));
        }
        for at in memchr::memmem::find_iter(&stream, "HTTP/1.1 ") {
            let content_type = head_from(&stream, at)
                .and_then(|head| head.lines().find_map(|line| line.strip_prefix("Content-Type: ")));
            reports.extend(content_type.map(|it| Report::new(None, Some(answer_number(it)))));
        }
    }
    Ok(reports)
}

/// The text from `at` to the end of the head that it is in, if that is whole.
fn head_from(stream: &[u8], at: usize) -> Option<&str> {
    let length = memchr::memmem::find(&stream[at..], b"\r\n\r\n")?;
    let head = std::str::from_utf8(&stream[at..at + length]).ok()?;
    (!head.contains('\0')).then_some(head)
}

/// httpry reads each packet alone.
fn httpry(file: &Path) -> io::Result<Vec<Report>> {
    let mut command = Command::new("httpry");
    command.args(["-q", "-f", "request-uri,content-type", "-r"]).arg(file).arg("tcp port 9000");
    let text = output(&mut command)?;
    let report = |line: &str| {
        let (target, content_type) = line.split_once('\t')?;
        let given = |field: &str| (field != "-").then(|| field.trim_end().to_owned());
        let request = given(target).map(|target| request_number(&target));
        let answer = given(content_type).map(|it| answer_number(&it));
        (request.is_some() || answer.is_some()).then_some(Report::new(request, answer))
    };
    Ok(text.lines().filter_map(report).collect())
}
