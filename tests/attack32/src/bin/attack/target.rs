//! What is beyond the space.

use lilliput_attack::kit::{self, parameter};
use lilliput_user32::Native;

/// An address that is not this task's, by number: the secret of the small task above, that of the one below (which takes an
/// offset that wraps around 4 GiB), the first byte beyond the limit, the last page of the offsets, the middle.
pub fn target(number: usize) -> u32 {
    match number {
        0 => kit::parameter::<Native>(parameter::ABOVE) as u32,
        1 => kit::parameter::<Native>(parameter::BELOW) as u32,
        2 => size(),
        3 => 0xffff_f000,
        _ => 0x8000_0000,
    }
}

/// The target of this variant.
pub fn of_variant() -> u32 {
    target(kit::variant::<Native>())
}

/// The size of this task's space.
pub fn size() -> u32 {
    kit::parameter::<Native>(parameter::SIZE) as u32
}
