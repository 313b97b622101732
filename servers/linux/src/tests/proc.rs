//! What is below `/proc`.

use linux_raw_sys::general::{O_DIRECTORY, O_WRONLY};
use syscalls::Errno;

use super::{Scene, both};
use crate::files::proc::{Entry, OF_PROCESS, SYSRQ, TEXTS};

impl Scene {
    fn open(&mut self, path: &str) -> u64 {
        let path = self.text(1, 0x800, path);
        self.done(1, "open", &[path, 0, 0])
    }

    /// A file's text, read in pieces.
    fn read_all(&mut self, path: &str) -> String {
        let (file, place) = (self.open(path), self.memory() + 0xa00);
        let mut text = Vec::new();
        loop {
            let count = self.done(1, "read", &[file, place, 100]);
            if count == 0 {
                break;
            }
            text.extend(self.bytes(1, 0xa00, count as usize));
        }
        self.done(1, "close", &[file]);
        String::from_utf8(text).unwrap()
    }

    fn link(&mut self, path: &str) -> String {
        let (path, place) = (self.text(1, 0x800, path), self.memory() + 0xa00);
        let length = self.done(1, "readlink", &[path, place, 100]);
        String::from_utf8(self.bytes(1, 0xa00, length as usize)).unwrap()
    }

    /// The names in a directory.
    fn names(&mut self, path: &str) -> Vec<String> {
        let (file, place) = (self.open(path), self.memory() + 0xa00);
        let mut names = Vec::new();
        loop {
            let length = self.done(1, "getdents64", &[file, place, 200]) as usize;
            if length == 0 {
                break;
            }
            let bytes = self.bytes(1, 0xa00, length);
            let mut at = 0;
            while at < length {
                let size = usize::from(bytes[at + 16]);
                let name: Vec<u8> = bytes[at + 19..].iter().copied().take_while(|&byte| byte != 0).collect();
                names.push(String::from_utf8(name).unwrap());
                at += size;
            }
        }
        self.done(1, "close", &[file]);
        names
    }
}

#[test]
fn every_name_that_is_listed_leads_somewhere() {
    both(|mut scene| {
        let top = scene.names("/proc");
        assert!(
            ["1", "self", "meminfo", "sys", "stat", ".", ".."].iter().all(|name| top.iter().any(|other| other == name))
        );
        assert_eq!(top.iter().filter(|name| *name == "sys").count(), 1);
        for text in TEXTS {
            let parent = format!("/proc/{}", text.rsplit_once('/').map_or("", |(parent, _)| parent));
            let name = text.rsplit('/').next().unwrap();
            assert!(scene.names(&parent).iter().any(|other| other == name), "{text}");
            if text != SYSRQ {
                assert!(!scene.read_all(&format!("/proc/{text}")).is_empty(), "{text}");
            }
        }
        for text in OF_PROCESS {
            assert!(scene.names("/proc/1").iter().any(|other| other == text), "{text}");
            assert!(!scene.read_all(&format!("/proc/self/{text}")).is_empty(), "{text}");
        }
        assert_eq!(scene.names("/proc/1/fd"), [".", "..", "0", "1", "2", "3"], "the last is what is read");
        for (path, error) in [
            ("/proc/2", Errno::ENOENT),
            ("/proc/01", Errno::ENOENT),
            ("/proc/+1", Errno::ENOENT),
            ("/proc/1/x", Errno::ENOENT),
            ("/proc/1/fd/9", Errno::ENOENT),
            ("/proc/sys/kern", Errno::ENOENT),
            ("/proc/stat/x", Errno::ENOTDIR),
        ] {
            let path = scene.text(1, 0x800, path);
            scene.fails(1, "open", &[path, 0, 0], error);
        }
    });
}

#[test]
fn links_lead_to_what_a_process_has() {
    both(|mut scene| {
        let program = if scene.arch == crate::Arch::I386 { "/bin/narrow" } else { "/bin/wide" };
        assert_eq!((scene.link("/proc/self"), scene.link("/proc/self/exe")), ("1".into(), program.into()));
        let data = scene.open("/data");
        assert_eq!(scene.link(&format!("/proc/1/fd/{data}")), "/data");
        assert_eq!(scene.read_all(&format!("/proc/self/fd/{data}")), "what is in the file");
        let path = scene.text(1, 0x800, "/bin");
        scene.done(1, "chdir", &[path]);
        assert_eq!(scene.link("/proc/1/cwd"), "/bin");
        assert_eq!(scene.read_all("/proc/self/root/data"), "what is in the file");
        assert_eq!(scene.read_all("/proc/self/cwd/../data"), "what is in the file");
        let path = scene.text(1, 0x800, "/proc/self/fd");
        scene.done(1, "chdir", &[path]);
        let place = scene.memory();
        scene.done(1, "getcwd", &[place, 100]);
        assert_eq!(scene.bytes(1, 0, 11), b"/proc/1/fd\0");
        assert_eq!(scene.read_all("../../../data"), "what is in the file");
    });
}

