//! The system calls that are measured.

use crate::call::{self, Error, number};
use crate::moment;
use crate::rounds::{absent, around, measure, now};
use crate::start::Arguments;

/// Linux's number of an input or output error: a partner that is not as it must be.
const BROKEN: Error = 5;
/// Linux's number for what is not there.
#[cfg(target_arch = "x86")]
const NOT_THERE: Error = 2;
const OUTPUT: usize = 1;
const PAGE: usize = 4096;
/// Pages that are touched for the first time.
const PAGES: usize = 240;
/// Readable and writable; private, anonymous.
const PROTECTION: usize = 3;
const PRIVATE_ANONYMOUS: usize = 0x22;

/// What measures an operation, and prints under this name what it took.
type Measure = fn(&[u8], &Arguments);

/// All of them.
const OPERATIONS: &[(&[u8], Measure)] = &[
    (b"getpid", |name, _| measure(name, 1000, || Ok(call::getpid()))),
    #[cfg(target_arch = "x86")]
    (b"getpid by AT_SYSINFO", getpid_through),
    (b"getpid before an alarm", |name, _| getpid_before_alarm(name)),
    (b"read of 1 byte", |name, _| read(name)),
    (b"pipe round trip", |name, _| round_trips(name, pipes)),
    (b"unix datagram round trip", |name, _| round_trips(name, || sockets(call::DATAGRAM))),
    (b"unix stream round trip", |name, _| round_trips(name, || sockets(call::STREAM))),
    (b"fork + exit + wait", |name, _| fork(name)),
    (b"execve", execve),
    (b"page fault", |name, _| page_faults(name)),
];

/// Measures all, or the one of this name.
pub fn measure_all(only: Option<&[u8]>, arguments: &Arguments) {
    for &(name, measure) in OPERATIONS {
        if only.is_none_or(|only| only == name) {
            measure(name, arguments);
        }
    }
}

#[cfg(target_arch = "x86")]
fn getpid_through(name: &[u8], arguments: &Arguments) {
    const AT_SYSINFO: usize = 32;
    match arguments.auxiliary(AT_SYSINFO) {
        // SAFETY: it is that address.
        Some(function) => measure(name, 1000, || Ok(unsafe { call::getpid_through(function) })),
        None => absent(name, NOT_THERE),
    }
}

/// While the system has a time to wait for, which is not soon.
fn getpid_before_alarm(name: &[u8]) {
    const SECONDS: usize = 1000;
    let set = |seconds| call::call(number::ALARM, [seconds]);
    if let Err(error) = set(SECONDS) {
        return absent(name, error);
    }
    measure(name, 1000, || Ok(call::getpid()));
    let _ = set(0);
}

fn expect(well: bool) -> Result<(), Error> {
    if well { Ok(()) } else { Err(BROKEN) }
}

fn one(result: Result<usize, Error>) -> Result<(), Error> {
    expect(result? == 1)
}

fn read(name: &[u8]) {
    let zero = match call::open(c"/dev/zero", 0) {
        Ok(zero) => zero,
        Err(error) => return absent(name, error),
    };
    let mut byte = [1];
    measure(name, 1000, || around(|| one(call::read(zero, &mut byte))));
    call::close(zero);
}

fn fork(name: &[u8]) {
    measure(name, 50, || {
        around(|| {
            let Some(child) = call::fork()? else { call::exit(0) };
            expect(call::wait(child)? == 0)
        })
    });
}

/// What one of two partners reads from and writes to.
#[derive(Clone, Copy)]
struct Ends {
    from: usize,
    to: usize,
}

impl Ends {
    fn close(self) {
        call::close(self.from);
        if self.to != self.from {
            call::close(self.to);
        }
    }
}

fn pipes() -> Result<[Ends; 2], Error> {
    let ([there, to], [from, back]) = (call::pipe()?, call::pipe()?);
    Ok([Ends { from, to }, Ends { from: there, to: back }])
}

fn sockets(kind: usize) -> Result<[Ends; 2], Error> {
    call::sockets(kind).map(|ends| ends.map(|end| Ends { from: end, to: end }))
}

/// A byte to another process and one back.
fn round_trips(name: &[u8], make: impl FnOnce() -> Result<[Ends; 2], Error>) {
    let partners = make().and_then(|[mine, others]| Ok((mine, others, call::fork()?)));
    let (mine, others, child) = match partners {
        Ok((mine, others, Some(child))) => (mine, others, child),
        Ok((mine, others, None)) => {
            mine.close();
            echo(others);
        }
        Err(error) => return absent(name, error),
    };
    others.close();
    let mut byte = [7];
    measure(name, 300, || {
        around(|| {
            one(call::write(mine.to, &byte))?;
            one(call::read(mine.from, &mut byte))
        })
    });
    // Of datagrams nobody is told that there will be none: an empty one says so.
    let _ = call::write(mine.to, &[]);
    mine.close();
    let _ = call::wait(child);
}

/// Sends back what comes until nothing does.
fn echo(ends: Ends) -> ! {
    let mut byte = [0];
    while let Ok(1) = call::read(ends.from, &mut byte) {
        if call::write(ends.to, &byte) != Ok(1) {
            call::exit(1);
        }
    }
    call::exit(0)
}

/// From the call to the new program's first instruction, which the program itself tells.
fn execve(name: &[u8], arguments: &Arguments) {
    measure(name, 50, || {
        let [from, to] = call::pipe()?;
        let Some(child) = call::fork()? else {
            let _ = call::call(number::DUP2, [to, OUTPUT]);
            let began = moment::argument(now());
            let program = arguments.program();
            let arguments = [program.as_ptr(), c"began".as_ptr(), began.as_ptr().cast(), core::ptr::null()];
            let _ = call::execute(program, &arguments);
            call::exit(1)
        };
        call::close(to);
        let mut ticks = [0; 8];
        let read = call::read(from, &mut ticks);
        call::close(from);
        expect(call::wait(child)? == 0)?;
        expect(read? == ticks.len())?;
        Ok(u64::from_le_bytes(ticks))
    });
}

/// Writes how long ago it was that its parent called `execve`.
pub fn tell_age(arguments: &Arguments, began: u64) -> usize {
    let Some(argument) = arguments.get(2) else { return 1 };
    let ticks = began.wrapping_sub(moment::time(argument.to_bytes()));
    usize::from(call::write(OUTPUT, &ticks.to_le_bytes()) != Ok(8))
}

/// Pages of zeros that are written for the first time.
fn page_faults(name: &[u8]) {
    let length = PAGES * PAGE;
    let address = match call::call(number::MMAP, [0, length, PROTECTION, PRIVATE_ANONYMOUS, usize::MAX, 0]) {
        Ok(address) => address,
        Err(error) => return absent(name, error),
    };
    let mut pages = (address..).step_by(PAGE);
    measure(name, 200, || {
        let page = pages.next().unwrap_or(address) as *mut u8;
        around(|| {
            // SAFETY: it lies in what was mapped above, since a tenth more than the rounds are fewer than the pages.
            unsafe { page.write_volatile(1) };
            Ok(())
        })
    });
    let _ = call::call(number::MUNMAP, [address, length]);
}
