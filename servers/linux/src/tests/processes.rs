//! Processes: forks, waits, other programs, ends.

use linux_raw_sys::general::{SIGCHLD, SIGKILL, WEXITED, WNOHANG, WNOWAIT};
use syscalls::Errno;

use super::{Scene, both};
use crate::arch::Arch;
use crate::process::End;
use crate::server::Answer;

const ANY: u64 = u64::MAX;

#[test]
fn a_child_has_its_own_copy_and_is_waited_for() {
    both(|mut scene| {
        scene.text(1, 0, "before");
        let child = scene.done(1, "fork", &[]);
        assert_eq!((child, scene.registers(2).get(3)), (2, 0));
        scene.text(2, 0, "child!");
        assert_eq!(scene.bytes(1, 0, 6), b"before");
        scene.text(1, 0, "parent");
        assert_eq!(scene.bytes(2, 0, 6), b"child!");

        let status = scene.memory() + 64;
        assert_eq!(scene.done(1, "wait4", &[ANY, status, WNOHANG.into(), 0]), 0);
        assert_eq!(scene.call(1, "wait4", &[ANY, status, 0, 0]), Answer::Keep);
        assert_eq!(scene.call(2, "exit_group", &[7]), Answer::Nobody);
        assert_eq!(scene.registers(1).get(3), 2);
        assert_eq!(scene.number(1, 64), 7 << 8);
        scene.fails(1, "wait4", &[ANY, status, 0, 0], Errno::ECHILD);
    });
}

#[test]
fn a_program_takes_the_place_of_another_of_either_width() {
    both(|mut scene| {
        let other = if scene.arch == Arch::I386 { "/bin/wide" } else { "/bin/narrow" };
        let path = scene.text(1, 0, other);
        let before = scene.server.pool.counts().1;
        assert_eq!(scene.call(1, "execve", &[path, 0, 0]), Answer::Nobody);
        assert_eq!(scene.server.machine.running(), [1]);
        assert_eq!(scene.server.machine.spaces.len(), 1);
        assert!(scene.server.pool.counts().1 + 4 >= before, "the old memory was given back");
        scene.arch = if scene.arch == Arch::I386 { Arch::Amd64 } else { Arch::I386 };
        assert_eq!(scene.done(1, "getpid", &[]), 1);
        let script = scene.text(1, 0, "/bin/script");
        scene.call(1, "execve", &[script, 0, 0]);
        let arguments = scene.server.processes[0].as_ref().unwrap().arguments.clone();
        assert_eq!(arguments, b"/bin/narrow\0-x\0/bin/script\0");
    });
}

#[test]
fn what_is_no_program_is_refused_and_the_caller_goes_on() {
    both(|mut scene| {
        for (path, error) in [
            ("/data", Errno::EACCES),
            ("/bin", Errno::EACCES),
            ("/nothing", Errno::ENOENT),
            ("/loop", Errno::ELOOP),
            ("/data/x", Errno::ENOTDIR),
        ] {
            let path = scene.text(1, 0, path);
            scene.fails(1, "execve", &[path, 0, 0], error);
        }
        scene.fails(1, "execve", &[16, 0, 0], Errno::EFAULT);
        assert_eq!(scene.done(1, "getpid", &[]), 1);
    });
}

#[test]
fn the_first_process_ends_and_its_children_are_nobodys() {
    both(|mut scene| {
        assert_eq!(scene.done(1, "fork", &[]), 2);
        assert_eq!(scene.call(1, "exit_group", &[3]), Answer::Nobody);
        assert_eq!(scene.server.ended(), Some(End::Exit(3)));
        assert_eq!(scene.done(2, "getppid", &[]), 1, "as if the first had adopted it");
        scene.server.end_all();
        assert!(scene.server.machine.spaces.is_empty());
        assert_eq!(scene.server.frames_in_use(), 0, "who but the cache holds frames?");
    });
}

