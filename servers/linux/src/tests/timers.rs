//! Timers that send signals, signals that are queued, limits.

use linux_raw_sys::general::{
    RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_SIGPENDING, SIG_BLOCK, SIGEV_NONE, SIGEV_THREAD_ID, SIGKILL,
    SIGUSR1, SIGXCPU, SIGXFSZ,
};
use syscalls::Errno;

use super::{Scene, both};
use crate::machine::Times;
use crate::process::End;
use crate::server::Answer;

const SIGNAL: u32 = 40;
const SECOND: u64 = 1_000_000_000;

impl Scene {
    /// Writes words of the program's width; their address.
    fn words(&mut self, offset: u64, words: &[u64]) -> u64 {
        let (at, width) = (self.memory() + offset, self.arch.word() as usize);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes().into_iter().take(width)).collect();
        self.user(1, |user| user.write(at, &bytes)).unwrap();
        at
    }

    fn hold_back(&mut self, signal: u32) {
        let place = self.memory() + 0x300;
        self.user(1, |user| user.write(place, &(1_u64 << (signal - 1)).to_le_bytes())).unwrap();
        self.done(1, "rt_sigprocmask", &[SIG_BLOCK.into(), place, 0, 8]);
    }

    /// Takes one of the signal at 0x300 by `rt_sigtimedwait`: code, the two words that follow, and what was sent along.
    fn take(&mut self) -> Option<(i32, u32, u32, u32)> {
        let (set, info, none) = (self.memory() + 0x300, self.memory() + 0x400, self.words(0x380, &[0, 0]));
        let Answer::Result(signal) = self.call(1, "rt_sigtimedwait", &[set, info, none, 8]) else { panic!("it waits") };
        let start = 12_u64.next_multiple_of(self.arch.word());
        (signal as i32 > 0).then(|| {
            let number = |scene: &mut Self, at| scene.number(1, 0x400 + at);
            (number(self, 8) as i32, number(self, start), number(self, start + 4), number(self, start + 8))
        })
    }

    /// A timer by this clock; its number.
    fn timer(&mut self, clock: u64, signal: u32, kind: u32, tid: u32) -> u64 {
        let (event, number) = (self.words(0x500, &[77]), self.memory() + 0x580);
        let rest = [signal, kind, tid].map(u32::to_le_bytes).concat();
        let after = event + self.arch.word();
        self.user(1, |user| user.write(after, &rest)).unwrap();
        self.done(1, "timer_create", &[clock, event, number]);
        self.number(1, 0x580).into()
    }

    fn set_timer(&mut self, timer: u64, again: u64, first: u64) {
        let new = self.words(0x600, &[again / SECOND, again % SECOND, first / SECOND, first % SECOND]);
        self.done(1, "timer_settime", &[timer, 0, new, 0]);
    }

    fn passes(&mut self, nanoseconds: u64) {
        self.server.machine.now += nanoseconds;
        self.server.tick();
    }
}

#[test]
fn signals_are_queued_in_order_and_so_many() {
    both(|mut scene| {
        scene.hold_back(SIGNAL);
        let limit = scene.words(0x600, &[4, 4]);
        scene.done(1, "setrlimit", &[RLIMIT_SIGPENDING.into(), limit]);
        let start = 12_u64.next_multiple_of(scene.arch.word());
        for value in 0..4_u32 {
            let info = scene.memory() + 0x400;
            scene.user(1, |user| {
                user.write(info + 8, &(-1_i32).to_le_bytes()).unwrap();
                user.write(info + start, &[1, 0, value].map(u32::to_le_bytes).concat()).unwrap();
            });
            scene.done(1, "rt_sigqueueinfo", &[1, SIGNAL.into(), info]);
        }
        let info = scene.memory() + 0x400;
        scene.fails(1, "rt_sigqueueinfo", &[1, SIGNAL.into(), info], Errno::EAGAIN);
        scene.fails(1, "rt_tgsigqueueinfo", &[1, 2, SIGNAL.into(), info], Errno::ESRCH);
        for value in 0..4 {
            assert_eq!(scene.take(), Some((-1, 1, 0, value)));
        }
        assert_eq!(scene.take(), None);
        // To others nobody says that it was the kernel, or `kill`.
        assert_eq!(scene.done(1, "fork", &[]), 2);
        for code in [0_i32, 1, -6] {
            scene.user(1, |user| user.write(info + 8, &code.to_le_bytes())).unwrap();
            scene.fails(1, "rt_sigqueueinfo", &[2, SIGNAL.into(), info], Errno::EPERM);
        }
        scene.fails(1, "rt_sigqueueinfo", &[1, 65, info], Errno::EINVAL);
        scene.fails(1, "rt_sigqueueinfo", &[99, 1, info], Errno::ESRCH);
    });
}

