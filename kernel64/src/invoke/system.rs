//! Methods of the system object.

use lilliput_abi::Error;
use lilliput_abi::ObjectType as Type;
use lilliput_abi::object::{SystemMethod, fact};

use super::{Answer, Call, DONE, split};
use crate::cpu::percpu::PerCpu;
use crate::state::Kernel;
use crate::{console, power};

pub(super) fn invoke(kernel: &mut Kernel, this: &mut PerCpu, call: &Call) -> Answer {
    match SystemMethod::from_label(call.label).ok_or(Error::BadOperation)? {
        SystemMethod::Write => write(kernel, call),
        SystemMethod::Exit => power::exit(call.small(0)?),
        SystemMethod::Fact => read_fact(kernel, this, call.words[0]),
    }
}

fn write(kernel: &Kernel, call: &Call) -> Answer {
    console::write_bytes(call.bytes(kernel, 1, call.small(0)?)?);
    Ok(DONE)
}

fn read_fact(kernel: &Kernel, this: &PerCpu, number: u64) -> Answer {
    let facts = &kernel.facts;
    Ok(split(match number {
        fact::TSC_KHZ => facts.clock.kilohertz,
        fact::LIMITS_ENFORCED => u64::from(facts.limits_enforced),
        fact::PCID => u64::from(facts.pcid),
        fact::AUTO_ISOLATION => facts.auto_isolation as u64,
        fact::CR3_WRITES => this.cr3_writes,
        fact::SEGMENT_LOADS => this.segment_loads,
        fact::COUNTS_SWITCHES => u64::from(cfg!(feature = "count-switches")),
        fact::FREE_FRAMES => kernel.frames.borrow().free_count(),
        fact::CPUS => u64::from(facts.cpus),
        fact::COMPAT_ENTRY => facts.compat_entry as u64,
        fact::BOOT_TICKS => facts.boot_ticks,
        fact::UNENFORCED => u64::from(console::is_unenforced()),
        fact::TSC_START => facts.clock.start,
        fact::FREE_PCIDS => kernel.pcids.free(),
        fact::COUNTERS..fact::OBJECTS => match facts.counters.get((number - fact::COUNTERS) as usize) {
            Some(&u32::MAX) => return Err(Error::Unsupported),
            Some(&index) => index.into(),
            None => return Err(Error::BadArgument),
        },
        _ => objects(kernel, number.wrapping_sub(fact::OBJECTS)).ok_or(Error::BadArgument)?.into(),
    }))
}

/// How many objects there are of a type that there are many of.
fn objects(kernel: &Kernel, number: u64) -> Option<u32> {
    macro_rules! live {
        ($($object_type:ident $slab:expr,)+) => { $(if number == Type::$object_type as u64 { return Some($slab.live()) })+ };
    }
    live! {
        Endpoint kernel.machine.endpoints,
        Notification kernel.machine.notifications,
        Reply kernel.machine.replies,
        Thread kernel.machine.threads,
        Task kernel.machine.tasks,
        Arena kernel.arenas,
        Factory kernel.factories,
        Frames kernel.frame_sets,
        Interrupt kernel.devices.interrupts,
        IoPorts kernel.ports,
    }
    None
}
