//! What ordinary programs ask for beside what those of the workloads do: programs that are linked when they start, what a process says of itself, parents' ends.

use linux_raw_sys::general::{
    AT_EMPTY_PATH, O_CREAT, O_DIRECTORY, O_PATH, O_RDWR, O_WRONLY, PRIO_PROCESS, RLIMIT_AS, SEEK_DATA, SEEK_HOLE,
    SIGTERM, SIGUSR1,
};
use linux_raw_sys::prctl::{
    PR_GET_NAME, PR_GET_NO_NEW_PRIVS, PR_SET_CHILD_SUBREAPER, PR_SET_NAME, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG,
};
use syscalls::Errno;

use super::{CODE, Scene, both, program};
use crate::arch::Arch;
use crate::files::{Data, Kind, Node};
use crate::memory::{Access, PAGE};
use crate::server::Answer;

const ANY: u64 = u64::MAX;
/// `O_TMPFILE` without `O_DIRECTORY`.
const TEMPORARY: u64 = 0o20_000_000;

/// A program that another links, which has this path.
fn interpreted(arch: Arch, path: &str) -> Vec<u8> {
    let mut file = program(arch);
    let (count, header, size) = if arch == Arch::I386 { (44, 52, 32) } else { (56, 64, 56) };
    file[count] = 2;
    let (at, length) = (0x200, path.len() as u64 + 1);
    file[at as usize..at as usize + path.len()].copy_from_slice(path.as_bytes());
    file[at as usize + path.len()] = 0;
    let fields =
        if arch == Arch::I386 { vec![3, at, 0, 0, length, length, 4, 1] } else { vec![at, 0, 0, length, length, 1] };
    let mut bytes: Vec<u8> = Vec::new();
    if arch == Arch::Amd64 {
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(4_u32.to_le_bytes());
    }
    for field in fields {
        bytes.extend(&u64::to_le_bytes(field)[..arch.word() as usize]);
    }
    file[header + size..header + size + bytes.len()].copy_from_slice(&bytes);
    file
}

impl Scene {
    fn put_program(&mut self, name: &str, bytes: Vec<u8>) {
        let node = Node::new(9000, Kind::File(core::cell::RefCell::new(Data::Own(bytes))), 0o755, 0);
        self.server.root.add(name.as_bytes(), node).unwrap();
    }
}

#[test]
fn a_program_is_linked_by_its_interpreter() {
    both(|mut scene| {
        let arch = scene.arch;
        let mut linker = program(arch);
        linker[16] = 3;
        let path = scene.text(1, 0, "/dynamic");
        scene.put_program("dynamic", interpreted(arch, "/linker"));
        scene.fails(1, "execve", &[path, 0, 0], Errno::ENOENT);
        scene.put_program("linker", program(arch));
        scene.fails(1, "execve", &[path, 0, 0], Errno::ELIBBAD);
        let root = scene.server.root.clone();
        root.take(b"linker").unwrap();
        scene.put_program("linker", linker);
        assert_eq!(scene.call(1, "execve", &[path, 0, 0]), Answer::Nobody);
        // It is the linker that runs, and is told where it is itself and where the program begins.
        let registers = scene.registers(1);
        let base = registers.ip() - 0x800;
        assert!(base != CODE[arch.index()] && base.is_multiple_of(PAGE));
        assert_eq!(scene.touches(1, registers.ip(), Access::Execute), Answer::Resume);
        let (sp, word) = (registers.sp(), arch.word());
        let words: Vec<_> =
            (0..60).map_while(|place| scene.user(1, |user| user.word(sp + word * place)).ok()).collect();
        let has = |kind: u64, value: u64| words.windows(2).any(|pair| pair == [kind, value]);
        assert!(has(7, base) && has(9, CODE[arch.index()] + 0x800), "AT_BASE and AT_ENTRY");
    });
}

#[test]
fn what_is_open_can_be_executed() {
    both(|mut scene| {
        let path = scene.text(1, 0, if scene.arch == Arch::I386 { "/bin/narrow" } else { "/bin/wide" });
        let file = scene.done(1, "open", &[path, 0, 0]);
        let empty = scene.text(1, 64, "");
        scene.fails(1, "execveat", &[file, empty, 0, 0, 0], Errno::ENOENT);
        scene.fails(1, "execveat", &[99, empty, 0, 0, AT_EMPTY_PATH.into()], Errno::EBADF);
        assert_eq!(scene.call(1, "execveat", &[file, empty, 0, 0, AT_EMPTY_PATH.into()]), Answer::Nobody);
        assert_eq!(scene.done(1, "getpid", &[]), 1);
    });
}

