//! The catcher: a second thread of an attack that hears of its faults, so that one task can try thousands of times.
//!
//! A fault can't be skipped, only repaired and restarted. So what an attack tries takes its operand from memory, and the
//! catcher puts a harmless one there: the attack goes on behind the instruction, and finds the fault counted.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};

use lilliput_abi::{Error, fault};
use lilliput_runtime::{Machine, Message, Word, parent};

use crate::kit::{self, role};

/// Words of an operand: a far pointer, or the frame of an interrupt return.
pub const OPERAND_WORDS: usize = 5;

/// The operand of what is tried.
pub static OPERAND: [AtomicUsize; OPERAND_WORDS] = [const { AtomicUsize::new(0) }; OPERAND_WORDS];
/// What the catcher puts there.
pub static GOOD: [AtomicUsize; OPERAND_WORDS] = [const { AtomicUsize::new(0) }; OPERAND_WORDS];
/// How many faults there were.
pub static FAULTS: AtomicU32 = AtomicU32::new(0);
/// The last fault's vector.
pub static VECTOR: AtomicU32 = AtomicU32::new(0);
/// The vectors that may come, one bit each: any other ends the attack as an escape.
static ALLOWED: AtomicU32 = AtomicU32::new(0);

/// Faults since [`arm`] after which the attack is taken to be stuck.
static PATIENCE: AtomicU32 = AtomicU32::new(0);
/// Whether it ends well then: it tried often enough.
static SATISFIED: AtomicBool = AtomicBool::new(false);

const STACK_WORDS: usize = 2048;

/// The catcher's stack. Nothing is read from it but by the catcher.
static STACK: [AtomicUsize; STACK_WORDS] = [const { AtomicUsize::new(0) }; STACK_WORDS];

/// Starts the catcher of this task. From here on faults of these vectors are repaired; more than `patience` of them
/// since the last [`arm`] end the attack.
///
/// # Errors
/// What the kernel says.
pub fn start<K: Machine>(vectors: &[u8], patience: u32) -> Result<(), Error> {
    ALLOWED.store(vectors.iter().fold(0, |bits, vector| bits | 1 << vector), SeqCst);
    PATIENCE.store(patience, SeqCst);
    kit::task::<K>().set_fault_handler(kit::service::<K>().place(), 0)?;
    let thread = kit::factory::<K>().create_thread(kit::task(), kit::SERVER_PRIORITY)?;
    let top = &raw const STACK as Word + size_of_val(&STACK);
    thread.start(K::entry(), top, [role::CATCHER, 0])
}

/// Sets the operand, and forgets earlier faults.
pub fn arm(operand: [Word; OPERAND_WORDS], good: [Word; OPERAND_WORDS]) {
    for (place, word) in OPERAND.iter().zip(operand).chain(GOOD.iter().zip(good)) {
        place.store(word, SeqCst);
    }
    FAULTS.store(0, SeqCst);
}

/// From here on, as many faults as the catcher has patience for are what the attack wants, and its end.
pub fn be_satisfied() {
    SATISFIED.store(true, SeqCst);
}

/// Whether what was tried since [`arm`] faulted.
pub fn faulted() -> bool {
    FAULTS.load(SeqCst) != 0
}

/// The catcher's thread.
pub fn run<K: Machine>() -> ! {
    let mut answer = None;
    loop {
        let received = match kit::service::<K>().next(answer.as_ref()) {
            Ok(received) => received,
            Err(error) => panic!("the catcher can't receive: {}", error.name()),
        };
        let words = received.message.words;
        let vector = words[fault::VECTOR] as u8;
        if ALLOWED.load(SeqCst) & 1 << vector == 0 {
            let [_, address, ip, sp] = [0, words[fault::ADDRESS], words[fault::IP], words[fault::SP]];
            kit::escaped::<K>(format_args!(
                "{} (address {address:#x}) at {ip:#x}, sp {sp:#x}, with operand {:#x?}",
                fault::vector_name(vector),
                OPERAND.each_ref().map(|word| word.load(SeqCst)),
            ));
        }
        VECTOR.store(u32::from(vector), SeqCst);
        if FAULTS.fetch_add(1, SeqCst) >= PATIENCE.load(SeqCst) {
            if SATISFIED.load(SeqCst) {
                parent::exit::<K>(parent::SUCCESS);
            }
            panic!("{} again and again at {:#x}", fault::vector_name(vector), words[fault::IP]);
        }
        for (place, good) in OPERAND.iter().zip(&GOOD) {
            place.store(good.load(SeqCst), SeqCst);
        }
        answer = Some(Message::new(fault::RESUME, &[]));
    }
}
