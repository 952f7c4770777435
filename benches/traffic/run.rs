//! Traffic as a file, and sealwatch on it.

use super::frame;
use super::truth::Truth;
use super::{Shape, Traffic, Wire};
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

/// Writes traffic down as a pcap file. What was said, and how many packets were captured.
pub fn write(shape: Shape, wire: Wire, file: &Path) -> io::Result<(Vec<Truth>, u64)> {
    let mut traffic = Traffic::new(shape, wire);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file)?);
    let packets = frame::pcap(&mut traffic, &mut out)?;
    Ok((traffic.take_truth(), packets))
}
