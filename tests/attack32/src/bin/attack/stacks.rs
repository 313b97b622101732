//! The stack across the limit.

use core::arch::asm;

use lilliput_attack::{Outcome, escaped, kit};
use lilliput_user32::Native;

use crate::Routines;
use crate::pages::{last, map_data};
use crate::target::{of_variant, size};

/// Runs instructions with this stack pointer; EBP is EDI.
macro_rules! with_stack {
    ($stack:expr, $($line:literal),+) => {{
        let stack: u32 = $stack;
        // SAFETY: the access beyond ends this task. Should it not, the stack pointer is put back.
        unsafe {
            asm!("mov ecx, ebp", "mov edx, esp", "mov esp, edi", "mov ebp, edi", $($line,)+
                "2: mov esp, edx", "mov ebp, ecx", in("edi") stack, out("eax") _, out("ecx") _, out("edx") _)
        };
        escaped!(Native, "the stack is at {stack:#x}")
    }};
}

pub const ROUTINES: Routines = &[
    ("stack-push", || with_stack!(of_variant().wrapping_add(4), "push eax")),
    ("stack-pop", || with_stack!(of_variant(), "pop eax")),
    ("stack-push-all", || with_stack!(of_variant().wrapping_add(32), "pushad")),
    ("stack-pop-all", || with_stack!(of_variant(), "popad")),
    ("stack-push-flags", || with_stack!(of_variant().wrapping_add(4), "pushfd")),
    ("stack-pop-flags", || with_stack!(of_variant(), "popfd")),
    ("stack-call", || with_stack!(of_variant().wrapping_add(4), "call 2f")),
    ("stack-return", || with_stack!(of_variant(), "ret")),
    ("stack-far-return", || with_stack!(of_variant(), "retf")),
    ("stack-iret", || with_stack!(of_variant(), "iretd")),
    ("stack-enter", || with_stack!(of_variant().wrapping_add(4), "enter 16, 0")),
    // The first push fits no better than those of the levels do.
    ("stack-enter-nested", || with_stack!(of_variant().wrapping_add(4), "enter 16, 31")),
    ("stack-leave", || with_stack!(of_variant(), "leave")),
    ("stack-at-edges", at_edges),
    ("stack-sixteen-bit", sixteen_bit),
];

fn at_edges() -> Outcome {
    map_data(last())?;
    let end = size();
    match kit::variant::<Native>() {
        0 => with_stack!(0, "push eax"),
        1 => with_stack!(end, "pop eax"),
        2 => with_stack!(end - 2, "pop eax"),
        3 => with_stack!(2, "push eax"),
        4 => with_stack!(end + 2, "push eax"),
        _ => with_stack!(end - 16, "popad"),
    }
}

fn sixteen_bit() -> Outcome {
    map_data(last())?;
    let end = size();
    match kit::variant::<Native>() {
        0 => with_stack!(0, "push ax"),
        1 => with_stack!(end, "pop ax"),
        2 => with_stack!(end - 1, "pop ax"),
        _ => with_stack!(1, "push ax"),
    }
}
