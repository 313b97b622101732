//! Signals: handlers, masks, waits that they end.

use linux_raw_sys::general::{SA_RESTART, SA_RESTORER, SA_SIGINFO, SIGALRM, SIGSEGV, SIGUSR1};
use syscalls::Errno;

use super::{Scene, both};
use crate::arch::{Arch, Registers};
use crate::machine::Vector;
use crate::memory::Access;
use crate::server::Answer;

/// Sets a handler of the first process's.
fn handle(scene: &mut Scene, signal: u32, flags: u32) -> u64 {
    let (word, place) = (scene.arch.word(), scene.memory() + 512);
    let handler = scene.memory() + 0x100;
    let mut bytes = Vec::new();
    for value in [handler, (flags | SA_RESTORER).into(), 0x1234] {
        bytes.extend(&u64::to_le_bytes(value)[..word as usize]);
    }
    bytes.extend([0; 8]);
    scene.user(1, |user| user.write(place, &bytes)).unwrap();
    assert_eq!(scene.done(1, "rt_sigaction", &[signal.into(), place, 0, 8]), 0);
    handler
}

/// The registers of a thread in the middle of something.
fn busy(scene: &mut Scene) -> Registers {
    let mut registers = scene.registers(1);
    for number in 3..if scene.arch == Arch::I386 { 10 } else { 18 } {
        registers.set(number, 0x1000 + number);
    }
    registers.set(0, scene.memory() + 0x40);
    registers.set(2, 0x202);
    scene.server.machine.set_registers_of(1, registers);
    registers
}

#[test]
fn a_handler_runs_and_what_it_interrupted_goes_on() {
    for flags in [0, SA_SIGINFO] {
        both(|mut scene| {
            let handler = handle(&mut scene, SIGUSR1, flags);
            let before = busy(&mut scene);
            assert_eq!(scene.call(1, "kill", &[1, SIGUSR1.into()]), Answer::Resume);
            let inside = scene.registers(1);
            assert_eq!(inside.ip(), handler);
            let sp = inside.sp();
            let (returns, argument) = match scene.arch {
                Arch::I386 => scene.user(1, |user| (user.u32(sp).unwrap().into(), user.u32(sp + 4).unwrap().into())),
                Arch::Amd64 => (scene.user(1, |user| user.u64(sp)).unwrap(), inside.get(8)),
            };
            assert_eq!((returns, argument), (0x1234, u64::from(SIGUSR1)));
            let aligned = if scene.arch == Arch::I386 { (sp + 4) % 16 } else { (sp + 8) % 16 };
            assert_eq!(aligned, 0);
            // The signal waits until the handler has returned.
            assert_eq!(scene.done(1, "kill", &[1, SIGUSR1.into()]), 0);
            // It returns: the address is popped, and the signal by the old one.
            let full = scene.arch == Arch::Amd64 || flags != 0;
            let mut returning = inside;
            returning.set(1, sp + scene.arch.word() * if full { 1 } else { 2 });
            scene.server.machine.set_registers_of(1, returning);
            let name = if full { "rt_sigreturn" } else { "sigreturn" };
            assert_eq!(scene.call(1, name, &[]), Answer::Resume, "the second signal runs the handler again");
            assert_eq!(scene.registers(1).ip(), handler);
            assert_eq!(scene.registers(1).sp(), sp);
            scene.server.machine.set_registers_of(1, returning);
            assert_eq!(scene.call(1, name, &[]), Answer::Resume);
            let mut expected = before;
            expected.set(3, 0);
            assert_eq!(scene.registers(1), expected, "the call that sent the first one has succeeded");
        });
    }
}