#[test]
fn arguments_have_room_for_much_and_not_for_more_than_the_stack_has() {
    both(|mut scene| {
        let path = scene.text(1, 0, if scene.arch == Arch::I386 { "/bin/narrow" } else { "/bin/wide" });
        let long = scene.map(1, 40 * PAGE, 3);
        scene.user(1, |user| user.write(long, &vec![b'a'; 100_000])).unwrap();
        let list = scene.map(1, 2 * PAGE, 3);
        let word = scene.arch.word() as usize;
        let pointers = |count: usize| long.to_le_bytes()[..word].repeat(count);
        scene.user(1, |user| user.write(list, &pointers(30))).unwrap();
        scene.fails(1, "execve", &[path, list, 0], Errno::E2BIG);
        scene.user(1, |user| user.write(list + 10 * word as u64, &[0; 8])).unwrap();
        assert_eq!(scene.call(1, "execve", &[path, list, 0]), Answer::Nobody);
        assert_eq!(scene.done(1, "getpid", &[]), 1);
    });
}

#[test]
fn who_adopts_hears_of_what_its_descendants_leave() {
    both(|mut scene| {
        scene.done(1, "prctl", &[PR_SET_CHILD_SUBREAPER.into(), 1]);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        assert_eq!(scene.done(2, "fork", &[]), 3);
        assert_eq!(scene.done(2, "fork", &[]), 4);
        // The fourth has ended before, and nobody has asked.
        assert_eq!(scene.call(4, "exit_group", &[4]), Answer::Nobody);
        assert_eq!(scene.call(2, "exit_group", &[2]), Answer::Nobody);
        assert_eq!(scene.done(3, "getppid", &[]), 1);
        let status = scene.memory();
        let ended = [(); 2].map(|()| scene.done(1, "wait4", &[ANY, status, 0, 0]));
        assert_eq!(ended.iter().sum::<u64>(), 2 + 4);
        assert_eq!(scene.call(1, "wait4", &[ANY, status, 0, 0]), Answer::Keep);
        assert_eq!(scene.call(3, "exit_group", &[3]), Answer::Nobody);
        assert_eq!((scene.registers(1).get(3), scene.number(1, 0)), (3, 3 << 8));
    });
}

#[test]
fn the_end_of_a_parent_is_told_to_who_asked() {
    both(|mut scene| {
        assert_eq!(scene.done(1, "fork", &[]), 2);
        assert_eq!(scene.done(2, "fork", &[]), 3);
        assert_eq!(scene.done(2, "fork", &[]), 4);
        scene.done(3, "prctl", &[PR_SET_PDEATHSIG.into(), SIGTERM.into()]);
        scene.fails(3, "prctl", &[PR_SET_PDEATHSIG.into(), 65], Errno::EINVAL);
        assert_eq!(scene.call(2, "exit_group", &[0]), Answer::Nobody);
        scene.fails(1, "kill", &[3, 0], Errno::ESRCH);
        assert_eq!(scene.done(1, "kill", &[4, 0]), 0);
    });
}

#[test]
fn a_process_says_things_of_itself() {
    both(|mut scene| {
        assert_eq!(scene.done(1, "prctl", &[PR_GET_NO_NEW_PRIVS.into(), 0]), 0);
        assert_eq!(scene.done(1, "prctl", &[PR_SET_NO_NEW_PRIVS.into(), 1]), 0);
        assert_eq!(scene.done(1, "prctl", &[PR_GET_NO_NEW_PRIVS.into(), 0]), 1);
        scene.fails(1, "prctl", &[9999, 0], Errno::EINVAL);
        assert_eq!(scene.done(1, "getpriority", &[PRIO_PROCESS.into(), 0]), 20);
        assert_eq!(scene.done(1, "setpriority", &[PRIO_PROCESS.into(), 0, 5]), 0);
        assert_eq!(scene.done(1, "getpriority", &[PRIO_PROCESS.into(), 0]), 15);
        scene.fails(1, "getpriority", &[PRIO_PROCESS.into(), 77], Errno::ESRCH);
        let (header, sets) = (scene.memory(), scene.memory() + 16);
        scene.user(1, |user| user.write(header, &[0x2008_0522_u32, 0].map(u32::to_le_bytes).concat())).unwrap();
        assert_eq!(scene.done(1, "capget", &[header, sets]), 0);
        assert_eq!([16, 20, 24, 28].map(|at| scene.number(1, at)), [u32::MAX, u32::MAX, 0, 0x1ff]);
        scene.user(1, |user| user.write(sets, &[0; 24])).unwrap();
        assert_eq!(scene.done(1, "capset", &[header, sets]), 0);
        scene.user(1, |user| user.write(sets, &[1, 0, 0, 0, 1, 0, 0, 0])).unwrap();
        scene.fails(1, "capset", &[header, sets], Errno::EPERM);
        scene.user(1, |user| user.write(header, &[7])).unwrap();
        scene.fails(1, "capset", &[header, sets], Errno::EINVAL);
        assert_eq!(scene.number(1, 0), 0x2008_0522, "the version that there is");
    });
}

