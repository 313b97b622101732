//! The shortest system call between marks, by which the counting plugin sees where it begins and ends: see [`lilliput_runtime::mark`].

use core::arch::asm;

use lilliput_runtime::mark::{BEGIN, END, Mark, bits, displacement};

use crate::call::{self, Error};

/// How often it is made; a quarter of that warms up.
const ROUNDS: usize = 1000;

/// A mark, read as data by the instruction before it: who watches learns so what memory the code that it sees lies in.
macro_rules! mark {
    ($mark:path) => {
        // SAFETY: a byte of this very code is read and dropped, and then nothing is done.
        unsafe {
            asm!(
                #[cfg(target_arch = "x86")]
                "movzx {scratch:e}, byte ptr [2f]",
                #[cfg(target_arch = "x86_64")]
                "movzx {scratch:e}, byte ptr [rip + 2f]",
                "2: .byte 0x0f, 0x1f, 0x80",
                ".long {mark}",
                scratch = out(reg) _,
                mark = const displacement($mark),
                options(nostack, preserves_flags, readonly),
            )
        }
    };
}

/// Tells a text, and what it is.
fn say(text: &[u8], what: fn()) {
    bits(text).for_each(|bit| if bit { mark!(Mark::One) } else { mark!(Mark::Zero) });
    what();
}

/// A batch of this name begins.
pub fn start(name: &[u8]) {
    say(name, || mark!(Mark::Start));
}

/// It ends.
pub fn stop() {
    mark!(Mark::Stop);
}

/// Something between two marks.
#[inline(always)]
pub fn between(operation: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    mark!(Mark::Begin);
    operation()?;
    mark!(Mark::End);
    Ok(())
}

/// The call's two instructions between two marks.
#[inline(always)]
pub fn getpid() {
    macro_rules! around {
        ($call:literal, $result:tt $(, $lost:tt)*) => {
            // SAFETY: this system call changes nothing but the registers that are said to change, and the marks do nothing.
            unsafe {
                asm!(
                    ".byte 0x0f, 0x1f, 0x80",
                    ".long {begin}",
                    "mov eax, {getpid}",
                    $call,
                    ".byte 0x0f, 0x1f, 0x80",
                    ".long {end}",
                    begin = const BEGIN,
                    end = const END,
                    getpid = const call::number::GETPID,
                    out($result) _,
                    $(out($lost) _,)*
                );
            }
        };
    }
    #[cfg(target_arch = "x86")]
    around!("int 0x80", "eax");
    #[cfg(target_arch = "x86_64")]
    around!("syscall", "rax", "rcx", "r11");
}

/// Makes the call, again and again.
pub fn count_all() {
    say(br#"{"ways":["getpid"],"architecture":""#, || ());
    say(call::ARCHITECTURE, || ());
    say(br#""}"#, || mark!(Mark::Case));
    start(b"getpid");
    for _ in 0..ROUNDS {
        getpid();
    }
    stop();
}
