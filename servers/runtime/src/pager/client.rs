//! A program that was never loaded: each page of it comes when it is touched. It checks all that it finds.

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};

use lilliput_abi::Error;

use crate::machine::Machine;
use crate::message::Word;
use crate::parent;
use crate::trial::kit::SCRATCH;

/// Touches its pages, lets itself be forked, and sees that nothing changes by what the fork does.
pub const ORIGINAL: Word = 0;
/// The fork: finds what the original wrote, and writes over a part of it.
pub const FORK: Word = 1;
/// Writes the pages that it may only read.
pub const TRESPASSER: Word = 2;
/// Writes all its pages.
pub const GLUTTON: Word = 3;
/// Touches a page, waits until it is told to go on, and touches another.
pub const ORPHAN: Word = 4;

/// Pages that it may write, from [`SCRATCH`] on.
pub const PAGES: Word = 200;
/// Pages after those that it may only read.
pub const READ_ONLY_PAGES: Word = 8;
/// Parameter: not zero once it may go on.
pub const GO: Word = 1;
/// First word of a result: it has come to where it waits.
pub const WAITS: Word = 1;

const PAGE: Word = 4096;
const MARK: u32 = 0x600d_da7a;

/// What stands in the program's file: more than a page.
static TABLE: [u32; 3000] = {
    let mut table = [0; 3000];
    let mut at = 0;
    while at < table.len() {
        table[at] = value(at as u32);
        at += 1;
    }
    table
};
/// What the file says, until somebody writes it.
static DATA: AtomicU32 = AtomicU32::new(MARK);
/// What the file does not give.
static EMPTY: [AtomicU32; 3000] = [const { AtomicU32::new(0) }; 3000];

const fn value(at: u32) -> u32 {
    at.wrapping_mul(0x9e37_79b9) ^ 0x5bd1_e995
}

/// Does one of the above.
///
/// # Errors
/// What the kernel says.
pub fn run<K: Machine>(what: Word) -> Result<(), Error> {
    for (at, &found) in (0..).zip(black_box(&TABLE)) {
        assert_eq!(found, value(at), "entry {at} of what the file holds");
    }
    assert!(EMPTY.iter().all(|word| word.load(Ordering::SeqCst) == 0), "what the file does not give is not zero");
    match what {
        ORIGINAL => original::<K>(),
        FORK => {
            fork::<K>();
            Ok(())
        }
        TRESPASSER => {
            assert_eq!(K::peek(SCRATCH + PAGES * PAGE), 0, "a page that may be read");
            K::poke(SCRATCH + PAGES * PAGE, 1);
            panic!("a page that may only be read was written")
        }
        GLUTTON => {
            write::<K>(1, 1);
            panic!("no limit was found")
        }
        _ => {
            K::poke(SCRATCH, 1);
            wait::<K>()?;
            K::poke(SCRATCH + PAGE, 1);
            panic!("a page came from a pager that is gone")
        }
    }
}

fn original<K: Machine>() -> Result<(), Error> {
    assert_eq!(DATA.load(Ordering::SeqCst), MARK, "initialised data");
    for page in 0..PAGES {
        assert_eq!(K::peek(SCRATCH + page * PAGE), 0, "page {page} when it is new");
    }
    write::<K>(1, 1);
    DATA.store(1, Ordering::SeqCst);
    wait::<K>()?;
    holds::<K>(1, |_| 1);
    assert_eq!(DATA.load(Ordering::SeqCst), 1, "data after the fork wrote its own");
    write::<K>(4, 1);
    holds::<K>(1, |_| 4);
    Ok(())
}

fn fork<K: Machine>() {
    assert_eq!(DATA.load(Ordering::SeqCst), 1, "data that the original wrote");
    holds::<K>(1, |_| 1);
    DATA.store(2, Ordering::SeqCst);
    write::<K>(2, 2);
    EMPTY[1500].store(3, Ordering::SeqCst);
    holds::<K>(1, |page| if page % 2 == 0 { 2 } else { 1 });
    assert_eq!(DATA.load(Ordering::SeqCst), 2, "its own data");
}

/// Tells the parent that it waits, and does so.
fn wait<K: Machine>() -> Result<(), Error> {
    parent::result::<K>(&[WAITS])?;
    while parent::parameter::<K>(GO)? == 0 {}
    Ok(())
}

/// Writes every `step`-th page.
fn write<K: Machine>(seed: u32, step: usize) {
    for page in (0..PAGES).step_by(step) {
        K::poke(SCRATCH + page * PAGE + 8, seed.wrapping_mul(value(page as u32)));
    }
}

/// Whether every `step`-th page holds what was written with the seed that is said.
fn holds<K: Machine>(step: usize, seed: impl Fn(Word) -> u32) {
    for page in (0..PAGES).step_by(step) {
        let expected = seed(page).wrapping_mul(value(page as u32));
        assert_eq!(K::peek(SCRATCH + page * PAGE + 8), expected, "page {page}");
    }
}