#[test]
fn a_timer_sends_one_signal_until_that_is_taken_and_tells_how_often_it_ended_since() {
    both(|mut scene| {
        scene.hold_back(SIGNAL);
        let timer = scene.timer(1, SIGNAL, 0, 0);
        scene.set_timer(timer, SECOND, 2 * SECOND);
        assert_eq!(scene.server.deadline(), Some(2 * SECOND));
        scene.passes(2 * SECOND);
        assert_eq!(scene.server.deadline(), None, "nothing is to be done until it is taken");
        scene.passes(3 * SECOND + 1);
        assert_eq!(scene.take(), Some((-2, timer as u32, 3, 77)));
        assert_eq!((scene.take(), scene.done(1, "timer_getoverrun", &[timer])), (None, 3));
        assert_eq!(scene.server.deadline(), Some(6 * SECOND));
        scene.passes(SECOND);
        assert_eq!((scene.take(), scene.done(1, "timer_getoverrun", &[timer])), (Some((-2, timer as u32, 0, 77)), 0));
        // One that is set anew, or is no more, has sent nothing.
        scene.passes(SECOND);
        scene.set_timer(timer, 0, 0);
        assert_eq!((scene.take(), scene.server.deadline()), (None, None));
        scene.set_timer(timer, 0, SECOND);
        scene.passes(SECOND);
        scene.done(1, "timer_delete", &[timer]);
        assert_eq!(scene.take(), None);
        for name in ["timer_delete", "timer_getoverrun"] {
            scene.fails(1, name, &[timer], Errno::EINVAL);
        }
        // What tells nobody does nothing; what a thread is told of, that one takes.
        let silent = scene.timer(0, SIGNAL, SIGEV_NONE, 0);
        scene.set_timer(silent, 1, 1);
        assert_eq!(scene.server.deadline(), None);
        let own = scene.timer(1, SIGNAL, SIGEV_THREAD_ID, 1);
        scene.set_timer(own, 0, SECOND);
        scene.passes(SECOND);
        assert_eq!(scene.take(), Some((-2, own as u32, 0, 77)));
        let (event, number) = (scene.memory() + 0x500, scene.memory() + 0x580);
        let after = event + scene.arch.word();
        scene.user(1, |user| user.write(after, &[SIGNAL, 4, 9].map(u32::to_le_bytes).concat())).unwrap();
        scene.fails(1, "timer_create", &[1, event, number], Errno::EINVAL);
        while scene.call(1, "timer_create", &[1, 0, number]) == Answer::Result(0) {}
        scene.fails(1, "timer_create", &[1, 0, number], Errno::EAGAIN);
    });
}

#[test]
fn a_timer_whose_signal_is_ignored_goes_on() {
    both(|mut scene| {
        let action = scene.words(0x200, &[1, 0, 0, 0, 0]);
        scene.done(1, "rt_sigaction", &[SIGUSR1.into(), action, 0, 8]);
        let timer = scene.timer(1, SIGUSR1, 0, 0);
        scene.set_timer(timer, SECOND, SECOND);
        for second in 2..5 {
            scene.passes(SECOND);
            assert_eq!(scene.server.deadline(), Some(second * SECOND));
        }
    });
}

