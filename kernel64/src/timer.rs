//! Time: the operations that name it, and the timer that keeps it.

use lilliput_abi::operation::deadline;
use lilliput_abi::{Error, Tag};
use lilliput_core::alarm::NEVER;
use lilliput_core::clock::Clock;
use lilliput_core::cpu::{Cpu, Decision};
use lilliput_core::ipc::timed;
use lilliput_core::machine::Machine;

use crate::cpu::apic;
use crate::cpu::percpu::PerCpu;
use crate::dispatch;
use crate::state::Kernel;

/// Tells the running thread what time it is.
pub fn tell(clock: Clock, machine: &mut Machine, cpu: &Cpu) {
    let now = clock.nanoseconds(cpu.stamp);
    machine.threads[cpu.current].answer_whole([now & u64::from(u32::MAX), now >> 32, clock.kilohertz, 0], 3);
}

/// Sets the running thread's deadline to what its registers say.
///
/// # Errors
/// `BadArgument` for a label that says nothing, and for words of more than 32 bits.
pub fn set_deadline(clock: Clock, machine: &mut Machine, cpu: &Cpu) -> Result<(), Error> {
    let thread = &mut machine.threads[cpu.current];
    let wide = thread.kind.is_wide();
    let [low, high, ..] = thread.registers.words;
    // Of a small thread's registers the upper halves are nobody's.
    let [low, high] = [low, high].map(|word| if wide { word } else { u64::from(word as u32) });
    if (low | high) >> 32 != 0 {
        return Err(Error::BadArgument);
    }
    let named = low | high << 32;
    let since_boot = match Tag::label(thread.tag()) {
        deadline::SINCE_BOOT => named,
        deadline::FROM_NOW => clock.nanoseconds(cpu.stamp).saturating_add(named),
        _ => return Err(Error::BadArgument),
    };
    thread.timer.deadline = clock.ticks(since_boot);
    thread.finish(Ok(()));
    Ok(())
}

/// The timer interrupted: ends waits that have lasted long enough, turns, and the time of budgets that are used up.
pub fn rang(kernel: &mut Kernel, this: &mut PerCpu) -> Decision {
    let now = this.cpu.stamp;
    this.alarm.rang();
    let decision = this.cpu.rang(&mut kernel.machine);
    let woke = timed::expire(&mut kernel.machine, &mut this.cpu, now);
    // A server that runs on its client's turn does so until that is over, whoever outranks it, unless somebody was woken.
    if woke && decision == Decision::Stay { this.cpu.reconsider(&mut kernel.machine) } else { decision }
}

/// Sets the timer to what comes next, now that it is known who goes on.
#[inline(always)]
pub fn set(kernel: &Kernel, this: &mut PerCpu) {
    let idle = this.cpu.current.is_none();
    let deadline = kernel.machine.timers.first();
    let wanted = if idle { deadline } else { deadline.min(this.cpu.until()) };
    if let Some(at) = this.alarm.choose(idle, wanted) {
        program(at);
    }
}

#[inline(never)]
fn program(at: u64) {
    if at == NEVER { apic::stop_timer() } else { apic::set_timer(at.saturating_sub(dispatch::timestamp())) }
}
