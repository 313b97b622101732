//! Memory: the heap, mappings, protection, thread-local segments.

use alloc::rc::Rc;
use core::ops::Range;

use lilliput_abi::Rights;
use linux_raw_sys::general::{
    ARCH_SET_FS, MADV_COLD, MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_DONTNEED, MADV_FREE,
    MADV_HUGEPAGE, MADV_MERGEABLE, MADV_NOHUGEPAGE, MADV_NORMAL, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
    MADV_RANDOM, MADV_SEQUENTIAL, MADV_UNMERGEABLE, MADV_WILLNEED, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE,
    MAP_NORESERVE, MAP_PRIVATE, MAP_SHARED, MAP_TYPE, MREMAP_FIXED, MREMAP_MAYMOVE, PROT_EXEC, PROT_READ, PROT_WRITE,
    RLIMIT_AS, RLIMIT_DATA,
};
use syscalls::Errno;

use crate::arch::Arch;
use crate::files::{Device, Kind, Open};
use crate::limits::NONE;
use crate::machine::{Machine, TLS_ENTRY};
use crate::memory::{Area, PAGE, Shared, Source, User};
use crate::server::{Outcome, Result, Server};

/// The code of `arch_prctl` that asks for the base.
const ARCH_GET_FS: u32 = 0x1003;
/// Nothing is mapped below: the kernel's entry page is there in a 32-bit space.
const LOWEST: u64 = 0x1_1000;

/// What a 32-bit program asks for as its thread's own segment.
pub(super) struct Descriptor {
    /// Its number in Linux's terms; all ones for any.
    entry: u32,
    pub(super) base: u64,
    /// The last offset.
    pub(super) limit: u32,
    is_empty: bool,
}

fn rights(protection: u64) -> Rights {
    let mut rights = Rights::empty();
    for (flag, right) in [(PROT_READ, Rights::READ), (PROT_WRITE, Rights::WRITE), (PROT_EXEC, Rights::EXECUTE)] {
        rights.set(right, protection as u32 & flag != 0);
    }
    rights
}

/// A range of whole pages.
fn pages(address: u64, length: u64) -> Result<Range<u64>> {
    let end = address.checked_add(length).and_then(|end| end.checked_next_multiple_of(PAGE));
    match end {
        Some(end) if address.is_multiple_of(PAGE) && length > 0 => Ok(address..end),
        _ => Err(Errno::EINVAL),
    }
}

impl<M: Machine> Server<M> {
    pub(super) fn brk(&mut self, &[end, ..]: &[u64; 6]) -> Result {
        let before = self.user().memory.heap.end;
        if end > before && self.may_have_more(end - before, true).is_err() {
            return Ok(Outcome::Done(before));
        }
        let User { memory, pool, machine, .. } = self.user();
        Ok(Outcome::Done(memory.set_heap_end(end, pool, machine)))
    }

    pub(super) fn mmap(&mut self, &[address, length, protection, flags, file, offset]: &[u64; 6]) -> Result {
        self.map((address, length), protection, flags as u32, file, offset)
    }

    pub(super) fn mmap2(&mut self, &[address, length, protection, flags, file, offset]: &[u64; 6]) -> Result {
        self.map((address, length), protection, flags as u32, file, offset * PAGE)
    }

    pub(super) fn old_mmap(&mut self, &[place, ..]: &[u64; 6]) -> Result {
        let mut words = [0; 6];
        for (number, word) in words.iter_mut().enumerate() {
            *word = self.user().u32(place + 4 * number as u64)?.into();
        }
        self.mmap(&words)
    }

