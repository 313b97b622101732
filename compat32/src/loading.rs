//! Whether code at privilege level 3 gets a segment register loaded with a descriptor.
//!
//! The rules of AMD64 APM vol. 2, sections 4.10 to 4.12, and Intel SDM vol. 3, sections 5.6 to 5.8. Null
//! selectors and selectors of no table entry are the table's affair (`gdt`).

use crate::descriptor::{Decoded, Kind};

/// Vector of a "segment not present" exception.
pub const NOT_PRESENT: u8 = 11;
/// Vector of a stack exception.
pub const STACK_FAULT: u8 = 12;
/// Vector of a general-protection exception.
pub const GENERAL_PROTECTION: u8 = 13;

const USER: u8 = 3;

/// Loads DS, ES, FS or GS. `Err` is the vector of the exception.
pub const fn as_data(descriptor: &Decoded, rpl: u8) -> Result<(), u8> {
    let privilege = if rpl > USER { rpl } else { USER };
    let allowed = match descriptor.kind {
        Kind::Data { .. } | Kind::Code { readable: true, conforming: false } => descriptor.dpl >= privilege,
        // Conforming code is read by everybody.
        Kind::Code { readable: true, conforming: true } => true,
        _ => false,
    };
    present(descriptor, allowed, NOT_PRESENT)
}

/// Loads SS.
pub const fn as_stack(descriptor: &Decoded, rpl: u8) -> Result<(), u8> {
    let writable = matches!(descriptor.kind, Kind::Data { writable: true, .. });
    present(descriptor, writable && rpl == USER && descriptor.dpl == USER, STACK_FAULT)
}

/// Loads CS by any far transfer that does not change the privilege level: jump, call, return or IRET.
///
/// Jump and call take every RPL, return and IRET only 3: what one of them allows counts as allowed. A
/// transfer through a gate loads CS from the gate; a system descriptor is never loaded itself.
pub const fn as_code(descriptor: &Decoded) -> Result<(), u8> {
    let allowed = match descriptor.kind {
        // L and D together are reserved, and fault (APM vol. 2, section 4.8.1).
        Kind::Code { .. } if descriptor.long && descriptor.big => false,
        Kind::Code { conforming: false, .. } => descriptor.dpl == USER,
        Kind::Code { conforming: true, .. } => descriptor.dpl <= USER,
        _ => false,
    };
    present(descriptor, allowed, NOT_PRESENT)
}

/// Type and privilege are checked before presence.
const fn present(descriptor: &Decoded, allowed: bool, vector: u8) -> Result<(), u8> {
    if !allowed {
        Err(GENERAL_PROTECTION)
    } else if !descriptor.present {
        Err(vector)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor::Descriptor;

    fn descriptor(access: u64) -> Decoded {
        Descriptor(access << 40 | 1 << 54).decode()
    }

    /// Every access byte, against the table of types as the manual prints it (APM vol. 2, tables 4-3 and 4-4).
    #[test]
    fn access_bytes_enumerated() {
        for access in 0..256 {
            let fields = descriptor(access);
            let (dpl, present, kind) = (access >> 5 & 3, access & 0x80 != 0, access & 0x1e);
            let writable_data = matches!(kind, 0x12 | 0x16);
            let readable = matches!(kind, 0x10 | 0x12 | 0x14 | 0x16 | 0x1a);
            let conforming = matches!(kind, 0x1c | 0x1e);
            let expect = |allowed: bool, vector: u8| match (allowed, present) {
                (false, _) => Err(GENERAL_PROTECTION),
                (true, false) => Err(vector),
                (true, true) => Ok(()),
            };
            for rpl in 0..4 {
                assert_eq!(as_data(&fields, rpl), expect(readable && dpl == 3 || kind == 0x1e, NOT_PRESENT));
                assert_eq!(as_stack(&fields, rpl), expect(writable_data && dpl == 3 && rpl == 3, STACK_FAULT));
                let code = matches!(kind, 0x18 | 0x1a) && dpl == 3 || conforming;
                assert_eq!(as_code(&fields), expect(code, NOT_PRESENT));
            }
        }
    }

    #[test]
    fn long_and_big_exclude_each_other() {
        assert_eq!(as_code(&Descriptor::USER_CODE64.decode()), Ok(()));
        let both = Descriptor(Descriptor::USER_CODE64.0 | 1 << 54);
        assert_eq!(as_code(&both.decode()), Err(GENERAL_PROTECTION));
    }
}
