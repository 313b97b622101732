//! Single accesses to a thread's storage, and exceptions that look like one.

use core::arch::naked_asm;

use lilliput_abi::layout::MOST_TURNS;
use lilliput_abi::object::register;
use lilliput_abi::{Isolation, Rights, fault};
use lilliput_user32::Native;
use lilliput_user32::runtime::object::{Thread, reply};
use lilliput_user32::runtime::trial::Outcome;
use lilliput_user32::runtime::trial::kit::{self, PRIORITY, SCRATCH, SCRATCH_PAGES};
use lilliput_user32::runtime::{Machine, Message, Word};

/// The trial of this name.
pub fn find(name: &str) -> Option<fn() -> Outcome> {
    (name == "storage-in-one-access").then_some(in_one_access as fn() -> Outcome)
}

const INVALID_OPCODE: Word = 6;
const PROTECTION: Word = 13;
/// Bytes of UD2.
const LENGTH: Word = 2;
const ALL_TURNS: u64 = MOST_TURNS as u64;

/// Instructions of a thread without a stack, each with UD2 behind it.
macro_rules! routine {
    ($name:ident, $($line:literal),+) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name() -> ! {
            naked_asm!($($line, "ud2"),+)
        }
    };
}

routine!(above_and_below, "mov eax, gs:[0x10]", "mov eax, gs:[-0x10]", "mov eax, gs:[-0x20]", "mov eax, gs:[0x20]");
routine!(across, "mov eax, gs:[-2]");
routine!(halt, "hlt");

/// What stands at an address.
const fn mark(address: Word) -> u32 {
    address as u32 ^ 0xabcd_0000
}

struct Accessing(Thread<Native>);

impl Accessing {
    /// A thread that is about to begin with a routine, with this storage.
    fn begin(routine: unsafe extern "C" fn() -> !, address: Word) -> Result<Self, lilliput_abi::Error> {
        let thread = kit::factory::<Native>().create_thread(kit::task(), PRIORITY + 1)?;
        thread.set_fault_handler(kit::service::<Native>().place(), 0)?;
        thread.set_tls(address, Word::MAX)?;
        thread.start(routine as *const () as Word, 0x1_2344, [0, 0])?;
        Ok(Self(thread))
    }

    /// Its next exception: the vector, what it has in EAX, how often it turned.
    fn next(&self) -> Result<(Word, u32, u64), lilliput_abi::Error> {
        let received = kit::service::<Native>().receive()?;
        let [ax, ..] = self.0.read_registers(register::AX)?;
        Ok((received.message.words[fault::VECTOR] & 0xff, ax as u32, self.0.turns()?))
    }

    /// Lets it go on behind an UD2.
    fn go_on(&self) -> Outcome {
        let [ip, ..] = self.0.read_registers(register::IP)?;
        self.0.write_registers(register::IP, &[ip + LENGTH])?;
        reply::<Native>(&Message::new(fault::RESUME, &[]))
    }

    fn end(self) -> Outcome {
        kit::factory::<Native>().destroy(self.0.place())
    }
}

fn in_one_access() -> Outcome {
    let (task, turned) = (kit::task::<Native>(), kit::by_limits::<Native>()?);
    task.map(kit::frames(), SCRATCH, 0, SCRATCH_PAGES, Rights::READ | Rights::WRITE)?;
    let (first, second) = (SCRATCH + 0x810, SCRATCH + 0x1810);
    for base in [first, second] {
        for offset in [0x10, 0x20, 0_u32.wrapping_sub(0x10), 0_u32.wrapping_sub(0x20)] {
            let address = base.wrapping_add(offset as Word);
            Native::poke(address, mark(address));
        }
        Native::poke(base - 4, 0x2211_0000);
        Native::poke(base, 0x4433);
    }
    let turns = |count: u64| if turned { count } else { 0 };
    let isolation = || task.info().map(|info| info.isolation);
    let before = isolation()?;
    let restore = || if turned { task.set_isolation(Isolation::Segment).map(drop) } else { Ok(()) };

    // One turn for each change of side. Other storage, given while it waits, begins above its address.
    let thread = Accessing::begin(above_and_below, first)?;
    assert_eq!(thread.next()?, (INVALID_OPCODE, mark(first + 0x10), 0), "above");
    thread.go_on()?;
    assert_eq!(thread.next()?, (INVALID_OPCODE, mark(first - 0x10), turns(1)), "below");
    thread.0.set_tls(second, Word::MAX)?;
    thread.go_on()?;
    assert_eq!(thread.next()?, (INVALID_OPCODE, mark(second - 0x20), turns(2)), "below, in other storage");
    thread.go_on()?;
    assert_eq!(thread.next()?, (INVALID_OPCODE, mark(second + 0x20), turns(3)), "above, in other storage");
    assert_eq!(isolation()?, before, "the mode after three turns");
    thread.end()?;

    // What neither side has alone. Whether both together have it is up to the CPU (SDM vol. 3, 5.3).
    let thread = Accessing::begin(across, first)?;
    let (vector, read, turned_so_often) = thread.next()?;
    assert!(
        matches!((vector, read), (INVALID_OPCODE, 0x4433_2211) | (PROTECTION, 0)),
        "on both sides: {vector}, {read:#x}"
    );
    assert_eq!(turned_so_often, turns(ALL_TURNS), "turns on both sides");
    thread.end()?;
    assert_eq!(isolation()? == Isolation::Page as u64, turned || before == Isolation::Page as u64);
    restore()?;

    // What is no access to storage at all.
    let thread = Accessing::begin(halt, first)?;
    for _ in 0..3 {
        assert_eq!(
            thread.next()?,
            (PROTECTION, 0, turns(ALL_TURNS)),
            "the exception of an instruction that is forbidden"
        );
        reply::<Native>(&Message::new(fault::RESUME, &[]))?;
    }
    thread.end()?;
    restore()
}
