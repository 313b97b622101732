//! Files, directories, pipes.

use std::rc::Rc;

use linux_raw_sys::general::{O_CREAT, O_DIRECTORY, O_EXCL, O_NONBLOCK, O_RDWR, SIGPIPE};
use syscalls::Errno;

use super::{Scene, both};
use crate::files::Node;
use crate::memory::PAGE;
use crate::process::End;
use crate::server::Answer;

const CREATE: u64 = (O_CREAT | O_RDWR) as u64;

#[test]
fn files_hold_what_is_written() {
    both(|mut scene| {
        let (path, text) = (scene.text(1, 0, "/tmp/new"), scene.text(1, 64, "some text"));
        let file = scene.done(1, "open", &[path, CREATE, 0o644]);
        assert_eq!(file, 3);
        assert_eq!(scene.done(1, "write", &[file, text, 9]), 9);
        assert_eq!(scene.done(1, "pwrite64", &[file, text, 4, 5000, 0]), 4);
        let copy = scene.done(1, "dup", &[file]);
        assert_eq!(scene.done(1, "lseek", &[copy, 5, 0]), 5);
        let place = scene.memory() + 128;
        assert_eq!(scene.done(1, "read", &[file, place, 8192]), 4999, "two descriptors have one offset");
        assert_eq!(scene.bytes(1, 128, 5), b"text\0");
        assert_eq!(scene.done(1, "read", &[file, place, 100]), 0);
        scene.fails(1, "open", &[path, CREATE | u64::from(O_EXCL), 0], Errno::EEXIST);
        scene.fails(1, "open", &[path, O_DIRECTORY.into(), 0], Errno::ENOTDIR);
        assert_eq!(scene.done(1, "unlink", &[path]), 0);
        scene.fails(1, "open", &[path, 0, 0], Errno::ENOENT);
        assert_eq!(scene.done(1, "lseek", &[file, 0, 2]), 5004, "who has it open has it still");
        assert_eq!(scene.done(1, "close", &[file]), 0);
        scene.fails(1, "read", &[file, place, 1], Errno::EBADF);
    });
}

/// What it needs to serve is not programs' to fill: they get errors, and what needs no more goes on.
#[test]
fn the_servers_own_memory_is_not_filled() {
    both(|mut scene| {
        let [path, other] = [scene.text(1, 0, "/tmp/new"), scene.text(1, 32, "/tmp/other")];
        let file = scene.done(1, "open", &[path, CREATE, 0o644]);
        let text = scene.text(1, 64, "some text");
        let place = scene.memory() + 128;
        assert_eq!(scene.done(1, "write", &[file, text, 9]), 9);
        assert_eq!(scene.done(1, "pipe", &[place]), 0);
        scene.server.machine.free = Some(20 << 20);
        scene.fails(1, "open", &[other, CREATE, 0o644], Errno::ENOSPC);
        scene.fails(1, "mkdir", &[other, 0o755], Errno::ENOSPC);
        scene.fails(1, "symlink", &[path, other], Errno::ENOSPC);
        scene.fails(1, "link", &[path, other], Errno::ENOSPC);
        scene.fails(1, "pipe", &[place], Errno::ENFILE);
        scene.fails(1, "ftruncate", &[file, 5000], Errno::ENOSPC);
        scene.fails(1, "pwrite64", &[file, text, 9, 5000, 0], Errno::ENOSPC);
        scene.fails(1, "write", &[file + 2, text, 9], Errno::ENOMEM);
        assert_eq!(scene.done(1, "pwrite64", &[file, text, 9, 0, 0]), 9, "what is there can be written");
        assert_eq!(scene.done(1, "ftruncate", &[file, 0]), 0);
        scene.server.machine.free = None;
        assert_eq!(scene.done(1, "write", &[file + 2, text, 9]), 9);
        assert_eq!(scene.done(1, "mkdir", &[other, 0o755]), 0);
    });
}

#[test]
fn the_trees_files_are_copied_when_they_are_written() {
    both(|mut scene| {
        let path = scene.text(1, 0, "/way/../data");
        let file = scene.done(1, "open", &[path, O_RDWR.into(), 0]);
        let (text, place) = (scene.text(1, 64, "THAT"), scene.memory() + 128);
        assert_eq!(scene.done(1, "write", &[file, text, 4]), 4);
        assert_eq!(scene.done(1, "pread64", &[file, place, 100, 0, 0]), 19);
        assert_eq!(scene.bytes(1, 128, 12), b"THAT is in t");
    });
}

