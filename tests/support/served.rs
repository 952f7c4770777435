//! `sealwatch replay --serve`, running.

use super::binary::{Run, sealwatch};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A replay that serves, at an address of the system's choice.
pub struct Served {
    child: Child,
    address: String,
    said: Arc<Mutex<String>>,
    threads: [JoinHandle<String>; 2],
}

impl Served {
    /// `sealwatch replay --serve ARGUMENTS`, with nothing on standard input.
    pub fn start(arguments: &[&str]) -> Self {
        Self::of(arguments, Stdio::null()).0
    }

    /// The same, with a standard input that can be written to.
    pub fn fed(arguments: &[&str]) -> (Self, ChildStdin) {
        let (served, stdin) = Self::of(arguments, Stdio::piped());
        (served, stdin.expect("it is piped"))
    }

    fn of(arguments: &[&str], stdin: Stdio) -> (Self, Option<ChildStdin>) {
        let mut command = sealwatch(["replay", "--serve", "--web.listen-address", "127.0.0.1:0"]);
        command.args(arguments).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let stdin = child.stdin.take();
        let mut out = child.stdout.take().expect("it is piped");
        let err = BufReader::new(child.stderr.take().expect("it is piped"));
        let said = Arc::new(Mutex::new(String::new()));
        let heard = said.clone();
        let threads = [
            thread::spawn(move || {
                let mut text = String::new();
                out.read_to_string(&mut text).expect("what it writes is UTF-8");
                text
            }),
            thread::spawn(move || {
                for line in err.lines() {
                    let line = line.expect("what it says is UTF-8");
                    *heard.lock().expect("nobody panicked") += &(line + "\n");
                }
                heard.lock().expect("nobody panicked").clone()
            }),
        ];
        let mut served = Self { child, address: String::new(), said, threads };
        let line = served.wait_for(|served| {
            let said = served.said();
            let rest = said.split_once("serving metrics at http://")?.1;
            Some(rest.split_once("/metrics\n")?.0.to_owned())
        });
        served.address = line;
        (served, stdin)
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        self.said.lock().expect("nobody panicked").clone()
    }

    /// Waits for something.
    #[track_caller]
    pub fn wait_for<T>(&self, what: impl Fn(&Self) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = what(self) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not come; said:\n{}", self.said());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it answers at a path, and the status.
    pub fn get(&self, path: &str) -> (String, String) {
        let url = format!("http://{}{path}", self.address);
        let arguments = ["--silent", "--max-time", "5", "--write-out", "%{http_code}", &url];
        let output = Command::new("curl").args(arguments).output().expect("curl starts");
        let mut text = String::from_utf8(output.stdout).expect("it is UTF-8");
        let status = text.split_off(text.len().saturating_sub(3));
        (status, text)
    }

    /// The metrics, once they are what is waited for.
    #[track_caller]
    pub fn wait(&self, until: impl Fn(&str) -> bool) -> String {
        self.wait_for(|served| Some(served.get("/metrics").1).filter(|text| until(text)))
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status();
        assert!(sent.expect("kill starts").success());
    }

    /// Asks it to end.
    pub fn end(mut self) -> Run {
        self.signal("TERM");
        let code = self.child.wait().expect("it ends").code();
        let [out, err] = std::mem::replace(&mut self.threads, idle())
            .map(|thread| thread.join().expect("nobody panicked"));
        Run { code, out, err }
    }
}

fn idle() -> [JoinHandle<String>; 2] {
    [(); 2].map(|()| thread::spawn(String::new))
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
