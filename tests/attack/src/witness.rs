//! The witnesses: tasks that hold secrets, and watch over them while attacks run.
//!
//! A witness has two threads. One answers: with every register full of secrets, so that whoever calls finds what
//! the kernel left behind. The other patrols: it holds secrets in general and vector registers across preemption,
//! looks after its memory, and gives a sign of life, by which the root task knows how long an attack lasts.

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use lilliput_abi::{Error, Operation, Selector};
use lilliput_runtime::invoke::give_way;
use lilliput_runtime::machine::Vectors;
use lilliput_runtime::{Endpoint, Machine, Message, Word, parent, place};

/// Answers with what the patrol found: `() -> (violations, rounds)`
pub const CHECK: u16 = 1;
/// Answers with all registers full of secrets, vector registers included: `() -> ()`
pub const FILL: u16 = 2;
/// The same by an answer that is not also a receive, which is another path through the kernel.
pub const FILL_SLOWLY: u16 = 3;
/// Answers: `() -> ()`
pub const ECHO: u16 = 4;

/// Answers, then calls whoever waits where the attacker receives, with all registers full of secrets: `() -> ()`
pub const CALL_BACK: u16 = 5;

/// What a patrol tells its parent as a sign of life: `() -> ()`
pub const ALIVE: u16 = 0x100;

/// What stands in every secret, in the upper half of each 32-bit word.
pub const MARK: u32 = 0x5ec2;

/// Words of a witness's memory.
pub const WORDS: usize = 4096;

/// Rounds in which a patrol looks at all of its memory; all of it at once takes long on an emulator.
pub const ROUNDS_FOR_ALL: u32 = 4;

/// The secret memory.
pub static SECRET: [AtomicU32; WORDS] = [const { AtomicU32::new(0) }; WORDS];

static VIOLATIONS: AtomicU32 = AtomicU32::new(0);
static ROUNDS: AtomicU32 = AtomicU32::new(0);
static SEED: AtomicU32 = AtomicU32::new(0);

/// Whether a register or a word of memory holds a secret.
pub const fn is_secret(word: u64) -> bool {
    (word >> 16) as u16 as u32 == MARK || (word >> 48) as u32 == MARK
}

/// The secret of a place.
const fn secret(seed: u32, place: usize) -> u32 {
    MARK << 16 | (seed.wrapping_mul(0x9e37) ^ place as u32) & 0xffff
}

/// What a witness needs of its width.
pub trait Registers {
    /// The kernel as seen from that width.
    type Kernel: Machine;

    /// Holds the word in every general register for so many rounds of a loop; says whether all of them kept it.
    fn hold(word: Word, rounds: u32) -> bool;

    /// Fills every register that carries no message with the word, and makes a system call with the message. Returns the status.
    fn filled_call(word: Word, selector: Selector, message: &mut Message) -> u32;

    /// Loads vector registers, with nothing that puts them back.
    fn fill_vectors(vectors: &Vectors);
}

/// A word full of secret, as wide as this task's words are.
fn wide_secret(seed: u32) -> Word {
    let word = secret(seed, 0x7777);
    (word as u64 | (word as u64) << 32) as Word
}

/// Vector registers full of secret.
fn vector_secret(seed: u32) -> Vectors {
    let registers = [[secret(seed, 0x6666); 4]; 8];
    Vectors { registers, ..Vectors::pattern(seed) }
}

/// The thread that answers.
///
/// # Errors
/// What the kernel says where it can't go on.
pub fn serve<R: Registers>(seed: Word) -> Result<(), Error> {
    let seed = seed as u32;
    SEED.store(seed, SeqCst);
    for (at, word) in SECRET.iter().enumerate() {
        word.store(secret(seed, at), SeqCst);
    }
    let address = &raw const SECRET as Word as u64;
    parent::result::<R::Kernel>(&lilliput_runtime::message::halves(address))?;
    let service = Endpoint::<R::Kernel>::at(place::SERVICE);
    let mut message = Message::default();
    let mut selector = Selector::new(Operation::Receive, place::SERVICE);
    loop {
        let status = R::filled_call(wide_secret(seed), selector, &mut message);
        Error::from_status(status)?;
        selector = Selector::new(Operation::ReplyReceive, 0);
        message = match message.label() {
            CHECK => Message::new(CHECK, &[VIOLATIONS.load(SeqCst) as Word, ROUNDS.load(SeqCst) as Word]),
            FILL => {
                R::fill_vectors(&vector_secret(seed));
                Message::new(FILL, &[])
            }
            FILL_SLOWLY => {
                R::fill_vectors(&vector_secret(seed));
                let answer = Selector::new(Operation::Reply, 0);
                Error::from_status(R::filled_call(wide_secret(seed), answer, &mut Message::new(FILL, &[])))?;
                selector = Selector::new(Operation::Receive, service.place());
                Message::default()
            }
            CALL_BACK => {
                R::fill_vectors(&vector_secret(seed));
                let answer = Selector::new(Operation::Reply, 0);
                Error::from_status(R::filled_call(wide_secret(seed), answer, &mut Message::new(CALL_BACK, &[])))?;
                // Nobody may be there, and nobody need answer.
                let back = Selector::new(Operation::CallNonBlocking, place::SERVER);
                R::filled_call(wide_secret(seed), back, &mut Message::new(ECHO, &[]));
                selector = Selector::new(Operation::Receive, service.place());
                Message::default()
            }
            other => Message::new(other, &[]),
        };
    }
}

/// The thread that patrols, for ever.
pub fn patrol<R: Registers>(interval: Word) -> ! {
    let seed = SEED.load(SeqCst);
    let mut last = R::Kernel::ticks();
    for round in 0_u32.. {
        let word = wide_secret(seed);
        let held = R::hold(word, 200);
        let mut vectors = Vectors { registers: [[secret(seed, 0x5555); 4]; 8], ..Vectors::pattern(round) };
        let before = vectors;
        let null = Selector::new(Operation::Null, 0);
        R::Kernel::hold_vectors(&mut vectors, null, &mut Message::default(), 50);
        let part = WORDS / ROUNDS_FOR_ALL as usize;
        let first = (round % ROUNDS_FOR_ALL) as usize * part;
        let whole = (first..first + part).all(|at| SECRET[at].load(SeqCst) == secret(seed, at));
        let violations = u32::from(!held) + u32::from(vectors != before) + u32::from(!whole);
        VIOLATIONS.fetch_add(violations, SeqCst);
        ROUNDS.fetch_add(1, SeqCst);
        if interval != 0 && R::Kernel::ticks().wrapping_sub(last) > interval as u64 {
            // A parent who is gone needs no sign.
            let _ = parent::endpoint::<R::Kernel>().request(ALIVE, &[]);
            last = R::Kernel::ticks();
        }
        give_way::<R::Kernel>();
    }
    unreachable!("the patrol counts for ever")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_mark() {
        for seed in 1..100 {
            assert!(is_secret(u64::from(secret(seed, 5))) && is_secret(wide_secret(seed) as u64));
        }
        assert!(!is_secret(0) && !is_secret(0x1_0000) && !is_secret(0xffff_8000_0000_0000));
    }
}
