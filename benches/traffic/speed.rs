//! The traffic that speed is measured with: kinds, sizes, and files of them that are written once.
//!
//! A [`Kind`] at full size is what the figures in `benches/README.md` speak of: a gigabyte of small
//! objects (1.5 million packets, 250,000 exchanges), 2.2 gigabytes of large ones (2.1 million packets).
//! A file's name holds its kind and its number of exchanges, and the truth is written beside it, so
//! that a file that is there is not made again.

use super::honest::Expected;
use super::tunnel::Vxlan;
use super::{Shape, Share, Size, Source, Traffic, Wire, frame};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

/// Objects of some kilobytes.
const SMALL: &[Size] =
    &[Size { share: 500, from: 0, to: 0 }, Size { share: 9500, from: 1, to: 5600 }];

/// Objects of a quarter to five megabytes.
const LARGE: &[Size] = &[
    Size { share: 6000, from: 256 << 10, to: 1 << 20 },
    Size { share: 4000, from: 1 << 20, to: 5 << 20 },
];

/// Objects that leave room in an exchange of three packets.
const TINY: &[Size] = &[Size { share: 10_000, from: 1, to: 600 }];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Small objects, about 4 KB and six packets an exchange, on connections that are kept.
    Small,
    /// The same, in a pcapng file.
    SmallPcapng,
    /// Large objects.
    Bulk,
    /// Small objects; 1 % of the packets lost, 1 % late, 1 % twice.
    Lossy,
    /// Small objects, each packet in VXLAN.
    Tunnelled,
    /// A million connections of some exchanges each, so many of them open at once.
    Flows(usize),
}

impl Kind {
    /// What `make bench` measures beside other tools.
    pub const COMPARED: [Self; 5] =
        [Self::Small, Self::SmallPcapng, Self::Bulk, Self::Lossy, Self::Tunnelled];

    /// A kind by its name.
    pub fn named(name: &str) -> Option<Self> {
        let flows = || name.strip_prefix("flows-")?.parse().ok().map(Self::Flows);
        Self::COMPARED.into_iter().find(|kind| kind.name() == name).or_else(flows)
    }

    pub fn name(self) -> String {
        match self {
            Self::Small => "small".to_owned(),
            Self::SmallPcapng => "small-pcapng".to_owned(),
            Self::Bulk => "bulk".to_owned(),
            Self::Lossy => "lossy".to_owned(),
            Self::Tunnelled => "tunnelled".to_owned(),
            Self::Flows(open) => format!("flows-{open}"),
        }
    }

    /// What is said, with so many percent of the full number of exchanges.
    pub fn shape(self, percent: u64) -> Shape {
        let small = Shape {
            seed: 21,
            exchanges: (250_000 * percent / 100).max(1),
            connections: 200,
            sizes: SMALL,
            chunked: 500,
            expects: 500,
            // Some tools lose their place behind one that is refused: `make loss` is about that.
            refused: 0,
            ..Shape::default()
        };
        match self {
            Self::Small | Self::SmallPcapng | Self::Tunnelled => small,
            Self::Lossy => Shape { seed: 22, ..small },
            Self::Bulk => Shape {
                seed: 23,
                exchanges: (1300 * percent / 100).max(1),
                connections: 16,
                keep_alive: 10,
                sizes: LARGE,
                peeks: 0,
                ..small
            },
            Self::Flows(open) => {
                // As long as sealwatch remembers connections that are over: most that it knows are
                // open.
                let think = 60_000_000_000;
                Shape {
                    seed: 24,
                    exchanges: 2_000_000 * percent / 100,
                    connections: open,
                    keep_alive: 2,
                    sizes: TINY,
                    chunked: 0,
                    expects: 0,
                    think,
                    opening: Some(think / 20),
                    ..small
                }
            }
        }
    }

    pub fn wire(self) -> Wire {
        const ONE_PERCENT: Share = 100;
        match self {
            Self::Lossy => Wire {
                loss: ONE_PERCENT,
                reorder: ONE_PERCENT,
                depth: 20,
                duplicates: ONE_PERCENT,
                ..Wire::default()
            },
            _ => Wire::default(),
        }
    }

    const fn is_pcapng(self) -> bool {
        matches!(self, Self::SmallPcapng)
    }
}

/// A capture file, and what is true of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Capture {
    #[serde(skip)]
    pub file: PathBuf,
    pub packets: u64,
    pub bytes: u64,
    /// Whether its frames are in VXLAN.
    pub is_tunnelled: bool,
    pub expected: Expected,
}

/// The capture of a kind at a size, in `folder`; written, unless it is there already.
///
/// # Errors
///
/// Where files cannot be written or read.
pub fn capture(kind: Kind, percent: u64, folder: &Path) -> io::Result<Capture> {
    let exchanges = kind.shape(percent).exchanges;
    let ending = if kind.is_pcapng() { "pcapng" } else { "pcap" };
    let file = folder.join(format!("{}-{exchanges}.{ending}", kind.name()));
    let truth = file.with_extension("json");
    if let Ok(text) = fs::read(&truth) {
        let capture: Capture = serde_json::from_slice(&text)?;
        if file.metadata().is_ok_and(|file| file.len() == capture.bytes) {
            return Ok(Capture { file, ..capture });
        }
    }
    fs::create_dir_all(folder)?;
    let capture = write(kind, percent, &file)?;
    fs::write(&truth, serde_json::to_vec_pretty(&capture)?)?;
    Ok(capture)
}

/// Writes the capture of a kind at a size.
///
/// # Errors
///
/// Where the file cannot be written.
pub fn write(kind: Kind, percent: u64, file: &Path) -> io::Result<Capture> {
    let mut traffic = Traffic::counting(kind.shape(percent), kind.wire());
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file)?);
    let packets = {
        let mut tunnelled;
        let source: &mut dyn Source = if kind == Kind::Tunnelled {
            tunnelled = Vxlan { source: &mut traffic, vni: 7 };
            &mut tunnelled
        } else {
            &mut traffic
        };
        if kind.is_pcapng() {
            frame::pcapng(source, &mut out)?
        } else {
            frame::pcap(source, &mut out)?
        }
    };
    let bytes = out.into_inner()?.metadata()?.len();
    let (file, is_tunnelled) = (file.to_owned(), kind == Kind::Tunnelled);
    Ok(Capture { file, packets, bytes, is_tunnelled, expected: traffic.expected() })
}
