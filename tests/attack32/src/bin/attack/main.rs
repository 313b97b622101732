//! The attacks of a 32-bit small task: see `lilliput_attack`.
#![no_std]
#![no_main]

mod descriptors;
mod edges;
mod entries;
mod fetch;
mod flags;
mod gates;
mod limits;
mod memory;
mod pages;
mod privileged;
mod random;
mod registers;
mod selectors;
mod stacks;
mod steps;
mod storage;
mod strings;
mod sweep;
mod target;
mod vectors;

use lilliput_attack::kit::role;
use lilliput_attack::{Outcome, catcher, given, table};
use lilliput_user32::runtime::Word;
use lilliput_user32::{Native, entry};

/// An attack's routine. Where it comes back, the attack went on and got nothing.
type Routine = fn() -> Outcome;

/// Routines by the names of their attacks.
type Routines = &'static [(&'static str, Routine)];

const ROUTINES: [Routines; 19] = [
    CONTROL,
    gates::ROUTINES,
    selectors::ROUTINES,
    descriptors::ROUTINES,
    limits::ROUTINES,
    edges::ROUTINES,
    strings::ROUTINES,
    stacks::ROUTINES,
    fetch::ROUTINES,
    privileged::ROUTINES,
    flags::ROUTINES,
    entries::ROUTINES,
    steps::ROUTINES,
    registers::ROUTINES,
    vectors::ROUTINES,
    memory::ROUTINES,
    storage::ROUTINES,
    GIVEN,
    random::ROUTINES,
];

const CONTROL: Routines = &[("control-nothing", || Ok(())), ("control-own-fault", privileged::undefined)];

const GIVEN: Routines = &[
    ("written-registers", given::written_registers::<Native>),
    ("nothing-of-others", given::nothing_of_others::<Native>),
    ("nothing-by-messages", given::nothing_by_messages::<Native>),
    ("no-more-time", given::no_more_time::<Native>),
];

entry!(start);

fn start(role: Word, number: Word) -> Word {
    match role {
        role::ATTACK => run(number),
        role::CATCHER => catcher::run::<Native>(),
        role::TAKER => given::take::<Native>(number),
        _ => panic!("an attack has no role {role}"),
    }
    0
}

fn run(number: Word) {
    let Some(attack) = table::numbered(number) else { panic!("there is no attack {number}") };
    let routine = ROUTINES.into_iter().flatten().find(|(name, _)| *name == attack.name);
    let Some((_, routine)) = routine else { panic!("no routine of this name") };
    if let Err(error) = routine() {
        panic!("the kernel said {}", error.name());
    }
}
