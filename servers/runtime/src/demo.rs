//! Small programs to look at, which the shell starts in a task of either width.

use core::fmt;

use lilliput_abi::Error;

use crate::machine::Machine;
use crate::message::Word;
use crate::trial::kit::SCRATCH;
use crate::{console, parent};

/// A demonstration.
#[derive(Clone, Copy, Debug)]
pub struct Demo {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// All of them, in the order of their numbers.
pub const DEMOS: [Demo; 4] = [
    Demo { name: "hello", about: "says hello" },
    Demo { name: "primes", about: "counts primes, which takes a moment" },
    Demo { name: "spin", about: "never ends; press ^C" },
    Demo { name: "crash", about: "reads where nothing is" },
];

/// The number of a demonstration.
pub fn find(name: &str) -> Option<Word> {
    DEMOS.iter().position(|demo| demo.name == name)
}

/// Runs one.
///
/// # Errors
/// What the kernel says.
pub fn run<K: Machine>(number: Word) -> Result<(), Error> {
    match number {
        0 => print::<K>(format_args!("Hello from a {}-bit task of its own.\n", usize::BITS)),
        1 => {
            const LIMIT: u32 = 200_000;
            let begin = K::ticks();
            let count = (2..LIMIT).filter(|&number| is_prime(number)).count();
            let ticks = (K::ticks() - begin) / 1_000_000;
            print::<K>(format_args!("{count} primes below {LIMIT}, in {ticks} million ticks.\n"));
        }
        2 => {
            print::<K>(format_args!("I spin.\n"));
            loop {
                core::hint::spin_loop();
            }
        }
        3 => print::<K>(format_args!("Where nothing is mapped stands {}.\n", K::peek(SCRATCH))),
        _ => parent::explain::<K>(format_args!("there is no demonstration {number}")),
    }
    Ok(())
}

fn print<K: Machine>(text: fmt::Arguments) {
    console::print::<K>(text);
}

fn is_prime(number: u32) -> bool {
    (2..).take_while(|divisor| divisor * divisor <= number).all(|divisor| !number.is_multiple_of(divisor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (number, demo) in DEMOS.iter().enumerate() {
            assert_eq!(find(demo.name), Some(number));
        }
        assert_eq!(find("none"), None);
    }

    #[test]
    fn primes_are_those_known() {
        assert_eq!((2..100).filter(|&number| is_prime(number)).count(), 25);
        assert!(is_prime(2) && is_prime(97) && !is_prime(91));
    }
}
