//! What the programs of this width share: a witness and its registers.
#![no_std]
#![cfg_attr(not(all(target_arch = "x86_64", target_os = "none")), allow(unused))]

#[cfg(target_arch = "x86_64")]
mod registers;

#[cfg(target_arch = "x86_64")]
pub use registers::Long;

/// A witness: see `lilliput_attack::witness`.
#[cfg(target_arch = "x86_64")]
pub fn witness(role: lilliput_runtime::Word, parameter: lilliput_runtime::Word) -> lilliput_runtime::Word {
    use lilliput_attack::kit::role;
    use lilliput_attack::witness;
    match role {
        role::SERVE => {
            let outcome = witness::serve::<Long>(parameter);
            panic!("a witness can't go on: {outcome:?}")
        }
        role::PATROL => witness::patrol::<Long>(parameter),
        _ => panic!("a witness has no role {role}"),
    }
}
