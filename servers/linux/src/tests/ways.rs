//! The instructions by which 32-bit programs make system calls.

use lilliput_abi::object::register::SP;
use syscalls::Errno;
use syscalls::x86::Sysno;

use super::Scene;
use crate::arch::Arch;
use crate::server::{Answer, Words};
use crate::way::Way;

/// Wakes nobody; the sixth argument must not be 0.
const WAKE_BITSET: usize = 10;

impl Scene {
    /// A system call with these registers: EBX, ESI, EDI, EBP, EAX, ECX, EDX.
    fn enter(&mut self, way: Way, mut words: Words) -> (Answer, Words) {
        self.server.machine.enters(1);
        let answer = self.server.call_by_way(1, way, &mut words);
        self.server.machine.answered(1, answer);
        (answer, words)
    }
}

fn error(error: Errno) -> Answer {
    Answer::Result(-i64::from(error.into_raw()) as u64)
}

#[test]
fn by_syscall_the_second_argument_is_in_ebp() {
    let mut scene = Scene::new(Arch::I386);
    let text = scene.text(1, 0, "by syscall") as usize;
    let number = Sysno::write.id() as usize;
    let (answer, words) = scene.enter(Way::Syscall, [1, 0, 0, text, number, 0x1234, 10]);
    assert_eq!(answer, Answer::Result(10));
    assert_eq!(words, [1, 0, 0, text, 10, 0x1234, 10], "nothing changes but EAX");
    assert_eq!(scene.server.machine.output, b"by syscall");
    assert_eq!(scene.enter(Way::Sysenter, [1, 0, 0, 0, number, text, 2]).0, Answer::Result(2));
    assert_eq!(scene.enter(Way::Interrupt, [1, 0, 0, 0, number, text, 3]).0, Answer::Result(3));
    assert_eq!(scene.server.machine.output, b"by syscallbyby ");
}

#[test]
fn the_sixth_argument_is_on_the_stack() {
    let mut scene = Scene::new(Arch::I386);
    let (word, stack) = (scene.memory() as usize, scene.memory() as usize + 0x40);
    let number = Sysno::futex.id() as usize;
    let mut registers = scene.registers(1);
    registers.set(SP, stack as u64);
    scene.server.machine.set_registers_of(1, registers);
    for (sixth, expected) in [(0_u32, error(Errno::EINVAL)), (1, Answer::Result(0))] {
        scene.user(1, |user| user.write(stack as u64, &sixth.to_le_bytes())).unwrap();
        // By `syscall` EBP has what ECX had.
        assert_eq!(scene.enter(Way::Syscall, [word, 0, 0, WAKE_BITSET, number, 0, 1]).0, expected);
        assert_eq!(scene.enter(Way::Sysenter, [word, 0, 0, stack, number, WAKE_BITSET, 1]).0, expected);
        assert_eq!(scene.enter(Way::Interrupt, [word, 0, 0, sixth as usize, number, WAKE_BITSET, 1]).0, expected);
    }
    let bad = scene.enter(Way::Sysenter, [word, 0, 0, 8, number, WAKE_BITSET, 1]).0;
    assert_eq!(bad, error(Errno::EFAULT));
    // Who has fewer arguments needs no stack.
    assert_eq!(scene.enter(Way::Sysenter, [0, 0, 0, 8, Sysno::getppid.id() as usize, 0, 0]).0, Answer::Result(0));
}
