//! In a 32-bit program.

use core::arch::{asm, naked_asm};

use super::{Error, call};

/// Debian's name of it.
pub const ARCHITECTURE: &[u8] = b"i386";

/// Linux's numbers of system calls.
#[allow(missing_docs)]
pub mod number {
    pub const EXIT: usize = 252;
    pub const FORK: usize = 2;
    pub const READ: usize = 3;
    pub const WRITE: usize = 4;
    pub const OPEN: usize = 5;
    pub const CLOSE: usize = 6;
    pub const EXECVE: usize = 11;
    pub const GETPID: usize = 20;
    pub const ALARM: usize = 27;
    pub const PIPE: usize = 42;
    pub const DUP2: usize = 63;
    pub const REBOOT: usize = 88;
    pub const MUNMAP: usize = 91;
    pub const WAIT4: usize = 114;
    pub const MMAP: usize = 192;
    pub const SOCKET_CALL: usize = 102;
    pub const SET_THREAD_AREA: usize = 243;
    pub const SOCKET_PAIR: usize = 360;
}

/// The way of [`number::SOCKET_CALL`] to say a pair.
const PAIR: usize = 8;
/// Linux's error of a system call that it does not have.
const NOT_THERE: Error = 38;
/// A `struct user_desc`: 32-bit, limit in pages, usable.
const SEGMENT_FLAGS: u32 = 0x51;

/// Maps so many bytes that nobody may touch.
pub fn reserve(bytes: usize) -> Result<usize, Error> {
    /// `MAP_PRIVATE`, `MAP_ANONYMOUS`.
    const FLAGS: usize = 0x22;
    call(number::MMAP, [0, bytes, 0, FLAGS, usize::MAX, 0])
}

/// Makes a system call.
///
/// # Safety
/// As safe as what is asked for.
pub unsafe fn raw(number: usize, arguments: [usize; 6]) -> usize {
    // SAFETY: the function takes the array by its address, and follows the C convention.
    unsafe { through(number, &arguments) }
}

/// The registers that carry arguments are others than the compiler gives away, so they are saved here.
#[unsafe(naked)]
unsafe extern "C" fn through(number: usize, arguments: &[usize; 6]) -> usize {
    naked_asm!(
        "push ebp",
        "push ebx",
        "push esi",
        "push edi",
        "mov eax, [esp + 20]",
        "mov ebp, [esp + 24]",
        "mov ebx, [ebp]",
        "mov ecx, [ebp + 4]",
        "mov edx, [ebp + 8]",
        "mov esi, [ebp + 12]",
        "mov edi, [ebp + 16]",
        "mov ebp, [ebp + 20]",
        "int 0x80",
        "pop edi",
        "pop esi",
        "pop ebx",
        "pop ebp",
        "ret",
    )
}

/// Ticks around the shortest of all system calls: two instructions and what the system does.
#[inline(always)]
pub fn getpid() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: this system call changes nothing but EAX.
    unsafe {
        asm!(
            "rdtsc",
            "mov {low:e}, eax",
            "mov {high:e}, edx",
            "mov eax, {getpid}",
            "int 0x80",
            "rdtsc",
            "sub eax, {low:e}",
            "sbb edx, {high:e}",
            getpid = const number::GETPID,
            low = out(reg) _,
            high = out(reg) _,
            out("eax") low,
            out("edx") high,
        );
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Ticks around the same, by the function that the system names for it.
///
/// # Safety
/// The address is that of `AT_SYSINFO`.
pub unsafe fn getpid_through(function: usize) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: this system call changes nothing but EAX, the function nothing either but what is below the stack pointer, and the flags.
    unsafe {
        asm!(
            "rdtsc",
            "mov {low:e}, eax",
            "mov {high:e}, edx",
            "mov eax, {getpid}",
            "call {function:e}",
            "rdtsc",
            "sub eax, {low:e}",
            "sbb edx, {high:e}",
            getpid = const number::GETPID,
            function = in(reg) function,
            low = out(reg) _,
            high = out(reg) _,
            out("eax") low,
            out("edx") high,
        );
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Two connected sockets, by either way that there is.
pub fn socket_pair(arguments: [usize; 4]) -> Result<usize, Error> {
    match call(number::SOCKET_PAIR, arguments) {
        Err(NOT_THERE) => call(number::SOCKET_CALL, [PAIR, arguments.as_ptr() as usize]),
        result => result,
    }
}

/// Makes the segment that begins at this address the thread's own, in GS, with a limit of the whole address space.
pub fn set_thread_segment(address: usize) -> Result<(), Error> {
    let mut descriptor = [u32::MAX, address as u32, 0xf_ffff, SEGMENT_FLAGS];
    call(number::SET_THREAD_AREA, [descriptor.as_mut_ptr() as usize])?;
    let selector = descriptor[0] << 3 | 3;
    // SAFETY: nothing of this program uses GS, and the system has just made the descriptor.
    unsafe { asm!("mov gs, {:e}", in(reg) selector) };
    Ok(())
}