#[test]
fn what_is_used_of_the_processor_ends_timers_and_the_process() {
    both(|mut scene| {
        scene.hold_back(SIGNAL);
        // The machine's thread uses the same all the time; what an ended one has used comes to it.
        let used = scene.server.times_of(0).sum();
        let timer = scene.timer(2, SIGNAL, 0, 0);
        scene.set_timer(timer, 0, SECOND);
        assert_eq!(scene.server.deadline(), Some(SECOND));
        scene.passes(SECOND);
        assert_eq!((scene.take(), scene.server.deadline()), (None, Some(2 * SECOND)), "it slept");
        scene.server.processes[0].as_mut().unwrap().ended = Times { user: SECOND, kernel: 0 };
        scene.passes(SECOND);
        assert_eq!(scene.take(), Some((-2, timer as u32, 0, 77)));

        let limit = scene.words(0x600, &[2, 4]);
        scene.done(1, "setrlimit", &[RLIMIT_CPU.into(), limit]);
        scene.hold_back(SIGXCPU);
        for (seconds, sent) in [(1, false), (2, true), (2, false), (3, true)] {
            scene.server.processes[0].as_mut().unwrap().ended.user = seconds * SECOND - used + 1;
            scene.passes(SECOND);
            assert_eq!(scene.take().is_some(), sent, "{seconds}");
        }
        scene.server.processes[0].as_mut().unwrap().ended.user = 5 * SECOND;
        scene.passes(SECOND);
        assert_eq!(scene.server.ended(), Some(End::Signal(SIGKILL as u8)));
    });
}

#[test]
fn limits_are_kept_to_told_and_inherited() {
    both(|mut scene| {
        let place = scene.words(0x600, &[3, 500]);
        scene.done(1, "setrlimit", &[RLIMIT_NOFILE.into(), place]);
        scene.fails(1, "dup", &[0], Errno::EMFILE);
        scene.fails(1, "dup2", &[0, 3], Errno::EBADF);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        scene.fails(2, "dup", &[0], Errno::EMFILE);
        let both = [200_u64.to_le_bytes(), 300_u64.to_le_bytes()].concat();
        scene.user(1, |user| user.write(place, &both)).unwrap();
        scene.done(1, "prlimit64", &[2, RLIMIT_NOFILE.into(), place, place + 16]);
        assert_eq!((scene.number(1, 0x610), scene.number(1, 0x618)), (3, 500));
        assert_eq!(scene.done(2, "dup", &[0]), 3);
        scene.fails(1, "dup", &[0], Errno::EMFILE);
        scene.fails(1, "prlimit64", &[7, RLIMIT_NOFILE.into(), 0, place], Errno::ESRCH);
        scene.fails(1, "getrlimit", &[16, place], Errno::EINVAL);
        scene.words(0x600, &[9, 8]);
        scene.fails(1, "setrlimit", &[RLIMIT_NOFILE.into(), place], Errno::EINVAL);

        // A file is written up to its limit, and not beyond.
        let mask = scene.memory() + 0x300;
        scene.user(2, |user| user.write(mask, &(1_u64 << (SIGXFSZ - 1)).to_le_bytes())).unwrap();
        let width = scene.arch.word() as usize;
        scene.user(2, |user| user.write(place, &10_u64.to_le_bytes()[..width].repeat(2))).unwrap();
        scene.done(2, "setrlimit", &[RLIMIT_FSIZE.into(), place]);
        scene.done(2, "rt_sigprocmask", &[SIG_BLOCK.into(), mask, 0, 8]);
        let name = scene.text(2, 0, "/file");
        let file = scene.done(2, "creat", &[name, 0o644]);
        assert_eq!(scene.done(2, "write", &[file, name, 6]), 6);
        assert_eq!(scene.done(2, "write", &[file, name, 6]), 4);
        scene.fails(2, "write", &[file, name, 6], Errno::EFBIG);
        scene.fails(2, "ftruncate", &[file, 11], Errno::EFBIG);
        assert_eq!(scene.done(2, "ftruncate", &[file, 3]), 0);
    });
}

#[test]
fn however_short_a_timer_is_there_is_time_in_between() {
    both(|mut scene| {
        let action = scene.words(0x200, &[1, 0, 0, 0, 0]);
        scene.done(1, "rt_sigaction", &[SIGUSR1.into(), action, 0, 8]);
        let timer = scene.timer(1, SIGUSR1, 0, 0);
        scene.set_timer(timer, 1, SECOND);
        scene.passes(SECOND);
        assert!(scene.server.deadline().unwrap() >= SECOND + 50_000);
    });
}