#[test]
fn a_kill_ends_whoever_runs_or_waits() {
    both(|mut scene| {
        assert_eq!(scene.done(1, "fork", &[]), 2);
        assert_eq!(scene.call(2, "pause", &[]), Answer::Keep);
        let kill = [2, SIGKILL.into()];
        assert_eq!(scene.done(1, "kill", &kill), 0);
        let status = scene.memory();
        assert_eq!(scene.done(1, "wait4", &[ANY, status, 0, 0]), 2);
        assert_eq!(scene.number(1, 0), SIGKILL);
        assert_eq!(scene.done(1, "fork", &[]), 3);
        assert_eq!(scene.done(1, "kill", &[3, SIGKILL.into()]), 0);
        assert_eq!(scene.done(1, "wait4", &[3, 0, 0, 0]), 3);
        scene.fails(1, "kill", &kill, Errno::ESRCH);
        assert_eq!(scene.call(1, "kill", &[1, SIGKILL.into()]), Answer::Nobody);
        assert_eq!(scene.server.ended(), Some(End::Signal(9)));
    });
}

#[test]
fn where_there_is_no_room_a_fork_fails_and_nothing_is_lost() {
    both(|mut scene| {
        for room in 0..2 {
            scene.server.machine.room = Some(room);
            let before = scene.server.pool.counts();
            scene.fails(1, "fork", &[], Errno::EAGAIN);
            assert_eq!(scene.server.pool.counts(), before);
            assert_eq!(scene.server.machine.spaces.len(), 1);
        }
    });
}

#[test]
fn where_there_are_too_many_a_fork_fails_and_nothing_is_lost() {
    both(|mut scene| {
        while let Answer::Result(pid) = scene.call(1, "fork", &[])
            && pid < 10_000
        {}
        let state = |scene: &super::Scene| (scene.server.pool.counts(), scene.server.machine.spaces.len());
        let before = state(&scene);
        scene.fails(1, "fork", &[], Errno::EAGAIN);
        assert_eq!(state(&scene), before);
        scene.server.end_all();
        // What files have is kept for the next one.
        assert_eq!((scene.server.machine.spaces.len(), scene.server.frames_in_use()), (0, 0));
    });
}

#[test]
fn threads_have_segments_of_their_own_and_children_inherit_them() {
    both(|mut scene| {
        let base = scene.memory() + 0x80;
        let expected = match scene.arch {
            Arch::I386 => {
                let words = [u32::MAX, base as u32, 0xf_ffff, 0x51];
                let place = scene.memory();
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                scene.user(1, |user| user.write(place, &bytes)).unwrap();
                assert_eq!(scene.done(1, "set_thread_area", &[place]), 0);
                assert_eq!(scene.number(1, 0), crate::machine::TLS_ENTRY);
                (base, u32::MAX)
            }
            Arch::Amd64 => {
                scene.done(1, "arch_prctl", &[0x1002, base]);
                (base, 0)
            }
        };
        assert_eq!(scene.done(1, "fork", &[]), 2);
        assert_eq!([1, 2].map(|badge| scene.server.machine.tls_of(badge)), [expected; 2]);
    });
}

#[test]
fn waitid_tells_what_happened_and_may_leave_it() {
    const ALL: u64 = 0;
    const PID: u64 = 1;
    both(|mut scene| {
        let place = scene.memory();
        let [ends, keeps, at_once] = [WEXITED, WNOWAIT, WNOHANG].map(u64::from);
        scene.fails(1, "waitid", &[ALL, 0, place, ends, 0], Errno::ECHILD);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        for options in [0, at_once, ends | 1 << 20] {
            scene.fails(1, "waitid", &[ALL, 0, place, options, 0], Errno::EINVAL);
        }
        scene.fails(1, "waitid", &[3, 2, place, ends, 0], Errno::EINVAL);
        scene.fails(1, "waitid", &[PID, 3, place, ends, 0], Errno::ECHILD);
        let word = scene.arch.word() as u32;
        let second = 12_u32.next_multiple_of(word) as u64;
        let told = |scene: &mut Scene| [0, 8, second, second + 4, second + 8].map(|at| scene.number(1, at));
        assert_eq!(scene.done(1, "waitid", &[ALL, 0, place, ends | at_once, 0]), 0);
        assert_eq!(told(&mut scene), [0; 5]);
        assert_eq!(scene.call(1, "waitid", &[PID, 2, place, ends | keeps, 0]), Answer::Keep);
        scene.call(2, "exit_group", &[7]);
        assert_eq!(told(&mut scene), [SIGCHLD, 1, 2, 0, 7]);
        assert_eq!(scene.done(1, "waitid", &[ALL, 0, place, ends, 0]), 0, "it was left");
        assert_eq!(told(&mut scene), [SIGCHLD, 1, 2, 0, 7]);
        scene.fails(1, "waitid", &[ALL, 0, place, ends, 0], Errno::ECHILD);
        assert_eq!(scene.done(1, "fork", &[]), 3);
        assert_eq!(scene.done(1, "kill", &[3, SIGKILL.into()]), 0);
        assert_eq!(scene.done(1, "waitid", &[ALL, 0, 0, ends, 0]), 0, "who wants to know nothing");
        scene.fails(1, "waitid", &[ALL, 0, place, ends, 0], Errno::ECHILD);
    });
}

