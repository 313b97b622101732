//! Address space of 32-bit programs beyond what they begin with.

use linux_raw_sys::general::{
    MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_NORESERVE, MAP_PRIVATE, MREMAP_MAYMOVE,
};
use syscalls::Errno;

use super::{CODE, SIZE, Scene};
use crate::arch::Arch;
use crate::memory::{Access, PAGE};
use crate::program::limit;
use crate::server::Answer;

const MIB: u64 = 1 << 20;
/// Anonymous and private.
const PLAIN: u64 = (MAP_ANONYMOUS | MAP_PRIVATE) as u64;
/// Where the program of a scene ends, and so does its space at first.
const END: u64 = CODE[0] + SIZE;

impl Scene {
    fn narrow() -> Self {
        Self::new(Arch::I386)
    }

    fn mmap(&mut self, badge: u32, address: u64, length: u64, protection: u64, flags: u32) -> Answer {
        self.call(badge, "mmap2", &[address, length, protection, PLAIN | u64::from(flags), u64::MAX, 0])
    }

    #[track_caller]
    fn mapped(&mut self, badge: u32, address: u64, length: u64, protection: u64, flags: u32) -> u64 {
        match self.mmap(badge, address, length, protection, flags) {
            Answer::Result(at) if at as i64 > 0 => at,
            other => panic!("{length:#x} bytes: {other:?}"),
        }
    }

    /// The size of the space of a thread's process, and how often it grew.
    fn size(&mut self, badge: u32) -> (u64, u32) {
        self.server.me = badge as usize - 1;
        let space = self.server.user().memory.space;
        self.server.machine.sizes[&space]
    }

    #[track_caller]
    fn keeps(&mut self, badge: u32, at: u64, bytes: &[u8]) {
        assert_eq!(self.user(badge, |user| user.bytes(at, bytes.len())).unwrap(), bytes, "at {at:#x}");
    }

    #[track_caller]
    fn puts(&mut self, badge: u32, at: u64, bytes: &[u8]) {
        self.user(badge, |user| user.write(at, bytes)).unwrap();
        assert_eq!(self.touches(badge, at, Access::Write), Answer::Resume);
    }
}

fn error(error: Errno) -> Answer {
    Answer::Result(-i64::from(error.into_raw()) as u64)
}

#[test]
fn what_has_room_below_the_program_grows_nothing() {
    let mut scene = Scene::narrow();
    assert!(scene.mapped(1, 0, 100 * MIB, 0, 0) < CODE[0]);
    scene.map(1, MIB, 3);
    assert_eq!(scene.size(1), (END, 0));
}

#[test]
fn what_has_not_goes_above_and_the_space_grows() {
    let mut scene = Scene::narrow();
    let low = scene.map(1, PAGE, 3);
    scene.puts(1, low, b"low");
    let at = scene.mapped(1, 0, 300 * MIB, 3, MAP_NORESERVE);
    assert_eq!((at, scene.size(1)), (END + PAGE, (at + 300 * MIB, 1)));
    scene.puts(1, at, b"first");
    scene.puts(1, at + 300 * MIB - 4, b"last");
    scene.keeps(1, low, b"low");
    let next = scene.mapped(1, 0, 200 * MIB, 0, 0);
    assert_eq!(next, at + 300 * MIB, "the lowest that is free");
    // What was given back is had again, without any growth.
    assert_eq!(scene.done(1, "munmap", &[at, 300 * MIB]), 0);
    let grown = scene.size(1);
    assert_eq!(scene.mapped(1, 0, 250 * MIB, 0, 0), at);
    assert_eq!(scene.size(1), grown);
}

#[test]
fn more_than_there_can_be_is_refused_and_nothing_is_lost() {
    let mut scene = Scene::narrow();
    let most = limit(Arch::I386);
    for length in [4096 * MIB - PAGE, most, most - END] {
        assert_eq!(scene.mmap(1, 0, length, 0, 0), error(Errno::ENOMEM), "{length:#x}");
    }
    let at = scene.mapped(1, 0, most - END - PAGE, 0, 0);
    assert_eq!((at, scene.size(1)), (END + PAGE, (most, 1)));
    assert_eq!(scene.mmap(1, 0, 128 * MIB, 0, 0), error(Errno::ENOMEM));
    scene.map(1, MIB, 3);
}

