//! The program as it is written for rings: it asks for everything at once and takes answers as they come, each of which says what it is about.

use lilliput_abi::Error;

use super::request::{CLOSE, OPEN, READ};
use super::{ANSWER, FILES, REQUEST, Shared, WORDS, bells, name};
use crate::machine::Machine;
use crate::ring::bell::Failure;
use crate::ring::{Consumer, Producer};

/// The client's ends of the rings.
pub(super) struct Client {
    requests: Producer<'static, REQUEST>,
    answers: Consumer<'static, ANSWER>,
}

/// An answer's request: what was asked for, and of which file.
const fn about(request: u16, file: u32) -> u32 {
    (request as u32) << 16 | file
}

impl Client {
    pub(super) fn new(shared: &Shared) -> Result<Self, Error> {
        let ends = Producer::new(shared.requests).zip(Consumer::new(shared.answers));
        let (requests, answers) = ends.ok_or(Error::BadArgument)?;
        Ok(Self { requests, answers })
    }

    /// Reads all files.
    pub(super) fn read_all<K: Machine>(&mut self, shared: &Shared) -> Result<(), Failure> {
        let bells = bells::<K>();
        for file in 0..FILES {
            let [first, second] = name(file);
            self.requests.send(&[about(OPEN, file), file, first, second], &bells)?;
            self.requests.send(&[about(READ, file), file, 0, 0], &bells)?;
            self.requests.send(&[about(CLOSE, file), file, 0, 0], &bells)?;
        }
        self.requests.flush(&bells)?;
        let mut left = 3 * FILES;
        while left > 0 {
            let [request, result] = self.answers.receive(&bells)?;
            let file = request & 0xffff;
            match (request >> 16) as u16 {
                OPEN | CLOSE => assert_eq!(result, 1, "file {file}"),
                READ => assert!(result as usize == WORDS && shared.is_right(file), "file {file}"),
                _ => panic!("an answer to {request:#x}"),
            }
            left -= 1;
        }
        Ok(())
    }
}