#[test]
fn names_can_be_made_moved_and_removed() {
    both(|mut scene| {
        let [a, b, inner, other] = [("/tmp/a", 0), ("/tmp/a/b", 32), ("/tmp/a/b/c", 64), ("/tmp/z", 96)]
            .map(|(path, at)| scene.text(1, at, path));
        assert_eq!(scene.done(1, "mkdir", &[a, 0o777]), 0);
        assert_eq!(scene.done(1, "mkdir", &[b, 0o777]), 0);
        scene.fails(1, "mkdir", &[b, 0o777], Errno::EEXIST);
        scene.fails(1, "rename", &[a, inner], Errno::EINVAL);
        scene.fails(1, "rmdir", &[a], Errno::ENOTEMPTY);
        scene.fails(1, "unlink", &[b], Errno::EISDIR);
        assert_eq!(scene.done(1, "chdir", &[b]), 0);
        assert_eq!(scene.done(1, "rename", &[a, other]), 0);
        let place = scene.memory() + 256;
        assert_eq!(scene.done(1, "getcwd", &[place, 100]), 9);
        assert_eq!(scene.bytes(1, 256, 9), b"/tmp/z/b\0");
        let up = scene.text(1, 128, "../b");
        assert_eq!(scene.done(1, "rmdir", &[up]), 0);
        scene.fails(1, "getcwd", &[place, 100], Errno::ENOENT);
        let looped = scene.text(1, 128, "/loop");
        scene.fails(1, "open", &[looped, 0, 0], Errno::ELOOP);
    });
}

/// A process and its child, which has the writing end of a pipe, as it has the reading one.
fn with_pipe(scene: &mut Scene, flags: u32) -> (u64, u64) {
    let place = scene.memory() + 1024;
    assert_eq!(scene.done(1, "pipe2", &[place, flags.into()]), 0);
    let (read, write) = (scene.number(1, 1024).into(), scene.number(1, 1028).into());
    assert_eq!(scene.done(1, "fork", &[]), 2);
    scene.done(1, "close", &[write]);
    scene.done(2, "close", &[read]);
    (read, write)
}

#[test]
fn a_reader_waits_for_a_writer_and_finds_the_end() {
    both(|mut scene| {
        let (read, write) = with_pipe(&mut scene, 0);
        let place = scene.memory() + 64;
        assert_eq!(scene.call(1, "read", &[read, place, 100]), Answer::Keep);
        assert!(!scene.server.machine.running().contains(&1));
        let text = scene.text(2, 0, "hello");
        assert_eq!(scene.done(2, "write", &[write, text, 5]), 5);
        assert_eq!((scene.registers(1).get(3), scene.bytes(1, 64, 5)), (5, b"hello".to_vec()));
        assert_eq!(scene.call(1, "read", &[read, place, 100]), Answer::Keep);
        scene.call(2, "exit_group", &[0]);
        // The end of the child is a signal that is ignored, and the end of the pipe.
        assert_eq!(scene.registers(1).get(3), 0);
        assert_eq!(scene.server.machine.running(), [1]);
    });
}

#[test]
fn a_writer_waits_for_room_and_its_bytes_stay_in_order() {
    both(|mut scene| {
        let (read, write) = with_pipe(&mut scene, 0);
        let large = scene.map(2, 100_000, 3);
        let text: Vec<u8> = (0..100_000_u32).map(|at| (at % 251) as u8).collect();
        scene.user(2, |user| user.write(large, &text)).unwrap();
        assert_eq!(scene.call(2, "write", &[write, large, 100_000]), Answer::Keep);
        let place = scene.map(1, 40_000, 3);
        let mut got = Vec::new();
        while got.len() < 100_000 {
            let count = scene.done(1, "read", &[read, place, 40_000]) as usize;
            got.extend(scene.user(1, |user| user.bytes(place, count)).unwrap());
        }
        assert!(got == text);
        assert_eq!(scene.registers(2).get(3), 100_000);
    });
}

/// Bytes for who waits go there at once, in the order of those that wait, and across pages; a buffer that is none is its reader's error.
#[test]
fn bytes_go_straight_to_who_waits_for_them() {
    both(|mut scene| {
        let (read, write) = with_pipe(&mut scene, 0);
        assert_eq!(scene.done(1, "fork", &[]), 3);
        let (near, far) = (scene.memory() + PAGE - 3, scene.memory() + 128);
        let bad = scene.memory() + 0x10_0000;
        assert_eq!(scene.call(1, "read", &[read, near, 10]), Answer::Keep);
        assert_eq!(scene.call(3, "read", &[read, far, 4]), Answer::Keep);
        let text = scene.memory() + PAGE - 2;
        scene.user(2, |user| user.write(text, b"hello, you")).unwrap();
        assert_eq!(scene.done(2, "write", &[write, text, 5]), 5);
        assert_eq!(scene.user(1, |user| user.bytes(near, 5)).unwrap(), b"hello");
        assert_eq!((scene.registers(1).get(3), scene.server.machine.running()), (5, std::vec![1, 2]));
        // More than it has room for.
        assert_eq!(scene.done(2, "write", &[write, text, 7]), 7);
        assert_eq!((scene.registers(3).get(3), scene.bytes(3, 128, 4)), (4, b"hell".to_vec()));
        assert_eq!(scene.done(3, "read", &[read, far, 100]), 3, "what was left");
        assert_eq!(scene.call(3, "read", &[read, bad, 4]), Answer::Keep);
        assert_eq!(scene.done(2, "write", &[write, text, 3]), 3);
        let fault = scene.arch.narrow(-i64::from(Errno::EFAULT.into_raw()) as u64);
        assert_eq!(scene.registers(3).get(3), fault);
        assert_eq!(scene.done(3, "read", &[read, far, 100]), 3, "it is still there");
        assert_eq!(scene.call(3, "read", &[read, far, 4]), Answer::Keep);
        scene.fails(2, "write", &[write, bad, 3], Errno::EFAULT);
        assert_eq!(scene.done(2, "write", &[write, text, 1]), 1, "and the reader still waits");
        assert_eq!(scene.registers(3).get(3), 1);
    });
}