#[test]
fn a_wait_ends_or_begins_again() {
    for flags in [0, SA_RESTART] {
        both(|mut scene| {
            let handler = handle(&mut scene, SIGUSR1, flags);
            assert_eq!(scene.done(1, "fork", &[]), 2);
            let before = busy(&mut scene);
            let answer = scene.call(1, "wait4", &[u64::MAX, 0, 0, 0]);
            assert_eq!(answer, Answer::Keep);
            assert_eq!(scene.done(2, "kill", &[1, SIGUSR1.into()]), 0);
            let inside = scene.registers(1);
            assert_eq!(inside.ip(), handler);
            let sp = inside.sp();
            let (ip, ax) = match scene.arch {
                Arch::I386 => scene.user(1, |user| {
                    (user.u32(sp + 8 + 4 * 14).unwrap().into(), i64::from(user.u32(sp + 8 + 4 * 11).unwrap() as i32))
                }),
                Arch::Amd64 => scene
                    .user(1, |user| (user.u64(sp + 48 + 8 * 16).unwrap(), user.u64(sp + 48 + 8 * 13).unwrap() as i64)),
            };
            let interrupted = -i64::from(Errno::EINTR.into_raw());
            if flags == 0 {
                assert_eq!((ip, ax), (before.ip(), interrupted));
            } else {
                let number = if scene.arch == Arch::I386 { 114 } else { 61 };
                assert_eq!((ip, ax), (before.ip() - 2, number));
            }
        });
    }
}

#[test]
fn a_fault_is_a_signal_with_its_address() {
    both(|mut scene| {
        let handler = handle(&mut scene, SIGSEGV, SA_SIGINFO);
        busy(&mut scene);
        assert_eq!(scene.touches(1, 0x20_0000, Access::Read), Answer::Resume);
        let inside = scene.registers(1);
        assert_eq!(inside.ip(), handler);
        let sp = inside.sp();
        let address = match scene.arch {
            Arch::I386 => scene.user(1, |user| u64::from(user.u32(sp + 16 + 12).unwrap())),
            Arch::Amd64 => {
                let info = inside.get(7);
                scene.user(1, |user| user.u64(info + 16)).unwrap()
            }
        };
        assert_eq!(address, 0x20_0000);
        // One in the handler itself is the end.
        assert_eq!(scene.touches(1, 0x20_0000, Access::Read), Answer::Nobody);
    });
}

#[test]
fn time_ends_sleep_and_rings() {
    both(|mut scene| {
        let word = scene.arch.word();
        let place = scene.memory();
        let time = [&2_u64.to_le_bytes()[..word as usize], &5_u64.to_le_bytes()[..word as usize]].concat();
        scene.user(1, |user| user.write(place, &time)).unwrap();
        assert_eq!(scene.call(1, "nanosleep", &[place, 0]), Answer::Keep);
        assert_eq!(scene.server.deadline(), Some(2_000_000_005));
        scene.server.machine.now = 2_000_000_004;
        scene.server.tick();
        assert!(scene.server.machine.running().is_empty());
        scene.server.machine.now = 2_000_000_005;
        scene.server.tick();
        assert_eq!((scene.server.machine.running(), scene.registers(1).get(3)), (vec![1], 0));
        assert_eq!(scene.server.deadline(), None);

        let handler = handle(&mut scene, SIGALRM, 0);
        assert_eq!(scene.done(1, "alarm", &[1]), 0);
        scene.server.machine.now += 1_000_000_000;
        scene.server.tick();
        assert_eq!(scene.registers(1).ip(), handler, "who runs is interrupted");
    });
}

/// Where a frame that begins at `sp` says that the x87 and SSE state is; `full` as in `rt_sigreturn`.
fn vector_pointer(scene: &mut Scene, full: bool, sp: u64) -> u64 {
    match scene.arch {
        Arch::I386 if full => sp + 16 + 128 + 20 + 4 * 19,
        Arch::I386 => sp + 8 + 4 * 19,
        Arch::Amd64 => sp + 8 + 40 + 8 * 23,
    }
}

fn marked(mark: u8) -> Vector {
    let mut state = Vector::default();
    // XMM0, and nothing of the x87's.
    state.0[160..176].fill(mark);
    state
}

