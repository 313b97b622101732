//! `epoll`: waiting for what happens to any of many files, which are told once.

use alloc::rc::Rc;
use alloc::vec::Vec;

use linux_raw_sys::general::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, O_CLOEXEC, POLLOUT};
use syscalls::Errno;

use crate::files::event::{Event, Watch, Watched};
use crate::files::{Kind, Open};
use crate::machine::Machine;
use crate::server::{NAME, Outcome, Result, Server};

/// Bytes of a `struct epoll_event`, which is packed.
const ENTRY: usize = 12;
/// How many files one can watch.
const MOST: usize = 1024;
/// Told when something happens, and not as long as it is so.
const EDGES: u32 = 1 << 31;
/// Told once, until that is asked for again.
const ONCE: u32 = 1 << 30;

impl<M: Machine> Server<M> {
    pub(super) fn epoll_create(&mut self, &[size, ..]: &[u64; 6]) -> Result {
        if size as i32 <= 0 {
            return Err(Errno::EINVAL);
        }
        self.epoll_create1(&[0; 6])
    }

    pub(super) fn epoll_create1(&mut self, &[flags, ..]: &[u64; 6]) -> Result {
        if flags as u32 & !O_CLOEXEC != 0 {
            return Err(Errno::EINVAL);
        }
        self.open_event(Event::Watch(Watch::default()), flags).map(|(number, _)| Outcome::Done(number))
    }

    pub(super) fn epoll_ctl(&mut self, &[watch, operation, number, place, ..]: &[u64; 6]) -> Result {
        let (watcher, open) = (self.file(watch)?, self.file(number)?);
        let Kind::Event(Event::Watch(watch)) = &watcher.node.kind else { return Err(Errno::EINVAL) };
        let operation = operation as u32;
        let (events, data) = match operation {
            EPOLL_CTL_DEL => (0, 0),
            _ => (self.user().u32(place)?, self.user().u64(place + 4)?),
        };
        match &open.node.kind {
            Kind::File(_) | Kind::Directory { .. } => return Err(Errno::EPERM),
            _ if Rc::ptr_eq(&watcher, &open) => return Err(Errno::EINVAL),
            // One that watches another could be watched by it in turn.
            Kind::Event(Event::Watch(_)) => return Err(Errno::ELOOP),
            _ => {}
        }
        let number = number as u32;
        let mut all = watch.all.borrow_mut();
        all.retain(|watched| watched.open.strong_count() > 0);
        let at = all.iter().position(|watched| watched.is(number, &open));
        let watched = Watched { number, open: Rc::downgrade(&open), events, data, is_armed: true, seen: None };
        match (operation, at) {
            (EPOLL_CTL_ADD, Some(_)) => return Err(Errno::EEXIST),
            (EPOLL_CTL_ADD, None) => {
                if all.len() >= MOST || self.may_keep(NAME).is_err() {
                    return Err(Errno::ENOSPC);
                }
                all.push(watched);
            }
            (EPOLL_CTL_MOD, Some(at)) => all[at] = watched,
            (EPOLL_CTL_DEL, Some(at)) => drop(all.remove(at)),
            (EPOLL_CTL_MOD | EPOLL_CTL_DEL, None) => return Err(Errno::ENOENT),
            _ => return Err(Errno::EINVAL),
        }
        drop(all);
        // Who waits by it already may have something to be told now.
        self.happened(crate::process::Channel::Pipe(watcher.node.number));
        Ok(Outcome::Done(0))
    }

    pub(super) fn epoll_wait(&mut self, &[watch, place, most, timeout, ..]: &[u64; 6]) -> Result {
        let timeout = timeout as i32;
        let limit = (timeout >= 0).then(|| u64::from(timeout.unsigned_abs()) * 1_000_000);
        self.watch_for(watch, place, most, limit)
    }

    pub(super) fn epoll_pwait(&mut self, arguments: &[u64; 6]) -> Result {
        self.wait_with_mask(arguments[4])?;
        let outcome = self.epoll_wait(arguments);
        self.keep_mask(outcome)
    }

    pub(super) fn epoll_pwait2(&mut self, &[watch, place, most, time, mask, _]: &[u64; 6]) -> Result {
        let limit = if time == 0 { None } else { Some(self.get_time(time, 8)?) };
        self.wait_with_mask(mask)?;
        let outcome = self.watch_for(watch, place, most, limit);
        self.keep_mask(outcome)
    }

    fn watch_for(&mut self, watch: u64, place: u64, most: u64, limit: Option<u64>) -> Result {
        let open = self.file(watch)?;
        let Kind::Event(Event::Watch(watch)) = &open.node.kind else { return Err(Errno::EINVAL) };
        let most = most as i32;
        if most <= 0 {
            return Err(Errno::EINVAL);
        }
        let most = (most as usize).min(MOST);
        // What cannot be told must not count as told.
        let length = ENTRY * most.min(watch.all.borrow().len());
        self.user().pieces(place, length, crate::memory::Access::Write, |_| {})?;
        let found = self.look(watch, most);
        let mut bytes = Vec::new();
        for (events, data) in &found {
            bytes.extend(events.to_le_bytes());
            bytes.extend(data.to_le_bytes());
        }
        self.user().write(place, &bytes)?;
        self.or_wait(found.len() as u64, limit)
    }

    /// What there is to be told, of so many files at most.
    fn look(&mut self, watch: &Watch, most: usize) -> Vec<(u32, u64)> {
        let mut all = watch.all.borrow_mut();
        all.retain(|watched| watched.open.strong_count() > 0);
        let (count, first) = (all.len(), watch.first.get());
        let mut found = Vec::new();
        for number in 0..count {
            let at = (first + number) % count;
            if found.len() == most {
                watch.first.set(at);
                break;
            }
            let watched = &mut all[at];
            let Some(open) = watched.open.upgrade().filter(|_| watched.is_armed) else { continue };
            let events = self.events_at(&open, watched.events);
            let happened = happenings(&open);
            let is_new = match (watched.seen, happened) {
                (Some(seen), Some(now)) if watched.events & EDGES != 0 => {
                    seen[0] != now[0] && events & !POLLOUT != 0 || seen[1] != now[1] && events & POLLOUT != 0
                }
                _ => true,
            };
            if events == 0 || !is_new {
                continue;
            }
            watched.seen = happened;
            watched.is_armed = watched.events & ONCE == 0;
            found.push((events, watched.data));
        }
        found
    }

    /// Whether anything is to be told, without telling it.
    pub(super) fn has_something(&mut self, watch: &Watch) -> bool {
        let all: Vec<_> = {
            let all = watch.all.borrow();
            let armed = all.iter().filter(|watched| watched.is_armed);
            armed.filter_map(|watched| Some((watched.open.upgrade()?, watched.events))).collect()
        };
        all.iter().any(|(open, events)| self.events_at(open, *events) != 0)
    }
}

/// How often something came to a file, and how often something went from it so that there is room. Of others it is told as long as it is so.
fn happenings(open: &Open) -> Option<[u64; 2]> {
    Some(match &open.node.kind {
        Kind::Pipe(pipe) => pipe.happenings(),
        Kind::Socket(socket) => socket.happenings(),
        Kind::Event(Event::Count(count)) => [count.changes.get(); 2],
        Kind::Event(Event::Timer(timer)) => [timer.told.get(); 2],
        Kind::Event(Event::Notes(notes)) => [notes.changes.get(); 2],
        _ => return None,
    })
}
