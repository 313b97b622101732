//! What an attack starts with, and how it tells what it got.

use lilliput_abi::Error;
use lilliput_runtime::{Endpoint, Factory, Frames, Invoke, Notification, Task, Word, parent, place};

/// What a thread of an attack or a witness is to do: word 0 of its start.
pub mod role {
    use lilliput_runtime::Word;

    /// The attack whose number in the table is word 1.
    pub const ATTACK: Word = 1;
    /// The catcher of the attack's faults.
    pub const CATCHER: Word = 2;
    /// The witness that answers; word 1 is the seed of its secrets.
    pub const SERVE: Word = 3;
    /// The witness that watches; word 1 is how many ticks lie between two signs of life, or 0 for none.
    pub const PATROL: Word = 4;
    /// The taker of strings that the attack sends to itself; word 1 is the size of its space.
    pub const TAKER: Word = 5;
}

/// What an attack may ask its parent for.
pub mod parameter {
    use lilliput_runtime::Word;

    /// Which of the attack's variants this is, from 0 on.
    pub const VARIANT: Word = 1;
    /// The secret of the small witness above, as an offset from the attack's own base, modulo 2^32.
    pub const ABOVE: Word = 2;
    /// The same of the small witness below.
    pub const BELOW: Word = 3;
    /// The linear address of the small witness above's secret.
    pub const ABOVE_LINEAR: Word = 4;
    /// The address of the host's secret: in a 32-bit task its low half.
    pub const HOST: Word = 5;
    /// The address of the 64-bit witness's secret, in that one's space.
    pub const WIDE: Word = 6;
    /// The attack's own base.
    pub const BASE: Word = 7;
    /// The size of its space.
    pub const SIZE: Word = 8;
    /// How 32-bit programs enter, as `lilliput_abi::object::fact::COMPAT_ENTRY` has it.
    pub const ENTRY: Word = 9;
    /// 1 where sweeps over selectors are to leave none out.
    pub const THOROUGH: Word = 10;
}

/// Exit code of an attack that got what it must not get; the text says what.
pub const ESCAPED: Word = 66;

/// The size of a small attacker's space.
pub const SMALL_SIZE: u32 = 1 << 20;
/// Bytes at the top of a space that are left unmapped for the attack's own use; its first stack ends below.
pub const FREE_TOP: Word = 16 * 4096;
/// The badge by which the attack calls the witnesses.
pub const BADGE: u32 = 0x1234;
/// Pages of the frames at [`place::FRAMES`].
pub const FRAMES_PAGES: usize = 4;
/// The place of the factory.
pub const FACTORY: u32 = 12;
/// Priority of the attack, and of the witnesses' patrols: they interleave.
pub const PRIORITY: u8 = 20;
/// Priority of catchers, and of the witnesses that answer.
pub const SERVER_PRIORITY: u8 = 24;

/// What an attack comes to when it goes on: an error of the kernel that it did not expect is a defect of the attack.
pub type Outcome = Result<(), Error>;

/// Asks the parent.
///
/// # Panics
/// Where there is no answer.
pub fn parameter<K: Invoke>(number: Word) -> Word {
    parent::parameter::<K>(number).unwrap_or_else(|error| panic!("no parameter {number}: {}", error.name()))
}

/// Which variant of the attack this is.
pub fn variant<K: Invoke>() -> Word {
    parameter::<K>(parameter::VARIANT)
}

/// The attack's own task; all rights.
pub const fn task<K: Invoke>() -> Task<K> {
    Task::at(place::TASK)
}

/// Frames; all rights.
pub const fn frames<K: Invoke>() -> Frames<K> {
    Frames::at(place::FRAMES)
}

/// The factory that pays for what an attack makes, and goes with it.
pub const fn factory<K: Invoke>() -> Factory<K> {
    Factory::at(FACTORY)
}

/// An endpoint of its own; all rights.
pub const fn service<K: Invoke>() -> Endpoint<K> {
    Endpoint::at(place::SERVICE)
}

/// A notification of its own; all rights.
pub const fn notification<K: Invoke>() -> Notification<K> {
    Notification::at(place::NOTIFICATION)
}

/// The witnesses that answer: small, host, 64-bit.
pub const WITNESSES: [u32; 3] = [place::SMALL_SERVER, place::HOST_SERVER, place::WIDE_SERVER];

/// Tells what the attack got, and ends it.
pub fn escaped<K: Invoke>(arguments: core::fmt::Arguments) -> ! {
    parent::explain::<K>(arguments);
    parent::exit::<K>(ESCAPED);
    panic!("nobody hears of an escape")
}

/// Ends the attack as an escape, in these words.
#[macro_export]
macro_rules! escaped {
    ($kernel:ty, $($argument:tt)*) => {
        $crate::kit::escaped::<$kernel>(format_args!($($argument)*))
    };
}

/// Ends the attack as an escape unless something holds.
#[macro_export]
macro_rules! must {
    ($kernel:ty, $condition:expr, $($argument:tt)*) => {
        if !$condition {
            $crate::kit::escaped::<$kernel>(format_args!($($argument)*))
        }
    };
}
