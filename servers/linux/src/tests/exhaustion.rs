//! Where frames or the server's own memory run out.

use linux_raw_sys::general::SIGKILL;
use syscalls::Errno;

use super::{FRAMES, Scene, both};
use crate::memory::{Access, PAGE};
use crate::process::End;
use crate::server::Answer;

impl Scene {
    /// Frames that nobody has.
    fn left(&self) -> u64 {
        self.server.pool.counts().1 as u64
    }

    /// Maps so many pages and touches them.
    fn takes(&mut self, badge: u32, pages: u64) {
        let start = self.map(badge, pages * PAGE, 3);
        for page in 0..pages {
            assert_eq!(self.touches(badge, start + page * PAGE, Access::Write), Answer::Resume);
        }
    }
}

#[test]
fn whoever_has_the_most_is_ended() {
    both(|mut scene| {
        assert_eq!(scene.done(1, "fork", &[]), 2);
        let all = scene.left();
        scene.takes(2, all - 4);
        scene.takes(1, 4);
        assert_eq!(scene.left(), 0);
        let start = scene.map(1, PAGE, 3);
        assert_eq!(scene.touches(1, start, Access::Write), Answer::Resume);
        assert!(scene.server.machine.log.iter().any(|line| line.contains("out of memory: process 2 (")));
        let place = scene.memory();
        assert_eq!(scene.done(1, "wait4", &[u64::MAX, place, 0, 0]), 2);
        assert_eq!(scene.number(1, 0), SIGKILL);
    });
}

#[test]
fn it_may_be_who_touched_something() {
    both(|mut scene| {
        assert_eq!(scene.done(1, "fork", &[]), 2);
        let pages = FRAMES as u64;
        let start = scene.map(2, pages * PAGE, 3);
        let ends = |page: u64| scene.touches(2, start + page * PAGE, Access::Write) == Answer::Nobody;
        assert!((0..pages).any(ends));
        assert_eq!(scene.server.machine.running(), [1]);
        assert!(scene.left() > pages / 2);
    });
}

#[test]
fn the_books_of_memories_leave_room_to_serve() {
    both(|mut scene| {
        let start = scene.map(1, 8 * PAGE, 3);
        scene.server.machine.free = Some(4 << 20);
        let map = if scene.arch == crate::Arch::I386 { "mmap2" } else { "mmap" };
        scene.fails(1, "fork", &[], Errno::ENOMEM);
        scene.server.machine.free = Some((4 << 20) - 1);
        scene.fails(1, map, &[0, PAGE, 3, 0x22, u64::MAX, 0], Errno::ENOMEM);
        scene.fails(1, "mprotect", &[start, PAGE, 1], Errno::ENOMEM);
        scene.fails(1, "mremap", &[start, PAGE, 2 * PAGE, 1], Errno::ENOMEM);
        scene.fails(1, "munmap", &[start + PAGE, PAGE], Errno::ENOMEM);
        // What makes no more of them is done.
        scene.done(1, "munmap", &[start, PAGE]);
        assert_eq!(scene.touches(1, start + 3 * PAGE, Access::Write), Answer::Nobody);
        assert_eq!(scene.server.ended(), Some(End::Signal(SIGKILL as u8)));
    });
}

#[test]
fn calls_that_there_are_not_are_told_of_a_few_times() {
    both(|mut scene| {
        for number in 1000..3000 {
            let answer = scene.try_call(1, number, &[]);
            assert_eq!(answer, Answer::Result(-i64::from(Errno::ENOSYS.into_raw()) as u64));
        }
        assert_eq!(scene.server.machine.log.len(), 32);
    });
}
