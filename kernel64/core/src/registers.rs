//! The registers of a thread as others see and set them, by their numbers in the interface.

use lilliput_abi::Error;
use lilliput_abi::layout::ENTRY_PAGE;
use lilliput_abi::object::register;

use crate::thread::{Frame, Interrupted, Kind, Obstacles, State, Thread};

/// Flags that user code can change by POPF: CF, PF, AF, ZF, SF, TF, DF, OF, AC, ID (AMD64 APM vol. 3, POPF). Not NT: an
/// IRET of the user's would fault by it, which serves nobody.
const SETTABLE_FLAGS: u64 = 0x24_0dd5;

const RESUME_FLAG: u64 = 1 << 16;

/// VM and IOPL, which no user has.
pub const NEVER_OF_A_USER: u64 = 1 << 17 | 3 << 12;

/// Bytes of every instruction that is a system call: `syscall`, `sysenter`, `int 0x40`.
const SYSTEM_CALL_BYTES: u64 = 2;
/// Flags after a system call: IF, and bit 1, which is always set.
pub const FLAGS: u64 = 0x202;

impl Thread {
    /// Whether its registers hold still: it is stopped, or waits for what its fault's handler says.
    pub const fn holds_still(&self) -> bool {
        matches!(self.state, State::Stopped) || self.obstacles.contains(Obstacles::FAULT)
    }

    /// A register by its number in the interface; `None` for one that it has not.
    pub fn register(&mut self, number: u64) -> Option<u64> {
        let wide = self.kind.is_wide();
        self.leave_system_call();
        // The CPU sets RF where an exception came from (AMD64 APM vol. 2, 3.1.6): that is not the thread's.
        let value =
            *self.place(number)? & if number == register::FLAGS { !(RESUME_FLAG | NEVER_OF_A_USER) } else { u64::MAX };
        Some(if wide { value } else { u64::from(value as u32) })
    }

    /// Sets registers from `first` on, all or none. `end` is the end of its task's addresses.
    ///
    /// Nothing comes of it that the thread could not bring about by itself: its privilege and interrupts are not
    /// among what can be set, and wherever it then goes it is confined as ever.
    ///
    /// # Errors
    /// `BadArgument` for registers that it has not, `WordTooWide` for what a 32-bit one can't have, `BadAddress` for an instruction
    /// pointer outside of its task's addresses.
    pub fn set_registers(&mut self, first: u64, values: &[u64], end: u64) -> Result<(), Error> {
        let count = if self.kind.is_wide() { register::COUNT } else { register::NARROW_COUNT };
        if values.is_empty() || first.saturating_add(values.len() as u64) > count {
            return Err(Error::BadArgument);
        }
        if !self.kind.is_wide() && values.iter().any(|&value| value > u64::from(u32::MAX)) {
            return Err(Error::WordTooWide);
        }
        if first == register::IP && (values[0] == 0 || values[0] >= end) {
            return Err(Error::BadAddress);
        }
        // All of them are to be loaded, those too that a system call loses.
        self.leave_system_call();
        for (number, &value) in (first..).zip(values) {
            let value = if number == register::FLAGS { value & SETTABLE_FLAGS | FLAGS } else { value };
            *self.place(number).ok_or(Error::BadArgument)? = value;
        }
        Ok(())
    }

    /// Makes it go on as if it had been interrupted right after its system call.
    pub(crate) fn leave_system_call(&mut self) {
        if !self.has_full_frame() {
            let Frame { ip, sp, .. } = self.frame;
            self.interrupt(Interrupted { ip, sp, flags: FLAGS, ..Interrupted::default() });
        }
    }

    fn place(&mut self, number: u64) -> Option<&mut u64> {
        let registers = &mut self.registers;
        let [bx, si, di, bp, r8, r9, r10, r12, r13, r14, r15] = &mut registers.words;
        Some(match number {
            register::R8.. if !self.kind.is_wide() => return None,
            register::IP => &mut self.interrupted.ip,
            register::SP => &mut self.interrupted.sp,
            register::FLAGS => &mut self.interrupted.flags,
            register::AX => &mut registers.status,
            register::BX => bx,
            5 => &mut registers.rcx,
            6 => &mut registers.tag,
            register::SI => si,
            8 => di,
            9 => bp,
            register::R8 => r8,
            11 => r9,
            12 => r10,
            13 => &mut registers.r11,
            14 => r12,
            15 => r13,
            16 => r14,
            17 => r15,
            _ => return None,
        })
    }

    /// Lets it make its system call again, with these words: what is left to do of it. Interrupts come in between.
    pub fn repeat(&mut self, words: &[u64]) {
        self.registers.words[..words.len()].copy_from_slice(words);
        let tag = self.tag();
        let length = tag.words().max(words.len() as u32);
        self.registers.tag = u64::from(lilliput_abi::Tag::new(tag.label(), length).0);
        self.again();
    }

    /// Lets it make its system call again as it is.
    pub fn again(&mut self) {
        (self.registers.rcx, self.registers.r11) = (0, 0);
        let Frame { ip, sp, .. } = self.frame;
        if self.has_full_frame() {
            // By `int`: from wherever that stands.
            return self.step_back();
        }
        self.interrupt(match self.kind {
            // A small task's others return to a fixed place, hence begin at one.
            Kind::Small => Interrupted { ip: u64::from(ENTRY_PAGE), sp, flags: FLAGS, ..Interrupted::default() },
            _ => Interrupted { ip: ip.wrapping_sub(SYSTEM_CALL_BYTES), sp, flags: FLAGS, ..Interrupted::default() },
        });
    }