    fn map(&mut self, (address, length): (u64, u64), protection: u64, flags: u32, file: u64, offset: u64) -> Result {
        let shared = match flags & MAP_TYPE {
            MAP_PRIVATE => false,
            MAP_SHARED | 3 => true,
            _ => return Err(Errno::EINVAL),
        };
        let anonymous = || if shared { Source::Shared(Rc::new(Shared::default()), 0, true) } else { Source::Zero };
        let source = if flags & MAP_ANONYMOUS != 0 {
            anonymous()
        } else if let open = self.file(file)?
            && matches!(open.node.kind, Kind::Device(Device::Zero))
        {
            anonymous()
        } else {
            let open = self.file(file)?;
            if !matches!(open.node.kind, Kind::File(_)) {
                return Err(Errno::ENODEV);
            }
            if !open.can_read() || shared && protection as u32 & PROT_WRITE != 0 && !open.can_write() {
                return Err(Errno::EACCES);
            }
            if !offset.is_multiple_of(PAGE) {
                return Err(Errno::EINVAL);
            }
            if offset.checked_add(length).is_none_or(|end| end > i64::MAX as u64) {
                return Err(Errno::EOVERFLOW);
            }
            if shared { self.share(&open, offset)? } else { Source::File(open.node.clone(), offset, open.node.size()) }
        };
        let length = length.checked_next_multiple_of(PAGE).filter(|&length| length > 0).ok_or(Errno::EINVAL)?;
        self.may_add_area()?;
        self.may_have_more(length, !shared && rights(protection).contains(Rights::WRITE))?;
        let User { memory, pool, machine, .. } = self.user();
        // More than there is can be reserved only: to be used later, or for the most part never.
        if length > pool.bytes_in_all() && rights(protection).contains(Rights::WRITE) && flags & MAP_NORESERVE == 0 {
            return Err(Errno::ENOMEM);
        }
        let fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0;
        let wanted = pages(address - address % PAGE, length).ok().filter(|range| range.start >= LOWEST);
        let range = match wanted {
            _ if fixed && !address.is_multiple_of(PAGE) => return Err(Errno::EINVAL),
            Some(range) if fixed => range,
            _ if fixed => return Err(Errno::ENOMEM),
            // What is only wished is had where the space reaches so far, or can.
            Some(range) if address != 0 && memory.is_free(&range) && memory.reach(range.end, machine).is_ok() => range,
            _ => {
                let start = memory.find(length).ok_or(Errno::ENOMEM)?;
                start..start + length
            }
        };
        if flags & MAP_FIXED_NOREPLACE != 0 && !memory.is_free(&range) {
            return Err(Errno::EEXIST);
        }
        memory.reach(range.end, machine)?;
        if fixed {
            memory.remove(range.clone(), pool, machine);
        }
        let start = range.start;
        memory.add(Area { start, end: range.end, rights: rights(protection), shared, source })?;
        Ok(Outcome::Done(start))
    }

