//! Ranges of I/O ports.

use core::ops::RangeInclusive;

use lilliput_abi::boot::exit;
use lilliput_abi::{Error, ObjectType};

use crate::slab::{Header, Object};

/// Ports that stay the kernel's: the legacy interrupt controllers, which it keeps masked, the ports by which it ends emulators, and
/// Bochs' debug port.
const KERNEL: [RangeInclusive<u16>; 5] =
    [0x20..=0x21, 0xa0..=0xa1, exit::PORT..=exit::PORT + 3, 0xe9..=0xe9, 0x8900..=0x8900];

/// Ports, the last one included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// All that there are.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// `count` ports from `first` on, which must lie among these.
    ///
    /// # Errors
    /// `BadArgument` for none, for more than there are, and where one is the kernel's.
    pub fn part(&self, first: u32, count: u32) -> Result<Self, Error> {
        let last = count.checked_sub(1).and_then(|more| first.checked_add(more)).ok_or(Error::BadArgument)?;
        let part = Self { first: narrow(first)?, last: narrow(last)? };
        let own = KERNEL.iter().any(|kernel| part.has_any(*kernel.start(), *kernel.end()));
        if part.first < self.first || part.last > self.last || own { Err(Error::BadArgument) } else { Ok(part) }
    }

    /// Whether one of the ports from `first` to `last` is among these.
    pub const fn has_any(&self, first: u16, last: u16) -> bool {
        self.first <= last && first <= self.last
    }

    /// The port of an access to so many bytes.
    ///
    /// # Errors
    /// `BadArgument` for a number of bytes other than 1, 2 and 4, and where one of them is not among these.
    pub fn access(&self, port: u32, bytes: u32) -> Result<u16, Error> {
        let last = port.checked_add(bytes).ok_or(Error::BadArgument)?;
        let inside = u32::from(self.first) <= port && last <= u32::from(self.last) + 1;
        if inside && matches!(bytes, 1 | 2 | 4) { narrow(port) } else { Err(Error::BadArgument) }
    }
}

fn narrow(port: u32) -> Result<u16, Error> {
    u16::try_from(port).map_err(|_| Error::BadArgument)
}

/// A range of I/O ports that its holder may use.
#[derive(Default)]
pub struct IoPorts {
    /// Table bookkeeping.
    pub header: Header,
    /// Which.
    pub range: PortRange,
}

impl Object for IoPorts {
    const TYPE: ObjectType = ObjectType::IoPorts;
    fn header(&self) -> &Header {
        &self.header
    }
    fn header_mut(&mut self) -> &mut Header {
        &mut self.header
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_lie_within_the_whole(whole: (u16, u16), first in 0_u32..0x1_0010, count in 0_u32..0x1_0010) {
            let whole = PortRange { first: whole.0.min(whole.1), last: whole.0.max(whole.1) };
            let ports = u64::from(first)..u64::from(first) + u64::from(count);
            let inside = |port| (u64::from(whole.first)..=u64::from(whole.last)).contains(&port);
            let kernels = |port| KERNEL.iter().any(|kernel| u16::try_from(port).is_ok_and(|port| kernel.contains(&port)));
            let allowed = count > 0 && ports.clone().all(|port| inside(port) && !kernels(port));
            prop_assert_eq!(whole.part(first, count).is_ok(), allowed);
        }

        #[test]
        fn accesses_lie_within_the_range(first: u16, more in 0_u16..16, port in 0_u32..0x1_0010, bytes in 0_u32..6) {
            let range = PortRange { first, last: first.saturating_add(more) };
            let touched = port..port + bytes;
            let inside = touched.clone().all(|port| (u32::from(first)..=u32::from(range.last)).contains(&port));
            let allowed = inside && [1, 2, 4].contains(&bytes);
            prop_assert_eq!(range.access(port, bytes), if allowed { Ok(port as u16) } else { Err(Error::BadArgument) });
        }
    }

    #[test]
    fn numbers_do_not_wrap() {
        for (first, count) in [(u32::MAX, 2), (0x1_0000, 1), (0xffff, 2), (0, u32::MAX), (0x1_03f8, 8)] {
            assert_eq!(PortRange::ALL.part(first, count), Err(Error::BadArgument));
        }
        assert_eq!(PortRange::ALL.access(u32::MAX, 1), Err(Error::BadArgument));
        assert_eq!(PortRange::ALL.access(0xfffd, 4), Err(Error::BadArgument));
        assert_eq!(PortRange::ALL.access(0xfffc, 4), Ok(0xfffc));
    }
}
