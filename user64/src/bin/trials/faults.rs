//! Exceptions: each trial raises one and must end by it.

use core::arch::asm;

use lilliput_abi::Rights;
use lilliput_user64::Native;
use lilliput_user64::runtime::trial::{Outcome, kit};

/// Raises an exception by the instructions given. They touch no memory of the program but its stack.
macro_rules! raise {
    ($($line:literal),+) => {{
        // SAFETY: the instructions end this task by an exception; should they not, they changed nothing but
        // registers that are declared as changed, or flags.
        unsafe { asm!($($line),+, out("rax") _, out("rcx") _, out("rdx") _) };
        panic!("the task goes on")
    }};
}

/// The trial of this name.
pub fn find(name: &str) -> Option<fn() -> Outcome> {
    Some(match name {
        "fault-invalid-opcode" => || raise!("ud2"),
        "fault-divide" => || raise!("xor ecx, ecx", "div ecx"),
        "fault-breakpoint" => || raise!("int3"),
        "fault-debug" => || raise!("pushfq", "or dword ptr [rsp], 0x100", "popfq", "nop", "nop"),
        "fault-halt" => || raise!("hlt"),
        "fault-interrupt-flag" => || raise!("cli"),
        "fault-port" => || raise!("in al, 0x60"),
        "fault-control-register" => || raise!("mov rax, cr0"),
        "fault-interrupt-gate" => || raise!("int 0x0e"),
        "fault-foreign-interrupt" => || raise!("int 0x80"),
        "fault-foreign-selector" => || raise!("mov eax, 0x10", "mov ds, eax"),
        // To where a 32-bit code descriptor would be, if there were one beside the 64-bit one.
        "fault-far-jump" => || far_jump(0x1b),
        "fault-far-jump-to-kernel" => || far_jump(0x08),
        "fault-null-read" => || raise!("xor eax, eax", "mov eax, [rax]"),
        "fault-null-call" => || raise!("xor eax, eax", "call rax"),
        "fault-execute-data" => execute_data,
        "fault-stack-overflow" => || raise!("2: push rax", "jmp 2b"),
        // 1 divided by 0, with that x87 exception not masked; it is raised by the next x87 instruction.
        "fault-x87" => || raise!("push 0x37b", "fldcw [rsp]", "fld1", "fldz", "fdivp", "fwait"),
        "fault-kernel-read" => || raise!("mov rax, 0xffffffff80000000", "mov rax, [rax]"),
        "fault-kernel-call" => || raise!("mov rax, 0xffffffff80000000", "call rax"),
        "fault-non-canonical" => || raise!("mov rax, 0x8000000000000000", "mov rax, [rax]"),
        "fault-non-canonical-jump" => || raise!("mov rax, 0x8000000000000000", "jmp rax"),
        _ => return None,
    })
}

fn execute_data() -> Outcome {
    kit::map_scratch::<Native>(Rights::READ | Rights::WRITE)?;
    // A page of zeros is a row of `add [rax], al`, were it executed.
    raise!("mov eax, 0x200000", "call rax")
}

const _: () = assert!(kit::SCRATCH == 0x20_0000);

/// Jumps to another code segment by a pointer in memory.
fn far_jump(selector: u16) -> Outcome {
    let pointer: [u16; 3] = [0, 0x40, selector];
    // SAFETY: loading the code segment ends this task.
    unsafe { asm!("jmp fword ptr [{}]", in(reg) &pointer, options(noreturn)) }
}
