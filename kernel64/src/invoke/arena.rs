//! Methods of an arena.

use lilliput_abi::Error;
use lilliput_abi::object::ArenaMethod;
use lilliput_core::slab::Index;

use super::{Answer, Call, space};
use crate::cpu::percpu::PerCpu;
use crate::objects::ArenaObject;
use crate::state::Kernel;

pub(super) fn invoke(kernel: &mut Kernel, this: &mut PerCpu, arena: Index<ArenaObject>, call: &Call) -> Answer {
    match ArenaMethod::from_label(call.label).ok_or(Error::BadOperation)? {
        ArenaMethod::Compact => space::compact(kernel, this, arena),
    }
}
