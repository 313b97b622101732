//! The witness, as a 32-bit task: see `lilliput_attack::witness`.
#![no_std]
#![no_main]

use lilliput_attack::kit::role;
use lilliput_attack::witness;
use lilliput_attack32::Narrow;
use lilliput_user32::entry;
use lilliput_user32::runtime::Word;

entry!(main);

fn main(role: Word, parameter: Word) -> Word {
    match role {
        role::SERVE => {
            let outcome = witness::serve::<Narrow>(parameter);
            panic!("a witness can't go on: {outcome:?}")
        }
        role::PATROL => witness::patrol::<Narrow>(parameter),
        _ => panic!("a witness has no role {role}"),
    }
}
