//! The registers of a thread as others see and set them.

use crate::thread::Thread;

/// Bytes of every instruction that is a system call: `syscall`, `sysenter`, `int 0x40`.
const SYSTEM_CALL_BYTES: u64 = 2;

impl Thread {
    /// Lets it make its system call again, with these words: what is left to do of it. Interrupts come in between.
    pub fn repeat(&mut self, words: &[u64]) {
        self.registers.words[..words.len()].copy_from_slice(words);
        let tag = self.tag();
        let length = tag.words().max(words.len() as u32);
        self.registers.tag = u64::from(lilliput_abi::Tag::new(tag.label(), length).0);
        let ip = self.frame.ip.wrapping_sub(SYSTEM_CALL_BYTES);
        self.frame.ip = if self.kind.is_wide() { ip } else { u64::from(ip as u32) };
        // SYSENTER takes the stack pointer from there; for the others it is lost.
        self.registers.rcx = self.frame.sp;
        self.registers.r11 = 0;
    }
}