#[test]
fn threads_have_names_of_their_own() {
    both(|mut scene| {
        let (stack, place) = (scene.memory() + 0x800, scene.memory() + 0x100);
        assert_eq!(scene.call(1, "clone", &[0x0035_0f00, stack, place, place, place]), Answer::Result(2));
        let name = scene.text(1, 0, "worker");
        assert_eq!(scene.done(2, "prctl", &[PR_SET_NAME.into(), name]), 0);
        assert_eq!(scene.done(2, "prctl", &[PR_GET_NAME.into(), place]), 0);
        assert_eq!(scene.bytes(1, 0x100, 7), b"worker\0");
        assert_eq!(scene.done(1, "prctl", &[PR_GET_NAME.into(), place]), 0);
        assert_ne!(scene.bytes(1, 0x100, 7), b"worker\0");
    });
}

#[test]
fn pages_that_are_not_needed_are_empty_again() {
    both(|mut scene| {
        let at = scene.map(1, 4 * PAGE, 3);
        scene.user(1, |user| user.write(at, &vec![7; 4 * PAGE as usize])).unwrap();
        assert_eq!(scene.touches(1, at, Access::Write), Answer::Resume);
        let free = scene.server.pool.counts().1;
        assert_eq!(scene.done(1, "madvise", &[at, 2 * PAGE, 4]), 0);
        assert_eq!(scene.server.pool.counts().1, free + 2);
        assert_eq!(scene.user(1, |user| user.bytes(at + 2 * PAGE - 1, 2)).unwrap(), [0, 7]);
        // A hint changes nothing, and what is no advice is refused.
        assert_eq!(scene.done(1, "madvise", &[at, 4 * PAGE, 14]), 0);
        assert_eq!(scene.user(1, |user| user.bytes(at + 2 * PAGE, 1)).unwrap(), [7]);
        scene.fails(1, "madvise", &[at, PAGE, 18], Errno::EINVAL);
        scene.fails(1, "madvise", &[at + 1, PAGE, 4], Errno::EINVAL);
        // Where something is missing the rest is done.
        assert_eq!(scene.done(1, "munmap", &[at + PAGE, PAGE]), 0);
        scene.fails(1, "madvise", &[at, 4 * PAGE, 4], Errno::ENOMEM);
        assert_eq!(scene.user(1, |user| user.bytes(at + 3 * PAGE, 1)).unwrap(), [0]);
    });
}

#[test]
fn a_mapping_moves_to_where_it_is_told() {
    both(|mut scene| {
        let target = scene.map(1, 4 * PAGE, 3);
        let at = scene.map(1, 2 * PAGE, 3);
        scene.user(1, |user| user.write(at + PAGE, b"moved")).unwrap();
        scene.user(1, |user| user.write(target + PAGE, b"there")).unwrap();
        scene.fails(1, "mremap", &[at, 2 * PAGE, 2 * PAGE, 2, target], Errno::EINVAL);
        scene.fails(1, "mremap", &[at, 2 * PAGE, 2 * PAGE, 3, target + 1], Errno::EINVAL);
        scene.fails(1, "mremap", &[at, 2 * PAGE, 2 * PAGE, 3, at + PAGE], Errno::EINVAL);
        assert_eq!(scene.done(1, "mremap", &[at, 2 * PAGE, 3 * PAGE, 3, target]), target);
        assert_eq!(scene.user(1, |user| user.bytes(target + PAGE, 5)).unwrap(), b"moved");
        assert_eq!(scene.user(1, |user| user.bytes(target + 2 * PAGE, 1)).unwrap(), [0]);
        scene.user(1, |user| assert_eq!(user.bytes(at, 1), Err(Errno::EFAULT)));
    });
}

