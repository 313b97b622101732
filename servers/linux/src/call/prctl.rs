//! What a process tells of itself and asks of itself: `prctl`, and capabilities.

use alloc::boxed::Box;

use linux_raw_sys::prctl::{
    PR_CAP_AMBIENT, PR_CAPBSET_DROP, PR_CAPBSET_READ, PR_GET_CHILD_SUBREAPER, PR_GET_DUMPABLE, PR_GET_KEEPCAPS,
    PR_GET_NAME, PR_GET_NO_NEW_PRIVS, PR_GET_PDEATHSIG, PR_GET_SECCOMP, PR_GET_SECUREBITS, PR_GET_THP_DISABLE,
    PR_GET_TIMERSLACK, PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NAME, PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_SET_THP_DISABLE, PR_SET_TIMERSLACK,
};
use syscalls::Errno;

use crate::machine::Machine;
use crate::server::{Outcome, Result, Server};
use crate::signal::COUNT;
use crate::traits::SLACK;

/// The last capability.
const LAST_CAPABILITY: u64 = 40;
/// Versions of `struct __user_cap_header_struct`: with one word of each set, and with two.
const ONE_WORD: u32 = 0x1998_0330;
const TWO_WORDS: [u32; 2] = [0x2007_1026, 0x2008_0522];

impl<M: Machine> Server<M> {
    pub(super) fn prctl(&mut self, &[code, argument, ..]: &[u64; 6]) -> Result {
        let code = code as u32;
        let traits = &mut self.process_mut().traits;
        let value = match code {
            PR_SET_NAME => return self.set_own_name(argument),
            PR_GET_NAME => {
                let name = self.thread().name.as_deref().copied().unwrap_or(self.process().name);
                return self.user().write(argument, &name).map(|()| Outcome::Done(0));
            }
            PR_GET_PDEATHSIG | PR_GET_CHILD_SUBREAPER => {
                let value = if code == PR_GET_PDEATHSIG { traits.death_signal } else { traits.adopts.into() };
                return self.user().write(argument, &value.to_le_bytes()).map(|()| Outcome::Done(0));
            }
            PR_SET_PDEATHSIG if argument <= COUNT as u64 => {
                traits.death_signal = argument as u32;
                0
            }
            PR_SET_CHILD_SUBREAPER => {
                traits.adopts = argument != 0;
                0
            }
            PR_SET_DUMPABLE if argument <= 1 => {
                traits.is_dumpable = argument == 1;
                0
            }
            PR_SET_NO_NEW_PRIVS if argument == 1 => {
                traits.gains_nothing = true;
                0
            }
            PR_SET_KEEPCAPS if argument <= 1 => {
                traits.keeps_capabilities = argument == 1;
                0
            }
            PR_SET_TIMERSLACK => {
                traits.slack = if argument == 0 { SLACK } else { argument };
                0
            }
            PR_GET_DUMPABLE => traits.is_dumpable.into(),
            PR_GET_NO_NEW_PRIVS => traits.gains_nothing.into(),
            PR_GET_KEEPCAPS => traits.keeps_capabilities.into(),
            PR_GET_TIMERSLACK => traits.slack,
            PR_CAPBSET_READ if argument <= LAST_CAPABILITY => 1,
            PR_CAPBSET_DROP if argument <= LAST_CAPABILITY => 0,
            PR_GET_SECCOMP | PR_GET_SECUREBITS | PR_SET_SECUREBITS | PR_GET_THP_DISABLE | PR_SET_THP_DISABLE
            | PR_CAP_AMBIENT => 0,
            _ => return Err(Errno::EINVAL),
        };
        Ok(Outcome::Done(value))
    }

    /// The name of a process's first thread is the process's.
    fn set_own_name(&mut self, place: u64) -> Result {
        let name = self.user().string(place)?;
        let thread = self.thread_mut();
        if thread.tid == thread.pid {
            self.process_mut().set_name(&name);
        } else {
            thread.name = Some(Box::new(crate::process::short_name(&name)));
        }
        Ok(Outcome::Done(0))
    }

    /// How many words each set has in what a header announces.
    fn words_of_capabilities(&mut self, header: u64) -> Result<usize> {
        match self.user().u32(header)? {
            ONE_WORD => Ok(1),
            version if TWO_WORDS.contains(&version) => Ok(2),
            _ => {
                self.user().write(header, &TWO_WORDS[1].to_le_bytes())?;
                Err(Errno::EINVAL)
            }
        }
    }

    pub(super) fn capget(&mut self, &[header, place, ..]: &[u64; 6]) -> Result {
        let words = match self.words_of_capabilities(header) {
            // Who asks for the version alone has it.
            Err(Errno::EINVAL) if place == 0 => return Ok(Outcome::Done(0)),
            words => words?,
        };
        let pid = self.user().u32(header + 4)?;
        let process = match pid {
            0 => self.process(),
            pid => self.find(pid).and_then(|place| self.processes[place].as_ref()).ok_or(Errno::ESRCH)?,
        };
        let sets = process.traits.capabilities;
        for word in 0..words {
            let bytes = sets.map(|set| ((set >> (32 * word)) as u32).to_le_bytes()).concat();
            self.user().write(place + 12 * word as u64, &bytes)?;
        }
        Ok(Outcome::Done(0))
    }

    pub(super) fn capset(&mut self, &[header, place, ..]: &[u64; 6]) -> Result {
        let words = self.words_of_capabilities(header)?;
        let mut sets = [0; 3];
        for word in 0..words as u64 {
            for (number, set) in sets.iter_mut().enumerate() {
                let part = self.user().u32(place + 12 * word + 4 * number as u64)?;
                *set |= u64::from(part) << (32 * word);
            }
        }
        let [effective, permitted, _] = sets;
        let before = self.process().traits.capabilities;
        if permitted & !before[1] != 0 || effective & !permitted != 0 {
            return Err(Errno::EPERM);
        }
        self.process_mut().traits.capabilities = sets;
        Ok(Outcome::Done(0))
    }
}
