//! Frames as a mirror hands them on that wraps each in VXLAN (RFC 7348).

use super::Source;
use super::frame::checksum;

/// A source, each frame of which is wrapped: Ethernet, IPv4, UDP to port 4789, VXLAN.
pub struct Vxlan<'s> {
    pub source: &'s mut dyn Source,
    pub vni: u32,
}

impl Source for Vxlan<'_> {
    fn next(&mut self, frame: &mut Vec<u8>) -> Option<i64> {
        let time = self.source.next(frame)?;
        let header = self.header(frame.len() as u16);
        frame.splice(0..0, header);
        Some(time)
    }
}

impl Vxlan<'_> {
    fn header(&self, inner: u16) -> [u8; 50] {
        let mut header = [0; 50];
        header[..14].copy_from_slice(&[2, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 4, 8, 0]);
        header[14..16].copy_from_slice(&[0x45, 0]);
        header[16..18].copy_from_slice(&(inner + 36).to_be_bytes());
        header[22..24].copy_from_slice(&[64, 17]);
        header[26..30].copy_from_slice(&[198, 51, 100, 1]);
        header[30..34].copy_from_slice(&[198, 51, 100, 2]);
        let sum = checksum(&[&header[14..34]]);
        header[24..26].copy_from_slice(&sum.to_be_bytes());
        header[34..36].copy_from_slice(&50_000_u16.to_be_bytes());
        header[36..38].copy_from_slice(&4789_u16.to_be_bytes());
        // Without a checksum of UDP, as RFC 7348 has it.
        header[38..40].copy_from_slice(&(inner + 16).to_be_bytes());
        header[42] = 0x08;
        header[46..50].copy_from_slice(&(self.vni << 8).to_be_bytes());
        header
    }
}
