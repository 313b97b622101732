//! Measuring ten requests: by ten calls, each of which waits for its answer, and by a ring of requests and one of answers, with one wake-up.
//!
//! All is counted, of both sides and of the kernel, from before the first request until after the last answer. What a request asks for is a number of
//! instructions that the server executes.

use core::sync::atomic::AtomicU32;

use lilliput_abi::Error;
use lilliput_abi::layout::HOST_START;
use lilliput_abi::object::kind;

use super::clock::{Clock, Meter};
use super::{Figure, RINGS, Spread, WORK, operation};
use crate::machine::Machine;
use crate::message::Word;
use crate::object::{Endpoint, Notification};
use crate::ring::{Bells, Consumer, Producer, words_of};
use crate::trial::kit::SCRATCH;
use crate::{parent, place};

/// How many requests.
pub const REQUESTS: u32 = 10;
/// Instructions that a request takes, one measured after the other.
pub const COSTS: [u32; 5] = [100, 300, 1000, 3000, 10_000];
/// Rounds of a batch; the median of the last ones counts.
const ROUNDS: usize = 8;
/// Entries of a ring: those of a batch fit.
const ENTRIES: usize = 16;
/// Words of a ring of entries of two words: a request's number and its cost, or its number and that number's complement.
const RING: usize = words_of(ENTRIES, 2);
/// The number that ends the server's part.
const END: u32 = u32::MAX;

/// Where a task of this kind has the page with both rings.
pub const fn address(kind: u64) -> u64 {
    match kind {
        kind::HOST => HOST_START + SCRATCH as u64,
        _ => SCRATCH as u64,
    }
}

/// The two rings, of requests and of answers.
fn rings<K: Machine>(address: Word) -> [&'static [AtomicU32]; 2] {
    let memory = K::shared(address, 2 * RING);
    [&memory[..RING], &memory[RING..]]
}

/// Measures them.
///
/// # Errors
/// What the kernel says where something does not work.
///
/// # Panics
/// If an answer is wrong.
pub fn run<K: Machine>(operation: Word, address: Word) -> Result<(), Error> {
    let server = Endpoint::<K>::at(place::SERVER);
    let bells = Bells { other: Notification::<K>::at(place::NOTIFICATION), own: Notification::at(place::BELL) };
    let [requests, answers] = rings::<K>(address);
    let (Some(mut requests), Some(mut answers)) = (Producer::<2>::new(requests), Consumer::<2>::new(answers)) else {
        return Err(Error::BadArgument);
    };
    let by_ring = operation == operation::RING;
    if by_ring {
        server.request(RINGS, &[])?;
    }
    for (clock, reading) in Clock::read_alone::<K>()? {
        let mut meter = Meter::new::<K>(reading)?;
        for (at, cost) in COSTS.into_iter().enumerate() {
            let mut samples = [0; ROUNDS];
            for sample in &mut samples {
                meter.begin::<K>()?;
                if by_ring {
                    for number in 0..REQUESTS {
                        requests.send(&[number, cost], &bells).expect("a request");
                    }
                    requests.flush(&bells)?;
                    for number in 0..REQUESTS {
                        assert_eq!(answers.receive(&bells), Ok([number, !number]), "an answer");
                    }
                } else {
                    for number in 0..REQUESTS {
                        let answer = server.request(WORK, &[number as Word, cost as Word])?;
                        assert_eq!(answer.words[0] as u32, !number, "an answer");
                    }
                }
                *sample = meter.end::<K>()?;
            }
            let (there, back) = (Spread::of(&mut samples).less(meter.nothing), Spread::default());
            let figure = Figure { operation, words: at, clock, there, back };
            figure.to_results().iter().try_for_each(|result| parent::result::<K>(result))?;
        }
    }
    if by_ring {
        requests.send(&[END, 0], &bells).expect("the end");
        requests.flush(&bells)?;
    }
    Ok(())
}

/// The server's part, until the client ends it.
///
/// # Errors
/// What the kernel says.
///
/// # Panics
/// If the client wrote nonsense.
pub fn serve<K: Machine>(address: Word) -> Result<(), Error> {
    let bells = Bells { other: Notification::<K>::at(place::BELL), own: Notification::at(place::NOTIFICATION) };
    let [requests, answers] = rings::<K>(address);
    let (Some(mut requests), Some(mut answers)) = (Consumer::<2>::new(requests), Producer::<2>::new(answers)) else {
        return Err(Error::BadArgument);
    };
    loop {
        while let Some([number, cost]) = requests.pop().expect("a client's ring") {
            if number == END {
                return Ok(());
            }
            K::spin(cost);
            answers.send(&[number, !number], &bells).expect("an answer");
        }
        answers.flush(&bells)?;
        requests.flush(&bells)?;
        if requests.is_to_wait().expect("a client's ring") {
            bells.own.wait()?;
        }
    }
}