#[test]
fn nothing_can_be_changed_there() {
    both(|mut scene| {
        let text = scene.text(1, 0, "/proc/stat");
        let (folder, name) = (scene.text(1, 0x100, "/proc/1"), scene.text(1, 0x200, "/proc/1/x"));
        scene.fails(1, "open", &[text, O_WRONLY.into(), 0], Errno::EACCES);
        scene.fails(1, "open", &[folder, O_WRONLY.into(), 0], Errno::EISDIR);
        scene.fails(1, "open", &[text, O_DIRECTORY.into(), 0], Errno::ENOTDIR);
        scene.fails(1, "unlink", &[text], Errno::EPERM);
        scene.fails(1, "rmdir", &[folder], Errno::EPERM);
        scene.fails(1, "mkdir", &[name, 0], Errno::EPERM);
        scene.fails(1, "rename", &[folder, name], Errno::ENOENT);
        scene.fails(1, "truncate", &[text, 0], Errno::EINVAL);
        scene.fails(1, "execve", &[text, 0, 0], Errno::EACCES);
    });
}

#[test]
fn the_numbers_of_a_process_are_its_own() {
    both(|mut scene| {
        scene.server.machine.now = 5_000_000_000;
        assert_eq!(scene.done(1, "fork", &[]), 2);
        let stat = scene.read_all("/proc/2/stat");
        let fields: Vec<_> = stat.trim_end().split(' ').collect();
        assert_eq!(fields.len(), 52);
        assert_eq!(&fields[2..6], ["R", "1", "1", "1"]);
        // Ticks as a program and of the kernel, threads, begin; the size is the program's, its stack's, and that of the page of functions.
        assert_eq!((fields[13], fields[14], fields[19], fields[21]), ("12", "1", "1", "500"));
        assert_eq!(fields[22].parse::<u64>().unwrap(), (8 << 20) + super::SIZE + crate::memory::PAGE);
        assert_eq!(scene.call(2, "pause", &[]), crate::Answer::Keep);
        assert!(scene.read_all("/proc/2/status").contains("State:\tS (sleeping)\n"));
        let table = scene.read_all("/proc/lilliput");
        let rows: Vec<Vec<_>> = table.lines().map(|row| row.split_whitespace().collect()).collect();
        assert_eq!((rows[0].len(), rows.len()), (14, 3));
        assert_eq!(rows[2][..3], ["2", "1", "S"]);
        assert_eq!(rows[2][6..13], ["small", "0:3", "page", "7", "2", "1", "0.13"]);
    });
}

#[test]
fn one_that_has_ended_is_still_shown_until_it_is_waited_for() {
    both(|mut scene| {
        assert_eq!(scene.done(1, "fork", &[]), 2);
        let file = scene.open("/proc/2/stat");
        assert_eq!(scene.call(2, "exit_group", &[3]), crate::Answer::Nobody);
        let stat = scene.read_all("/proc/2/stat");
        assert!(stat.contains(") Z 1 ") && stat.ends_with(" 768\n"), "{stat}");
        assert_eq!(
            (scene.read_all("/proc/2/maps"), scene.read_all("/proc/2/statm")),
            (String::new(), "0 0 0 0 0 0 0\n".into())
        );
        assert_eq!(scene.done(1, "wait4", &[2, 0, 0, 0]), 2);
        let place = scene.memory();
        scene.fails(1, "read", &[file, place, 10], Errno::ESRCH);
    });
}

#[test]
fn maps_name_what_is_mapped() {
    both(|mut scene| {
        let heap = scene.done(1, "brk", &[0]);
        scene.done(1, "brk", &[heap + 0x1000]);
        let maps = scene.read_all("/proc/self/maps");
        assert!(maps.contains("rwxp 00000000 00:01 ") && maps.contains("[heap]\n"), "{maps}");
        assert!(maps.lines().filter(|line| line.ends_with("[stack]")).count() == 1, "{maps}");
        assert!(maps.lines().all(|line| line.split_whitespace().count() >= 5));
    });
}

#[test]
fn entries_know_their_paths_and_numbers() {
    let mut numbers = std::collections::BTreeSet::new();
    for text in TEXTS {
        let entry = Entry::Text(text);
        assert_eq!(entry.path(), format!("/proc/{text}"));
        assert!(numbers.insert(entry.number()));
    }
    assert_eq!(Entry::Text("sys/vm/max_map_count").parent(), Some(Entry::Folder("sys/vm")));
    assert_eq!(Entry::fixed("sys", "vm"), Some(Entry::Folder("sys/vm")));
    assert_eq!((Entry::fixed("sys", "v"), Entry::fixed("", "sys/vm")), (None, Some(Entry::Folder("sys/vm"))));
}

#[test]
fn a_crash_is_asked_for_by_a_letter() {
    both(|mut scene| {
        let (path, place) = (scene.text(1, 0x800, "/proc/sysrq-trigger"), scene.memory());
        scene.text(1, 0, "hc");
        let file = scene.done(1, "open", &[path, O_WRONLY.into(), 0]);
        assert_eq!(scene.done(1, "write", &[file, place, 2]), 2);
        assert!(!scene.server.machine.crashed, "only the first letter counts");
        scene.fails(1, "write", &[file, 8, 1], Errno::EFAULT);
        assert_eq!(scene.done(1, "write", &[file, place + 1, 0]), 0);
        assert!(!scene.server.machine.crashed, "nothing was written");
        assert_eq!(scene.done(1, "write", &[file, place + 1, 1]), 1);
        assert!(scene.server.machine.crashed);
        let said = scene.server.machine.log.last().unwrap();
        assert!(said.contains("process 1 (") && said.contains("crashes the server"), "{said}");
        let file = scene.done(1, "open", &[path, 0, 0]);
        scene.fails(1, "read", &[file, place, 1], Errno::EIO);
        let other = scene.text(1, 0x900, "/proc/version");
        scene.fails(1, "open", &[other, O_WRONLY.into(), 0], Errno::EACCES);
    });
}
