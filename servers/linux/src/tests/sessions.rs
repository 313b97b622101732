//! The terminal and who has it: sessions, groups in its foreground, stopping and going on.

use linux_raw_sys::general::{
    SIG_BLOCK, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, WCONTINUED, WNOHANG, WUNTRACED,
};
use linux_raw_sys::ioctl::{TCGETS, TCSETS, TIOCGPGRP, TIOCGWINSZ, TIOCSCTTY, TIOCSPGRP};
use syscalls::Errno;

use super::Scene;
use crate::arch::Arch;
use crate::process::End;
use crate::server::Answer;

const ANY: u64 = u64::MAX;

/// Does it for both architectures, with a terminal.
fn both(test: impl Fn(Scene)) {
    [Arch::I386, Arch::Amd64].into_iter().for_each(|arch| test(Scene::with(arch, Some((50, 132)))));
}

impl Scene {
    /// A child in a group of its own.
    fn job(&mut self) -> u64 {
        let child = self.done(1, "fork", &[]);
        assert_eq!(self.done(1, "setpgid", &[child, child]), 0);
        child
    }

    fn put_in_foreground(&mut self, group: u64) {
        let place = self.memory() + 0x700;
        self.user(1, |user| user.write(place, &(group as u32).to_le_bytes())).unwrap();
        assert_eq!(self.done(1, "ioctl", &[0, TIOCSPGRP.into(), place]), 0);
    }

    fn read_terminal(&mut self, badge: u32) -> Answer {
        let place = self.memory() + 0x400;
        self.call(badge, "read", &[0, place, 100])
    }

    /// What there is to tell of any child, and its status.
    fn news(&mut self, options: u32) -> (u64, u32) {
        let place = self.memory() + 0x600;
        self.user(1, |user| user.write(place, &[0; 4])).unwrap();
        let child = self.done(1, "wait4", &[ANY, place, (options | WNOHANG).into(), 0]);
        (child, self.number(1, 0x600))
    }
}

#[test]
fn who_reads_gets_what_is_typed_and_it_is_shown() {
    both(|mut scene| {
        assert_eq!(scene.read_terminal(1), Answer::Keep);
        scene.server.typed(b"hello\r");
        assert_eq!((scene.registers(1).get(3), scene.bytes(1, 0x400, 6)), (6, b"hello\n".to_vec()));
        let text = scene.text(1, 0, "a\nb");
        assert_eq!(scene.done(1, "write", &[1, text, 3]), 3);
        assert_eq!(scene.server.machine.output, b"hello\r\na\r\nb");
        let place = scene.memory() + 0x400;
        assert_eq!(scene.done(1, "ioctl", &[2, TIOCGWINSZ.into(), place]), 0);
        assert_eq!(scene.bytes(1, 0x400, 4), [50, 0, 132, 0]);
        scene.fails(1, "read", &[0, 16, 100], Errno::EFAULT);
    });
}

#[test]
fn polls_hear_of_keys() {
    both(|mut scene| {
        let place = scene.memory() + 0x400;
        scene.user(1, |user| user.write(place, &[0, 0, 0, 0, 1, 0, 0, 0])).unwrap();
        assert_eq!(scene.done(1, "poll", &[place, 1, 0]), 0);
        assert_eq!(scene.call(1, "poll", &[place, 1, u64::from(u32::MAX)]), Answer::Keep);
        scene.server.typed(b"no line");
        assert!(scene.server.machine.running().is_empty());
        scene.server.typed(b"\n");
        assert_eq!(scene.registers(1).get(3), 1);
    });
}

#[test]
fn keys_signal_those_in_the_foreground_alone() {
    both(|mut scene| {
        let job = scene.job();
        scene.put_in_foreground(job);
        scene.server.typed(b"\x03");
        assert_eq!(scene.news(0), (job, SIGINT));
        assert_eq!(scene.server.ended(), None);
    });
}

#[test]
fn a_job_is_stopped_told_of_and_goes_on() {
    both(|mut scene| {
        let job = scene.job();
        scene.put_in_foreground(job);
        scene.server.typed(b"\x1a");
        assert_eq!(scene.server.machine.running(), [1]);
        assert_eq!(scene.news(WCONTINUED), (0, 0));
        assert_eq!(scene.news(WUNTRACED), (job, SIGTSTP << 8 | 0x7f));
        assert_eq!(scene.news(WUNTRACED), (0, 0), "that was told");
        assert_eq!(scene.done(1, "kill", &[job.wrapping_neg(), SIGCONT.into()]), 0);
        assert_eq!(scene.server.machine.running(), [1, 2]);
        assert_eq!(scene.news(WUNTRACED), (0, 0));
        assert_eq!(scene.news(WCONTINUED), (job, 0xffff));
    });
}

