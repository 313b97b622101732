//! Capabilities that tasks lose. Revoking is a sweep over all tables, one at a time in the whole system; and so is what a task of many threads loses.
//!
//! Who comes while one is under way does steps of it before its own call goes on, whether that revokes as well or would derive
//! what is being taken. So none is left half done for long because whoever began it has a low priority or is gone.

use lilliput_abi::{Error, Rights};
use lilliput_core::capability::Capability;
use lilliput_core::ipc::evict::Eviction;
use lilliput_core::revocation::Revocation;
use lilliput_core::slab::Index;
use lilliput_core::task::Task;

use super::{Answer, Call, DONE, Words};
use crate::cpu::percpu::PerCpu;
use crate::state::Kernel;

/// Places and threads that are looked at before interrupts have their turn.
const SEEN: u32 = 256;

/// Sweeps, of which there is one or none.
#[derive(Default)]
pub struct Revocations {
    current: Option<Revocation>,
    /// How many have begun, modulo 2^32 less 1; from 1 on.
    begun: u32,
}

impl Revocations {
    /// Begins one where none is under way; its number.
    fn begin(&mut self, sweep: Revocation) -> u32 {
        (self.current, self.begun) = (Some(sweep), self.begun.wrapping_add(1).max(1));
        self.begun
    }
}

/// `Revoke`: what was derived from the capability at a place of this task's. Word 2 is the number of the sweep, once that has begun.
pub(super) fn revoke(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>, call: &Call) -> Answer {
    let (place, badge, mine): (u32, u32, u32) = (call.small(0)?, call.small(1)?, call.small(2)?);
    let words = |number: u32| Ok(Words::again([call.words[0], call.words[1], number.into()]));
    if mine != 0 {
        return if is_over(kernel, this, mine) { Ok(DONE) } else { words(mine) };
    }
    if swept(kernel, this) {
        return words(0);
    }
    let capability = kernel.machine.tasks[task].capabilities.named(place)?;
    if !capability.rights().contains(Rights::DESTROY) {
        return Err(Error::NoRight);
    }
    if !capability.may_have(badge) {
        return Err(Error::BadArgument);
    }
    words(kernel.revocations.begin(Revocation::new(capability, badge, task, place)))
}

/// `Delete`: a capability of a task's. Its threads don't wait by that any more; where they are many, word 1 is the number of the sweep that goes through them.
pub(super) fn delete(kernel: &mut Kernel, this: &mut PerCpu, task: Index<Task>, call: &Call) -> Answer {
    let (place, mine): (u32, u32) = (call.small(0)?, call.small(1)?);
    let words = |number: u32| Ok(Words::again([call.words[0], number.into()]));
    if mine != 0 {
        return if is_over(kernel, this, mine) { Ok(DONE) } else { words(mine) };
    }
    let may_wait = kernel.machine.tasks[task].capabilities.named(place)?.rights().contains(Rights::RECEIVE);
    if may_wait && swept(kernel, this) {
        return words(0);
    }
    let machine = &mut kernel.machine;
    let deleted = machine.tasks[task].capabilities.remove(place)?;
    if may_wait {
        let mut eviction = Eviction::new(machine, task, deleted);
        if !eviction.step(machine, &mut this.cpu) {
            return words(kernel.revocations.begin(Revocation::rest(eviction)));
        }
    }
    Ok(DONE)
}

/// Whether the sweep of this number is over, be it that somebody else did the rest; makes a step of it.
fn is_over(kernel: &mut Kernel, this: &mut PerCpu, number: u32) -> bool {
    number != kernel.revocations.begun || step(kernel, this)
}

/// Derives a capability; `None` where it is one that is being taken. Then a step of that was made, and the call is to be made again.
pub(super) fn derive(
    kernel: &mut Kernel,
    this: &mut PerCpu,
    source: Capability,
    rights: Rights,
    badge: u32,
) -> Result<Option<Capability>, Error> {
    let derived = source.derive(rights, badge)?;
    if kernel.revocations.current.is_some_and(|sweep| sweep.takes(&derived)) {
        step(kernel, this);
        return Ok(None);
    }
    Ok(Some(derived))
}

/// Whether a sweep is under way, of which a step was made.
pub fn swept(kernel: &mut Kernel, this: &mut PerCpu) -> bool {
    let under_way = kernel.revocations.current.is_some();
    if under_way {
        step(kernel, this);
    }
    under_way
}

/// A step of the sweep that is under way. True when it is over.
fn step(kernel: &mut Kernel, this: &mut PerCpu) -> bool {
    let Kernel { machine, revocations, devices, .. } = kernel;
    let Some(sweep) = &mut revocations.current else { return true };
    if !sweep.step(machine, &mut this.cpu, SEEN) {
        return false;
    }
    for number in 1..devices.interrupts.end() {
        // Of a free entry it means nothing.
        let signalled = &mut devices.interrupts[Index::new(number)].notification;
        if sweep.takes(signalled) {
            *signalled = Capability::NULL;
        }
    }
    revocations.current = None;
    true
}
