use super::*;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A capture file: packets of one byte each, at the times given in milliseconds.
fn pcap(packets: &[(i64, u8)]) -> Vec<u8> {
    let mut file = vec![0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0];
    file.extend([0; 8]);
    file.extend([0, 0, 4, 0, 101, 0, 0, 0]);
    for (millis, byte) in packets {
        let (seconds, nanos) = (millis / 1000, millis % 1000 * 1_000_000 + 7);
        for word in [seconds as u32, nanos as u32, 1, 9] {
            file.extend(word.to_le_bytes());
        }
        file.push(*byte);
    }
    file
}

struct Folder(TempDir);

impl Folder {
    fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, content) in files {
            let path = folder.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, names: &[&str]) -> (Vec<u8>, Vec<String>) {
        let paths: Vec<_> = names.iter().map(|name| self.path(name)).collect();
        let (packets, problems) = read(CaptureFiles::open(&paths, None));
        let root = format!("{}/", self.0.path().display());
        (packets, problems.iter().map(|problem| problem.replace(&root, "")).collect())
    }
}

fn read(mut files: CaptureFiles) -> (Vec<u8>, Vec<String>) {
    let (mut packets, mut problems) = (Vec::new(), Vec::new());
    loop {
        match files.next(&mut |packet| {
            assert_eq!((packet.wire_len, packet.link_type), (9, LinkType::RAW_BSD));
            assert_eq!(packet.time.as_nanos() % 1_000_000, 7);
            packets.extend(packet.data);
            ControlFlow::Continue(())
        }) {
            Ok(Next::End) => break,
            Ok(_) => {}
            Err(error) => problems.push(format!("{:?}: {error}", error.severity())),
        }
    }
    let progress = files.progress();
    if let Some(total) = progress.total() {
        assert_eq!(progress.read(), total);
    }
    (packets, problems)
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn files_follow_each_other_by_their_first_packets_times() {
    let folder = Folder::with(&[
        ("a", &pcap(&[(3000, 5), (3000, 6)])),
        ("b", &pcap(&[(1000, 1), (2000, 2)])),
        ("c", &pcap(&[])),
        ("d", &pcap(&[(2000, 3), (2500, 4)])),
    ]);
    assert_eq!(folder.read(&["a", "b", "c", "d"]), (vec![1, 2, 3, 4, 5, 6], vec![]));
}

#[test]
fn a_clock_that_steps_back_where_files_meet_changes_no_order() {
    let all: Vec<_> =
        (0..9).map(|i| (1000 + i64::from(i) * 10 - i64::from(i % 3) * 15, i)).collect();
    for (a, b) in [(3, 6), (4, 7), (5, 6), (5, 8)] {
        let folder = Folder::with(&[
            ("a", &pcap(&all[..a])),
            ("b", &pcap(&all[a..b])),
            ("c", &pcap(&all[b..])),
        ]);
        assert_eq!(folder.read(&["a", "b", "c"]), ((0..9).collect(), vec![]), "cut at {a}, {b}");
    }
}

#[test]
fn files_that_were_recorded_side_by_side_are_merged_by_time() {
    let every = |from: i64, bytes: std::ops::Range<u8>| -> Vec<_> {
        bytes.step_by(2).map(|byte| (from + i64::from(byte) * 200, byte)).collect()
    };
    let folder = Folder::with(&[
        ("there-1", &pcap(&every(0, 0..20))),
        ("there-2", &pcap(&every(0, 20..40))),
        ("back", &pcap(&every(0, 1..41))),
    ]);
    assert_eq!(
        folder.read(&["back", "there-2", "there-1"]),
        ((0..41).filter(|i| *i != 40).collect(), vec![])
    );
}

#[test]
fn directories_are_searched_and_what_is_no_capture_there_is_named() {
    let folder = Folder::with(&[
        ("in/1.pcap", &pcap(&[(1000, 1)])),
        ("in/deep/er/2.pcap.gz", &gzip(&pcap(&[(2000, 2)]))),
        ("in/notes.txt", b"nothing"),
        ("in/notes.txt.gz", &gzip(b"nothing")),
        ("in/3.pcap.zst", &zstd::encode_all(&pcap(&[(3000, 3)])[..], 3).unwrap()),
        ("none/notes.txt", b"nothing"),
    ]);
    std::os::unix::fs::symlink(folder.path("in"), folder.path("in/deep/circle")).unwrap();
    let (packets, problems) = folder.read(&["in", "none", "in/1.pcap"]);
    assert_eq!(packets, [1, 2, 3]);
    assert_eq!(
        problems,
        [
            "Notice: skipped in/notes.txt: not a capture file",
            "Notice: skipped none/notes.txt: not a capture file",
            "Error: no capture file in none",
            "Notice: in/1.pcap was named twice and is read once",
            "Notice: skipped in/notes.txt.gz: not a capture file",
        ]
    );
}

#[test]
fn what_cannot_be_read_is_named_with_the_byte_and_the_rest_is_read() {
    let whole = pcap(&[(1000, 1), (2000, 2), (3000, 3)]);
    let packed = gzip(&pcap(&vec![(1000, 1); 5000]));
    let mut impossible = whole.clone();
    impossible[24 + 17 + 11] = 0x7f;
    let folder = Folder::with(&[
        ("cut", &whole[..whole.len() - 1]),
        ("impossible", &impossible),
        ("header", &whole[..20]),
        ("empty", &[]),
        ("text", b"GET / HTTP/1.1\r\n"),
        ("text.gz", &gzip(b"GET / HTTP/1.1\r\n")),
        ("cut.gz", &packed[..packed.len() / 2]),
        ("cut-inside.gz", &gzip(&whole[..whole.len() - 1])),
        ("two.gz", &[gzip(&whole[..50]), gzip(&whole[50..])].concat()),
    ]);
    let read = |name| folder.read(&[name]);
    let everything = "everything before it was read";
    assert_eq!(
        read("cut"),
        (vec![1, 2], vec![format!("Warning: cut ends within the packet at byte 58; {everything}")])
    );
    assert_eq!(
        read("cut-inside.gz"),
        (
            vec![1, 2],
            vec![format!("Warning: cut-inside.gz ends within the packet at byte 58; {everything}")]
        )
    );
    assert_eq!(
        read("impossible"),
        (
            vec![1],
            vec![format!(
                "Error: impossible is damaged at byte 41: a packet of 2130706433 bytes, \
                 when 262144 is the most; {everything}"
            )]
        )
    );
    assert_eq!(read("two.gz"), (vec![1, 2, 3], vec![]));
    assert_eq!(read("empty").1, ["Error: empty is empty, not a capture file"]);
    let (none, problems) = read("header");
    assert!(none.is_empty() && problems[0].starts_with("Error: header is damaged at byte 0: "));
    let no = "is not a capture file (pcap or pcapng, plain or compressed by gzip or zstd)";
    assert_eq!(read("text").1, [format!("Error: text {no}")]);
    assert_eq!(read("text.gz").1, [format!("Error: text.gz {no}")]);
    assert_eq!(
        read("absent").1,
        ["Error: cannot read absent: No such file or directory (os error 2)"]
    );
    let (packets, problems) = read("cut.gz");
    assert!(!packets.is_empty() && packets.len() < 5000);
    assert!(
        problems[0].starts_with("Error: cannot decompress cut.gz beyond byte "),
        "{problems:?}"
    );
    // All at once: the good is read, whatever stands beside it.
    let (packets, problems) = folder.read(&["text", "absent", "two.gz", "empty"]);
    assert_eq!((packets, problems.len()), (vec![1, 2, 3], 3));
}

#[test]
fn a_named_pipe_is_read_once() {
    let folder = Folder::with(&[]);
    let pipe = folder.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::write(pipe, pcap(&[(1000, 1), (2000, 2)])).unwrap())
    };
    assert_eq!(folder.read(&["pipe"]), (vec![1, 2], vec![]));
    writer.join().unwrap();
}

#[test]
fn a_filter_leaves_out_what_does_not_pass_and_a_wrong_one_is_refused() {
    let folder = Folder::with(&[("a", &pcap(&[(1000, 1), (2000, 2)]))]);
    let paths = [folder.path("a")];
    let read_with = |filter: &str| read(CaptureFiles::open(&paths, Some(filter.to_owned())));
    assert_eq!(read_with("ip[0] == 1 or greater 9"), (vec![1, 2], vec![]));
    assert_eq!(read_with("greater 10"), (vec![], vec![]));
    assert!(check_filter("tcp port 80 and host 192.0.2.1").is_ok());
    let refused = check_filter("tcp prot 80").unwrap_err();
    assert!(refused.to_string().contains("syntax error"), "{refused}");
}

#[test]
fn a_path_need_not_be_utf_8() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::with(&[]);
    let path = folder.0.path().join(Path::new(std::ffi::OsStr::from_bytes(b"\xff.pcap")));
    fs::write(&path, pcap(&[(1000, 1)])).unwrap();
    assert_eq!(read(CaptureFiles::open(&[path], None)), (vec![1], vec![]));
}

mod readers;