#[test]
fn who_is_in_the_background_is_stopped_where_it_reads_or_changes_the_terminal() {
    both(|mut scene| {
        let job = scene.job();
        assert_eq!(scene.read_terminal(2), Answer::Keep);
        assert_eq!(scene.news(WUNTRACED), (job, SIGTTIN << 8 | 0x7f));
        scene.server.typed(b"mine\n");
        scene.put_in_foreground(job);
        assert_eq!(scene.done(1, "kill", &[job, SIGCONT.into()]), 0);
        // It makes the call again, and may now.
        assert_eq!(scene.read_terminal(2), Answer::Result(5));
        let place = scene.memory() + 0x400;
        assert_eq!(scene.done(1, "ioctl", &[0, TCGETS.into(), place]), 0);
        assert_eq!(
            scene.call(1, "ioctl", &[0, TCSETS.into(), place]),
            Answer::Result(-i64::from(Errno::EIO.into_raw()) as u64)
        );
        // The first process's group is orphaned: nobody would let it go on. With the signal held back it may.
        let mask = scene.memory() + 0x500;
        scene.user(1, |user| user.write(mask, &(1_u64 << (SIGTTOU - 1)).to_le_bytes())).unwrap();
        assert_eq!(scene.done(1, "rt_sigprocmask", &[SIG_BLOCK.into(), mask, 0, 8]), 0);
        assert_eq!(scene.done(1, "ioctl", &[0, TCSETS.into(), place]), 0);
        scene.put_in_foreground(1);
        assert_eq!(scene.done(1, "ioctl", &[0, TIOCGPGRP.into(), place]), 0);
        assert_eq!(scene.number(1, 0x400), 1);
    });
}

#[test]
fn those_that_nobody_would_let_go_on_are_not_stopped_by_keys() {
    both(|mut scene| {
        assert_eq!(scene.read_terminal(1), Answer::Keep);
        scene.server.typed(b"\x1a");
        // It makes its call again.
        assert_eq!(scene.read_terminal(1), Answer::Keep);
        scene.server.typed(b"\x04");
        assert_eq!((scene.server.machine.running(), scene.registers(1).get(3)), (vec![1], 0));
        scene.server.typed(b"\x03");
        assert_eq!(scene.server.ended(), Some(End::Signal(SIGINT as u8)));
    });
}

#[test]
fn to_go_on_is_to_forget_what_would_stop() {
    both(|mut scene| {
        let job = scene.job();
        let mask = scene.memory() + 0x500;
        scene.user(2, |user| user.write(mask, &(1_u64 << (SIGTSTP - 1)).to_le_bytes())).unwrap();
        assert_eq!(scene.done(2, "rt_sigprocmask", &[SIG_BLOCK.into(), mask, 0, 8]), 0);
        assert_eq!(scene.done(1, "kill", &[job, SIGTSTP.into()]), 0);
        assert_eq!(scene.done(1, "kill", &[job, SIGCONT.into()]), 0);
        assert_eq!(scene.done(2, "rt_sigprocmask", &[1, mask, 0, 8]), 0);
        assert_eq!(scene.done(1, "kill", &[job, SIGSTOP.into()]), 0);
        assert_eq!(scene.server.machine.running(), [1]);
    });
}

#[test]
fn a_session_of_its_own_has_no_terminal_until_it_takes_one_that_is_free() {
    both(|mut scene| {
        let job = scene.done(1, "fork", &[]);
        assert_eq!(scene.done(2, "setsid", &[]), job);
        let place = scene.memory() + 0x400;
        scene.fails(2, "ioctl", &[0, TIOCGPGRP.into(), place], Errno::ENOTTY);
        scene.fails(2, "ioctl", &[0, TIOCSCTTY.into(), 0], Errno::EPERM);
        scene.put_in_foreground(1);
        let group = scene.memory() + 0x704;
        scene.user(1, |user| user.write(group, &(job as u32).to_le_bytes())).unwrap();
        scene.fails(1, "ioctl", &[0, TIOCSPGRP.into(), group], Errno::EPERM);
    });
}

