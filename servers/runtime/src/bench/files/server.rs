//! The server of files: the same for both, but for how it is asked.

use core::sync::atomic::Ordering::Relaxed;

use lilliput_abi::{Error, Operation};

use super::request::{CLOSE, OPEN, READ};
use super::{ANSWER, FILES, REQUEST, Shared, WORDS, name, word};
use crate::invoke::invoke;
use crate::machine::Machine;
use crate::message::{Message, Word};
use crate::object::Notification;
use crate::place;
use crate::ring::{Bells, Consumer, Producer};

/// What a client has open, by its own numbers: the file, and how many words of it were read.
struct Files([Option<(u32, usize)>; FILES as usize]);

impl Files {
    const fn new() -> Self {
        Self([None; FILES as usize])
    }

    /// Does what is asked for; the result.
    fn serve(&mut self, shared: &Shared, request: u16, number: u32, called: [u32; 2]) -> u32 {
        let Some(open) = self.0.get_mut(number as usize) else { return 0 };
        match request {
            OPEN => {
                // A directory of so many names, which is looked through.
                *open = (0..FILES).find(|&file| name(file) == called).map(|file| (file, 0));
                open.is_some().into()
            }
            READ => {
                let Some((file, read)) = open else { return 0 };
                let left = WORDS - *read;
                for (place, to) in shared.of(number)[..left].iter().enumerate() {
                    to.store(word(*file, *read + place), Relaxed);
                }
                *read = WORDS;
                left as u32
            }
            CLOSE => open.take().is_some().into(),
            _ => 0,
        }
    }
}

/// Serves calls, for ever.
pub(super) fn serve_calls<K: Machine>(shared: &Shared) -> Result<(), Error> {
    let mut files = Files::new();
    let mut message = Message::default();
    invoke::<K>(Operation::Receive, place::SERVICE, &mut message)?;
    loop {
        let [number, first, second, ..] = message.words.map(|word| word as u32);
        let result = files.serve(shared, message.label(), number, [first, second]);
        message = Message::new(0, &[result as Word]);
        invoke::<K>(Operation::ReplyReceive, 0, &mut message)?;
    }
}

/// Serves a ring, for ever.
pub(super) fn serve_rings<K: Machine>(shared: &Shared) -> Result<(), Error> {
    let bells = Bells { other: Notification::<K>::at(place::BELL), own: Notification::at(place::NOTIFICATION) };
    let ends = Consumer::<REQUEST>::new(shared.requests).zip(Producer::<ANSWER>::new(shared.answers));
    let (mut requests, mut answers) = ends.ok_or(Error::BadArgument)?;
    let mut files = Files::new();
    loop {
        while let Some([request, number, first, second]) = requests.pop().expect("a client's ring") {
            let what = (request >> 16) as u16;
            let result = files.serve(shared, what, number, [first, second]);
            answers.send(&[request, result], &bells).expect("an answer");
        }
        answers.flush(&bells)?;
        requests.flush(&bells)?;
        if requests.is_to_wait().expect("a client's ring") {
            bells.own.wait()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn files_are_what_their_names_say() {
        let memory: &[AtomicU32] = std::vec::Vec::from_iter((0..FILES as usize * WORDS).map(|_| 0.into())).leak();
        let shared = Shared { requests: &[], answers: &[], bytes: memory };
        let mut files = Files::new();
        assert_eq!(files.serve(&shared, OPEN, 3, name(7)), 1);
        assert_eq!(files.serve(&shared, READ, 3, [0; 2]), WORDS as u32);
        assert_eq!(shared.of(3)[5].load(Relaxed), word(7, 5));
        assert_eq!(files.serve(&shared, READ, 3, [0; 2]), 0, "its end");
        assert_eq!((files.serve(&shared, CLOSE, 3, [0; 2]), files.serve(&shared, CLOSE, 3, [0; 2])), (1, 0));
        assert_eq!(files.serve(&shared, READ, 3, [0; 2]), 0, "it is closed");
        assert_eq!(files.serve(&shared, OPEN, 3, [1, 2]), 0, "no such name");
        assert_eq!(files.serve(&shared, OPEN, FILES, name(0)), 0, "no such number");
    }
}
