//! A ward that dies when it is asked to, and a client that asks for it and goes on.

use lilliput_abi::Error;

use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::Endpoint;
use crate::{parent, place};

/// `(number) -> (number, how many of these this server has answered)`
pub const ASK: u16 = 1;
/// Dies by a page fault.
pub const FAULT: u16 = 2;
/// Dies by a panic.
pub const PANIC: u16 = 3;
/// `() -> (bytes of a word)`
pub const WIDTH: u16 = 4;

/// Requests of a client.
pub const REQUESTS: Word = 200;
/// After so many of them the server dies.
pub const DEATH: Word = 20;

/// Where nothing is mapped, in a 64-bit task, and no small task of a ward reaches.
const NOWHERE: Word = 0x2000_0000;

/// Serves at [`place::SERVICE`], unless it is to die at once.
///
/// # Errors
/// What the kernel says where the server can't go on.
pub fn run<K: Machine>(dies_at_once: bool) -> Result<(), Error> {
    let (mut answer, mut answered) = (None, 0);
    assert!(!dies_at_once, "it was started to die");
    loop {
        let received = Endpoint::<K>::at(place::SERVICE).next(answer.as_ref())?;
        match received.message.label() {
            FAULT => drop(K::peek(NOWHERE)),
            PANIC => panic!("it was asked to"),
            _ => answered += 1,
        }
        answer = Some(match received.message.label() {
            WIDTH => Message::new(0, &[size_of::<Word>()]),
            _ => Message::new(0, &[received.message.words[0], answered]),
        });
    }
}

/// Calls [`place::SERVER`] again and again, and has it die now and then. Each request is answered in the end. The result is how often it had the server die, and how
/// often others had while its request was being served.
///
/// # Errors
/// What the kernel says that a client of a ward must not be told.
///
/// # Panics
/// Where an answer is wrong.
pub fn client<K: Machine>(number: Word) -> Result<(), Error> {
    let server = Endpoint::<K>::at(place::SERVER);
    let (mut deaths, mut told) = (0, 0);
    for request in 0..REQUESTS {
        if (request + number).is_multiple_of(DEATH) {
            let label = if (request / DEATH).is_multiple_of(2) { FAULT } else { PANIC };
            assert_eq!(server.request(label, &[]), Err(Error::Gone), "a call to a server that dies over it");
            deaths += 1;
        }
        let asked = number << 16 | request;
        let answer = loop {
            match server.request(ASK, &[asked]) {
                Err(Error::Gone) => told += 1,
                answer => break answer?,
            }
        };
        assert_eq!(answer.words[0], asked, "another one's answer");
        assert!(answer.words[1] > 0, "an answer of no server");
    }
    parent::result::<K>(&[deaths, told])
}