    /// Makes it go on at its system call instead of behind it, where it was interrupted by that.
    pub fn step_back(&mut self) {
        let ip = self.interrupted.ip.wrapping_sub(SYSTEM_CALL_BYTES);
        self.interrupted.ip = if self.kind.is_wide() { ip } else { u64::from(ip as u32) };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::thread::{Fault, Registers};

    const END: u64 = 0x8000_0000;

    fn thread(kind: Kind) -> Thread {
        Thread { kind, ..Thread::default() }
    }

    #[test]
    fn every_register_has_a_number_of_its_own() {
        for (kind, count) in
            [(Kind::Small, register::NARROW_COUNT), (Kind::Host, register::COUNT), (Kind::Wide, register::COUNT)]
        {
            let mut thread = thread(kind);
            for number in 0..count {
                let value = if number == register::FLAGS { 0x893 } else { 0x100 + number };
                thread.set_registers(number, &[value], END).unwrap();
            }
            for number in 0..count {
                let expected = if number == register::FLAGS { 0xa93 } else { 0x100 + number };
                assert_eq!(thread.register(number), Some(expected), "{number}");
            }
            assert_eq!(thread.register(count), None);
            let Registers { words, tag, status, rcx, r11 } = thread.registers;
            assert_eq!(
                [status, words[0], rcx, tag, words[1], words[2], words[3]],
                core::array::from_fn(|n| 0x103 + n as u64)
            );
            if kind.is_wide() {
                // R8, R9, R10, R11, R12 to R15.
                assert_eq!([words[4], words[5], words[6], r11], [0x10a, 0x10b, 0x10c, 0x10d]);
                assert_eq!(words[7..], [0x10e, 0x10f, 0x110, 0x111]);
            }
        }
    }

    #[test]
    fn registers_hold_still_while_nobody_uses_them() {
        for state in
            [State::Ready, State::Sending, State::Calling, State::Receiving, State::AwaitingReply, State::Waiting]
        {
            let mut thread = Thread { state, ..thread(Kind::Wide) };
            assert!(!thread.holds_still());
            thread.set_fault(Some(Fault::default()));
            assert!(thread.holds_still());
        }
        assert!(thread(Kind::Small).holds_still());
    }

    #[test]
    fn a_call_that_is_repeated_is_the_same_call() {
        let by_int = |ip| Some(Interrupted { ip, sp: 77, flags: 0x206, ..Interrupted::default() });
        for (kind, interrupted, expected) in [
            (Kind::Wide, None, Interrupted { ip: 0x1_0000_0001, sp: 77, flags: FLAGS, ..Interrupted::default() }),
            (
                Kind::Small,
                None,
                Interrupted { ip: u64::from(ENTRY_PAGE), sp: 77, flags: FLAGS, ..Interrupted::default() },
            ),
            (
                Kind::Wide,
                by_int(0x1_0000_0001),
                Interrupted { ip: 0xffff_ffff, sp: 77, flags: 0x206, ..Interrupted::default() },
            ),
            (Kind::Small, by_int(1), Interrupted { ip: 0xffff_ffff, sp: 77, flags: 0x206, ..Interrupted::default() }),
        ] {
            let mut thread = thread(kind);
            thread.obstacles = Obstacles::empty();
            thread.frame = Frame { ip: 0x1_0000_0003, sp: 77, ..thread.frame };
            interrupted.into_iter().for_each(|at| thread.interrupt(at));
            thread.registers =
                Registers { status: 5, tag: u64::from(lilliput_abi::Tag::new(8, 1).0), ..thread.registers };
            thread.repeat(&[1, 2]);
            assert_eq!((thread.interrupted, thread.registers.status), (expected, 5));
            assert!(thread.has_full_frame());
            assert_eq!(
                (thread.tag().label(), thread.tag().words(), &thread.registers.words[..3]),
                (8, 2, &[1, 2, 0][..])
            );
            thread.repeat(&[3]);
            assert_eq!((thread.tag().words(), &thread.registers.words[..2]), (2, &[3, 2][..]));
        }
    }

    proptest! {
        /// All or nothing; and whatever is set, flags and instruction pointer are a user's.
        #[test]
        fn nothing_is_set_that_is_no_users(
            wide: bool,
            first in 0u64..20,
            values in prop::collection::vec(prop_oneof![any::<u64>(), 0u64..0x1_0000_0000, Just(0)], 0..20),
        ) {
            let mut thread = thread(if wide { Kind::Wide } else { Kind::Small });
            thread.frame = Frame { ip: 1, cs: 2, sp: 4, ss: 5 };
            thread.interrupted = Interrupted { ip: 1, sp: 4, flags: FLAGS, ..Interrupted::default() };
            let (registers, frame) = (thread.registers, thread.interrupted);
            let result = thread.set_registers(first, &values, END);
            prop_assert_eq!((thread.frame.cs, thread.frame.ss), (2, 5));
            // IF and bit 1 set; IOPL, NT, RF, VM, VIF and VIP clear, as all that is reserved.
            prop_assert_eq!(thread.interrupted.flags & !SETTABLE_FLAGS, FLAGS);
            prop_assert_eq!(thread.interrupted.flags & 0x1f_7000, thread.interrupted.flags & 0x4_0000);
            prop_assert!(thread.interrupted.ip != 0 && thread.interrupted.ip < END);
            match result {
                Ok(()) => {
                    for (number, &value) in (first..).zip(&values) {
                        let found = thread.register(number);
                        prop_assert!(number == register::FLAGS || found == Some(value));
                    }
                }
                Err(_) => prop_assert_eq!((thread.registers, thread.interrupted), (registers, frame)),
            }
        }
    }
}
