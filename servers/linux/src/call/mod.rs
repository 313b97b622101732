//! The system calls, by subject, and which number of which architecture means which.

mod descriptors;
mod directories;
mod disk;
mod events;
mod extent;
mod futex;
mod identity;
mod locks;
mod memory;
mod messages;
mod notes;
mod old;
mod options;
mod pairs;
mod passing;
mod patience;
mod poll;
mod prctl;
mod processes;
mod scheduling;
mod signals;
mod sockets;
mod splice;
mod status;
mod system;
mod terminal;
mod threads;
mod time;
mod timers;
mod transfer;
mod vsyscall;
mod wait;
mod watch;

use alloc::vec::Vec;

use syscalls::{x86, x86_64};

use crate::arch::Arch;
use crate::machine::Machine;
use crate::server::{Result, Server};

/// A system call: it has six arguments, of which most take fewer.
pub(crate) type Call<M> = fn(&mut Server<M>, &[u64; 6]) -> Result;

/// Both tables, without the calls whose answers are [known](crate::known).
pub(crate) struct Calls<M: Machine> {
    narrow: Vec<Option<Call<M>>>,
    wide: Vec<Option<Call<M>>>,
}

/// The name of a system call.
pub(crate) fn name(arch: Arch, number: usize) -> &'static str {
    match arch {
        Arch::I386 => x86::Sysno::new(number).map_or("?", |call| call.name()),
        Arch::Amd64 => x86_64::Sysno::new(number).map_or("?", |call| call.name()),
    }
}

impl<M: Machine> Calls<M> {
    pub(crate) fn get(&self, arch: Arch, number: usize) -> Option<Call<M>> {
        let table = match arch {
            Arch::I386 => &self.narrow,
            Arch::Amd64 => &self.wide,
        };
        *table.get(number)?
    }

