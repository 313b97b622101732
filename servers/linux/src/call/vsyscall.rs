//! Functions that 64-bit programs find at fixed addresses in the kernel's half (`vsyscall`), as small C libraries still do. Nothing is mapped there: whoever
//! goes there faults, and gets what was asked for.

use lilliput_abi::object::register::{AX, IP, SI, SP};

use crate::arch::{Arch, DI, DX};
use crate::machine::Machine;
use crate::process::Thread;
use crate::server::{Outcome, Server};

/// Where they are.
const GETTIMEOFDAY: u64 = 0xffff_ffff_ff60_0000;
const TIME: u64 = GETTIMEOFDAY + 0x400;
const GETCPU: u64 = GETTIMEOFDAY + 0x800;

impl<M: Machine> Server<M> {
    /// Does what the thread that faults wants at this address, and lets it return from there. `None` if it is no such function, or the memory that it names is not there: then it is a
    /// fault like any other.
    pub(crate) fn call_at(&mut self, address: u64) -> Option<()> {
        let Thread { handle, arch, .. } = *self.thread();
        if arch != Arch::Amd64 {
            return None;
        }
        let function = match address {
            GETTIMEOFDAY => Self::gettimeofday,
            TIME => Self::time,
            GETCPU => Self::getcpu,
            _ => return None,
        };
        let mut registers = self.machine.registers(handle, arch).ok()?;
        let mut caller = [0; 8];
        self.user().read(registers.sp(), &mut caller).ok()?;
        let [first, second, third] = [DI, SI, DX].map(|number| registers.get(number));
        let Ok(Outcome::Done(result)) = function(self, &[first, second, third, 0, 0, 0]) else { return None };
        registers.set(AX, result);
        registers.set(SP, registers.sp() + 8);
        registers.set(IP, u64::from_le_bytes(caller));
        self.machine.set_registers(handle, arch, &registers).ok()
    }
}
