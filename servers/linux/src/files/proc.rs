//! Names below `/proc`. Nothing is stored there: what a name stands for is found as it is walked to, and its text made when its beginning is read.

use alloc::format;
use alloc::string::String;

/// Not read but written: the first letter says what is to be done to the system.
pub const SYSRQ: &str = "sysrq-trigger";
/// The texts about the system, by their paths.
pub const TEXTS: [&str; 46] = [
    "cmdline",
    "cpuinfo",
    "devices",
    "filesystems",
    "lilliput",
    "lilliput-servers",
    "loadavg",
    "meminfo",
    "mounts",
    "partitions",
    "stat",
    "swaps",
    "sys/fs/file-max",
    "sys/fs/file-nr",
    "sys/fs/inotify/max_queued_events",
    "sys/fs/inotify/max_user_instances",
    "sys/fs/inotify/max_user_watches",
    "sys/fs/nr_open",
    "sys/fs/pipe-max-size",
    "sys/kernel/cap_last_cap",
    "sys/kernel/core_pattern",
    "sys/kernel/domainname",
    "sys/kernel/hostname",
    "sys/kernel/ngroups_max",
    "sys/kernel/osrelease",
    "sys/kernel/ostype",
    "sys/kernel/overflowgid",
    "sys/kernel/overflowuid",
    "sys/kernel/pid_max",
    "sys/kernel/random/boot_id",
    "sys/kernel/random/entropy_avail",
    "sys/kernel/random/poolsize",
    "sys/kernel/random/uuid",
    "sys/kernel/randomize_va_space",
    "sys/kernel/threads-max",
    "sys/kernel/version",
    "sys/net/core/somaxconn",
    "sys/net/ipv4/ip_local_port_range",
    "sys/vm/max_map_count",
    "sys/vm/mmap_min_addr",
    "sys/vm/overcommit_memory",
    "sys/vm/overcommit_ratio",
    "sys/vm/swappiness",
    SYSRQ,
    "uptime",
    "version",
];
/// The texts about each process.
pub const OF_PROCESS: [&str; 14] = [
    "cgroup",
    "cmdline",
    "comm",
    "environ",
    "lilliput",
    "limits",
    "maps",
    "mountinfo",
    "mounts",
    "oom_score",
    "oom_score_adj",
    "stat",
    "statm",
    "status",
];
/// What leads from a process to something else.
pub const WAYS: [(&str, Way); 3] = [("cwd", Way::Directory), ("exe", Way::Program), ("root", Way::Root)];

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory that is the beginning of the path of some of [`TEXTS`]; `/proc` itself has the empty path.
    Folder(&'static str),
    /// One of [`TEXTS`].
    Text(&'static str),
    /// The directory of a process.
    Process(u32),
    /// One of [`OF_PROCESS`].
    Of(u32, &'static str),
    /// The directory of a process's descriptors.
    Descriptors(u32),
    /// The directory of a process's threads.
    Threads(u32),
    /// That of one: the process, and its own number.
    Thread(u32, u32),
    /// One of [`OF_PROCESS`], of a thread.
    OfThread(u32, u32, &'static str),
    /// A link that leads to a node itself, and not by a path.
    Way(u32, Way),
}

/// Where such a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The program that the process executes.
    Program,
    /// Where its relative paths begin.
    Directory,
    /// Where its absolute ones do.
    Root,
    /// What it has open under this number.
    Descriptor(u32),
}

impl Entry {
    /// What stands under a name among the texts about the system.
    pub fn fixed(folder: &str, name: &str) -> Option<Self> {
        TEXTS.iter().find_map(|text| {
            let rest = match folder {
                "" => text,
                _ => text.strip_prefix(folder)?.strip_prefix('/')?,
            };
            let after = rest.strip_prefix(name)?;
            let length = text.len() - after.len();
            match after.as_bytes().first() {
                None => Some(Self::Text(text)),
                Some(b'/') => Some(Self::Folder(&text[..length])),
                Some(_) => None,
            }
        })
    }

    /// The names that stand in such a folder, each once.
    pub fn names(folder: &str) -> impl Iterator<Item = &'static str> {
        let mut last = "";
        TEXTS.iter().filter_map(move |text| {
            let rest = match folder {
                "" => text,
                _ => text.strip_prefix(folder)?.strip_prefix('/')?,
            };
            let name = rest.split('/').next().filter(|&name| name != last)?;
            last = name;
            Some(name)
        })
    }

    /// Whether it is a directory.
    pub const fn is_directory(self) -> bool {
        matches!(self, Self::Folder(_) | Self::Process(_) | Self::Descriptors(_) | Self::Threads(_) | Self::Thread(..))
    }

    /// Whether it is written, and not read.
    pub fn is_command(self) -> bool {
        self == Self::Text(SYSRQ)
    }

    /// Kind and permissions.
    pub fn mode(self) -> u32 {
        match self {
            _ if self.is_directory() => 0o040_555,
            Self::Way(..) => 0o120_777,
            Self::Text(SYSRQ) => 0o100_200,
            _ => 0o100_444,
        }
    }

    /// The path, from the root on.
    pub fn path(self) -> String {
        match self {
            Self::Folder("") => "/proc".into(),
            Self::Folder(path) | Self::Text(path) => format!("/proc/{path}"),
            Self::Process(pid) => format!("/proc/{pid}"),
            Self::Of(pid, name) => format!("/proc/{pid}/{name}"),
            Self::Descriptors(pid) => format!("/proc/{pid}/fd"),
            Self::Threads(pid) => format!("/proc/{pid}/task"),
            Self::Thread(pid, tid) => format!("/proc/{pid}/task/{tid}"),
            Self::OfThread(pid, tid, name) => format!("/proc/{pid}/task/{tid}/{name}"),
            Self::Way(pid, Way::Descriptor(number)) => format!("/proc/{pid}/fd/{number}"),
            Self::Way(pid, way) => {
                let name = WAYS.iter().find(|&&(_, other)| other == way).map_or("", |(name, _)| name);
                format!("/proc/{pid}/{name}")
            }
        }
    }

    /// The directory that it is in; none of `/proc` itself.
    pub fn parent(self) -> Option<Self> {
        match self {
            Self::Folder("") => None,
            Self::Folder(path) | Self::Text(path) => Some(Self::Folder(path.rfind('/').map_or("", |at| &path[..at]))),
            Self::Process(_) => Some(Self::Folder("")),
            Self::Way(pid, Way::Descriptor(_)) => Some(Self::Descriptors(pid)),
            Self::Thread(pid, _) => Some(Self::Threads(pid)),
            Self::OfThread(pid, tid, _) => Some(Self::Thread(pid, tid)),
            Self::Of(pid, _) | Self::Descriptors(pid) | Self::Threads(pid) | Self::Way(pid, _) => {
                Some(Self::Process(pid))
            }
        }
    }

    /// A number that hardly any other has, and no node of the tree.
    pub fn number(self) -> u64 {
        // FNV-1a of the path.
        let hash = self
            .path()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        // A 32-bit program has room for no more, and nodes of the tree are few.
        hash & 0x3fff_ffff | 0x4000_0000
    }
}