/// What the writer's call does lets the reader go on, and what that does the writer: its own call is done then.
#[test]
fn a_writer_goes_on_by_what_it_wrote_itself() {
    both(|mut scene| {
        let (read, write) = with_pipe(&mut scene, 0);
        let (large, place) = (scene.map(2, 100_000, 3), scene.map(1, 70_000, 3));
        assert_eq!(scene.call(1, "read", &[read, place, 70_000]), Answer::Keep);
        assert_eq!(scene.done(2, "write", &[write, large, 100_000]), 100_000);
        assert_eq!(scene.registers(1).get(3), 65_536);
        assert_eq!(scene.done(1, "read", &[read, place, 70_000]), 34_464);
    });
}

#[test]
fn who_writes_to_nobody_is_told_so() {
    both(|mut scene| {
        let (read, write) = with_pipe(&mut scene, O_NONBLOCK);
        let place = scene.memory();
        scene.fails(1, "read", &[read, place, 1], Errno::EAGAIN);
        scene.done(1, "close", &[read]);
        assert_eq!(scene.call(2, "write", &[write, place, 1]), Answer::Nobody);
        scene.done(1, "wait4", &[2, place, 0, 0]);
        assert_eq!(scene.number(1, 0), SIGPIPE);
        assert_eq!(scene.server.ended(), None::<End>);
    });
}

#[test]
fn a_directory_does_not_move_into_one_that_was_removed() {
    both(|mut scene| {
        let (gone, other) = (scene.text(1, 0, "/tmp/gone"), scene.text(1, 0x100, "/tmp/other"));
        let inside = scene.text(1, 0x200, "inside");
        scene.done(1, "mkdir", &[gone, 0o755]);
        scene.done(1, "mkdir", &[other, 0o755]);
        scene.done(1, "chdir", &[gone]);
        scene.done(1, "rmdir", &[gone]);
        scene.fails(1, "rename", &[other, inside], Errno::ENOENT);
    });
}

#[test]
fn a_deep_tree_is_taken_apart_on_a_small_stack() {
    const DEEP: u64 = 100_000;
    let run = || {
        let root = Node::new(0, Node::directory(), 0o755, 0);
        let mut at = root.clone();
        for number in 1..DEEP {
            let below = Node::new(number, Node::directory(), 0o755, 0);
            at.add(b"a", below.clone()).unwrap();
            at = below;
        }
        let last = Rc::downgrade(&at);
        drop((at, root));
        assert!(last.upgrade().is_none());
    };
    std::thread::Builder::new().stack_size(64 << 10).spawn(run).unwrap().join().unwrap();
}