#[test]
fn who_is_in_the_background_prints_unless_the_terminal_says_otherwise() {
    both(|mut scene| {
        let _job = scene.job();
        let text = scene.text(2, 0, "behind");
        assert_eq!(scene.done(2, "write", &[1, text, 6]), 6);
        let place = scene.memory() + 0x400;
        assert_eq!(scene.done(1, "ioctl", &[0, TCGETS.into(), place]), 0);
        // TOSTOP is a local flag.
        let flags = scene.number(1, 0x400 + 12) | 0o400;
        scene.user(1, |user| user.write(place + 12, &flags.to_le_bytes())).unwrap();
        assert_eq!(scene.done(1, "ioctl", &[0, TCSETS.into(), place]), 0);
        assert_eq!(scene.call(2, "write", &[1, text, 6]), Answer::Keep);
        assert_eq!(scene.news(WUNTRACED), (2, SIGTTOU << 8 | 0x7f));
        assert_eq!(scene.server.machine.output, b"behind");
        let text = scene.text(1, 0, "before");
        assert_eq!(scene.done(1, "write", &[1, text, 6]), 6);
        assert_eq!(scene.server.machine.output, b"behindbefore");
    });
}

#[test]
fn a_group_that_is_left_stopped_and_alone_hears_of_it() {
    both(|mut scene| {
        // A child, and that one's in a group of its own, which is stopped when the first ends.
        let child = scene.done(1, "fork", &[]);
        let job = scene.done(2, "fork", &[]);
        assert_eq!(scene.done(2, "setpgid", &[job, job]), 0);
        assert_eq!(scene.done(1, "kill", &[job, SIGSTOP.into()]), 0);
        assert_eq!(scene.server.machine.running(), [1, 2]);
        assert_eq!(scene.done(1, "kill", &[child, SIGKILL.into()]), 0);
        assert_eq!(scene.server.machine.running(), [1]);
        scene.fails(1, "kill", &[job, 0], Errno::ESRCH);
        // One that is not stopped goes on.
        let child = scene.done(1, "fork", &[]);
        let job = scene.done(2, "fork", &[]);
        assert_eq!(scene.done(2, "setpgid", &[job, job]), 0);
        assert_eq!(scene.done(1, "kill", &[child, SIGHUP.into()]), 0);
        assert_eq!(scene.server.machine.running(), [1, 3]);
    });
}

#[test]
fn the_foreground_hears_when_the_first_of_its_session_ends() {
    both(|mut scene| {
        let leader = scene.done(1, "fork", &[]);
        assert_eq!(scene.done(2, "setsid", &[]), leader);
        let terminal = scene.server.terminal.clone();
        terminal.line.borrow_mut().session = leader as u32;
        terminal.line.borrow_mut().foreground = leader as u32;
        let job = scene.done(2, "fork", &[]);
        let behind = scene.done(2, "fork", &[]);
        assert_eq!(scene.done(2, "setpgid", &[behind, behind]), 0);
        assert_eq!(scene.done(1, "kill", &[leader, SIGKILL.into()]), 0);
        assert_eq!(scene.server.machine.running(), [1, 4]);
        scene.fails(1, "kill", &[job, 0], Errno::ESRCH);
        assert_eq!((terminal.line.borrow().session, terminal.line.borrow().foreground), (0, 0));
    });
}

#[test]
fn an_end_that_leads_to_the_next_is_no_deeper_than_one() {
    const DEEP: u64 = 200;
    // On a stack that is as small as the server's.
    let run = || {
        both(|mut scene| {
            // Each is the child of the one before, in a group of its own, and stopped: the end of the first leaves the second's alone, and so on.
            let badge = |number: u64| number as u32;
            for number in 1..DEEP {
                assert_eq!(scene.done(badge(number), "fork", &[]), number + 1);
                assert_eq!(scene.done(badge(number), "setpgid", &[number + 1, number + 1]), 0);
            }
            for number in 3..=DEEP {
                assert_eq!(scene.done(1, "kill", &[number, SIGSTOP.into()]), 0);
            }
            assert_eq!(scene.done(1, "kill", &[2, SIGKILL.into()]), 0);
            assert_eq!(scene.server.machine.running(), [1]);
            assert_eq!(
                scene.server.processes.iter().flatten().count(),
                2,
                "the first, and the one that it may ask for"
            );
        });
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
}

#[test]
fn what_is_open_is_what_stands_under_its_name() {
    both(|mut scene| {
        let (link, place) = (scene.text(1, 0x800, "/proc/self/fd/0"), scene.memory() + 0xa00);
        let length = scene.done(1, "readlink", &[link, place, 100]) as usize;
        assert_eq!(scene.bytes(1, 0xa00, length), b"/dev/console");
        let name = scene.text(1, 0x800, "/dev/console");
        let [by_name, by_number] = if scene.arch == Arch::I386 { ["stat64", "fstat64"] } else { ["stat", "fstat"] };
        scene.done(1, by_name, &[name, place]);
        let named = scene.bytes(1, 0xa00, 96);
        for descriptor in 0..3 {
            scene.done(1, by_number, &[descriptor, place]);
            assert_eq!(scene.bytes(1, 0xa00, 96), named);
        }
    });
}
