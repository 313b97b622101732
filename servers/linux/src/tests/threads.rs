//! Threads and what they wait at.

use linux_raw_sys::general::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE,
    FUTEX_WAKE_BITSET, FUTEX_WAKE_OP, MAP_ANONYMOUS, MAP_SHARED, SIGKILL, SIGUSR1,
};
use syscalls::Errno;

use super::{Scene, both};
use crate::arch::Arch;
use crate::process::End;
use crate::server::Answer;

/// What glibc's `pthread_create` asks `clone` for, without a segment.
const THREAD: u64 = 0x003d_0f00 & !0x8_0000;
/// What its `posix_spawn` does.
const SPAWN: u64 = 0x4111;
/// With `CLONE_SETTLS`.
const TLS: u64 = 0x8_0000;

/// The two words that threads work with, and where a tid is.
const WORD: u64 = 0x40;
const OTHER: u64 = 0x48;
const TID: u64 = 0x50;

impl Scene {
    fn clone(&mut self, badge: u32, flags: u64, tls: u64) -> Answer {
        let (stack, tid) = (self.memory() + 0x800, self.memory() + TID);
        let last = if self.arch == Arch::I386 { [tls, tid] } else { [tid, tls] };
        self.call(badge, "clone", &[flags, stack, tid, last[0], last[1]])
    }

    /// One more thread; its badge, which is the tid as well as long as nobody has ended.
    fn thread(&mut self) -> u32 {
        match self.clone(1, THREAD, 0) {
            Answer::Result(tid) => tid as u32,
            other => panic!("{other:?}"),
        }
    }

    fn set(&mut self, offset: u64, value: u32) {
        let at = self.memory() + offset;
        self.user(1, |user| user.write(at, &value.to_le_bytes())).unwrap();
    }

    fn wait(&mut self, badge: u32, offset: u64, value: u64) -> Answer {
        let at = self.memory() + offset;
        self.call(badge, "futex", &[at, (FUTEX_WAIT | FUTEX_PRIVATE_FLAG).into(), value, 0])
    }

    fn wake(&mut self, badge: u32, offset: u64, most: u64) -> u64 {
        let at = self.memory() + offset;
        self.done(badge, "futex", &[at, (FUTEX_WAKE | FUTEX_PRIVATE_FLAG).into(), most])
    }

    fn result(&self, badge: u32) -> i64 {
        let value = self.registers(badge).get(3);
        if self.arch == Arch::I386 { i64::from(value as i32) } else { value as i64 }
    }
}

#[test]
fn a_thread_shares_all_but_its_stack_its_segment_and_its_mask() {
    both(|mut scene| {
        let base = scene.memory() + 0x80;
        let tls = match scene.arch {
            Arch::Amd64 => base,
            Arch::I386 => {
                let words = [6, base as u32, 0xf_ffff, 0x51];
                let bytes: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
                let place = scene.memory() + 0x100;
                scene.user(1, |user| user.write(place, &bytes)).unwrap();
                place
            }
        };
        assert_eq!(scene.clone(1, THREAD | TLS, tls), Answer::Result(2));
        assert_eq!((scene.registers(2).get(3), scene.registers(2).sp()), (0, scene.memory() + 0x800));
        assert_eq!(scene.server.machine.tls_of(2).0, base);
        assert_eq!(scene.server.machine.tls_of(1).0, 0);
        assert_eq!(scene.number(1, TID), 2);
        assert_eq!((scene.done(2, "getpid", &[]), scene.done(2, "gettid", &[])), (1, 2));
        scene.text(2, 0, "both");
        assert_eq!(scene.bytes(1, 0, 4), b"both");
        assert_eq!(scene.server.machine.spaces.len(), 1);
        let path = scene.text(2, 0, "/data");
        assert_eq!(scene.done(2, "open", &[path, 0, 0]), 3);
        assert_eq!(scene.done(1, "close", &[3]), 0);
    });
}

#[test]
fn who_joins_a_thread_is_woken_by_its_end() {
    both(|mut scene| {
        let thread = scene.thread();
        assert_eq!(scene.wait(1, TID, thread.into()), Answer::Keep);
        assert_eq!(scene.call(thread, "exit", &[3]), Answer::Nobody);
        assert_eq!((scene.result(1), scene.number(1, TID)), (0, 0));
        assert_eq!(scene.server.machine.running(), [1]);
        assert_eq!(scene.server.ended(), None);
    });
}