    /// Whether the process's limits leave it so many bytes more of addresses, or of data.
    fn may_have_more(&mut self, length: u64, are_data: bool) -> Result<()> {
        let limits = &self.process().limits;
        let (all, data) = (limits.get(RLIMIT_AS), limits.get(RLIMIT_DATA));
        if all == NONE && (data == NONE || !are_data) {
            return Ok(());
        }
        let is_data = |area: &&Area| !area.shared && area.rights.contains(Rights::WRITE);
        let sum = |bytes: u64, area: &Area| bytes + (area.end - area.start);
        let memory = self.user().memory;
        // Of the first stack all is there from the beginning; on Linux it grows, and is nobody's data.
        let areas = || memory.areas().filter(|area| !(area.start..area.end).contains(&(memory.stack - 1)));
        let (has_all, has_data) = (areas().fold(0, sum), areas().filter(is_data).fold(0, sum));
        let fits = |has: u64, limit: u64| has.saturating_add(length) <= limit;
        if fits(has_all, all) && (!are_data || fits(has_data, data)) { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// What a shared mapping of a file holds from an offset on.
    fn share(&mut self, open: &Open, offset: u64) -> Result<Source> {
        let (file, writes) = (&open.node, open.can_write());
        if writes {
            // What is written to the mapping goes to bytes of the tree's own.
            self.may_grow(file, file.size())?;
            file.resize(file.size())?;
        }
        Ok(Source::Shared(Shared::of(file, writes), offset, writes))
    }

    pub(super) fn munmap(&mut self, &[address, length, ..]: &[u64; 6]) -> Result {
        let range = pages(address, length)?;
        let memory = self.user().memory;
        if range.end > memory.limit() {
            return Err(Errno::EINVAL);
        }
        if memory.area(range.start).is_some_and(|area| area.start < range.start && range.end < area.end) {
            // Of one there will be two.
            self.may_add_area()?;
        }
        let User { memory, pool, machine, .. } = self.user();
        memory.remove(range, pool, machine);
        Ok(Outcome::Done(0))
    }

    pub(super) fn mprotect(&mut self, &[address, length, protection, ..]: &[u64; 6]) -> Result {
        if length == 0 {
            return Ok(Outcome::Done(0));
        }
        let range = pages(address, length)?;
        self.may_add_area()?;
        let User { memory, machine, .. } = self.user();
        memory.protect(range, rights(protection), machine).map(|()| Outcome::Done(0))
    }

    /// What a program says of how it uses pages. Who does not need what is in them any more has them afresh; all else is a hint.
    pub(super) fn madvise(&mut self, &[address, length, advice, ..]: &[u64; 6]) -> Result {
        let advice = advice as u32;
        let is_hint = matches!(
            advice,
            MADV_NORMAL
                | MADV_RANDOM
                | MADV_SEQUENTIAL
                | MADV_WILLNEED
                | MADV_FREE
                | MADV_DONTFORK
                | MADV_DOFORK
                | MADV_MERGEABLE
                | MADV_UNMERGEABLE
                | MADV_HUGEPAGE
                | MADV_NOHUGEPAGE
                | MADV_DONTDUMP
                | MADV_DODUMP
                | MADV_COLD
                | MADV_PAGEOUT
                | MADV_POPULATE_READ
                | MADV_POPULATE_WRITE
        );
        if !is_hint && advice != MADV_DONTNEED || !address.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        if length == 0 {
            return Ok(Outcome::Done(0));
        }
        let range = pages(address, length)?;
        let User { memory, pool, machine, .. } = self.user();
        let done = match advice {
            MADV_DONTNEED => memory.discard(range, pool, machine),
            _ if memory.is_covered(&range) => Ok(()),
            _ => Err(Errno::ENOMEM),
        };
        done.map(|()| Outcome::Done(0))
    }

    pub(super) fn mremap(&mut self, &[address, old, new, flags, to, _]: &[u64; 6]) -> Result {
        let flags = flags as u32;
        let (old, new) = (pages(address, old)?, pages(address, new)?);
        self.may_add_area()?;
        if new.end > old.end {
            self.may_have_more(new.end - old.end, true)?;
        }
        let User { memory, pool, machine, .. } = self.user();
        let area = memory.area(old.start).ok_or(Errno::EFAULT)?;
        if new.end - new.start > pool.bytes_in_all() && area.rights.contains(Rights::WRITE) {
            return Err(Errno::ENOMEM);
        }
        if area.end < old.end {
            return Err(Errno::EFAULT);
        }
        if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED) != 0 {
            return Err(Errno::EINVAL);
        }
        if flags & MREMAP_FIXED != 0 {
            let target = pages(to, new.end - new.start)?;
            let is_apart = target.end <= old.start || old.end <= target.start;
            if flags & MREMAP_MAYMOVE == 0 || target.start < LOWEST || target.end > memory.limit() || !is_apart {
                return Err(Errno::EINVAL);
            }
            memory.reach(target.end, machine)?;
            memory.remove(target.clone(), pool, machine);
            if new.end < old.end {
                memory.remove(new.end..old.end, pool, machine);
            }
            let kept = old.start..old.end.min(new.end);
            memory.shift(kept, target.start, target.end - target.start, pool, machine)?;
            return Ok(Outcome::Done(target.start));
        }
        if new.end <= old.end {
            if new.end < old.end {
                memory.remove(new.end..old.end, pool, machine);
            }
            return Ok(Outcome::Done(address));
        }
        let (rights, shared, source) = (area.rights, area.shared, area.source.clone());
        let more = old.end..new.end;
        if matches!(source, Source::Zero) && memory.is_free(&more) && memory.reach(more.end, machine).is_ok() {
            memory.add(Area { start: more.start, end: more.end, rights, shared, source })?;
            return Ok(Outcome::Done(address));
        }
        if flags & MREMAP_MAYMOVE == 0 {
            return Err(Errno::ENOMEM);
        }
        let length = new.end - new.start;
        let start = memory.find(length).ok_or(Errno::ENOMEM)?;
        memory.shift(old, start, length, pool, machine)?;
        Ok(Outcome::Done(start))
    }

    pub(super) fn set_thread_area(&mut self, &[place, ..]: &[u64; 6]) -> Result {
        let Descriptor { entry, base, limit, is_empty } = self.descriptor(place)?;
        if entry != u32::MAX && entry != TLS_ENTRY {
            return Err(Errno::EINVAL);
        }
        if is_empty {
            return Ok(Outcome::Done(0));
        }
        self.set_tls(base, limit)?;
        self.user().write(place, &TLS_ENTRY.to_le_bytes()).map(|()| Outcome::Done(0))
    }

    /// Reads a `struct user_desc`: entry number, base, limit, flags (`arch/x86/include/uapi/asm/ldt.h`).
    pub(super) fn descriptor(&mut self, place: u64) -> Result<Descriptor> {
        const LIMIT_IN_PAGES: u32 = 1 << 4;
        const NOT_PRESENT: u32 = 1 << 5;
        let mut bytes = [0; 16];
        self.user().read(place, &mut bytes)?;
        let word = |place: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| bytes[4 * place + byte]));
        let (limit, flags) = (word(2), word(3));
        Ok(Descriptor {
            entry: word(0),
            base: word(1).into(),
            limit: if flags & LIMIT_IN_PAGES != 0 { limit << 12 | 0xfff } else { limit },
            is_empty: flags & NOT_PRESENT != 0,
        })
    }

    pub(crate) fn set_tls(&mut self, base: u64, limit: u32) -> Result<()> {
        let thread = self.thread_mut();
        thread.tls = (base, limit);
        let (handle, arch) = (thread.handle, thread.arch);
        self.machine.set_tls(handle, arch, base, limit)
    }

    pub(super) fn arch_prctl(&mut self, &[code, address, ..]: &[u64; 6]) -> Result {
        match code as u32 {
            ARCH_SET_FS if address >= crate::program::limit(Arch::Amd64) => Err(Errno::EPERM),
            ARCH_SET_FS => self.set_tls(address, 0).map(|()| Outcome::Done(0)),
            ARCH_GET_FS => {
                let base = self.thread().tls.0;
                self.user().write(address, &base.to_le_bytes()).map(|()| Outcome::Done(0))
            }
            _ => Err(Errno::EINVAL),
        }
    }
}