#[test]
fn a_space_that_cannot_grow_is_an_error_for_its_program() {
    let mut scene = Scene::narrow();
    let there = scene.mapped(1, 0, 300 * MIB, 3, MAP_NORESERVE);
    scene.puts(1, there, b"there");
    let size = scene.size(1);
    scene.server.machine.is_full = true;
    assert_eq!(scene.mmap(1, 0, 300 * MIB, 0, 0), error(Errno::ENOMEM));
    assert_eq!(scene.mmap(1, 0x4000_0000, PAGE, 3, MAP_FIXED), error(Errno::ENOMEM));
    scene.fails(1, "mremap", &[there, 300 * MIB, 400 * MIB, MREMAP_MAYMOVE.into()], Errno::ENOMEM);
    // A wish is not more than that.
    assert!(scene.mapped(1, 0x4000_0000, PAGE, 3, 0) < CODE[0]);
    assert_eq!(scene.size(1), size);
    scene.keeps(1, there, b"there");
    scene.server.machine.is_full = false;
    scene.mapped(1, 0, 300 * MIB, 0, 0);
}

#[test]
fn addresses_that_are_named_are_had_wherever_they_are() {
    let mut scene = Scene::narrow();
    let most = limit(Arch::I386);
    for (address, flags) in [(0x2000_0000, 0), (0x3000_0000, MAP_FIXED), (0xc000_0000, MAP_FIXED_NOREPLACE)] {
        assert_eq!(scene.mapped(1, address, PAGE, 3, flags), address);
        scene.puts(1, address, b"here");
    }
    assert_eq!(scene.mmap(1, 0xc000_0000, PAGE, 3, MAP_FIXED_NOREPLACE), error(Errno::EEXIST));
    assert_eq!(scene.mapped(1, 0xc000_0000, PAGE, 3, MAP_FIXED), 0xc000_0000);
    scene.keeps(1, 0xc000_0000, &[0; 4]);
    assert_eq!(scene.mmap(1, most, PAGE, 3, MAP_FIXED), error(Errno::ENOMEM), "the last addresses are nobody's");
    assert!(scene.mapped(1, most, PAGE, 3, 0) < most);
    assert_eq!(scene.mapped(1, most - PAGE, PAGE, 3, MAP_FIXED), most - PAGE);
}

#[test]
fn what_is_unmapped_may_end_behind_the_space() {
    let mut scene = Scene::narrow();
    let at = scene.mapped(1, 0, 200 * MIB, 3, MAP_NORESERVE);
    scene.puts(1, at, b"gone");
    let free = scene.server.pool.counts().1;
    assert_eq!(scene.done(1, "munmap", &[at, limit(Arch::I386) - at]), 0);
    assert_eq!(scene.server.pool.counts().1, free + 1);
    assert_eq!(scene.done(1, "munmap", &[0xe000_0000, PAGE]), 0);
    scene.fails(1, "munmap", &[limit(Arch::I386), PAGE], Errno::EINVAL);
    assert_eq!(scene.touches(1, at, Access::Read), Answer::Nobody);
}

#[test]
fn what_grows_in_place_or_moves_keeps_what_it_holds() {
    let mut scene = Scene::narrow();
    let at = scene.mapped(1, 0, 150 * MIB, 3, MAP_NORESERVE);
    scene.puts(1, at + 140 * MIB, b"kept");
    let length = 400 * MIB;
    assert_eq!(scene.done(1, "mprotect", &[at, 150 * MIB, 1]), 0);
    assert_eq!(scene.done(1, "mremap", &[at, 150 * MIB, length, MREMAP_MAYMOVE.into()]), at, "nothing is behind it");
    scene.mapped(1, at + length, PAGE, 0, MAP_FIXED);
    let free = scene.server.pool.counts().1;
    let moved = scene.done(1, "mremap", &[at, length, 500 * MIB, MREMAP_MAYMOVE.into()]);
    assert_eq!(moved, at + length + PAGE);
    assert_eq!(scene.server.pool.counts().1, free, "no page is copied");
    scene.keeps(1, moved + 140 * MIB, b"kept");
    assert_eq!(scene.touches(1, moved + 140 * MIB, Access::Read), Answer::Resume);
    assert_eq!(scene.touches(1, at + 140 * MIB, Access::Read), Answer::Nobody);
}