#[test]
fn those_that_wait_are_woken_in_turn_and_by_nobody_elses_word() {
    both(|mut scene| {
        let [first, second, third] = [scene.thread(), scene.thread(), scene.thread()];
        let again = -i64::from(Errno::EAGAIN.into_raw());
        assert_eq!(scene.wait(first, WORD, 1), Answer::Result(again as u64), "it holds 0");
        for thread in [second, first, third] {
            assert_eq!(scene.wait(thread, WORD, 0), Answer::Keep);
        }
        assert_eq!(scene.wake(1, OTHER, 9), 0);
        assert_eq!(scene.wake(1, WORD, 1), 1);
        assert_eq!(scene.server.machine.running(), [1, second]);
        assert_eq!(scene.wake(1, WORD, 9), 2);
        assert_eq!([first, second, third].map(|thread| scene.result(thread)), [0; 3]);
        assert_eq!(scene.wake(1, WORD, 9), 0);
        scene.fails(1, "futex", &[scene.memory() + 1, FUTEX_WAKE.into(), 1], Errno::EINVAL);
        scene.fails(1, "futex", &[16, FUTEX_WAKE.into(), 1], Errno::EFAULT);
    });
}

#[test]
fn time_ends_a_wait_and_bits_choose_who_is_woken() {
    both(|mut scene| {
        let [first, second] = [scene.thread(), scene.thread()];
        let (word, at, place) = (scene.arch.word() as usize, scene.memory() + WORD, scene.memory() + 0x100);
        let time = [&1_u64.to_le_bytes()[..word], &5_u64.to_le_bytes()[..word]].concat();
        scene.user(1, |user| user.write(place, &time)).unwrap();
        scene.server.machine.now = 900_000_000;
        assert_eq!(scene.call(first, "futex", &[at, FUTEX_WAIT.into(), 0, place]), Answer::Keep);
        let point = [at, FUTEX_WAIT_BITSET.into(), 0, place, 0, 0b10];
        assert_eq!(scene.call(second, "futex", &point), Answer::Keep);
        assert_eq!(scene.server.deadline(), Some(1_000_000_005), "a point in time comes before a while from now");
        let wake = |mask: u64| [at, FUTEX_WAKE_BITSET.into(), 9, 0, 0, mask];
        assert_eq!((scene.done(1, "futex", &wake(0b100)), scene.result(first)), (1, 0));
        scene.server.machine.now = 1_000_000_005;
        scene.server.tick();
        let late = -i64::from(Errno::ETIMEDOUT.into_raw());
        assert_eq!((scene.result(second), scene.server.machine.running()), (late, vec![1, first, second]));
        assert_eq!(scene.done(1, "futex", &wake(FUTEX_BITSET_MATCH_ANY.into())), 0);
        assert_eq!(scene.call(second, "futex", &point), Answer::Result(late as u64), "that time is over");
        assert_eq!(scene.server.deadline(), None);
    });
}

#[test]
fn those_that_wait_are_moved_to_another_word() {
    both(|mut scene| {
        let threads = [scene.thread(), scene.thread(), scene.thread()];
        for thread in threads {
            assert_eq!(scene.wait(thread, WORD, 0), Answer::Keep);
        }
        let (from, to) = (scene.memory() + WORD, scene.memory() + OTHER);
        scene.fails(1, "futex", &[from, FUTEX_CMP_REQUEUE.into(), 1, 9, to, 1], Errno::EAGAIN);
        assert_eq!(scene.done(1, "futex", &[from, FUTEX_CMP_REQUEUE.into(), 1, 9, to, 0]), 3);
        assert_eq!(scene.server.machine.running(), [1, threads[0]]);
        assert_eq!((scene.wake(1, WORD, 9), scene.wake(1, OTHER, 9)), (0, 2));
    });
}

#[test]
fn an_operation_on_one_word_may_wake_at_two() {
    both(|mut scene| {
        let threads = [scene.thread(), scene.thread()];
        let wait = |scene: &mut Scene| {
            scene.set(OTHER, 0);
            assert_eq!(scene.wait(threads[0], WORD, 0), Answer::Keep);
            assert_eq!(scene.wait(threads[1], OTHER, 0), Answer::Keep);
        };
        let (first, second) = (scene.memory() + WORD, scene.memory() + OTHER);
        // Adds -1, and wakes at the second if it held less than 5, or more.
        for (comparison, woken) in [(2_u64, 2), (4, 1)] {
            wait(&mut scene);
            let code = 1 << 28 | comparison << 24 | 0xfff << 12 | 5;
            assert_eq!(scene.done(1, "futex", &[first, FUTEX_WAKE_OP.into(), 1, 1, second, code]), woken);
            assert_eq!(scene.number(1, OTHER), u32::MAX);
        }
        assert_eq!(scene.wake(1, OTHER, 9), 1);
    });
}

