//! `sealwatch live --config` and `sealwatch config check`, from outside. Nothing is captured here.

mod support;

use std::fs;
use std::path::Path;
use support::binary::{Run, run};

/// A folder with one file, `f`, made for one test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(text: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        fs::write(folder.path().join("f"), text).expect("a file can be written");
        Self(folder)
    }

    fn path(&self) -> String {
        self.0.path().join("f").to_str().expect("paths here are UTF-8").to_owned()
    }
}

/// `sealwatch config check`, and the messages without the file's name.
fn check(text: impl AsRef<[u8]>) -> (Run, Vec<String>) {
    let folder = Folder::with(text);
    let run = run(["config", "check", &folder.path()]);
    let named = format!("sealwatch: {}", folder.path());
    let message = |line: &str| {
        let message = line.strip_prefix(&named);
        message.unwrap_or_else(|| panic!("{line} does not name the file")).to_owned()
    };
    let messages = run.err.lines().map(message).collect();
    (run, messages)
}

/// `sealwatch live --config` with further arguments.
fn live(text: &str, arguments: &[&str]) -> Run {
    let folder = Folder::with(text);
    run([&["live", "--config", &folder.path()], arguments].concat())
}

#[test]
fn a_valid_file_is_shown_as_toml_that_is_valid_again() {
    let text = "workers = 0x2\ninterface = ['e\"1', \"any\"]\ns3-host = '-*'\nall = true\n\
                dedup = false\nfilter = '''tcp\nport 80'''\n[web]\nlisten-address = \
                ['[::1]:80', 'unix:/s']\n[\"events\"]\n";
    let (run, messages) = check(text);
    assert_eq!((run.code, messages.len()), (Some(2), 1), "{}", run.err);
    let text = text.replace("[\"events\"]\n", "").replace("all", "events = '-'\nall");
    let (run, _) = check(&text);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    let (first, settings) = run.out.split_once('\n').expect("there are lines");
    assert!(first.starts_with("# ") && first.ends_with("f is valid."), "{first}");
    assert_eq!(
        settings,
        "workers = 2\ninterface = [\"e\\\"1\", \"any\"]\ns3-host = \"-*\"\nevents = \"-\"\n\
         all = true\ndedup = false\nfilter = \"tcp\\nport 80\"\n\
         web.listen-address = [\"[::1]:80\", \"unix:/s\"]\n"
    );
    let (again, _) = check(&run.out);
    assert_eq!(again.out.split_once('\n').map(|(_, settings)| settings), Some(settings));
}

#[test]
fn what_the_command_line_must_add_is_said() {
    let (run, _) = check("dedup = true\n");
    assert_eq!(run.code, Some(0));
    assert!(
        run.out.ends_with("# interface is not set: the command line has to say --interface.\n")
    );
    let run = live("dedup = true\n", &[]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("--interface <INTERFACE>"), "{}", run.err);
}