    pub(crate) fn new() -> Self {
        let mut calls = Self { narrow: Vec::new(), wide: Vec::new() };
        /// Calls that have one name in both.
        macro_rules! both {
            ($($name:ident => $call:ident),* $(,)?) => { $(
                put(&mut calls.narrow, x86::Sysno::$name.id() as usize, Server::<M>::$call);
                put(&mut calls.wide, x86_64::Sysno::$name.id() as usize, Server::<M>::$call);
            )* };
        }
        macro_rules! narrow {
            ($($name:ident => $call:ident),* $(,)?) => {
                $( put(&mut calls.narrow, x86::Sysno::$name.id() as usize, Server::<M>::$call); )*
            };
        }
        macro_rules! wide {
            ($($name:ident => $call:ident),* $(,)?) => {
                $( put(&mut calls.wide, x86_64::Sysno::$name.id() as usize, Server::<M>::$call); )*
            };
        }
        both! {
            read => read, write => write, readv => readv, writev => writev, pread64 => pread, pwrite64 => pwrite,
            open => open, openat => openat, creat => creat, close => close_descriptor, lseek => lseek,
            dup => dup, dup2 => dup2, dup3 => dup3, pipe => pipe, pipe2 => pipe2, ioctl => ioctl, fsync => done,
            fdatasync => done, sync => done, flock => flock, poll => poll,
            sendfile => sendfile,
            access => access, faccessat => faccessat, faccessat2 => faccessat, readlink => readlink,
            readlinkat => readlinkat, getdents64 => getdents64, mkdir => mkdir, mkdirat => mkdirat, rmdir => rmdir,
            unlink => unlink, unlinkat => unlinkat, rename => rename, renameat => renameat, renameat2 => renameat,
            link => link, linkat => linkat, symlink => symlink, symlinkat => symlinkat, chmod => chmod,
            fchmod => fchmod, fchmodat => fchmodat, fchownat => fchownat,
            truncate => truncate, ftruncate => ftruncate, utimensat => utimensat, umask => umask,
            chdir => chdir, fchdir => fchdir, getcwd => getcwd, mknod => mknod, mknodat => mknodat,
            statx => statx,
            brk => brk, munmap => munmap, mprotect => mprotect, mremap => mremap, madvise => madvise, msync => done,
            fadvise64 => done,
            fork => fork_plainly, vfork => vfork, clone => clone_any, execve => execve, exit => exit_thread,
            exit_group => exit_group, wait4 => wait4, waitid => waitid, getppid => getppid,
            getpgrp => getpgrp, getpgid => getpgid, setpgid => setpgid, getsid => getsid, setsid => setsid,
            set_tid_address => set_tid_address, set_robust_list => set_robust_list,
            get_robust_list => get_robust_list, futex => futex, clone3 => not_here, rseq => not_here, prctl => prctl,
            sched_yield => done, getpriority => getpriority, setpriority => setpriority,
            getrlimit => getrlimit, setrlimit => setrlimit, prlimit64 => prlimit64, getrusage => getrusage, times => times,
            kill => kill, tkill => tkill, tgkill => tgkill, rt_sigaction => rt_sigaction,
            rt_sigprocmask => rt_sigprocmask, rt_sigpending => rt_sigpending, rt_sigsuspend => rt_sigsuspend,
            rt_sigreturn => rt_sigreturn, sigaltstack => sigaltstack, pause => pause, alarm => alarm,
            setitimer => setitimer, getitimer => getitimer, timer_create => timer_create, timer_settime => timer_settime,
            timer_gettime => timer_gettime, timer_getoverrun => timer_getoverrun, timer_delete => timer_delete,
            rt_sigqueueinfo => rt_sigqueueinfo, rt_tgsigqueueinfo => rt_tgsigqueueinfo,
            time => time, gettimeofday => gettimeofday, nanosleep => nanosleep, clock_gettime => clock_gettime,
            clock_getres => clock_getres, clock_nanosleep => clock_nanosleep,
            socket => socket, socketpair => socketpair, bind => bind, listen => listen, accept4 => accept4,
            connect => connect, getsockname => getsockname, getpeername => getpeername, sendto => sendto,
            recvfrom => recvfrom, sendmsg => sendmsg, recvmsg => recvmsg, shutdown => shutdown,
            getsockopt => getsockopt, setsockopt => setsockopt,
            uname => uname, sysinfo => sysinfo, getrandom => getrandom, sched_getaffinity => sched_getaffinity,
            getgroups => getgroups, setgroups => done, getcpu => getcpu, getxattr => no_attributes,
            lgetxattr => no_attributes, fgetxattr => no_attributes, listxattr => no_attributes,
            llistxattr => no_attributes, flistxattr => no_attributes, setxattr => no_attributes,
            lsetxattr => no_attributes, fsetxattr => no_attributes, removexattr => no_attributes,
            eventfd => eventfd, eventfd2 => eventfd2, signalfd => signalfd, signalfd4 => signalfd4,
            timerfd_create => timerfd_create, timerfd_settime => timerfd_settime, timerfd_gettime => timerfd_gettime,
            epoll_create => epoll_create, epoll_create1 => epoll_create1, epoll_ctl => epoll_ctl,
            epoll_wait => epoll_wait, epoll_pwait => epoll_pwait, epoll_pwait2 => epoll_pwait2,
            rt_sigtimedwait => rt_sigtimedwait, inotify_init => inotify_init, inotify_init1 => inotify_init1,
            inotify_add_watch => inotify_add_watch, inotify_rm_watch => inotify_rm_watch, splice => splice, tee => tee,
            vmsplice => vmsplice, memfd_create => memfd_create, fallocate => fallocate,
            copy_file_range => copy_file_range, preadv => preadv, pwritev => pwritev, preadv2 => preadv,
            pwritev2 => pwritev, close_range => close_range, utime => utime, utimes => utimes, futimesat => futimesat,
            fadvise64 => done, readahead => done, mlock => done, munlock => done, mlockall => done, munlockall => done,
            mlock2 => done, mincore => mincore, syncfs => done, sync_file_range => done, personality => zero,
            sched_getscheduler => sched_getscheduler, sched_getparam => sched_getparam, sched_setscheduler => sched_setscheduler,
            sched_setparam => sched_setparam, sched_setaffinity => done, sched_get_priority_max => sched_get_priority_max,
            sched_get_priority_min => sched_get_priority_min, setfsuid => zero, setfsgid => zero,
            clock_settime => not_allowed, settimeofday => not_allowed, sethostname => not_allowed, mount => not_allowed,
            umount2 => not_allowed, membarrier => not_here,
            capget => capget, capset => capset, ioprio_get => ioprio_get, ioprio_set => ioprio_set,
            sched_rr_get_interval => sched_rr_get_interval, unshare => unshare, execveat => execveat,
            getdents => getdents, sendmmsg => sendmmsg, recvmmsg => recvmmsg,
        }
        narrow! {
            _llseek => llseek, fcntl64 => fcntl, fcntl => fcntl, stat64 => stat64, lstat64 => lstat64,
            fstat64 => fstat64, fstatat64 => fstatat64, mmap2 => mmap2, mmap => old_mmap, waitpid => waitpid,
            set_thread_area => set_thread_area,
            getuid => zero, geteuid => zero, getgid => zero, getegid => zero, getgroups32 => getgroups,
            setgroups32 => done, setuid32 => done, setgid32 => done, setresuid32 => done, setresgid32 => done, setreuid32 => done, setregid32 => done,
            chown32 => chown, lchown32 => lchown, fchown32 => fchown, sendfile64 => sendfile64, ugetrlimit => getrlimit,
            sigreturn => sigreturn, truncate64 => truncate64, ftruncate64 => ftruncate64, _newselect => select,
            pselect6 => pselect6, ppoll => ppoll, clock_gettime64 => clock_gettime64, clock_getres_time64 => clock_getres64,
            clock_nanosleep_time64 => clock_nanosleep64, utimensat_time64 => utimensat64, ppoll_time64 => ppoll64,
            sigprocmask => sigprocmask, statfs64 => statfs64, fstatfs64 => fstatfs64, pselect6_time64 => pselect6_64,
            recvmmsg_time64 => recvmmsg64, sched_rr_get_interval_time64 => sched_rr_get_interval64,
            futex_time64 => futex64, socketcall => socketcall, timerfd_settime64 => timerfd_settime64,
            timerfd_gettime64 => timerfd_gettime64, timer_settime64 => timer_settime64,
            timer_gettime64 => timer_gettime64, rt_sigtimedwait_time64 => rt_sigtimedwait64,
            sigaction => sigaction, signal => signal, sigsuspend => sigsuspend, sigpending => sigpending,
            sgetmask => sgetmask, ssetmask => ssetmask, select => old_select, stat => stat_narrow, lstat => lstat_narrow,
            fstat => fstat_narrow, chown => chown16, lchown => lchown16, fchown => fchown16, setuid => done,
            setgid => done, setreuid => done, setregid => done, setresuid => done, setresgid => done,
            getresuid32 => getresuid, getresgid32 => getresuid, nice => nice, fadvise64_64 => done,
        }
        wide! {
            fcntl => fcntl, stat => stat64, lstat => lstat64, fstat => fstat64, newfstatat => fstatat64, mmap => mmap,
            arch_prctl => arch_prctl,
            setuid => done, setgid => done, setresuid => done, setresgid => done, setreuid => done, setregid => done,
            chown => chown, lchown => lchown, fchown => fchown, select => select, pselect6 => pselect6, ppoll => ppoll,
            statfs => statfs, fstatfs => fstatfs, accept => accept, getresuid => getresuid, getresgid => getresuid,
        }
        calls
    }
}

fn put<M: Machine>(table: &mut Vec<Option<Call<M>>>, number: usize, call: Call<M>) {
    if table.len() <= number {
        table.resize(number + 1, None);
    }
    table[number] = Some(call);
}