#[test]
fn who_watches_hears_what_happens_to_files() {
    both(|mut scene| {
        let (place, folder) = (scene.memory() + 0x900, scene.text(1, 0x400, "/tmp"));
        let notes = scene.done(1, "inotify_init1", &[O_NONBLOCK.into()]);
        assert_eq!(scene.done(1, "inotify_add_watch", &[notes, folder, 0xfff]), 1);
        scene.fails(1, "read", &[notes, place, 100], Errno::EAGAIN);
        let name = scene.text(1, 0x400, "/tmp/name");
        let file = scene.done(1, "open", &[name, (O_CREAT | O_RDWR).into(), 0o644]);
        assert_eq!(scene.done(1, "write", &[file, name, 3]), 3);
        assert_eq!(scene.done(1, "dup", &[file]), file + 1);
        scene.done(1, "close", &[file]);
        let masks = |scene: &mut Scene| {
            let length = scene.done(1, "read", &[notes, place, 256]) as usize;
            let bytes = scene.bytes(1, 0x900, length);
            let masks: Vec<_> =
                bytes.chunks(32).map(|note| u32::from_le_bytes(note[4..8].try_into().unwrap())).collect();
            assert!(bytes.chunks(32).all(|note| &note[16..21] == b"name\0"));
            masks
        };
        // Created, opened, written; closed by the last who has it.
        assert_eq!(masks(&mut scene), [0x100, 0x20, 2]);
        scene.done(1, "close", &[file + 1]);
        scene.done(1, "unlink", &[name]);
        assert_eq!(masks(&mut scene), [8, 0x200]);
        // Who waits is woken.
        scene.done(1, "fcntl", &[notes, 4, 0]);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        assert_eq!(scene.call(1, "read", &[notes, place, 256]), Answer::Keep);
        scene.done(2, "mkdir", &[name, 0o755]);
        assert_eq!(scene.registers(1).get(3), 32);
        scene.fails(1, "inotify_add_watch", &[file, folder, 1], Errno::EBADF);
        scene.fails(1, "inotify_rm_watch", &[notes, 2], Errno::EINVAL);
        scene.done(1, "close", &[notes]);
        assert_eq!(scene.server.watchers.len(), 1, "the child has it");
        assert_eq!(scene.call(2, "exit_group", &[0]), Answer::Nobody);
        assert!(scene.server.watchers.is_empty());
    });
}

#[test]
fn a_pipe_with_a_name_is_open_when_both_ends_are() {
    both(|mut scene| {
        let name = scene.text(1, 0x400, "/pipe");
        scene.done(1, "mknod", &[name, 0o010_644, 0]);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        const WRITE: u64 = 1;
        let never_waits = u64::from(O_NONBLOCK);
        scene.fails(1, "open", &[name, WRITE | never_waits, 0], Errno::ENXIO);
        assert_eq!(scene.call(1, "open", &[name, 0, 0]), Answer::Keep);
        // Even if who opens the other end has closed it before the first goes on.
        let write = scene.done(2, "open", &[name, WRITE, 0]);
        let read = scene.registers(1).get(3);
        assert_eq!((read, write), (3, 3));
        assert_eq!(scene.done(2, "write", &[write, name, 5]), 5);
        scene.done(2, "close", &[write]);
        assert_eq!(scene.done(1, "read", &[read, name + 64, 9]), 5);
        assert_eq!(scene.done(1, "read", &[read, name + 64, 9]), 0);
        scene.done(1, "close", &[read]);
        assert_eq!(scene.call(2, "open", &[name, WRITE, 0]), Answer::Keep);
        assert_eq!(scene.done(1, "open", &[name, never_waits, 0]), 3);
        assert_eq!(scene.registers(2).get(3), 3);
        // One without a name, found by its number, is open already.
        let place = scene.memory() + 0x500;
        scene.done(1, "pipe", &[place]);
        let [read, write] = [0x500, 0x504].map(|at| scene.number(1, at));
        scene.done(1, "close", &[write.into()]);
        let path = scene.text(1, 0x480, &format!("/proc/self/fd/{read}"));
        scene.done(1, "open", &[path, 0, 0]);
        // For both ends nobody waits.
        scene.done(1, "open", &[name, 2, 0]);
    });
}

#[test]
fn who_wants_a_lock_waits_for_it_and_the_end_of_its_owner_sets_it_free() {
    both(|mut scene| {
        let name = scene.text(1, 0x400, "/data");
        let file = scene.done(1, "open", &[name, O_RDWR.into(), 0]);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        let other = scene.done(2, "open", &[name, O_RDWR.into(), 0]);
        // An exclusive lock of all of it, by the process.
        for badge in [1, 2] {
            let place = scene.memory() + 0x600;
            scene.user(badge, |user| user.write(place, &[1, 0, 0, 0].repeat(8))).unwrap();
            scene.user(badge, |user| user.write(place + 1, &[0; 31])).unwrap();
        }
        let place = scene.memory() + 0x600;
        scene.done(1, "fcntl", &[file, 6, place]);
        scene.fails(2, "fcntl", &[other, 6, place], Errno::EAGAIN);
        assert_eq!(scene.call(2, "fcntl", &[other, 7, place]), Answer::Keep);
        let again = scene.done(1, "dup", &[file]);
        scene.done(1, "close", &[again]);
        assert_eq!(scene.registers(2).get(3), 0, "whichever number is closed");
        // One of the description, which both have.
        assert_eq!(scene.done(1, "flock", &[file, 2]), 0);
        assert_eq!(scene.done(2, "flock", &[file, 2]), 0);
        scene.fails(2, "flock", &[other, 2 | 4], Errno::EAGAIN);
        scene.done(1, "close", &[file]);
        assert_eq!(scene.call(2, "flock", &[other, 1]), Answer::Keep);
        scene.done(1, "fcntl", &[0, 1, 0]);
        assert_eq!(scene.server.machine.running(), [1]);
    });
}
