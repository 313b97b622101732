//! The tasks of fuzzing, as a 32-bit task.
#![no_std]
#![no_main]

use lilliput_user32::runtime::fuzz::{poker, run, witness};
use lilliput_user32::runtime::{Word, role};
use lilliput_user32::{Native, entry};

entry!(main);

fn main(role: Word, seed: Word) -> Word {
    match role {
        role::FUZZ => run::run::<Native>(),
        role::FUZZ_THREAD => run::run_thread::<Native>(seed),
        role::FUZZ_POKER => poker::run::<Native>(seed),
        role::FUZZ_WITNESS => panic!("a witness can't go on: {:?}", witness::run::<Native>(seed)),
        _ => panic!("fuzzing has no role {role}"),
    }
}
