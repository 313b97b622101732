//! Reading the disk: who waits, and who does not.

use linux_raw_sys::general::{O_DIRECT, O_RDWR, SEEK_END, SEEK_SET, SIGKILL, SIGUSR1};
use syscalls::Errno;

use super::{Scene, both};
use crate::arch::Arch;
use crate::files::disk::PAGES;
use crate::memory::PAGE;
use crate::server::Answer;

/// Bytes of the disk.
const BYTES: u64 = 1 << 20;
/// Where programs have what they read.
const PLACE: u64 = 0x200;

impl Scene {
    /// With a disk of two buffers, and `/dev/vda` open.
    fn with_disk(mut self, flags: u32) -> (Self, u64) {
        let memory = std::vec![[0; PAGE as usize]; 2 * PAGES].leak();
        for (number, page) in memory.iter_mut().enumerate() {
            page.fill(number as u8 + 1);
        }
        self.server.set_disk(memory, BYTES);
        let path = self.text(1, 0x800, "/dev/vda");
        let file = self.done(1, "open", &[path, flags.into(), 0]);
        (self, file)
    }

    fn pread(&mut self, badge: u32, file: u64, length: u64, offset: u64) -> Answer {
        let place = self.memory() + PLACE;
        self.call(badge, "pread64", &[file, place, length, offset, 0])
    }

    fn returned(&self, badge: u32) -> u64 {
        self.registers(badge).0[lilliput_abi::object::register::AX as usize]
    }

    fn runs(&self, badge: u32) -> bool {
        self.server.machine.running().contains(&badge)
    }
}

fn error(errno: Errno, arch: Arch) -> u64 {
    arch.narrow(-i64::from(errno.into_raw()) as u64)
}

#[test]
fn a_read_waits_and_others_go_on() {
    both(|scene| {
        let (mut scene, file) = scene.with_disk(0);
        let child = scene.done(1, "fork", &[]);
        assert_eq!(scene.pread(1, file, 100, 5000), Answer::Keep);
        assert_eq!(scene.server.machine.asked, [(0, 8, 8)]);
        assert_eq!(scene.done(2, "getpid", &[]), child);
        assert_eq!(scene.pread(2, file, 10, 9000), Answer::Keep);
        assert_eq!(scene.server.machine.asked[1..], [(1, 16, 8)]);
        scene.server.disk_read(1, true);
        assert!(scene.runs(2) && !scene.runs(1), "the second was faster");
        assert_eq!((scene.returned(2), scene.bytes(2, PLACE, 10)), (10, std::vec![PAGES as u8 + 1; 10]));
        scene.server.disk_read(0, true);
        assert!(scene.runs(1));
        assert_eq!((scene.returned(1), scene.bytes(1, PLACE, 100)), (100, std::vec![1; 100]));
        assert_eq!(scene.pread(1, file, 100, 5000), Answer::Result(100), "it is in memory");
        assert_eq!(scene.server.machine.asked.len(), 2);
    });
}

#[test]
fn direct_reads_ask_the_disk_each_time() {
    both(|scene| {
        let (mut scene, file) = scene.with_disk(O_DIRECT);
        for _ in 0..2 {
            assert_eq!(scene.pread(1, file, 1024, 512), Answer::Keep);
            scene.server.disk_read(scene.server.machine.asked.last().unwrap().0, true);
            assert_eq!((scene.runs(1), scene.returned(1)), (true, 1024));
        }
        assert_eq!(scene.server.machine.asked.iter().map(|asked| (asked.1, asked.2)).collect::<Vec<_>>(), [(1, 2); 2]);
        for (length, offset) in [(1000, 512), (512, 100)] {
            let expected = -i64::from(Errno::EINVAL.into_raw()) as u64;
            assert_eq!(scene.pread(1, file, length, offset), Answer::Result(expected));
        }
    });
}

