//! What is shared with others: mappings of files, descriptors that are sent.

use linux_raw_sys::general::{MAP_SHARED, O_RDWR};
use linux_raw_sys::net::{AF_UNIX, SOCK_DGRAM, SOCK_STREAM};
use syscalls::Errno;

use super::{Scene, both};
use crate::arch::Arch;
use crate::memory::{Access, PAGE};
use crate::server::Answer;

impl Scene {
    fn map_file(&mut self, file: u64, protection: u64) -> u64 {
        let name = if self.arch == Arch::I386 { "mmap2" } else { "mmap" };
        self.done(1, name, &[0, 2 * PAGE, protection, MAP_SHARED.into(), file, 0])
    }

    /// A message that names descriptors.
    fn send(&mut self, socket: u64, files: &[u64]) -> Answer {
        let (base, word) = (self.memory() + 0x400, self.arch.word());
        let control = word + 8 + 4 * files.len() as u64;
        let words = |values: &[u64]| -> Vec<u8> {
            values.iter().flat_map(|value| value.to_le_bytes()[..word as usize].to_vec()).collect()
        };
        let header = words(&[0, 0, base + 0x100, 1, base + 0x200, control, 0]);
        let piece = words(&[base + 0x300, 3]);
        let mut rights = words(&[control]);
        for value in [1, 1].into_iter().chain(files.iter().map(|&file| file as u32)) {
            rights.extend(value.to_le_bytes());
        }
        self.user(1, |user| {
            for (offset, bytes) in [(0, &header), (0x100, &piece), (0x200, &rights)] {
                user.write(base + offset, bytes).unwrap();
            }
        });
        self.call(1, "sendmsg", &[socket, base, 0])
    }

    fn pair_of(&mut self, style: u32) -> [u64; 2] {
        let place = self.memory() + 0x800;
        assert_eq!(self.done(1, "socketpair", &[AF_UNIX.into(), style.into(), 0, place]), 0);
        [0x800, 0x804].map(|at| self.number(1, at).into())
    }
}

fn error(error: Errno) -> Answer {
    Answer::Result(-i64::from(error.into_raw()) as u64)
}

#[test]
fn a_file_and_its_shared_mappings_are_the_same() {
    both(|mut scene| {
        let path = scene.text(1, 0, "/data");
        let file = scene.done(1, "open", &[path, O_RDWR.into()]);
        let before = scene.server.pool.in_use();
        let [one, other] = [3, 1].map(|protection| scene.map_file(file, protection));
        let place = scene.memory() + 0x40;
        scene.user(1, |user| user.write(one, b"WHAT")).unwrap();
        assert_eq!(scene.user(1, |user| user.bytes(other, 7)).unwrap(), b"WHAT is");
        assert_eq!(scene.done(1, "pread64", &[file, place, 7, 0, 0]), 7);
        assert_eq!(scene.bytes(1, 0x40, 7), b"WHAT is");
        let text = scene.text(1, 0x80, "this");
        assert_eq!(scene.done(1, "pwrite64", &[file, text, 4, 0, 0]), 4);
        assert_eq!(scene.user(1, |user| user.bytes(one, 7)).unwrap(), b"this is");
        // What is cut off is zeros, and what is behind the end cannot be reached.
        assert_eq!(scene.done(1, "ftruncate", &[file, 2]), 0);
        assert_eq!(scene.user(1, |user| user.bytes(one, 4)).unwrap(), b"th\0\0");
        scene.user(1, |user| assert_eq!(user.bytes(one + PAGE, 1), Err(Errno::EFAULT)));
        scene.user(1, |user| user.write(one, b"by the mapping")).unwrap();
        for address in [one, other] {
            assert_eq!(scene.done(1, "munmap", &[address, 2 * PAGE]), 0);
        }
        assert_eq!(scene.done(1, "pread64", &[file, place, 7, 0, 0]), 2);
        assert_eq!(scene.bytes(1, 0x40, 2), b"by");
        assert_eq!(scene.server.pool.in_use(), before);
        let at = scene.map_file(file, 3);
        assert_eq!(scene.touches(1, at + PAGE, Access::Read), Answer::Nobody);
        assert_eq!(scene.server.ended(), Some(crate::End::Signal(7)));
    });
}

#[test]
fn who_may_not_write_a_file_may_not_write_its_mapping() {
    both(|mut scene| {
        let path = scene.text(1, 0, "/data");
        let file = scene.done(1, "open", &[path, 0]);
        let at = scene.map_file(file, 1);
        scene.fails(1, "mprotect", &[at, PAGE, 3], Errno::EACCES);
        let name = if scene.arch == Arch::I386 { "mmap2" } else { "mmap" };
        scene.fails(1, name, &[0, PAGE, 3, MAP_SHARED.into(), file, 0], Errno::EACCES);
    });
}

#[test]
fn frames_of_a_mapping_in_pieces_come_back() {
    both(|mut scene| {
        let path = scene.text(1, 0, "/data");
        let file = scene.done(1, "open", &[path, O_RDWR.into()]);
        assert_eq!(scene.done(1, "ftruncate", &[file, 2 * PAGE]), 0);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        let pages = scene.server.pool.in_use();
        let at = scene.map_file(file, 3);
        scene.user(1, |user| user.write(at, &[1; 2 * PAGE as usize])).unwrap();
        assert_eq!(scene.done(1, "mprotect", &[at, PAGE, 1]), 0);
        assert_eq!(scene.server.pool.in_use(), pages + 2);
        assert_eq!(scene.call(1, "exit_group", &[0]), Answer::Nobody);
        assert!(scene.server.pool.in_use() <= pages);
        let place = scene.memory() + 0x40;
        assert_eq!(scene.done(2, "pread64", &[file, place, 1, PAGE, 0]), 1);
        assert_eq!(scene.bytes(2, 0x40, 1), [1]);
    });
}

#[test]
fn what_waits_in_sockets_is_not_kept_by_itself() {
    both(|mut scene| {
        for style in [SOCK_STREAM, SOCK_DGRAM] {
            let [one, other] = scene.pair_of(style);
            let [third, fourth] = scene.pair_of(style);
            assert_eq!(scene.send(one, &[other]), error(Errno::ETOOMANYREFS));
            assert_eq!(scene.send(one, &[fourth]), Answer::Result(3));
            assert_eq!(scene.send(third, &[other]), error(Errno::ETOOMANYREFS));
            assert_eq!(scene.send(third, &[99]), error(Errno::EBADF));
            let sockets = scene.server.sockets.get();
            for number in [one, fourth, third] {
                assert_eq!(scene.done(1, "close", &[number]), 0);
            }
            assert_eq!(scene.server.sockets.get(), sockets - 2, "one waits to be received");
            assert_eq!(scene.done(1, "close", &[other]), 0);
            assert_eq!(scene.server.sockets.get(), sockets - 4);
        }
    });
}
