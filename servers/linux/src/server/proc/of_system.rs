//! Texts about the system.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::machine::{Machine, Times, Usage};
use crate::memory::PAGE;
use crate::server::Server;

/// The same with all that Linux says of each.
pub(super) const MOUNTS_IN_FULL: &str = "1 1 0:1 / / rw - tmpfs tmpfs rw\n2 1 0:2 / /proc ro - proc proc ro\n";
/// The parts of the clock that programs count in, a second.
pub(super) const TICKS: u64 = 100;
/// The lowest line of a list of file systems' places.
pub(super) const MOUNTS: &str = "tmpfs / tmpfs rw 0 0\nproc /proc proc ro 0 0\n";

impl<M: Machine> Server<M> {
    pub(super) fn text_of_system(&mut self, path: &str) -> Vec<u8> {
        let fixed = match path {
            "cmdline" => "\n",
            "partitions" => "major minor  #blocks  name\n\n",
            "swaps" => "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
            "sys/fs/file-nr" => "0\t0\t524288\n",
            "sys/fs/inotify/max_queued_events" => "16384\n",
            "sys/fs/inotify/max_user_instances" => "128\n",
            "sys/fs/inotify/max_user_watches" => "8192\n",
            "sys/fs/nr_open" => "1024\n",
            "sys/kernel/core_pattern" => "core\n",
            "sys/kernel/domainname" => "(none)\n",
            "sys/kernel/overflowgid" | "sys/kernel/overflowuid" => "65534\n",
            "sys/kernel/random/entropy_avail" | "sys/kernel/random/poolsize" => "256\n",
            "sys/kernel/randomize_va_space" | "sys/vm/swappiness" => "0\n",
            "sys/net/core/somaxconn" => "128\n",
            "sys/net/ipv4/ip_local_port_range" => "32768\t60999\n",
            "sys/vm/mmap_min_addr" => "65536\n",
            "sys/vm/overcommit_ratio" => "50\n",
            "devices" => "Character devices:\n  1 mem\n  5 /dev/console\n\nBlock devices:\n",
            "filesystems" => "nodev\ttmpfs\nnodev\tproc\n",
            "mounts" => MOUNTS,
            "sys/fs/file-max" => "524288\n",
            "sys/fs/pipe-max-size" => "65536\n",
            "sys/kernel/cap_last_cap" => "40\n",
            "sys/kernel/hostname" => "lilliput\n",
            "sys/kernel/ngroups_max" => "65536\n",
            "sys/kernel/osrelease" => "6.1.0-lilliput\n",
            "sys/kernel/ostype" => "Linux\n",
            "sys/kernel/pid_max" => "4194304\n",
            "sys/kernel/threads-max" => "1024\n",
            "sys/kernel/version" => "#1 Lilliput\n",
            "sys/vm/max_map_count" => "65530\n",
            "sys/vm/overcommit_memory" => "1\n",
            "version" => "Linux version 6.1.0-lilliput (lilliput) #1 Lilliput\n",
            _ => "",
        };
        let text = match path {
            "cpuinfo" => self.processor(),
            "lilliput" => self.table_of_tasks(),
            "lilliput-servers" => self.table_of_servers(),
            "loadavg" => self.load_average(),
            "meminfo" => self.memory_in_use(),
            "stat" => self.times_of_system(),
            "sys/kernel/random/boot_id" | "sys/kernel/random/uuid" => self.identifier(),
            "uptime" => {
                let hundredths = self.machine.now() / 10_000_000;
                let used = self.times_of_all();
                let idle = self.idle_time(used) / 10_000_000;
                let show = |time: u64| format!("{}.{:02}", time / 100, time % 100);
                format!("{} {}\n", show(hundredths), show(idle))
            }
            _ => fixed.into(),
        };
        text.into_bytes()
    }

    /// Of each server below: nanoseconds of its own, nanoseconds of the kernel's on its behalf, messages.
    fn table_of_servers(&mut self) -> String {
        let mut text = String::new();
        for (name, Usage { times: Times { user, kernel }, messages, .. }) in self.machine.servers() {
            text += &format!("{name} {user} {kernel} {messages}\n");
        }
        text
    }

    fn processor(&self) -> String {
        let flags = [
            (0, "fpu"),
            (4, "tsc"),
            (6, "pae"),
            (8, "cx8"),
            (15, "cmov"),
            (23, "mmx"),
            (24, "fxsr"),
            (25, "sse"),
            (26, "sse2"),
        ];
        let flags: Vec<_> =
            flags.iter().filter(|(bit, _)| self.features >> bit & 1 != 0).map(|(_, name)| *name).collect();
        format!("processor\t: 0\nflags\t\t: {}\n\n", flags.join(" "))
    }

    /// Nobody keeps averages: only the last two say something.
    fn load_average(&self) -> String {
        let threads = self.threads.iter().flatten();
        let running = 1 + threads.clone().filter(|thread| thread.runs).count();
        format!("0.00 0.00 0.00 {running}/{} {}\n", threads.count(), self.next_pid - 1)
    }

    fn memory_in_use(&self) -> String {
        let (frames, free) = self.pool.counts();
        let show = |pages: usize| pages as u64 * PAGE / 1024;
        let (total, free, cached) = (show(frames), show(free), show(self.pool.cached.len()));
        let mut text = String::new();
        for (name, value) in [
            ("MemTotal", total),
            ("MemFree", free),
            ("MemAvailable", free),
            ("Buffers", 0),
            ("Cached", cached),
            ("SwapCached", 0),
            ("Active", 0),
            ("Inactive", 0),
            ("SwapTotal", 0),
            ("SwapFree", 0),
            ("Dirty", 0),
            ("Writeback", 0),
            ("Mapped", 0),
            ("Shmem", 0),
            ("Slab", 0),
        ] {
            text += &format!("{name}: {value:>15} kB\n");
        }
        text
    }

    fn times_of_system(&mut self) -> String {
        let tick = 1_000_000_000 / TICKS;
        let used = self.times_of_all();
        let [user, kernel, idle] = [used.user, used.kernel, self.idle_time(used)].map(|time| time / tick);
        let line = format!("{user} 0 {kernel} {idle} 0 0 0 0 0 0");
        let running = 1 + self.threads.iter().flatten().filter(|thread| thread.runs).count();
        format!(
            "cpu  {line}\ncpu0 {line}\nintr 0\nctxt 0\nbtime {}\nprocesses {}\nprocs_running {running}\nprocs_blocked 0\n",
            self.date,
            self.next_pid - 1
        )
    }

    fn identifier(&mut self) -> String {
        let (high, low) = (self.random(), self.random());
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}\n",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0xfff,
            low & 0xffff_ffff_ffff
        )
    }
}
