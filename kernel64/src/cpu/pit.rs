//! The legacy interval timer, used for one thing: measuring other counters at boot.

use core::hint::black_box;

use x86_64::instructions::port::{Port, PortWriteOnly};

/// The timer's input clock.
const HERTZ: u64 = 1_193_182;
/// Length of one measurement in input clocks: about 3 ms.
const CLOCKS: u16 = 3580;
/// Measurements taken, of which the median counts: one may be disturbed by the host of a virtual machine.
const ROUNDS: usize = 3;
/// Give up after this many ticks of the measured counter: there is no timer, or it stands still.
const PATIENCE: u64 = 1 << 32;

/// Port 0x61: gate of channel 2, the speaker, and channel 2's output.
const GATE: u8 = 1 << 0;
const SPEAKER: u8 = 1 << 1;
const OUTPUT: u8 = 1 << 5;
/// Channel 2, both bytes of the count, mode 0: the output rises when the count is done.
const CHANNEL_2_ONE_SHOT: u8 = 0b1011_0000;

/// Measures the rate of a counter in kHz, or `None` where the timer does not work.
pub fn rate_of(counter: impl Fn() -> u64) -> Option<u64> {
    let mut rates = [0; ROUNDS];
    for rate in &mut rates {
        let ticks = count_once(&counter)?;
        *rate = ticks * HERTZ / (u64::from(CLOCKS) * 1000);
    }
    rates.sort_unstable();
    // A timer whose output is stuck high ends each measurement at once: no counter is that slow.
    Some(rates[ROUNDS / 2]).filter(|&rate| rate > 1000)
}

/// How far a counter gets while the timer counts down once.
fn count_once(counter: &impl Fn() -> u64) -> Option<u64> {
    let mut control = Port::<u8>::new(0x61);
    let mut command = PortWriteOnly::<u8>::new(0x43);
    let mut channel = PortWriteOnly::<u8>::new(0x42);
    // SAFETY: channel 2 drives the speaker only, which is off, and nothing else in the kernel uses it.
    let begin = unsafe {
        let idle = control.read() & !(GATE | SPEAKER);
        control.write(idle | GATE);
        command.write(CHANNEL_2_ONE_SHOT);
        channel.write(CLOCKS.to_le_bytes()[0]);
        channel.write(CLOCKS.to_le_bytes()[1]);
        counter()
    };
    loop {
        // SAFETY: reading port 0x61 changes nothing.
        let done = unsafe { control.read() } & OUTPUT != 0;
        let gone = counter().wrapping_sub(begin);
        if done {
            return Some(gone);
        }
        if gone > PATIENCE {
            return None;
        }
        // Port reads are what an emulator is slowest at: look now and then only.
        for pass in 0..64 {
            black_box(pass);
        }
    }
}
