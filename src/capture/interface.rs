//! A pcapng interface description: what its packets are, and how their times count.

use super::LinkType;
use super::formats::{Order, snapshot};
use crate::net::Timestamp;

const END_OF_OPTIONS: u16 = 0;
const RESOLUTION: u16 = 9;
const OFFSET: u16 = 14;

const NANOS: u64 = 1_000_000_000;

/// One interface (draft-ietf-opsawg-pcapng §4.2).
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) link_type: LinkType,
    /// The most bytes that a packet of it has.
    pub(super) snapshot: u32,
    /// How many units of time make a second (`if_tsresol`); at least one.
    resolution: u64,
    /// Seconds to add to every time (`if_tsoffset`).
    offset: i64,
}

impl Interface {
    /// From the block's body.
    pub(super) fn read(order: Order, body: &[u8]) -> Result<Self, String> {
        let link = order.u16(body, 0);
        let mut interface = Self {
            link_type: LinkType::in_file(link.into()),
            snapshot: snapshot(order.u32(body, 4), link.into()),
            resolution: 1_000_000,
            offset: 0,
        };
        interface.options(order, &body[8..])?;
        Ok(interface)
    }

    fn options(&mut self, order: Order, mut rest: &[u8]) -> Result<(), String> {
        let (mut resolutions, mut offsets) = (0, 0);
        while !rest.is_empty() {
            if rest.len() < 4 {
                return Err("an interface whose options are cut off".to_owned());
            }
            let (code, len) = (order.u16(rest, 0), usize::from(order.u16(rest, 2)));
            let padded = 4 + len.next_multiple_of(4);
            let Some(value) = rest.get(4..padded).map(|padded| &padded[..len]) else {
                return Err("an interface whose options are cut off".to_owned());
            };
            rest = &rest[padded..];
            match (code, value) {
                (END_OF_OPTIONS, []) => return Ok(()),
                (RESOLUTION, [resolution]) if resolutions == 0 => {
                    resolutions += 1;
                    self.resolution = units(*resolution)?;
                }
                (OFFSET, [_, _, _, _, _, _, _, _]) if offsets == 0 => {
                    offsets += 1;
                    let halves = (order.u32(value, 0), order.u32(value, 4));
                    let (low, high) =
                        if order == Order::Little { halves } else { (halves.1, halves.0) };
                    self.offset = (u64::from(high) << 32 | u64::from(low)) as i64;
                }
                (END_OF_OPTIONS | RESOLUTION | OFFSET, _) => {
                    return Err(format!("an interface with a wrong option {code}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The time that is so many units.
    pub(super) fn time(&self, units: u64) -> Timestamp {
        let seconds = (units / self.resolution) as i64;
        let fraction = u128::from(units % self.resolution) * u128::from(NANOS);
        let nanos = fraction / u128::from(self.resolution);
        Timestamp::from_parts(seconds.saturating_add(self.offset), nanos as i64)
    }
}

/// How many units make a second: a power of ten, or with the highest bit set, of two.
fn units(resolution: u8) -> Result<u64, String> {
    let power = u32::from(resolution & 0x7f);
    let units =
        if resolution & 0x80 == 0 { 10_u64.checked_pow(power) } else { 1_u64.checked_shl(power) };
    units.ok_or_else(|| format!("an interface whose times have a resolution of {resolution:#04x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Link type, snapshot length, and what options follow.
    fn interface(options: &[u8]) -> Result<Interface, String> {
        let body = [&[1, 0, 0, 0, 0, 0, 4, 0], options].concat();
        Interface::read(Order::Little, &body)
    }

    fn nanos(options: &[u8], units: u64) -> i64 {
        interface(options).unwrap().time(units).as_nanos()
    }

    #[test]
    fn times_count_in_the_units_that_an_interface_says() {
        assert_eq!(nanos(&[], 1_000_001), 1_000_001_000);
        assert_eq!(nanos(&[9, 0, 1, 0, 9, 0, 0, 0], 1_000_001), 1_000_001);
        assert_eq!(nanos(&[9, 0, 1, 0, 0, 0, 0, 0], 3), 3_000_000_000);
        assert_eq!(nanos(&[9, 0, 1, 0, 0x81, 0, 0, 0], 3), 1_500_000_000);
        assert_eq!(nanos(&[9, 0, 1, 0, 0xbf, 0, 0, 0], u64::MAX), 1_999_999_999);
        assert_eq!(nanos(&[9, 0, 1, 0, 19, 0, 0, 0], 10_u64.pow(18)), 100_000_000);
        let ahead = [14, 0, 8, 0, 5, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(nanos(&ahead, 1), 5_000_001_000);
        let behind = [14, 0, 8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(nanos(&behind, 1_000_000), 0);
    }

    #[test]
    fn an_option_that_cannot_be_is_refused() {
        for options in [
            &[9, 0, 1, 0, 20, 0, 0, 0][..],
            &[9, 0, 1, 0, 0xc0, 0, 0, 0],
            &[9, 0, 2, 0, 6, 6, 0, 0],
            &[9, 0, 1, 0, 6, 0, 0, 0, 9, 0, 1, 0, 6, 0, 0, 0],
            &[14, 0, 4, 0, 0, 0, 0, 0],
            &[0, 0, 1, 0, 0, 0, 0, 0],
            &[2, 0, 5, 0, b'e', b't', b'h', b'0'],
            &[2, 0],
        ] {
            assert!(interface(options).is_err(), "{options:?}");
        }
        assert!(interface(&[2, 0, 3, 0, b'e', b't', b'h', 0, 0, 0, 0, 0, 9]).is_ok());
    }
}
