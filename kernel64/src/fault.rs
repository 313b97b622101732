//! Exceptions of user threads, and threads that can't go on.

use lilliput_abi::boot::exit;
use lilliput_abi::fault as abi;
use lilliput_core::alarm::NEVER;
use lilliput_core::cpu::Decision;
use lilliput_core::ipc::general;
use lilliput_core::slab::Index;
use lilliput_core::thread::{Fault, Frame, Interrupted, State, Thread};

use crate::cpu::percpu::PerCpu;
use crate::devices;
use crate::entry::FLAGS;
use crate::log;
use crate::power;
use crate::state::Kernel;

const INVALID_OPCODE: u8 = 6;

/// The running thread raised an exception, or made a foreign system call: its handler is told, and its answer decides.
/// Without a handler it stops.
pub fn raise(kernel: &mut Kernel, this: &mut PerCpu, raised: Fault) -> Decision {
    let machine = &mut kernel.machine;
    let running = this.cpu.current;
    machine.threads[running].account.faults += u64::from(!raised.is_foreign_call());
    let Some((endpoint, badge)) = machine.handler(running) else {
        report(&machine.threads[running], running, raised, "no handler");
        lilliput_core::ipc::end::detach(machine, &mut this.cpu, running);
        return Decision::Block;
    };
    let decision = general::raise(machine, &mut this.cpu, endpoint, badge, raised);
    if machine.threads[running].state == State::Stopped {
        report(&machine.threads[running], running, raised, "its handler can't be told");
    }
    decision
}

/// 64-bit code came by the 32-bit entry or the other way round. No descriptor permits that mode change, so
/// whatever led here is hostile.
#[cold]
pub fn wrong_mode(kernel: &mut Kernel, this: &mut PerCpu) -> Decision {
    let thread = &mut kernel.machine.threads[this.cpu.current];
    let Frame { ip, sp, .. } = thread.frame;
    thread.interrupt(Interrupted { ip, sp, flags: FLAGS, ..Interrupted::default() });
    raise(kernel, this, Fault { vector: INVALID_OPCODE, code: 0, address: 0 })
}

fn report(thread: &Thread, index: Index<Thread>, raised: Fault, why: &str) {
    log!(
        "task {} thread {}: {} at {:#x}, address {:#x}, error {:#x}; {why}: stopped",
        thread.task.number(),
        index.number(),
        abi::vector_name(raised.vector),
        thread.goes_on_at().0,
        raised.address,
        raised.code,
    );
}

/// Nobody is ready. Unless a device or a deadline could make somebody ready, every thread waits for another, for ever: says who waits for whom, and
/// ends the machine.
#[cold]
pub fn check_deadlock(kernel: &Kernel, this: &PerCpu) {
    if devices::can_wake(kernel, this) || kernel.machine.timers.first() != NEVER {
        return;
    }
    log!("every thread waits for another:");
    list_threads(kernel, this);
    power::exit(exit::DEADLOCK)
}

/// Prints what each thread does, at most 40 of them.
pub fn list_threads(kernel: &Kernel, this: &PerCpu) {
    const MOST: usize = 40;
    let machine = &kernel.machine;
    for index in machine.threads.iter().take(MOST) {
        let thread = &machine.threads[index];
        let (ip, sp) = thread.goes_on_at();
        log!(
            "  thread {} of task {} ({:?}): {:?} {}, priority {}, ip {:#x}, sp {:#x}, endpoint {}, server {}",
            index.number(),
            thread.task.number(),
            thread.kind,
            machine.state(&this.cpu, index),
            thread.fault().map_or("", |raised| abi::vector_name(raised.vector)),
            thread.priority,
            ip,
            sp,
            if thread.endpoint.is_none() { thread.home.endpoint.number() } else { thread.endpoint.number() },
            machine.server(index).number(),
        );
    }
    let more = machine.threads.iter().count().saturating_sub(MOST);
    if more > 0 {
        log!("  and {more} more");
    }
}