#[test]
fn a_child_has_as_much_as_is_used_and_grows_by_itself() {
    let mut scene = Scene::narrow();
    let at = scene.mapped(1, 0, 300 * MIB, 3, MAP_NORESERVE);
    scene.puts(1, at + 299 * MIB, b"both");
    let second = scene.mapped(1, 0, 300 * MIB, 0, 0);
    assert_eq!(scene.done(1, "munmap", &[second, 300 * MIB]), 0);
    assert_eq!(scene.done(1, "fork", &[]), 2);
    assert_eq!((scene.size(1), scene.size(2)), ((second + 300 * MIB, 2), (second, 0)));
    scene.puts(2, at + 299 * MIB, b"mine");
    scene.keeps(1, at + 299 * MIB, b"both");
    assert_eq!(scene.mapped(2, 0, 400 * MIB, 0, 0), second);
    assert_eq!(scene.size(2), (second + 400 * MIB, 1));
    scene.keeps(2, at + 299 * MIB, b"mine");
}

#[test]
fn threads_and_children_by_vfork_have_the_space_that_has_grown() {
    let mut scene = Scene::narrow();
    let flags = 0x0001_0f00;
    let stack = scene.memory();
    let thread = scene.done(1, "clone", &[flags, stack + 512, 0, 0, 0]);
    assert_ne!(thread, 0);
    let at = scene.mapped(2, 0, 300 * MIB, 3, MAP_NORESERVE);
    scene.puts(1, at, b"by the other");
    assert_eq!(scene.call(1, "vfork", &[]), Answer::Keep);
    let again = scene.mapped(3, 0, 400 * MIB, 3, MAP_NORESERVE);
    scene.puts(2, again, b"by the child");
    let path = scene.text(3, 100, "/bin/narrow");
    assert_eq!(scene.call(3, "execve", &[path, 0, 0]), Answer::Nobody);
    scene.keeps(1, again, b"by the child");
}

#[test]
fn another_program_begins_small_again() {
    let mut scene = Scene::narrow();
    scene.mapped(1, 0, 300 * MIB, 0, 0);
    let path = scene.text(1, 0, "/bin/narrow");
    assert_eq!(scene.call(1, "execve", &[path, 0, 0]), Answer::Nobody);
    assert_eq!(scene.size(1), (END, 0));
}

#[test]
fn memory_that_is_only_reserved_takes_none() {
    let mut scene = Scene::narrow();
    let (free, whole) = (scene.server.pool.counts().1, scene.server.pool.bytes_in_all());
    // More than there is: what is to be written must be had, unless it is said that it need not.
    assert_eq!(scene.mmap(1, 0, whole + PAGE, 3, 0), error(Errno::ENOMEM));
    let reserved = scene.mapped(1, 0, 1024 * MIB, 0, 0);
    scene.mapped(1, 0, 1024 * MIB, 3, MAP_NORESERVE);
    assert_eq!(scene.server.pool.counts().1, free);
    // As Go's runtime takes what it has reserved.
    assert_eq!(scene.mapped(1, reserved + 512 * MIB, MIB, 3, MAP_FIXED), reserved + 512 * MIB);
    assert_eq!(scene.done(1, "mprotect", &[reserved + 513 * MIB, MIB, 3]), 0);
    scene.puts(1, reserved + 513 * MIB, b"used");
    assert_eq!(scene.server.pool.counts().1, free - 1);
}

#[test]
fn wide_programs_have_all_that_there_is_from_the_beginning() {
    let mut scene = Scene::new(Arch::Amd64);
    scene.done(1, "mmap", &[0, 1 << 40, 0, PLAIN, u64::MAX, 0]);
    assert_eq!(scene.size(1), (limit(Arch::Amd64), 0));
    let far = [limit(Arch::Amd64), PAGE, 0, PLAIN | u64::from(MAP_FIXED), u64::MAX, 0];
    scene.fails(1, "mmap", &far, Errno::ENOMEM);
}
