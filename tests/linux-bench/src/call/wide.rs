//! In a 64-bit program.

use core::arch::asm;

use super::{Error, call};

/// Debian's name of it.
pub const ARCHITECTURE: &[u8] = b"amd64";

/// Linux's numbers of system calls.
#[allow(missing_docs)]
pub mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const OPEN: usize = 2;
    pub const CLOSE: usize = 3;
    pub const MMAP: usize = 9;
    pub const MUNMAP: usize = 11;
    pub const PIPE: usize = 22;
    pub const DUP2: usize = 33;
    pub const ALARM: usize = 37;
    pub const GETPID: usize = 39;
    pub const SOCKET_PAIR: usize = 53;
    pub const FORK: usize = 57;
    pub const EXECVE: usize = 59;
    pub const WAIT4: usize = 61;
    pub const ARCH_PRCTL: usize = 158;
    pub const REBOOT: usize = 169;
    pub const EXIT: usize = 231;
}

/// The code of [`number::ARCH_PRCTL`] that sets the base of FS.
const SET_FS: usize = 0x1002;

/// Makes a system call.
///
/// # Safety
/// As safe as what is asked for.
#[inline(always)]
pub unsafe fn raw(number: usize, [first, second, third, fourth, fifth, sixth]: [usize; 6]) -> usize {
    let result;
    // SAFETY: these are the registers that the system reads and changes; what it does with memory the caller vouches for.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            in("r8") fifth,
            in("r9") sixth,
            out("rcx") _,
            out("r11") _,
        );
    }
    result
}

/// Ticks around the shortest of all system calls: two instructions and what the system does.
#[inline(always)]
pub fn getpid() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: this system call changes nothing but RAX, RCX and R11.
    unsafe {
        asm!(
            "rdtsc",
            "mov {low:e}, eax",
            "mov {high:e}, edx",
            "mov eax, {getpid}",
            "syscall",
            "rdtsc",
            "sub eax, {low:e}",
            "sbb edx, {high:e}",
            getpid = const number::GETPID,
            low = out(reg) _,
            high = out(reg) _,
            out("rax") low,
            out("rdx") high,
            out("rcx") _,
            out("r11") _,
        );
    }
    high << 32 | low
}

/// Two connected sockets.
pub fn socket_pair(arguments: [usize; 4]) -> Result<usize, Error> {
    call(number::SOCKET_PAIR, arguments)
}

/// Makes this address the base of FS.
pub fn set_thread_segment(address: usize) -> Result<(), Error> {
    call(number::ARCH_PRCTL, [SET_FS, address]).map(drop)
}
