//! Trying one thing with many selectors.

use core::sync::atomic::Ordering::SeqCst;

use lilliput_abi::Error;
use lilliput_attack::kit::{self, parameter};
use lilliput_attack::{catcher, must};
use lilliput_user32::Native;

/// Selectors of a small task.
pub const CODE: u16 = 0x2b;
/// See [`CODE`].
pub const DATA: u16 = 0x23;

/// Exceptions by which a selector is refused.
const REFUSALS: [u8; 4] = [10, 11, 12, 13];

/// All selectors; those of [`some`] where the sweep need not be thorough.
pub fn every() -> impl Iterator<Item = u16> {
    let thorough = kit::parameter::<Native>(parameter::THOROUGH) == 1;
    (0..=u16::MAX).filter(move |&selector| thorough || is_sample(selector))
}

/// Selectors of all kinds: those that a table could have, and some of all others.
pub fn some() -> impl Iterator<Item = u16> {
    (0..=u16::MAX).filter(|&selector| is_sample(selector))
}

const fn is_sample(selector: u16) -> bool {
    selector < 0x400 || selector >= 0xfff0 || selector.is_multiple_of(251)
}

/// Selectors that can be loaded into CS: the task's own code, whose RPL becomes 3.
pub const fn is_own_code(selector: u16) -> bool {
    selector | 3 == CODE
}

/// Selectors that a return can load into CS: a return goes to no less privilege than its RPL says.
pub const fn is_own_return(selector: u16) -> bool {
    selector == CODE
}

/// Selectors that can be loaded into SS: the task's own data, by RPL 3 only.
pub const fn is_own_stack(selector: u16) -> bool {
    selector == DATA
}

/// Selectors that can be loaded into the others: null, the task's own data, and its own code, which is readable.
pub const fn is_own_data(selector: u16) -> bool {
    matches!(selector | 3, 3 | DATA | CODE)
}

/// Runs `attempt` once for each selector, which it takes from the operand as `operand` lays it out with a selector;
/// `good` is one that works. Whatever is not `own` must fault, and whatever is must not.
pub fn sweep(
    selectors: impl Iterator<Item = u16>,
    good: u16,
    operand: impl Fn(u16) -> [usize; catcher::OPERAND_WORDS],
    attempt: unsafe extern "C" fn() -> u32,
    own: fn(u16) -> bool,
) -> Result<(), Error> {
    catcher::start::<Native>(&REFUSALS, 1)?;
    for selector in selectors {
        catcher::arm(operand(selector), operand(good));
        // SAFETY: the routine loads a segment register from the operand, or jumps, and puts things back. Where it does
        // not come back, this task ends by an exception.
        let found = unsafe { attempt() };
        let faulted = catcher::faulted();
        must!(Native, faulted || own(selector), "selector {selector:#x} was loaded: {found:#x}");
        assert!(!(faulted && own(selector)), "the task's own selector {selector:#x} faulted");
        assert!(!faulted || REFUSALS.contains(&(catcher::VECTOR.load(SeqCst) as u8)));
        // A null selector of any RPL becomes 0 if an interrupt comes: the return to less privilege makes it so (APM vol. 3, IRET).
        let nulled = selector <= 3 && found == 0;
        must!(
            Native,
            found == u32::from(good) || !faulted && (found == u32::from(selector) || nulled),
            "selector {selector:#x} became {found:#x}"
        );
    }
    Ok(())
}