#[test]
fn a_read_goes_by_buffers_and_ends_with_the_disk() {
    both(|scene| {
        let (mut scene, file) = scene.with_disk(0);
        let place = scene.map(1, 32 * PAGE, 3);
        assert_eq!(scene.done(1, "lseek", &[file, 0, SEEK_END.into()]), BYTES);
        assert_eq!(scene.done(1, "read", &[file, place, 10]), 0);
        scene.done(1, "lseek", &[file, BYTES - 20 * PAGE, SEEK_SET.into()]);
        assert_eq!(scene.call(1, "read", &[file, place, 32 * PAGE]), Answer::Keep);
        scene.server.disk_read(0, true);
        assert!(!scene.runs(1), "there is more");
        scene.server.disk_read(1, true);
        assert_eq!((scene.runs(1), scene.returned(1)), (true, 20 * PAGE));
        let bytes = scene.user(1, |user| user.bytes(place + 15 * PAGE, 2 * PAGE as usize)).unwrap();
        assert_eq!((bytes[0], bytes[PAGE as usize]), (PAGES as u8, PAGES as u8 + 1));
        assert_eq!(scene.done(1, "read", &[file, place, 10]), 0, "at its end");
    });
}

#[test]
fn signals_do_not_end_a_read_but_its_end_does() {
    both(|scene| {
        let (mut scene, file) = scene.with_disk(0);
        let child = scene.done(1, "fork", &[]);
        assert_eq!(scene.pread(2, file, 10, 0), Answer::Keep);
        // The signal would end it, and does when the read is done.
        scene.done(1, "kill", &[child, SIGUSR1.into()]);
        assert!(scene.server.processes[1].as_ref().unwrap().end.is_none());
        scene.server.disk_read(0, true);
        assert!(scene.server.processes[1].as_ref().unwrap().end.is_some());
        let child = scene.done(1, "fork", &[]);
        let badge = scene.server.machine.running().into_iter().find(|&badge| badge != 1).unwrap();
        assert_eq!(scene.pread(badge, file, 10, 40_960), Answer::Keep);
        scene.done(1, "kill", &[child, SIGKILL.into()]);
        assert!(
            scene
                .server
                .processes
                .iter()
                .flatten()
                .any(|process| u64::from(process.pid) == child && process.end.is_some())
        );
        // Its buffer is nobody's then.
        scene.server.disk_read(1, true);
        assert_eq!(scene.pread(1, file, 10, 40_960), Answer::Result(10));
    });
}

#[test]
fn a_disk_that_fails_is_an_error() {
    both(|scene| {
        let (mut scene, file) = scene.with_disk(0);
        let (arch, io) = (scene.arch, Answer::Result(-i64::from(Errno::EIO.into_raw()) as u64));
        assert_eq!(scene.pread(1, file, 10, 0), Answer::Keep);
        scene.server.disk_read(0, false);
        assert_eq!((scene.runs(1), scene.returned(1)), (true, error(Errno::EIO, arch)));
        scene.server.machine.refuses = true;
        assert_eq!(scene.pread(1, file, 10, 0), io, "nobody reads it");
        scene.server.machine.refuses = false;
        assert_eq!(scene.pread(1, file, 10, 0), Answer::Keep);
        scene.server.disk_gone();
        assert_eq!((scene.runs(1), scene.returned(1)), (true, error(Errno::EIO, arch)));
        assert_eq!(scene.pread(1, file, 10, 0), io, "it is gone");
    });
}

#[test]
fn the_disk_is_known_as_a_device_that_is_only_read() {
    both(|scene| {
        let (mut scene, file) = scene.with_disk(0);
        let path = scene.text(1, 0x800, "/dev/vda");
        scene.fails(1, "open", &[path, O_RDWR.into(), 0], Errno::EACCES);
        scene.fails(1, "write", &[file, path, 1], Errno::EBADF);
        let (place, word) = (scene.memory() + PLACE, scene.arch.word());
        scene.done(1, "ioctl", &[file, 0x1268, place]);
        assert_eq!(scene.number(1, PLACE), 512);
        scene.done(1, "ioctl", &[file, 0x1260, place]);
        assert_eq!(scene.number(1, PLACE) as u64, BYTES / 512);
        scene.done(1, "ioctl", &[file, 0x8000_1272 | word << 16, place]);
        assert_eq!(scene.number(1, PLACE) as u64, BYTES);
    });
}