#[test]
fn areas_that_become_alike_become_one() {
    both(|mut scene| {
        let at = scene.map(1, 64 * PAGE, 0);
        let count = |scene: &mut Scene| scene.user(1, |user| user.memory.area_count());
        let before = count(&mut scene);
        for page in 0..63 {
            assert_eq!(scene.done(1, "mprotect", &[at + page * PAGE, PAGE, 3]), 0);
            assert_eq!(count(&mut scene), before + 1, "what may be written, and what is left");
        }
        scene.user(1, |user| user.write(at, &vec![1; 63 * PAGE as usize])).unwrap();
        scene.user(1, |user| assert_eq!(user.write(at + 63 * PAGE, &[1]), Err(Errno::EFAULT)));
    });
}

#[test]
fn addresses_are_limited() {
    both(|mut scene| {
        let place = scene.memory();
        scene.map(1, PAGE, 3);
        let limits = [1_u64 << 20, u64::MAX].map(u64::to_le_bytes).concat();
        scene.user(1, |user| user.write(place, &limits)).unwrap();
        assert_eq!(scene.done(1, "prlimit64", &[0, RLIMIT_AS.into(), place, 0]), 0);
        let name = if scene.arch == Arch::I386 { "mmap2" } else { "mmap" };
        scene.fails(1, name, &[0, 2 << 20, 3, 0x22, ANY, 0], Errno::ENOMEM);
        scene.map(1, 512 << 10, 3);
        let end = scene.done(1, "brk", &[0]);
        assert_eq!(scene.done(1, "brk", &[end + (1 << 20)]), end);
        assert_eq!(scene.done(1, "brk", &[end + PAGE]), end + PAGE);
    });
}

#[test]
fn who_is_woken_early_is_told_how_much_sleep_is_left() {
    both(|mut scene| {
        let word = scene.arch.word() as usize;
        let (place, left) = (scene.memory(), scene.memory() + 64);
        let time = [&5_u64.to_le_bytes()[..word], &7_u64.to_le_bytes()[..word]].concat();
        scene.user(1, |user| user.write(place, &time)).unwrap();
        // A handler, so that the sleep ends.
        let action = [&scene.memory().to_le_bytes()[..word], &[0; 64]].concat();
        let at = scene.memory() + 512;
        scene.user(1, |user| user.write(at, &action)).unwrap();
        assert_eq!(scene.done(1, "rt_sigaction", &[SIGUSR1.into(), at, 0, 8]), 0);
        assert_eq!(scene.done(1, "fork", &[]), 2);
        assert_eq!(scene.call(1, "nanosleep", &[place, left]), Answer::Keep);
        scene.server.machine.now += 2_000_000_000;
        assert_eq!(scene.done(2, "kill", &[1, SIGUSR1.into()]), 0);
        assert_eq!((scene.number(1, 64), scene.number(1, 64 + word as u64)), (3, 7));
    });
}

#[test]
fn files_are_named_without_being_read_and_made_without_a_name() {
    both(|mut scene| {
        let (data, folder) = (scene.text(1, 0, "/data"), scene.text(1, 32, "/tmp"));
        let place = scene.memory() + 256;
        let named = scene.done(1, "open", &[data, O_PATH.into(), 0]);
        scene.fails(1, "read", &[named, place, 1], Errno::EBADF);
        scene.fails(1, "write", &[named, place, 1], Errno::EBADF);
        let bin = scene.text(1, 64, "/bin");
        let bin = scene.done(1, "open", &[bin, (O_PATH | O_DIRECTORY).into(), 0]);
        let within = scene.text(1, 64, "narrow");
        assert!(scene.done(1, "openat", &[bin, within, 0, 0]) > bin);
        let temporary = TEMPORARY | u64::from(O_DIRECTORY | O_RDWR);
        scene.fails(1, "open", &[data, temporary, 0o600], Errno::ENOTDIR);
        scene.fails(1, "open", &[folder, TEMPORARY | u64::from(O_DIRECTORY), 0o600], Errno::EINVAL);
        let file = scene.done(1, "open", &[folder, temporary, 0o600]);
        assert_eq!(scene.done(1, "write", &[file, data, 5]), 5);
        let (source, target) = (scene.text(1, 64, &format!("/proc/self/fd/{file}")), scene.text(1, 128, "/tmp/named"));
        assert_eq!(scene.done(1, "linkat", &[ANY, source, ANY, target, 0x400]), 0);
        let again = scene.done(1, "open", &[target, 0, 0]);
        assert_eq!(scene.done(1, "read", &[again, place, 10]), 5);
        let holes = [(0, SEEK_DATA, 0), (2, SEEK_HOLE, 5), (4, SEEK_DATA, 4)];
        for (from, whence, at) in holes {
            assert_eq!(scene.done(1, "lseek", &[again, from, whence.into()]), at);
        }
        scene.fails(1, "lseek", &[again, 5, SEEK_DATA.into()], Errno::ENXIO);
        let long = scene.map(1, 2 * PAGE, 3);
        scene.user(1, |user| user.write(long, &vec![b'/'; 4096])).unwrap();
        scene.fails(1, "open", &[long, 0, 0], Errno::ENAMETOOLONG);
        scene.user(1, |user| user.write(long + 4095, &[0])).unwrap();
        assert!(scene.done(1, "open", &[long, 0, 0]) > again);
        let full = scene.text(1, 0, "/dev/full");
        let full = scene.done(1, "open", &[full, u64::from(O_CREAT | O_WRONLY), 0]);
        scene.fails(1, "write", &[full, place, 1], Errno::ENOSPC);
    });
}