#[test]
fn what_threads_used_stays_their_process_s_and_becomes_its_parent_s() {
    use crate::machine::Times;
    both(|mut scene| {
        let ticks = |scene: &mut Scene| {
            let (place, width) = (scene.memory() + 0x700, scene.arch.word() as usize);
            scene.done(1, "times", &[place]);
            let bytes = scene.bytes(1, 0x700, 4 * width);
            bytes.chunks(width).map(|word| u64::from(word[0])).collect::<Vec<_>>()
        };
        // The machine says 30 ms of a thread's number as a program's, and 10 ms of the kernel's; a tick is 10 ms.
        let first = scene.server.times_of(0);
        let own = [first.user / 10_000_000, first.kernel / 10_000_000];
        assert_eq!(ticks(&mut scene), [own[0], own[1], 0, 0]);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        let second = scene.server.times_of(1);
        assert!(second.user > first.user);
        let all = scene.server.times_of_all();
        assert_eq!(scene.call(2, "exit_group", &[0]), Answer::Nobody);
        assert_eq!(scene.server.times_of_all(), all, "what was used was used");
        assert_eq!(ticks(&mut scene)[2..], [0, 0], "it has not been waited for");
        let place = scene.memory() + 0x600;
        assert_eq!(scene.done(1, "wait4", &[2, 0, 0, place]), 2);
        assert_eq!(ticks(&mut scene), [own[0], own[1], second.user / 10_000_000, second.kernel / 10_000_000]);
        // Seconds and microseconds.
        let width = scene.arch.word();
        assert_eq!(u64::from(scene.number(1, 0x600 + width)), second.user / 1000);
        scene.done(1, "getrusage", &[-1_i64 as u64, place]);
        assert_eq!(u64::from(scene.number(1, 0x600 + 3 * width)), second.kernel / 1000);
        scene.done(1, "getrusage", &[0, place]);
        assert_eq!(u64::from(scene.number(1, 0x600 + width)), first.user / 1000);
        scene.fails(1, "getrusage", &[2, place], Errno::EINVAL);
        // A program that becomes another has used what it has.
        let program = scene.text(1, 0x400, if scene.arch == Arch::I386 { "/bin/narrow" } else { "/bin/wide" });
        assert_eq!(scene.call(1, "execve", &[program, 0, 0]), Answer::Nobody);
        assert_eq!(scene.server.processes[0].as_ref().unwrap().ended, first);
        assert_ne!(scene.server.times_of(0), Times::default());
    });
}

#[test]
fn idle_time_never_becomes_less() {
    both(|mut scene| {
        scene.server.machine.now = 5_000_000_000;
        let used = scene.server.times_of_all();
        let idle = scene.server.idle_time(used);
        assert_eq!(idle, 5_000_000_000 - used.sum());
        // What it was told of late.
        scene.server.ended.user += 1_000_000_000;
        let used = scene.server.times_of_all();
        assert_eq!(scene.server.idle_time(used), idle);
        scene.server.machine.now += 2_000_000_000;
        assert_eq!(scene.server.idle_time(used), idle + 1_000_000_000);
    });
}

/// Numbers begin anew with the next first process: nobody may be found by one who is left of those before.
#[test]
fn nobody_is_left_of_what_ran_before() {
    both(|mut scene| {
        assert_eq!((scene.done(1, "fork", &[]), scene.done(1, "fork", &[])), (2, 3));
        assert_eq!(scene.call(2, "exit_group", &[0]), Answer::Nobody);
        assert_eq!(scene.done(1, "wait4", &[2, 0, 0, 0]), 2);
        // It has the place of the second process, before its parent, and ends without being asked for.
        assert_eq!(scene.done(3, "fork", &[]), 4);
        assert_eq!(scene.call(2, "exit_group", &[0]), Answer::Nobody);
        scene.server.end_all();
        assert!(scene.server.processes.iter().all(Option::is_none));
    });
}