#[test]
fn each_mistake_is_told_with_its_place_and_what_would_be_right() {
    for (text, message) in [
        ("snaplan = 100", ":1:1: snaplan: is not a setting of live; did you mean snaplen?"),
        (
            "\nlog_level = 'info'",
            ":2:1: log_level: is not a setting of live; did you mean log-level?",
        ),
        ("i = ['eth1']", ":1:1: i: is not a setting of live; did you mean interface?"),
        (
            "[web]\nlisten-adress = ''",
            ":2:1: web.listen-adress: is not a setting of live; \
                                       did you mean web.listen-address?",
        ),
        (
            "zzz = 1",
            ":1:1: zzz: is not a setting of live; its options are the settings (--help \
                     lists them)",
        ),
        (
            "[zzz]",
            ":1:2: zzz: is not a setting of live; its options are the settings (--help lists \
                   them)",
        ),
        ("[[interface]]\nname = 'e'", ":1:1: interface: takes no table here"),
        ("config = 'g'", ":1:1: config: cannot be set in a file; take it out"),
        ("help = true", ":1:1: help: cannot be set in a file; take it out"),
        (
            "snaplen = '1500'",
            ":1:11: snaplen: must be an integer, not a string; write 1500, without \
                              quotes",
        ),
        ("snaplen = 1.5", ":1:11: snaplen: must be an integer, not a number with a fraction"),
        ("snaplen = [1]", ":1:11: snaplen: takes one value, not a list"),
        ("snaplen = 10", ":1:11: snaplen: 10 is not in 64..=262144"),
        (
            "max-hosts = 0",
            ":1:13: max-hosts: \"0\" cannot be used: number would be zero for non-zero \
                           type",
        ),
        ("interface = ['a', 3]", ":1:19: interface: must be a string, in quotes, not an integer"),
        ("dedup = 'yes'", ":1:9: dedup: must be true or false, not a string"),
        ("log-level = 'loud'", ":1:13: log-level: \"loud\" is not one of error, warn, info"),
        (
            "web.listen-address = 'here'",
            ":1:22: web.listen-address: \"here\" is none of IP:PORT, \
                                         [IPV6]:PORT, :PORT, unix:PATH",
        ),
        ("dedup = true\nall = true", ":2:1: all: has a meaning only with --events <FILE>"),
        ("dedup = true\ndedup = true", ":2:1: duplicate key"),
        (
            "'web.listen-address' = '[::1]:1'\n[web]\nlisten-address = '[::1]:1'",
            ":1:1: web.listen-address: is set twice; leave one",
        ),
        ("dedup = true\nsnaplen 5", ":2:9: "),
        (
            "dedup = true\nfilter = 'tcp prot'",
            ":2:10: filter: cannot use the filter \"tcp prot\": ",
        ),
    ] {
        let (run, messages) = check(text);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{text}");
        assert_eq!(messages.len(), 1, "{text}: {messages:?}");
        assert!(messages[0].starts_with(message), "{text}: {messages:?}, not {message}");
        // What checks says, `live` says, and captures nothing.
        let live = live(text, &["--interface", "no-such-interface"]);
        assert_eq!((live.code, live.out.as_str()), (Some(2), ""), "{text}");
        assert!(live.err.contains(&messages[0]), "{text}: {}", live.err);
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let (_, messages) = check(
        "snaplan = 1\nsnaplen = 1\nlog-level = \nfilter = 'tcp prot'\ndedup = 1\n\n[web]\nx = 1\n",
    );
    let lines: Vec<_> = messages.iter().filter_map(|message| message.split(':').nth(1)).collect();
    assert_eq!(lines, ["1", "2", "3", "4", "5", "8"], "{messages:#?}");
}

#[test]
fn a_file_that_cannot_be_read_is_no_mistake_of_its_own() {
    let folder = Folder::with("");
    let missing = folder.path() + "/missing";
    for arguments in
        [&["config", "check", &missing][..], &["live", "-i", "none", "--config", &missing]]
    {
        let run = run(arguments);
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
        let message = format!("sealwatch: error: cannot read {missing}: ");
        assert!(run.err.starts_with(&message), "{}", run.err);
    }
    let (run, messages) = check(b"dedup = true\nfilter = '\xff'");
    assert_eq!(
        (run.code, messages[0].as_str()),
        (Some(2), ":2:11: this is not UTF-8; write the file in UTF-8")
    );
}

#[test]
fn the_command_line_wins_over_the_file_but_does_not_excuse_it() {
    // Told apart by what is wrong with the one that wins: there is no such interface to capture on.
    let both = live("filter = 'tcp'\ninterface = 'a'\n", &["--filter", "tcp prot"]);
    assert_eq!(both.code, Some(2));
    assert!(both.err.contains("cannot use the filter \"tcp prot\""), "{}", both.err);
    let excused = live("filter = 'tcp prot'\n", &["--filter", "tcp", "--interface", "a"]);
    assert_eq!(excused.code, Some(2));
    assert!(excused.err.contains("f:1:10: filter: cannot use"), "{}", excused.err);
    // What is wrong with the command line is not the file's.
    for arguments in [&["--snaplen", "1"][..], &["--all"], &["--no-such-option"]] {
        let run = live("interface = 'a'\n", arguments);
        assert_eq!(run.code, Some(2));
        assert!(run.err.starts_with("error: ") && run.err.contains(arguments[0]), "{}", run.err);
    }
    let help = live("nonsense", &["--help"]);
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
}

#[test]
fn the_readmes_example_is_valid_and_its_messages_are_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(path).expect("README.md is read");
    let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let (run, _) = check(example.expect("there is an example"));
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    let (_, messages) = check("dedup = true\nsnaplan = 1\n\n\nlog-level = 'loud'\n");
    assert_eq!(messages.len(), 2, "{messages:?}");
    for message in messages {
        assert!(readme.contains(&format!("sealwatch.toml{message}\n")), "{message}");
    }
}

#[test]
fn the_example_is_valid_and_its_examples_too() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/sealwatch.toml");
    let path = path.to_str().expect("paths here are UTF-8");
    run(["config", "check", path]).ok();
    let text = fs::read_to_string(path).expect("it is read");
    let is_setting = |line: &&str| line.contains(" = ");
    let uncommented = |line: &str| line.trim_start_matches("# ").to_owned() + "\n";
    let settings = text.lines().filter(|line| is_setting(line) || line.starts_with('['));
    let all: String = settings.map(uncommented).collect();
    let (run, messages) = check(&all);
    assert_eq!((run.code, messages), (Some(0), vec![]), "{all}");
    // It knows every option there is.
    let help = support::binary::run(["live", "--help"]).ok().out;
    let options = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    for option in options.filter(|option| !["config", "help"].contains(option)) {
        // Its value may be left out: [=VALUE].
        let name = option.split('[').next().unwrap_or(option);
        let key = name.trim_end_matches([',', '.', ':']);
        assert!(run.out.contains(&format!("\n{key} = ")), "the example does not know {key}");
    }
}