#[test]
fn a_directory_is_read_by_the_old_call() {
    both(|mut scene| {
        let path = scene.text(1, 0, "/bin");
        let (file, place) = (scene.done(1, "open", &[path, 0, 0]), scene.memory() + 256);
        let count = scene.done(1, "getdents", &[file, place, 512]);
        let bytes = scene.bytes(1, 256, count as usize);
        let word = scene.arch.word() as usize;
        let (mut at, mut names) = (0, Vec::new());
        while at < bytes.len() {
            let size = usize::from(u16::from_le_bytes([bytes[at + 2 * word], bytes[at + 2 * word + 1]]));
            let name = &bytes[at + 2 * word + 2..at + size - 1];
            let end = name.iter().position(|&byte| byte == 0).unwrap();
            names.push((String::from_utf8(name[..end].to_vec()).unwrap(), bytes[at + size - 1]));
            at += size;
        }
        let expected = [(".", 4), ("..", 4), ("narrow", 8), ("script", 8), ("wide", 8)];
        assert_eq!(names, expected.map(|(name, kind)| (name.to_owned(), kind)));
        assert_eq!(scene.done(1, "getdents", &[file, place, 512]), 0);
    });
}

#[test]
fn several_messages_go_by_one_call() {
    both(|mut scene| {
        let place = scene.memory();
        assert_eq!(scene.done(1, "socketpair", &[1, 2, 0, place]), 0);
        let [one, other] = [0, 4].map(|at| u64::from(scene.number(1, at)));
        let word = scene.arch.word() as usize;
        let text = scene.text(1, 0x40, "abcdef");
        let pieces = scene.memory() + 0x80;
        let put = |scene: &mut Scene, at: u64, words: &[u64]| {
            let bytes: Vec<u8> = words.iter().flat_map(|value| value.to_le_bytes()[..word].to_vec()).collect();
            scene.user(1, |user| user.write(at, &bytes)).unwrap();
        };
        put(&mut scene, pieces, &[text, 2, text + 2, 3]);
        let headers = scene.memory() + 0x100;
        let header = |piece: u64| [0, 0, piece, 1, 0, 0, 0, 0];
        let second = pieces + 2 * word as u64;
        put(&mut scene, headers, &[header(pieces), header(second)].concat());
        assert_eq!(scene.done(1, "sendmmsg", &[one, headers, 2, 0]), 2);
        assert_eq!([7, 15].map(|at| scene.number(1, 0x100 + at * word as u64)), [2, 3]);
        let target = scene.memory() + 0x300;
        put(&mut scene, pieces, &[target, 16, target + 16, 16]);
        put(&mut scene, headers, &[header(pieces), header(second)].concat());
        assert_eq!(scene.done(1, "recvmmsg", &[other, headers, 2, 0, 0]), 2);
        assert_eq!((scene.bytes(1, 0x300, 2), scene.bytes(1, 0x310, 3)), (b"ab".to_vec(), b"cde".to_vec()));
        assert_eq!(scene.call(1, "recvmmsg", &[other, headers, 2, 0, 0]), Answer::Keep);
    });
}
