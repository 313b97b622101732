//! Memory: what can be had, what cannot be touched, and what it costs.

use syscalls::Errno;

use super::{SIZE, both};
use crate::arch::Arch;
use crate::memory::{Access, PAGE};
use crate::server::Answer;

#[test]
fn the_heap_grows_and_shrinks() {
    both(|mut scene| {
        let start = scene.done(1, "brk", &[0]);
        // That of a 32-bit program that is linked as usual is below it, where there is room.
        let expected = if scene.arch == Arch::I386 { 0x10_0000 } else { super::CODE[scene.arch.index()] + SIZE };
        assert_eq!(start, expected);
        assert_eq!(scene.done(1, "brk", &[start + 10_000]), start + 10_000);
        scene.user(1, |user| user.write(start + 9_999, &[5])).unwrap();
        assert_eq!(scene.touches(1, start + 9_999, Access::Write), Answer::Resume);
        assert_eq!(scene.done(1, "brk", &[start + 100]), start + 100);
        assert_eq!(scene.done(1, "brk", &[start + 10_000]), start + 10_000);
        assert_eq!(scene.user(1, |user| user.bytes(start + 9_999, 1)).unwrap(), [0], "what is new is zero");
        assert_eq!(scene.done(1, "brk", &[1 << 46]), start + 10_000);
        assert_eq!(scene.done(1, "brk", &[u64::MAX]), start + 10_000);
    });
}

#[test]
fn mappings_have_the_rights_that_they_are_given() {
    both(|mut scene| {
        let at = scene.map(1, 3 * PAGE, 3);
        assert_eq!(scene.touches(1, at, Access::Write), Answer::Resume);
        assert_eq!(scene.done(1, "mprotect", &[at + PAGE, PAGE, 1]), 0);
        scene.user(1, |user| {
            assert_eq!(user.write(at + PAGE - 1, &[1, 2]), Err(Errno::EFAULT));
            user.write(at + 2 * PAGE, &[3]).unwrap();
        });
        assert_eq!(scene.done(1, "munmap", &[at + 2 * PAGE, PAGE]), 0);
        scene.user(1, |user| assert_eq!(user.bytes(at + 2 * PAGE, 1), Err(Errno::EFAULT)));
        scene.fails(1, "mprotect", &[at + PAGE, 2 * PAGE, 1], Errno::ENOMEM);
        assert_eq!(scene.touches(1, at + PAGE, Access::Write), Answer::Nobody);
        assert_eq!(scene.server.ended(), Some(crate::End::Signal(11)));
    });
}

/// The server remembers where it found a page, and forgets it when that is not so any more.
#[test]
fn what_was_found_is_looked_for_again_when_it_changes() {
    both(|mut scene| {
        let at = scene.map(1, 2 * PAGE, 3);
        scene.user(1, |user| user.write(at, &[1])).unwrap();
        assert_eq!(scene.done(1, "mprotect", &[at, PAGE, 1]), 0);
        scene.user(1, |user| assert_eq!(user.write(at, &[2]), Err(Errno::EFAULT)));
        assert_eq!(scene.user(1, |user| user.bytes(at, 1)).unwrap(), [1]);
        assert_eq!(scene.done(1, "mprotect", &[at, PAGE, 3]), 0);
        scene.user(1, |user| user.write(at, &[2])).unwrap();
        assert_eq!(scene.done(1, "fork", &[]), 2);
        for badge in [1, 2] {
            assert_eq!(scene.user(badge, |user| user.bytes(at, 1)).unwrap(), [2]);
        }
        for badge in [1, 2] {
            scene.user(badge, |user| user.write(at, &[10 + badge as u8])).unwrap();
        }
        for badge in [1, 2] {
            assert_eq!(scene.user(badge, |user| user.bytes(at, 1)).unwrap(), [10 + badge as u8], "its own");
        }
        let moved = scene.done(1, "mremap", &[at, PAGE, 3 * PAGE, 1]);
        assert_eq!(scene.user(1, |user| user.bytes(moved, 1)).unwrap(), [11]);
        scene.user(1, |user| assert_eq!(user.bytes(at, 1), Err(Errno::EFAULT)));
        assert_eq!(scene.done(1, "munmap", &[moved, PAGE]), 0);
        scene.user(1, |user| assert_eq!(user.bytes(moved, 1), Err(Errno::EFAULT)));
    });
}

#[test]
fn what_is_mapped_can_move() {
    both(|mut scene| {
        // The second lies below the first, so that it cannot grow in place.
        scene.map(1, PAGE, 3);
        let at = scene.map(1, 2 * PAGE, 3);
        scene.user(1, |user| user.write(at + PAGE, b"moved")).unwrap();
        let moved = scene.done(1, "mremap", &[at, 2 * PAGE, 5 * PAGE, 1]);
        assert_ne!(at, moved);
        assert_eq!(scene.user(1, |user| user.bytes(moved + PAGE, 5)).unwrap(), b"moved");
        scene.user(1, |user| assert_eq!(user.bytes(at, 1), Err(Errno::EFAULT)));
        scene.fails(1, "mremap", &[moved, 5 * PAGE, 1 << 40, 1], Errno::ENOMEM);
    });
}

#[test]
fn memory_that_there_is_not_ends_who_touches_it_and_nobody_else() {
    both(|mut scene| {
        assert_eq!(scene.done(1, "fork", &[]), 2);
        scene.map(2, 350 * PAGE, 3);
        // The second lies right below the first.
        let at = scene.map(2, 350 * PAGE, 3);
        let mut answer = Answer::Resume;
        for page in 0..700 {
            answer = scene.touches(2, at + page * PAGE, Access::Write);
            if answer != Answer::Resume {
                break;
            }
        }
        assert_eq!(answer, Answer::Nobody);
        assert_eq!(scene.done(1, "wait4", &[2, 0, 0, 0]), 2);
        assert_eq!(scene.done(1, "getpid", &[]), 1);
    });
}

#[test]
fn what_a_child_shares_by_a_mapping_it_shares() {
    both(|mut scene| {
        let name = if scene.arch == crate::Arch::I386 { "mmap2" } else { "mmap" };
        let at = scene.done(1, name, &[0, PAGE, 3, 0x21, u64::MAX, 0]);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        scene.user(2, |user| user.write(at, b"both")).unwrap();
        assert_eq!(scene.user(1, |user| user.bytes(at, 4)).unwrap(), b"both");
    });
}

#[test]
fn a_program_that_may_lie_anywhere_lies_where_its_width_has_it() {
    for (arch, offset) in [(crate::Arch::I386, 0x40_0000), (crate::Arch::Amd64, 0x5555_5555_4000)] {
        let mut file = super::program(arch);
        let fixed = crate::program::Image::new(&file).unwrap().segments()[0].address;
        // The type of the file: one that is relocated as a whole.
        file[16] = 3;
        let loose = crate::program::Image::new(&file).unwrap().segments()[0].address;
        assert_eq!(loose, fixed + offset);
    }
}
