//! Events: what is told once, what wakes, what is bounded.

use linux_raw_sys::general::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, O_NONBLOCK, SIGCHLD};
use syscalls::Errno;

use super::{Scene, both};
use crate::server::Answer;

const ADD: u64 = EPOLL_CTL_ADD as u64;
const EDGES: u32 = 1 << 31;

impl Scene {
    /// Lets one descriptor watch another.
    fn watch(&mut self, watch: u64, number: u64, events: u32) {
        let at = self.memory() + 0x500;
        let bytes = [&events.to_le_bytes()[..], &number.to_le_bytes()].concat();
        self.user(1, |user| user.write(at, &bytes)).unwrap();
        assert_eq!(self.done(1, "epoll_ctl", &[watch, ADD, number, at]), 0);
    }

    /// How many it tells of at once.
    fn told(&mut self, watch: u64) -> u64 {
        let at = self.memory() + 0x600;
        self.done(1, "epoll_wait", &[watch, at, 4, 0])
    }
}

#[test]
fn edges_are_told_once_and_levels_as_long_as_they_are_so() {
    both(|mut scene| {
        let place = scene.memory() + 0x700;
        assert_eq!(scene.done(1, "pipe", &[place]), 0);
        let [read, write] = [0x700, 0x704].map(|at| u64::from(scene.number(1, at)));
        let [by_edge, by_level] = [EDGES, 0].map(|edges| {
            let watch = scene.done(1, "epoll_create1", &[0]);
            scene.watch(watch, read, 1 | edges);
            watch
        });
        let text = scene.text(1, 0, "text");
        assert_eq!((scene.told(by_edge), scene.told(by_level)), (0, 0));
        assert_eq!(scene.done(1, "write", &[write, text, 4]), 4);
        assert_eq!((scene.told(by_edge), scene.told(by_level)), (1, 1));
        assert_eq!((scene.told(by_edge), scene.told(by_level)), (0, 1));
        assert_eq!(scene.done(1, "read", &[read, place, 2]), 2);
        assert_eq!((scene.told(by_edge), scene.told(by_level)), (0, 1));
        assert_eq!(scene.done(1, "write", &[write, text, 1]), 1);
        assert_eq!((scene.told(by_edge), scene.told(by_level)), (1, 1));
        // What nobody has open is not watched.
        assert_eq!(scene.done(1, "close", &[read]), 0);
        assert_eq!((scene.told(by_edge), scene.told(by_level)), (0, 0));
        scene.fails(1, "epoll_ctl", &[by_edge, ADD, by_level, place], Errno::ELOOP);
        scene.fails(1, "epoll_ctl", &[by_edge, EPOLL_CTL_DEL.into(), write, place], Errno::ENOENT);
        scene.fails(1, "epoll_wait", &[by_edge, place, 0, 0], Errno::EINVAL);
        scene.fails(1, "epoll_wait", &[write, place, 1, 0], Errno::EINVAL);
    });
}

#[test]
fn who_waits_is_woken_by_a_count_and_by_a_timer() {
    both(|mut scene| {
        let count = scene.done(1, "eventfd2", &[0, 0]);
        let timer = scene.done(1, "timerfd_create", &[1, O_NONBLOCK.into()]);
        let watch = scene.done(1, "epoll_create1", &[0]);
        scene.watch(watch, count, 1);
        scene.watch(watch, timer, 1);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        let place = scene.memory() + 0x600;
        assert_eq!(scene.call(2, "epoll_wait", &[watch, place, 4, u64::MAX]), Answer::Keep);
        let value = scene.memory() + 0x40;
        scene.user(1, |user| user.write(value, &[3, 0, 0, 0, 0, 0, 0, 0])).unwrap();
        assert_eq!(scene.done(1, "write", &[count, value, 8]), 8);
        assert_eq!((scene.registers(2).get(3), scene.bytes(2, 0x604, 1)), (1, vec![count as u8]));
        assert_eq!(scene.done(1, "read", &[count, value + 8, 8]), 8);
        assert_eq!(scene.number(1, 0x48), 3);
        scene.fails(1, "read", &[timer, value, 8], Errno::EAGAIN);
        scene.fails(1, "read", &[timer, value, 7], Errno::EINVAL);
        // A millisecond, once.
        let word = scene.arch.word() as usize;
        let mut bytes = vec![0; 4 * word];
        bytes[3 * word..][..4].copy_from_slice(&1_000_000_u32.to_le_bytes());
        scene.user(1, |user| user.write(place, &bytes)).unwrap();
        assert_eq!(scene.done(1, "timerfd_settime", &[timer, 0, place, 0]), 0);
        assert_eq!(scene.call(2, "epoll_wait", &[watch, place, 4, u64::MAX]), Answer::Keep);
        let due = scene.server.deadline().unwrap();
        scene.server.machine.now = due;
        scene.server.tick();
        assert_eq!((scene.registers(2).get(3), scene.server.deadline()), (1, None));
        assert_eq!(scene.done(1, "read", &[timer, value, 8]), 8);
        assert_eq!(scene.number(1, 0x40), 1);
    });
}

#[test]
fn signals_that_are_held_back_are_taken_by_who_asks() {
    both(|mut scene| {
        let set = scene.memory() + 0x40;
        let bits = 1_u64 << (SIGCHLD - 1);
        scene.user(1, |user| user.write(set, &bits.to_le_bytes())).unwrap();
        assert_eq!(scene.done(1, "rt_sigprocmask", &[0, set, 0, 8]), 0);
        let file = scene.done(1, "signalfd4", &[u64::MAX, set, 8, O_NONBLOCK.into()]);
        let place = scene.memory() + 0x600;
        scene.fails(1, "read", &[file, place, 128], Errno::EAGAIN);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        assert_eq!(scene.call(1, "rt_sigtimedwait", &[set, place, 0, 8]), Answer::Keep);
        assert_eq!(scene.call(2, "exit_group", &[3]), Answer::Nobody);
        assert_eq!((scene.registers(1).get(3), scene.number(1, 0x600)), (SIGCHLD.into(), SIGCHLD));
        assert_eq!(scene.done(1, "fork", &[]), 3);
        assert_eq!(scene.call(2, "exit_group", &[3]), Answer::Nobody);
        assert_eq!(scene.done(1, "read", &[file, place, 300]), 128);
        let words = [0, 8, 12].map(|at| scene.number(1, 0x600 + at));
        assert_eq!(words, [SIGCHLD, 1, 3], "signal, exited, the child's number");
    });
}
