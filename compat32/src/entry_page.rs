//! The page that the kernel maps into every small space, at [`ENTRY_PAGE`].
//!
//! A program calls its first byte for a system call. What stands there depends on the CPU, so that the program need
//! not. No register but those of the binary interface is touched: ECX is lost in every system call.

use lilliput_abi::layout::{ENTRY_PAGE, PAGE_SIZE, SYSTEM_CALL_VECTOR};

/// How 32-bit code enters the kernel on this CPU. The numbers are those of the interface (`fact::COMPAT_ENTRY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CompatEntry {
    /// By `int`, which every CPU has.
    Interrupt = 0,
    /// By SYSCALL, which AMD has in compatibility mode.
    Syscall = 1,
    /// By SYSENTER, which Intel has there.
    Sysenter = 2,
}

/// Offset in the page of the instruction that a call by SYSCALL or SYSENTER returns to, wherever it came from.
///
/// SYSENTER saves neither EIP nor ESP (Intel SDM vol. 2, SYSENTER): the page leaves ESP in ECX, and the kernel returns to this
/// place with ESP = ECX. SYSCALL saves EIP, which need not be kept if it is always the same.
pub const RETURN: u32 = 4;

/// The same place as an address in every small space.
pub const RETURN_ADDRESS: u32 = ENTRY_PAGE + RETURN;

const RET: u8 = 0xc3;
const INT3: u8 = 0xcc;

/// The contents of the page. What is no code of it traps.
pub const fn contents(entry: CompatEntry) -> [u8; PAGE_SIZE as usize] {
    let code: &[u8] = match entry {
        // int 0x40; ret
        CompatEntry::Interrupt => &[0xcd, SYSTEM_CALL_VECTOR, RET],
        // syscall; int3; int3; ret
        CompatEntry::Syscall => &[0x0f, 0x05, INT3, INT3, RET],
        // mov ecx, esp; sysenter; ret
        CompatEntry::Sysenter => &[0x89, 0xe1, 0x0f, 0x34, RET],
    };
    let mut page = [INT3; PAGE_SIZE as usize];
    page.split_at_mut(code.len()).0.copy_from_slice(code);
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Decodes the few instructions that may stand in the page, up to the first trap.
    fn decode(mut code: &[u8]) -> Vec<&'static str> {
        let mut instructions = Vec::new();
        loop {
            let (name, length) = match code {
                [0xcd, 0x40, ..] => ("int 0x40", 2),
                [0x0f, 0x05, ..] => ("syscall", 2),
                [0x0f, 0x34, ..] => ("sysenter", 2),
                // MOV r/m32, r32 with mod 3, reg 4 (ESP), r/m 1 (ECX)
                [0x89, modrm, ..] if *modrm == 3 << 6 | 4 << 3 | 1 => ("mov ecx, esp", 2),
                [0xc3, ..] => ("ret", 1),
                [0xcc, 0xcc, 0xcc, ..] => return instructions,
                [0xcc, ..] => ("int3", 1),
                other => panic!("unknown: {:x?}", &other[..4]),
            };
            instructions.push(name);
            code = &code[length..];
        }
    }

    #[test]
    fn each_entry_is_its_instruction_and_a_return() {
        for (entry, instructions) in [
            (CompatEntry::Interrupt, ["int 0x40", "ret"].as_slice()),
            (CompatEntry::Syscall, &["syscall", "int3", "int3", "ret"]),
            (CompatEntry::Sysenter, &["mov ecx, esp", "sysenter", "ret"]),
        ] {
            let page = contents(entry);
            assert_eq!(decode(&page), instructions);
            let end = page.iter().position(|byte| *byte == RET).unwrap() + 1;
            assert!(page[end..].iter().all(|byte| *byte == INT3));
        }
    }

    #[test]
    fn both_return_to_the_return() {
        for entry in [CompatEntry::Syscall, CompatEntry::Sysenter] {
            assert_eq!(decode(&contents(entry)[RETURN as usize..]), ["ret"]);
        }
        assert_eq!(RETURN_ADDRESS, 0x1004);
    }
}