#[test]
fn a_handler_has_vector_registers_of_its_own() {
    for flags in [0, SA_SIGINFO] {
        both(|mut scene| {
            handle(&mut scene, SIGUSR1, flags);
            *scene.server.machine.vector_of(1) = marked(7);
            assert_eq!(scene.call(1, "kill", &[1, SIGUSR1.into()]), Answer::Resume);
            assert_eq!(*scene.server.machine.vector_of(1), Vector::default());
            *scene.server.machine.vector_of(1) = marked(9);
            let full = scene.arch == Arch::Amd64 || flags != 0;
            let mut inside = scene.registers(1);
            let sp = inside.sp();
            let pointer = vector_pointer(&mut scene, full, sp);
            let at = scene.user(1, |user| user.word(pointer)).unwrap();
            let fx = if scene.arch == Arch::I386 { at + 112 } else { at };
            assert_eq!(fx % 64, 0);
            assert_eq!(scene.user(1, |user| user.bytes(fx + 160, 16)).unwrap(), [7; 16]);
            // What a handler changes there is changed.
            scene.user(1, |user| user.write(fx + 161, &[8; 14])).unwrap();
            inside.set(1, sp + scene.arch.word() * if full { 1 } else { 2 });
            scene.server.machine.set_registers_of(1, inside);
            assert_eq!(scene.call(1, if full { "rt_sigreturn" } else { "sigreturn" }, &[]), Answer::Resume);
            let mut expected = marked(8);
            (expected.0[160], expected.0[175]) = (7, 7);
            assert!(*scene.server.machine.vector_of(1) == expected);
        });
    }
}

#[test]
fn what_is_no_frame_ends_the_program() {
    // Bits of MXCSR that there are not; a state where nothing is; a frame where nothing is.
    for wrong in 0..4 {
        both(|mut scene| {
            handle(&mut scene, SIGUSR1, SA_SIGINFO);
            assert_eq!(scene.call(1, "kill", &[1, SIGUSR1.into()]), Answer::Resume);
            let mut inside = scene.registers(1);
            let sp = inside.sp();
            let pointer = vector_pointer(&mut scene, true, sp);
            let at = scene.user(1, |user| user.word(pointer)).unwrap();
            let mxcsr = if scene.arch == Arch::I386 { at + 112 + 24 } else { at + 24 };
            let word = scene.arch.word() as usize;
            let point = |scene: &mut Scene, to: u64| {
                scene.user(1, |user| user.write(pointer, &to.to_le_bytes()[..word])).unwrap();
            };
            match wrong {
                0 => scene.user(1, |user| user.write(mxcsr, &0x8000_1f80_u32.to_le_bytes())).unwrap(),
                1 => point(&mut scene, 0x10),
                2 => inside.set(1, 0x20),
                // Nothing is wrong: no state is that of a program that begins.
                _ => point(&mut scene, 0),
            }
            if wrong != 2 {
                inside.set(1, sp + scene.arch.word());
            }
            scene.server.machine.set_registers_of(1, inside);
            *scene.server.machine.vector_of(1) = marked(9);
            let answer = scene.call(1, "rt_sigreturn", &[]);
            if wrong == 3 {
                assert_eq!(answer, Answer::Resume);
                assert!(*scene.server.machine.vector_of(1) == Vector::default());
            } else {
                assert_eq!(answer, Answer::Nobody);
                assert_eq!(scene.server.ended(), Some(crate::End::Signal(SIGSEGV as u8)));
            }
        });
    }
}

#[test]
fn a_stack_pointer_at_the_start_of_memory_ends_the_program() {
    for sp in [0, 8, 100, 600, 0x1000] {
        both(|mut scene| {
            handle(&mut scene, SIGUSR1, SA_SIGINFO);
            let mut registers = busy(&mut scene);
            registers.set(1, sp);
            scene.server.machine.set_registers_of(1, registers);
            assert_eq!(scene.call(1, "kill", &[1, SIGUSR1.into()]), Answer::Nobody);
            assert_eq!(scene.server.ended(), Some(crate::End::Signal(SIGSEGV as u8)));
        });
    }
}

#[test]
fn children_and_threads_begin_with_the_vector_registers_of_their_maker() {
    both(|mut scene| {
        *scene.server.machine.vector_of(1) = marked(5);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        assert!(*scene.server.machine.vector_of(2) == marked(5));
    });
}
