//! What an interrupt or exception does.

use lilliput_abi::foreign;
use lilliput_abi::layout::SYSTEM_CALL_VECTOR;
use lilliput_abi::tag::SHORT_WORDS;
use lilliput_core::cpu::Decision;
use lilliput_core::foreign::{BY_INTERRUPT, Entry};
use lilliput_core::registers::NEVER_OF_A_USER;
use lilliput_core::thread::{Fault, Interrupted, Kind};
use x86_64::registers::control::Cr2;

use crate::cpu::apic;
use crate::cpu::idt::{is_interrupt, vector as number};
use crate::cpu::percpu::{self, PerCpu};
use crate::entry::FLAGS;
use crate::entry::exit::{self, Return};
use crate::entry::trap::{HardwareFrame, TrapFrame};
use crate::state::{self, Kernel};
use crate::{devices, dispatch, fault, panic, probe, switch, timer, turn, vector};

/// The kernel is to be gone back into: see the common path of the stubs.
const RESUME: u64 = 1;

/// The single-step flag.
const TF: u64 = 1 << 8;

/// Called by the stubs. Returns the block of the thread to leave to, 0 to wait, 1 to go back into the kernel.
pub extern "C" fn handle(trap: &mut TrapFrame) -> u64 {
    let now = dispatch::timestamp();
    let vector = trap.vector as u8;
    // SAFETY: an entry into the kernel: the stubs made GS the kernel's, interrupts are off. If it came in the
    // middle of the kernel, what was borrowed there is not gone back to, but for #DB, which touches nothing.
    let this = unsafe { percpu::this() };
    match vector {
        number::NMI => where_it_stands(trap, this),
        number::DOUBLE_FAULT | number::MACHINE_CHECK => unexpected(trap),
        _ => {}
    }
    if this.probe_sp != 0 && trap.is_from_user() {
        probe::caught(this, vector);
    }
    let faulted_return = if trap.is_from_user() { None } else { exit::faulted_return(trap.frame.ip) };
    if !trap.is_from_user() && faulted_return.is_none() {
        if vector == number::DEBUG {
            // A user's single step, taken at the kernel's first instruction: SYSENTER does not clear TF (Intel SDM
            // vol. 3, 6.8.3), and MOV SS puts it off past any entry. The kernel itself sets no breakpoints.
            trap.frame.flags &= !TF;
            return RESUME;
        }
        if !(is_interrupt(vector) && this.cpu.current.is_none()) {
            unexpected(trap);
        }
    }
    if trap.is_from_virtual_8086() {
        switch::reload_segments(this);
    }
    // SAFETY: as above; the kernel was not in the middle of anything: it was in user mode, about to be, or idle.
    let kernel = unsafe { state::get() };
    dispatch::enter(kernel, this, now);
    let entered = this.cpu.current;
    if !entered.is_none() {
        let thread = &mut kernel.machine.threads[entered];
        thread.registers = trap.registers;
        if thread.kind == Kind::Small {
            // R8-R15 are not there in compatibility mode, and hold what a host left.
            thread.registers.words[SHORT_WORDS as usize..].fill(0);
            thread.registers.r11 = 0;
        }
        let HardwareFrame { ip, flags, sp, .. } = trap.frame;
        thread.interrupt(match faulted_return {
            None => Interrupted { ip, flags: flags & !NEVER_OF_A_USER, sp, ..Interrupted::default() },
            Some(Return::Interrupted) => thread.interrupted,
            Some(Return::SystemCall) => {
                Interrupted { ip: thread.frame.ip, flags: FLAGS, sp: thread.frame.sp, ..Interrupted::default() }
            }
        });
    }
    let decision = match vector {
        SYSTEM_CALL_VECTOR | foreign::VECTOR if faulted_return.is_none() => {
            if kernel.machine.threads[entered].is_foreign() != (vector == foreign::VECTOR) {
                not_its_gate(kernel, this, vector)
            } else if vector == foreign::VECTOR {
                fault::raise(kernel, this, BY_INTERRUPT)
            } else {
                return interrupt_system_call(kernel, this);
            }
        }
        number::TIMER => {
            apic::end_of_interrupt();
            timer::rang(kernel, this)
        }
        number::SPURIOUS => Decision::Stay,
        // Users can't raise these vectors.
        _ if is_interrupt(vector) => devices::interrupted(kernel, this, vector),
        number::DEVICE_NOT_AVAILABLE => {
            vector::device_not_available(kernel, this);
            Decision::Stay
        }
        number::PROTECTION if trap.code == 0 && faulted_return.is_none() && turn::turn(kernel, this) => Decision::Stay,
        _ => exception(kernel, this, vector, trap.code),
    };
    // Whoever became ready on an idle CPU stands in the queue.
    let decision = if entered.is_none() { Decision::Block } else { decision };
    dispatch::leave_to(kernel, this, entered, decision)
}

/// A non-maskable interrupt: says who runs and what all threads do, and ends the machine.
fn where_it_stands(trap: &TrapFrame, this: &PerCpu) -> ! {
    // SAFETY: whoever was interrupted does not go on.
    if let Some(kernel) = unsafe { state::peek() } {
        fault::list_threads(kernel, this);
    }
    panic::interrupted(&trap.report(), format_args!("thread {}", this.cpu.current.number()))
}

/// An exception of the kernel's own.
fn unexpected(trap: &TrapFrame) -> ! {
    panic::exception(trap.vector as u8, trap.code, &trap.report())
}

/// `int 0x40`: a system call that works from both widths on every CPU.
fn interrupt_system_call(kernel: &mut Kernel, this: &mut PerCpu) -> u64 {
    let wide = kernel.machine.threads[this.cpu.current].kind.is_wide();
    dispatch::perform(kernel, this, if wide { Entry::Syscall64 } else { Entry::Syscall32 }, 0)
}

/// An `int` that is for threads of other ways: what it is where a gate is not for users (Intel SDM vol. 2, INT n).
#[cold]
fn not_its_gate(kernel: &mut Kernel, this: &mut PerCpu, vector: u8) -> Decision {
    const FROM_IDT: u32 = 2;
    kernel.machine.threads[this.cpu.current].step_back();
    let code = u32::from(vector) << 3 | FROM_IDT;
    fault::raise(kernel, this, Fault { vector: number::PROTECTION, code, address: 0 })
}

fn exception(kernel: &mut Kernel, this: &mut PerCpu, vector: u8, code: u64) -> Decision {
    let thread = &kernel.machine.threads[this.cpu.current];
    let address = match vector {
        number::PAGE_FAULT => {
            let linear = Cr2::read_raw();
            let base = kernel.machine.tasks[thread.task].space.base;
            // Compatibility-mode addresses wrap at 4 GiB.
            if thread.kind == Kind::Small { u64::from(linear.wrapping_sub(base) as u32) } else { linear }
        }
        _ => 0,
    };
    fault::raise(kernel, this, Fault { vector, code: code as u32, address })
}
