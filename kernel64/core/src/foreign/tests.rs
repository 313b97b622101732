use lilliput_abi::foreign::{EAX, RAX};
use lilliput_abi::object::register;
use proptest::prelude::*;

use super::*;
use crate::thread::Registers;

const FOREIGN: [Kind; 2] = [Kind::Small, Kind::Wide];

/// A foreign thread that enters, with a register each of its own.
fn thread(kind: Kind) -> Thread {
    let mut words = [0; MAX_WORDS as usize];
    for (number, word) in words.iter_mut().enumerate() {
        *word = 0x1_0000_0010 + number as u64;
    }
    Thread {
        kind,
        ways: Ways::Foreign,
        registers: Registers { words, tag: 0x1_0000_0030, status: 0x1_0000_0040, rcx: 5, r11: 6 },
        frame: Frame { ip: 0x7000, sp: 0x8000, ..Frame::default() },
        ..Thread::default()
    }
}

#[test]
fn arguments_are_where_the_thread_had_them() {
    let mut small = thread(Kind::Small);
    let raised = small.foreign_call(Entry::Syscall32, 0x50);
    let message = small.foreign_message(raised);
    assert_eq!(message.words, [0x10, 0x11, 0x12, 0x13, 0x40, 0x50, 0x30, 0, 0, 0, 0], "cut to 32 bits");
    assert_eq!((message.tag, message.long), (Tag::new(SYSCALL_LABEL, WORDS), true));
    let mut wide = thread(Kind::Wide);
    let raised = wide.foreign_call(Entry::Syscall64, 0x50);
    let high = 1 << 32;
    let expected = [0x40, 0x11, 0x12, 0x30, 0x14, 0x15, 0x16].map(|low| low | high);
    assert_eq!(wide.foreign_message(raised).words[..7], expected, "whole");
    for kind in FOREIGN {
        assert_eq!(thread(kind).foreign_message(BY_INTERRUPT).tag.label(), INTERRUPT_LABEL);
    }
}

#[test]
fn each_instruction_goes_on_where_its_convention_says() {
    for (entry, kind, ip, sp) in [
        (Entry::Syscall32, Kind::Small, 0x50, 0x8000),
        (Entry::Sysenter, Kind::Small, 0x7000, 0x13),
        (Entry::Syscall64, Kind::Wide, 0x7000, 0x8000),
    ] {
        let mut thread = thread(kind);
        let before = thread.registers;
        thread.foreign_call(entry, 0x50);
        assert_eq!(thread.interrupted, Interrupted { ip, sp, flags: FLAGS, ..Interrupted::default() }, "{entry:?}");
        assert!(thread.has_full_frame());
        let (rcx, r11) = if entry.is_wide() { (ip, FLAGS) } else { (0x50, 0) };
        assert_eq!(thread.registers, Registers { rcx, r11, ..before }, "{entry:?} keeps all others");
    }
}

#[test]
fn it_goes_on_behind_its_syscall_unless_somebody_sets_where_or_how() {
    let called = || {
        let mut thread = thread(Kind::Wide);
        thread.foreign_call(Entry::Syscall64, 0);
        thread
    };
    let mut answered = called();
    answered.set_arguments(&[7; 7]);
    assert!(answered.goes_on_behind_syscall());
    for (number, value) in [(register::IP, 0x7010), (register::FLAGS, 0x302), (5, 0x7010), (13, 0x302)] {
        let mut thread = called();
        thread.set_registers(number, &[value], 1 << 47).unwrap();
        assert!(!thread.goes_on_behind_syscall(), "{number}");
    }
    // By `int`: RCX and the flags are its own.
    assert!(!thread(Kind::Wide).goes_on_behind_syscall());
}

#[test]
fn a_small_handler_cant_have_it_and_all_others_can() {
    for from in FOREIGN {
        let message = thread(from).foreign_message(BY_INTERRUPT);
        assert_eq!(message.fit(Kind::Small), Err(Error::BadMessage));
        for to in [Kind::Host, Kind::Wide] {
            assert_eq!(message.fit(to), Ok(message));
        }
    }
}

proptest! {
    #[test]
    fn a_call_that_is_forsaken_is_made_again(ip: u64, vector: u8) {
        for kind in FOREIGN {
            let mut thread = thread(kind);
            let ip = if kind.is_wide() { ip } else { u64::from(ip as u32) };
            thread.interrupt(Interrupted { ip, ..Interrupted::default() });
            let raised = Fault { vector, ..Fault::default() };
            thread.set_fault(Some(raised));
            prop_assert_eq!(thread.forsake(), Some(raised));
            let back = if vector != VECTOR { ip } else if kind.is_wide() { ip.wrapping_sub(2) } else { u64::from((ip as u32).wrapping_sub(2)) };
            prop_assert_eq!((thread.interrupted.ip, thread.fault()), (back, None));
        }
    }

    /// Registers that go over and come back are the same, as wide as the thread is; no other is touched.
    #[test]
    fn an_answer_goes_where_its_message_came_from(words: [u64; 7]) {
        for kind in FOREIGN {
            let mut thread = thread(kind);
            let before = thread.foreign_message(BY_INTERRUPT);
            let mut registers = thread.registers;
            thread.set_arguments(&words);
            let keep = if kind.is_wide() { u64::MAX } else { u64::from(u32::MAX) };
            prop_assert_eq!(&thread.foreign_message(BY_INTERRUPT).words[..7], &words.map(|word| word & keep)[..]);
            prop_assert_eq!(thread.registers.status, words[if kind.is_wide() { RAX } else { EAX }] & keep);
            thread.set_arguments(&before.words);
            if !kind.is_wide() {
                // What is beyond its width is nobody's.
                registers.words[..4].iter_mut().for_each(|word| *word &= keep);
                (registers.status, registers.tag) = (registers.status & keep, registers.tag & keep);
            }
            prop_assert_eq!(thread.registers, registers);
        }
    }
}
