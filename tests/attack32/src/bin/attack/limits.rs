//! Accesses beyond the limit, by everything that accesses memory.

use core::arch::asm;
use core::sync::atomic::AtomicU32;

use lilliput_attack::{Outcome, escaped, kit};
use lilliput_user32::Native;

use crate::Routines;
use crate::target::{of_variant, target};

/// A routine that accesses what EDI points to. EAX, ECX and EDX are free; memory of the program is left alone but for its stack.
macro_rules! reach {
    ($($line:literal),+) => {{
        || {
            let target = of_variant();
            let value: u32;
            // SAFETY: the access ends this task. Should it not, what it changed is not the program's.
            unsafe {
                asm!($($line),+, in("edi") target, inout("eax") 0 => value, inout("ecx") 0 => _, inout("edx") 0 => _,
                    out("xmm0") _, out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _, out("st(4)") _,
                    out("st(5)") _, out("st(6)") _, out("st(7)") _)
            };
            escaped!(Native, "{target:#x} was reached; EAX is {value:#x}")
        }
    }};
}

pub const ROUTINES: Routines = &[
    ("read-by-ds", reach!("mov eax, [edi]")),
    ("read-by-es", reach!("mov eax, es:[edi]")),
    ("read-by-fs", reach!("push ss", "pop fs", "mov eax, fs:[edi]")),
    ("read-by-gs", reach!("push ss", "pop gs", "mov eax, gs:[edi]")),
    ("read-by-cs", reach!("mov eax, cs:[edi]")),
    ("read-by-ss", reach!("mov eax, ss:[edi]")),
    ("read-by-ebp", reach!("push ebp", "mov ebp, edi", "mov eax, [ebp]", "pop ebp")),
    ("write-by-ds", reach!("mov [edi], eax")),
    ("write-by-es", reach!("mov es:[edi], eax")),
    ("write-by-fs", reach!("push ss", "pop fs", "mov fs:[edi], eax")),
    ("write-by-gs", reach!("push ss", "pop gs", "mov gs:[edi], eax")),
    ("write-by-cs", reach!("mov cs:[edi], eax")),
    ("write-by-ss", reach!("mov ss:[edi], eax")),
    ("add-to-memory", reach!("add dword ptr [edi], 1")),
    ("exchange", reach!("xchg eax, [edi]")),
    ("compare-and-exchange", reach!("lock cmpxchg8b [edi]")),
    ("exchange-and-add", reach!("lock xadd [edi], eax")),
    ("set-bit", set_bit),
    ("scaled-index", scaled_index),
    // AL is the index.
    ("translate", reach!("push ebx", "mov ebx, edi", "xlatb", "pop ebx")),
    ("bounds", reach!("bound eax, [edi]")),
    ("far-pointer-beyond", reach!("les eax, [edi]")),
    ("verify-memory", reach!("verr word ptr [edi]")),
    ("push-memory", reach!("push dword ptr [edi]", "pop eax")),
    ("pop-memory", reach!("push eax", "pop dword ptr [edi]")),
    ("vector-load", reach!("movups xmm0, [edi]")),
    ("vector-store", reach!("movups [edi], xmm0")),
    ("masked-store", reach!("pcmpeqd xmm0, xmm0", "maskmovdqu xmm0, xmm0")),
    ("streaming-store", reach!("movnti [edi], eax")),
    ("vector-state", reach!("fxsave [edi]")),
    ("vector-restore", reach!("fxrstor [edi]")),
    ("x87-load", reach!("fld tbyte ptr [edi]")),
    ("x87-state", reach!("fnsave [edi]")),
    ("x87-environment", reach!("fldenv [edi]")),
    ("control-word", reach!("ldmxcsr [edi]")),
    ("flush-line", flush_line),
    ("prefetch", prefetch),
    ("effective-address", effective_address),
    ("address-size-prefix", address_size_prefix),
];

static OWN: AtomicU32 = AtomicU32::new(0);

/// The bit offset of a memory operand is signed, 32 bits long: it reaches 256 MiB to either side.
fn set_bit() -> Outcome {
    let own = OWN.as_ptr() as u32;
    let bits = match kit::variant::<Native>() {
        3 => i32::MAX as u32,
        number => target(number).wrapping_sub(own).wrapping_mul(8),
    };
    // SAFETY: the access ends this task.
    unsafe { asm!("bts [{}], {}", in(reg) own, in(reg) bits) };
    escaped!(Native, "bit {bits:#x} from {own:#x} was set")
}

fn scaled_index() -> Outcome {
    let target = of_variant();
    let (base, index) = (target.wrapping_sub(8 * 0x1234_5678), 0x1234_5678_u32);
    let value: u32;
    // SAFETY: the access ends this task.
    unsafe { asm!("mov {}, [{} + 8 * {}]", out(reg) value, in(reg) base, in(reg) index) };
    escaped!(Native, "{value:#x} was read at {target:#x}")
}

/// It changes no contents, and tells none.
fn flush_line() -> Outcome {
    // SAFETY: a cache line is written back.
    unsafe { asm!("clflush [{}]", in(reg) of_variant()) };
    Ok(())
}

fn prefetch() -> Outcome {
    // SAFETY: a hint.
    unsafe { asm!("prefetcht0 [{0}]", "prefetchnta [{0}]", in(reg) of_variant()) };
    Ok(())
}

fn effective_address() -> Outcome {
    let (target, address) = (of_variant(), 0_u32);
    // SAFETY: arithmetic.
    unsafe { asm!("lea {0}, [{1} + 4]", inout(reg) address => _, in(reg) target) };
    Ok(())
}

/// With 16-bit addresses the upper half of EBX does not count: what is left is in the first 64 KiB, where only the entry
/// page is mapped.
fn address_size_prefix() -> Outcome {
    let address = of_variant() & 0xffff_0000 | 0x2000;
    let value: u32;
    // SAFETY: the read ends this task.
    unsafe {
        asm!("push ebx", "mov ebx, {}", ".byte 0x67, 0x8b, 0x07", "pop ebx", in(reg) address, inout("eax") 0 => value)
    };
    escaped!(Native, "{value:#x} was read by a 16-bit address")
}
