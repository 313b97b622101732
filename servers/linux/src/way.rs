//! By which instruction a 32-bit program makes a system call, and where its arguments are then.
//!
//! The conventions are Linux's (`arch/x86/entry/entry_64_compat.S`). SYSCALL loses ECX, so the second argument is in EBP, and the sixth on the stack. SYSENTER keeps no stack pointer, which is
//! in EBP, and there as well lies the sixth argument.

use lilliput_abi::foreign::{INTERRUPT_LABEL, SYSCALL_LABEL, SYSENTER_LABEL};
use syscalls::x86::Sysno;

use crate::arch::Arch;
use crate::machine::Machine;
use crate::server::{Answer, Result, Server, Words};

/// The instruction. The numbers are those of the kernel's fact `COMPAT_ENTRY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `int 0x80`: all arguments are in registers.
    Interrupt = 0,
    /// `syscall`.
    Syscall = 1,
    /// `sysenter`.
    Sysenter = 2,
}

/// The places of EBP, EAX and ECX in the words of a message.
const BP: usize = 3;
const AX: usize = Arch::I386.number_place();
const CX: usize = 5;

impl Way {
    /// That of a number.
    pub const fn from_number(number: usize) -> Self {
        match number {
            1 => Self::Syscall,
            2 => Self::Sysenter,
            _ => Self::Interrupt,
        }
    }

    /// That of the label of a message; none if that tells of no system call.
    pub const fn from_label(label: u16) -> Option<Self> {
        match label {
            INTERRUPT_LABEL => Some(Self::Interrupt),
            SYSCALL_LABEL => Some(Self::Syscall),
            SYSENTER_LABEL => Some(Self::Sysenter),
            _ => None,
        }
    }
}

impl<M: Machine> Server<M> {
    /// The server is asked for a system call, like [`Server::call`], by any instruction.
    #[inline(never)]
    pub fn call_by_way(&mut self, badge: u32, way: Way, words: &mut Words) -> Answer {
        let me = (badge as usize).wrapping_sub(1);
        let Some(Some(thread)) = self.threads.get(me) else { return Answer::Nobody };
        if way == Way::Interrupt || thread.arch == Arch::Amd64 {
            return self.call(badge, words);
        }
        // Only the copy has its arguments where `int 0x80` takes them: the registers stay as they are.
        let mut moved = *words;
        let answer = match self.move_arguments(me, way, &mut moved) {
            Ok(()) => self.call(badge, &mut moved),
            Err(error) => {
                let value = -i64::from(error.into_raw()) as u64;
                moved[AX] = Arch::I386.narrow(value) as usize;
                Answer::Result(value)
            }
        };
        words[AX] = moved[AX];
        answer
    }

    /// # Errors
    /// `EFAULT` where the sixth argument is wanted, and is not there.
    fn move_arguments(&mut self, me: usize, way: Way, words: &mut Words) -> Result<()> {
        let (number, in_bp) = (words[AX], words[BP]);
        if way == Way::Syscall {
            words[CX] = in_bp;
        }
        if has_six(number) {
            self.me = me;
            let handle = self.thread().handle;
            let sp = if way == Way::Syscall { self.machine.registers(handle, Arch::I386)?.sp() } else { in_bp as u64 };
            words[BP] = self.user().u32(sp)? as usize;
        }
        Ok(())
    }
}

/// Whether a system call looks at its sixth argument.
fn has_six(number: usize) -> bool {
    use Sysno::{
        copy_file_range, fallocate, futex, futex_time64, mmap2, pselect6, pselect6_time64, recvfrom, sendto, splice,
    };
    let by_file = |call| matches!(call, copy_file_range | fallocate | mmap2 | splice);
    let others = |call| matches!(call, futex | futex_time64 | pselect6 | pselect6_time64 | recvfrom | sendto);
    Sysno::new(number).is_some_and(|call| by_file(call) || others(call))
}
