//! What a thread is to do: word 0 of its start, from whoever starts it.

use crate::message::Word;

/// A server of the mixed workload.
pub const WORK_SERVER: Word = 1;
/// A client of the mixed workload.
pub const WORK_CLIENT: Word = 2;
/// A client of the mixed workload that is not the only thread of its task.
pub const WORK_CLIENT_THREAD: Word = 3;
/// Touches what is not its own, in a way that word 1 names.
pub const INTRUDER: Word = 4;
/// The measured server, handler or waiter.
pub const BENCH_SERVER: Word = 5;
/// Measures an operation, which word 1 names: see [`crate::bench::operation`].
pub const BENCH_CLIENT: Word = 6;
/// A server that touches memory of its own before it answers: see [`crate::bench::touch`].
pub const TOUCH_SERVER: Word = 48;
/// The client that goes round among such servers; word 1 is how many they are, and if need be [`crate::bench::touch::MANY`].
pub const TOUCH_CLIENT: Word = 49;
/// A client that touches much before it calls such servers; word 1 is how many they are: see [`crate::bench::disturb`].
pub const DISTURBER: Word = 50;
/// A client that wants pages; word 1 says who gets them: see [`crate::bench::split`].
pub const PAGE_CLIENT: Word = 51;
/// The server that maps them; word 1 says whether it asks another one for frames.
pub const PAGE_SERVER: Word = 52;
/// That other one.
pub const FRAME_SERVER: Word = 53;
/// A client that opens, reads and closes files; word 1 says how it asks: see [`crate::bench::files`].
pub const FILES_CLIENT: Word = 54;
/// Its server; word 1 says how it is asked.
pub const FILES_SERVER: Word = 55;
/// A client that sends bytes; word 1 says by which way: see [`crate::bench::messages`].
pub const MESSAGE_CLIENT: Word = 56;
/// The server that gets them, by the same way.
pub const MESSAGE_SERVER: Word = 57;
/// A trial, which word 1 names by its place in [`crate::trial::list::TRIALS`].
pub const TRIAL: Word = 7;
/// A further thread of a trial: see [`crate::trial::kit::Work`].
pub const TRIAL_THREAD: Word = 8;
/// The partner of a trial.
pub const TRIAL_PARTNER: Word = 9;
/// A client of a pager; word 1 says what it does: see [`crate::pager::client`].
pub const PAGED: Word = 32;
/// A task that fuzzes: see [`crate::fuzz`].
pub const FUZZ: Word = 10;
/// A further thread of one; word 1 is its seed.
pub const FUZZ_THREAD: Word = 11;
/// The one that never waits; word 1 is its seed.
pub const FUZZ_POKER: Word = 12;
/// A server that the keeper keeps: see [`crate::keeper::ward`].
pub const WARD: Word = 45;
/// The same, and it dies at once.
pub const SHORT_LIVED: Word = 46;
/// A client of one; word 1 is its number.
pub const WARD_CLIENT: Word = 47;
/// A witness of fuzzing; word 1 is the seed of its memory.
pub const FUZZ_WITNESS: Word = 13;
/// The console's output, all of it where nobody types.
pub const CONSOLE_OUTPUT: Word = 14;
/// The console's driver of keys.
pub const CONSOLE_KEYS: Word = 15;
/// Who makes lines of keys and hands them out.
pub const CONSOLE_EDITOR: Word = 18;
/// Shows something; word 1 says what: see [`crate::demo::DEMOS`].
pub const DEMO: Word = 17;
/// A task that is made to end: see [`crate::mortal`]; word 1 is the number of the way.
pub const MORTAL: Word = 40;
/// A thread of one that waits.
pub const IDLER: Word = 41;
/// A thread that makes all that it can, and others that do the same; word 1 is 0 for the first.
pub const BOMB: Word = 42;
/// A server that answers with what it is asked.
pub const LOAD_SERVER: Word = 43;
/// A client of one; word 1 is what it asks first.
pub const LOAD_CLIENT: Word = 44;
/// A task whose space changes: see [`crate::tenant`]; word 1 is its seed.
pub const TENANT: Word = 19;
/// A server of the random exchange: see [`crate::exchange`].
pub const EXCHANGE_SERVER: Word = 20;
/// A client of it whose pages a handler brings.
pub const EXCHANGE_CLIENT: Word = 21;
/// A client of it that makes no faults.
pub const EXCHANGE_FAULTLESS: Word = 22;
/// Who brings pages there.
pub const EXCHANGE_PAGER: Word = 23;
/// Who waits for signals there.
pub const EXCHANGE_WAITER: Word = 24;
