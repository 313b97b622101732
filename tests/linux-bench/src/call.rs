//! Linux's system calls, as an instruction each: `int 0x80` in a 32-bit program and `syscall` in a 64-bit one.

#[cfg(target_arch = "x86")]
#[path = "call/narrow.rs"]
mod width;
#[cfg(target_arch = "x86_64")]
#[path = "call/wide.rs"]
mod width;

pub use self::width::{ARCHITECTURE, getpid, number, set_thread_segment, socket_pair};
#[cfg(target_arch = "x86")]
pub use self::width::{getpid_through, reserve};

use core::ffi::{CStr, c_char};

/// Linux's number of an error.
pub type Error = u32;

/// Errors are the last numbers that there are.
const MOST_ERRORS: usize = 4095;
/// The kind of a socket whose bytes are a stream.
pub const STREAM: usize = 1;
/// The kind of one whose messages stay apart.
pub const DATAGRAM: usize = 2;
/// The family of sockets within one machine.
const UNIX: usize = 1;

/// Makes a system call.
pub fn call<const N: usize>(number: usize, arguments: [usize; N]) -> Result<usize, Error> {
    let mut six = [0; 6];
    six[..N].copy_from_slice(&arguments);
    // SAFETY: what this program asks for touches no memory but what the arguments point to, which callers have for it.
    let result = unsafe { width::raw(number, six) };
    if result > usize::MAX - MOST_ERRORS { Err(result.wrapping_neg() as Error) } else { Ok(result) }
}

/// Ends the program.
pub fn exit(status: usize) -> ! {
    loop {
        let _ = call(number::EXIT, [status]);
    }
}

/// A file's descriptor.
pub fn open(path: &CStr, flags: usize) -> Result<usize, Error> {
    call(number::OPEN, [path.as_ptr() as usize, flags, 0])
}

/// Closes a descriptor.
pub fn close(descriptor: usize) {
    // An error would be of a descriptor that is not open, which is the same.
    let _ = call(number::CLOSE, [descriptor]);
}

/// Reads into `to`; how much.
#[inline(always)]
pub fn read(descriptor: usize, to: &mut [u8]) -> Result<usize, Error> {
    call(number::READ, [descriptor, to.as_mut_ptr() as usize, to.len()])
}

/// Writes; how much.
#[inline(always)]
pub fn write(descriptor: usize, from: &[u8]) -> Result<usize, Error> {
    call(number::WRITE, [descriptor, from.as_ptr() as usize, from.len()])
}

/// Both ends of a pipe: to read from, to write to.
pub fn pipe() -> Result<[usize; 2], Error> {
    let mut ends = [0u32; 2];
    call(number::PIPE, [ends.as_mut_ptr() as usize])?;
    Ok(ends.map(|end| end as usize))
}

/// A child, or nothing in it.
pub fn fork() -> Result<Option<usize>, Error> {
    call(number::FORK, []).map(|pid| (pid != 0).then_some(pid))
}

/// Waits for a child's end; its status as `wait4` has it.
pub fn wait(pid: usize) -> Result<u32, Error> {
    let mut status = 0u32;
    call(number::WAIT4, [pid, &raw mut status as usize, 0, 0])?;
    Ok(status)
}

/// Becomes another program. The list of arguments ends with a null pointer.
pub fn execute(path: &CStr, arguments: &[*const c_char]) -> Result<usize, Error> {
    let environment = [core::ptr::null::<c_char>()];
    call(number::EXECVE, [path.as_ptr() as usize, arguments.as_ptr() as usize, environment.as_ptr() as usize])
}

/// Two connected sockets.
pub fn sockets(kind: usize) -> Result<[usize; 2], Error> {
    let mut ends = [0u32; 2];
    socket_pair([UNIX, kind, 0, ends.as_mut_ptr() as usize])?;
    Ok(ends.map(|end| end as usize))
}
