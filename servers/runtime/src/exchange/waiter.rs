//! A thread that waits for signals of clients, at a priority above theirs.

use lilliput_abi::Error;

use super::{REPORT_AFTER, parameter, report};
use crate::machine::Machine;
use crate::message::Word;
use crate::object::Notification;
use crate::time::Deadline;
use crate::{parent, place};

/// How long it waits at a time, in nanoseconds.
const WAIT: u64 = 100_000;

/// Goes on until it is ended.
///
/// # Errors
/// What the kernel says where it should not.
pub fn run<K: Machine>() -> Result<(), Error> {
    let bits = parent::parameter::<K>(parameter::BITS)?;
    let notification = Notification::<K>::at(place::NOTIFICATION);
    loop {
        let (mut signals, mut timeouts): (Word, Word) = (0, 0);
        for turn in 0..REPORT_AFTER {
            let outcome =
                if turn % 2 == 0 { notification.wait() } else { notification.wait_until(Deadline::FromNow(WAIT)) };
            match outcome {
                Ok(arrived) => {
                    assert!(arrived != 0 && arrived & !bits == 0, "bits {arrived:#x} arrived, of {bits:#x}");
                    signals += 1;
                }
                Err(Error::TimedOut) if turn % 2 == 1 => timeouts += 1,
                Err(error) => panic!("waiting ended with {error:?}"),
            }
        }
        parent::result::<K>(&[report::SIGNALS, signals, timeouts, 0])?;
    }
}