#[test]
fn a_word_is_the_same_for_all_that_share_its_memory_and_no_others() {
    both(|mut scene| {
        let name = if scene.arch == Arch::I386 { "mmap2" } else { "mmap" };
        let shared = scene.done(1, name, &[0, 4096, 3, (MAP_SHARED | MAP_ANONYMOUS).into(), u64::MAX, 0]);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        assert_eq!(scene.call(2, "futex", &[shared + 8, FUTEX_WAIT.into(), 0, 0]), Answer::Keep);
        assert_eq!(scene.done(1, "futex", &[shared + 8, FUTEX_WAKE.into(), 1]), 1);
        assert_eq!(scene.wait(2, WORD, 0), Answer::Keep);
        assert_eq!(scene.wake(1, WORD, 9), 0);
    });
}

#[test]
fn the_last_thread_ends_the_process_with_the_first_ones_status() {
    both(|mut scene| {
        let thread = scene.thread();
        assert_eq!(scene.call(1, "exit", &[4]), Answer::Nobody);
        assert_eq!(scene.server.ended(), None);
        assert_eq!(scene.done(thread, "getpid", &[]), 1);
        assert_eq!(scene.call(thread, "exit", &[5]), Answer::Nobody);
        assert_eq!(scene.server.ended(), Some(End::Exit(4)));
    });
    both(|mut scene| {
        let thread = scene.thread();
        assert_eq!(scene.wait(1, WORD, 0), Answer::Keep);
        assert_eq!(scene.call(thread, "exit_group", &[5]), Answer::Nobody);
        assert_eq!(scene.server.ended(), Some(End::Exit(5)));
        assert!(scene.server.machine.running().is_empty());
    });
}

#[test]
fn one_of_several_forks_alone_and_executes_for_all() {
    both(|mut scene| {
        let thread = scene.thread();
        let child = scene.done(thread, "fork", &[]);
        assert_eq!((child, scene.server.machine.running()), (3, vec![1, 2, 3]));
        assert_eq!((scene.done(3, "getppid", &[]), scene.done(3, "gettid", &[])), (1, 3));
        let path = scene.text(thread, 0, "/bin/narrow");
        assert_eq!(scene.call(thread, "execve", &[path, 0, 0]), Answer::Nobody);
        assert_eq!(scene.server.machine.running(), [3, 1]);
        scene.arch = Arch::I386;
        assert_eq!((scene.done(1, "getpid", &[]), scene.done(1, "gettid", &[])), (1, 1));
    });
}

#[test]
fn who_lends_its_memory_waits_until_it_has_it_back() {
    for executes in [false, true] {
        both(|mut scene| {
            assert_eq!(scene.clone(1, SPAWN, 0), Answer::Keep);
            assert_eq!((scene.server.machine.running(), scene.server.machine.spaces.len()), (vec![2], 1));
            scene.text(2, 0, "told!");
            // The parent hears of no signal meanwhile.
            assert_eq!(scene.done(2, "kill", &[1, SIGUSR1.into()]), 0);
            assert_eq!(scene.server.machine.running(), [2]);
            let path = scene.text(2, 0x100, "/bin/narrow");
            let answer = if executes { scene.call(2, "execve", &[path, 0, 0]) } else { scene.call(2, "exit", &[1]) };
            assert_eq!(answer, Answer::Nobody);
            // Now it does.
            assert_eq!(scene.server.ended(), Some(End::Signal(SIGUSR1 as u8)));
        });
    }
    both(|mut scene| {
        assert_eq!(scene.call(1, "vfork", &[]), Answer::Keep);
        scene.text(2, 0, "told!");
        assert_eq!(scene.call(2, "exit", &[1]), Answer::Nobody);
        assert_eq!((scene.result(1), scene.bytes(1, 0, 5)), (2, b"told!".to_vec()));
        assert_eq!(scene.call(1, "vfork", &[]), Answer::Keep);
        assert_eq!(scene.done(2, "kill", &[1, SIGKILL.into()]), 0);
        assert_eq!(scene.server.ended(), Some(End::Signal(9)));
        assert_eq!(scene.bytes(2, 0, 5), b"told!", "the child still has the memory");
        assert_eq!(scene.call(2, "exit", &[0]), Answer::Nobody);
        assert!(scene.server.machine.spaces.is_empty());
    });
}

