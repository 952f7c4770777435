//! `cargo bench --bench rooms`: what each room takes by itself, by criterion.
//!
//! Each is given what the room before it gives of the same seeded traffic, small objects and large
//! ones; what it gives is thrown away. Rates are in packets of the capture, also of rooms that never
//! see one, so that costs add up.

mod recorded;
#[path = "../traffic/mod.rs"]
mod traffic;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use recorded::{Heads, Nobody, Recording};
use sealwatch::capture::{CaptureFiles, Next, Packet, PacketSource};
use sealwatch::decode::{Config, Decoder};
use sealwatch::flow::{FlowTable, Limits};
use sealwatch::http::{self, Http};
use sealwatch::s3::{self, S3Reader};
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use traffic::speed::{Kind, capture};

/// How much is recorded, in percent of the full size: some tens of megabytes.
const RECORDED: [(Kind, u64); 2] = [(Kind::Small, 4), (Kind::Bulk, 2)];

/// The capture room: a file, packet by packet.
fn packets(file: &Path) -> u64 {
    let mut source = CaptureFiles::open(&[PathBuf::from(file)], None);
    let mut bytes = 0;
    let mut take = |packet: &Packet<'_>| {
        bytes += packet.data.len() as u64;
        ControlFlow::Continue(())
    };
    while let Ok(Next::Packets) = source.next(&mut take) {}
    bytes
}

/// The decode room: packets to segments.
fn segments(recording: &Recording) -> usize {
    let mut decoder = Decoder::new(Config::default());
    let segments = recording.packets().filter_map(|packet| {
        let segment = decoder.decode(&packet).ok()?;
        Some(segment.payload.len())
    });
    segments.sum()
}

fn bench(criterion: &mut Criterion) {
    for (kind, percent) in RECORDED {
        let made = capture(kind, percent, Path::new("target/bench"));
        let Ok(capture) = made else { panic!("a capture cannot be written: {made:?}") };
        let recording = Recording::of(&capture.file);
        let segments_of = recording.segments();
        let chunks = recorded::chunks(&segments_of);
        let heads = Heads::of(&segments_of);
        let mut group = criterion.benchmark_group(kind.name());
        group.throughput(Throughput::Elements(capture.packets)).sample_size(20);
        group.bench_function("capture", |bencher| bencher.iter(|| packets(&capture.file)));
        group.bench_function("decode", |bencher| bencher.iter(|| segments(&recording)));
        group.bench_function("flow", |bencher| {
            let table = || FlowTable::new(Nobody, Limits::default());
            bencher.iter_batched(
                table,
                |mut table| {
                    for segment in &segments_of {
                        table.segment(&segment.borrowed());
                    }
                    table.close();
                    table.counts().flows
                },
                BatchSize::PerIteration,
            );
        });
        group.bench_function("http", |bencher| {
            bencher.iter(|| {
                let mut http = Http::new(Nobody, http::Limits::default());
                recorded::give(&chunks, &mut http);
                black_box(http.counts())
            });
        });
        group.bench_function("s3", |bencher| {
            bencher.iter(|| heads.give(&mut S3Reader::new(&s3::Config::default())));
        });
        group.finish();
    }
}

criterion_group!(rooms, bench);
criterion_main!(rooms);