#[test]
fn locks_of_a_thread_that_ends_are_marked_and_passed_on() {
    both(|mut scene| {
        let (word, memory) = (scene.arch.word(), scene.memory());
        let [owner, other] = [scene.thread(), scene.thread()];
        // A list of one lock, whose word lies behind its entry.
        let (head, entry) = (memory + 0x100, memory + 0x140);
        let mut bytes = Vec::new();
        for value in [entry, 2 * word, 0] {
            bytes.extend(&u64::to_le_bytes(value)[..word as usize]);
        }
        scene.user(1, |user| user.write(head, &bytes)).unwrap();
        scene.user(1, |user| user.write(entry, &head.to_le_bytes()[..word as usize])).unwrap();
        let lock = 0x140 + 2 * word;
        scene.set(lock, owner | 0x8000_0000);
        scene.fails(owner, "set_robust_list", &[head, word], Errno::EINVAL);
        assert_eq!(scene.done(owner, "set_robust_list", &[head, 3 * word]), 0);
        assert_eq!(scene.wait(other, lock, u64::from(owner | 0x8000_0000)), Answer::Keep);
        assert_eq!(scene.call(owner, "exit", &[0]), Answer::Nobody);
        assert_eq!((scene.number(1, lock), scene.result(other)), (0xc000_0000, 0));
    });
}

#[test]
fn a_list_of_locks_without_an_end_is_left() {
    both(|mut scene| {
        let (word, memory, owner) = (scene.arch.word(), scene.memory(), scene.thread());
        let (head, entry) = (memory + 0x100, memory + 0x140);
        scene.user(1, |user| user.write(head, &entry.to_le_bytes())).unwrap();
        scene.user(1, |user| user.write(entry, &entry.to_le_bytes())).unwrap();
        assert_eq!(scene.done(owner, "set_robust_list", &[head, 3 * word]), 0);
        assert_eq!(scene.call(owner, "exit", &[0]), Answer::Nobody);
    });
}

#[test]
fn signals_are_for_one_thread_or_for_whoever_takes_them() {
    both(|mut scene| {
        let thread = scene.thread();
        let mask = scene.memory() + 0x100;
        scene.user(1, |user| user.write(mask, &(1_u64 << (SIGUSR1 - 1)).to_le_bytes())).unwrap();
        assert_eq!(scene.done(thread, "rt_sigprocmask", &[0, mask, 0, 8]), 0);
        // To the thread: it holds it back, and the other hears nothing.
        scene.fails(1, "tgkill", &[thread.into(), thread.into(), SIGUSR1.into()], Errno::ESRCH);
        assert_eq!(scene.done(1, "tgkill", &[1, thread.into(), SIGUSR1.into()]), 0);
        assert_eq!(scene.done(1, "getpid", &[]), 1);
        let pending = scene.memory() + 0x108;
        assert_eq!(scene.done(thread, "rt_sigpending", &[pending, 8]), 0);
        assert_eq!(scene.number(1, 0x108), 1 << (SIGUSR1 - 1));
        // To the process: the one that does not hold it back takes it, and all end.
        assert_eq!(scene.call(thread, "kill", &[1, SIGUSR1.into()]), Answer::Nobody);
        assert_eq!(scene.server.ended(), Some(End::Signal(SIGUSR1 as u8)));
    });
}

#[test]
fn there_are_so_many_threads_and_no_more() {
    both(|mut scene| {
        let mut count = 1;
        while let Answer::Result(2..=9999) = scene.clone(1, THREAD, 0) {
            count += 1;
        }
        assert_eq!(count, 256);
        assert_eq!(scene.done(1, "fork", &[]) as usize, 2 + 256);
        assert_eq!(scene.call(1, "exit_group", &[0]), Answer::Nobody);
        assert_eq!(scene.server.machine.running().len(), 1);
    });
}

#[test]
fn who_somebody_is_is_known_before_it_asks() {
    both(|mut scene| {
        let thread = scene.thread();
        assert_eq!((scene.done(thread, "getpid", &[]), scene.done(thread, "gettid", &[])), (1, 2));
        let child = scene.done(thread, "fork", &[]) as u32;
        assert_eq!((scene.done(child, "getpid", &[]), scene.done(child, "gettid", &[])), (3, 3));
        let ids = if scene.arch == Arch::I386 { ["getuid32", "getegid32"] } else { ["getuid", "getegid"] };
        assert_eq!(ids.map(|name| scene.done(child, name, &[])), [0, 0]);
        // Where the first one was there is another thread, with the same number.
        scene.done(child, "kill", &[1, SIGKILL.into()]);
        let again = scene.done(child, "fork", &[]);
        assert_eq!((scene.done(1, "getpid", &[]), scene.done(1, "gettid", &[])), (again, again));
        let known = scene.server.known();
        assert_eq!(known.answer(1, scene.arch, 0), None);
        assert_eq!(known.answer(1, scene.arch, usize::MAX), None);
    });
}
