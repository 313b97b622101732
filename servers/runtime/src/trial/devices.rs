//! Devices: interrupts, ports and memory by capability, and what is refused.
//!
//! The devices are those that every PC has: the interval timer (82C54) at its ports 0x40 to 0x43 and on ISA's line 0, and the HPET at
//! its usual address.

use core::sync::atomic::Ordering;

use lilliput_abi::{Error, Rights};

use super::Outcome;
use super::kit::{self, PRIORITY, SCRATCH, SEEN, Work, copy, devices, factory, notification, task};
use crate::invoke::call;
use crate::machine::Machine;
use crate::message::Word;
use crate::object::{Devices, Frames, Interrupt, IoPorts};
use crate::place;

const LINE: u32 = 0;
const CHANNEL: u16 = 0x40;
const COMMAND: u16 = 0x43;
/// Channel 0, both bytes of the count, mode 2: an interrupt each time that the count is done.
const PERIODIC: u32 = 0b0011_0100;
/// The same in mode 0, with the count of which the first byte is awaited for ever: no interrupt.
const STOPPED: u32 = 0b0011_0000;
/// Clocks between two interrupts: about 1 ms.
const PERIOD: u32 = 1193;

/// The page of the HPET's registers (IA-PC HPET specification 1.0a).
const HPET_PAGE: Word = 0xfed0_0000 >> 12;

/// The timer, which interrupts periodically.
struct Timer<K> {
    ports: IoPorts<K>,
    interrupt: Interrupt<K>,
}

impl<K: Machine> Timer<K> {
    fn start(period: u32) -> Result<Self, Error> {
        let ports = factory::<K>().create_ports(devices(), CHANNEL, 4)?;
        let interrupt = factory::<K>().create_interrupt(devices(), LINE)?;
        interrupt.bind(notification(), 0)?;
        ports.write(COMMAND, 1, PERIODIC)?;
        ports.write(CHANNEL, 1, period & 0xff)?;
        ports.write(CHANNEL, 1, period >> 8)?;
        Ok(Self { ports, interrupt })
    }

    fn stop(self) -> Outcome {
        self.ports.write(COMMAND, 1, STOPPED)?;
        factory::<K>().destroy(self.interrupt.place())?;
        factory::<K>().destroy(self.ports.place())
    }
}

/// Lets so many milliseconds go by.
fn spin<K: Machine>(milliseconds: u64) -> Outcome {
    let khz = crate::System::<K>::at(place::SYSTEM).fact(lilliput_abi::object::fact::TSC_KHZ)?;
    let end = K::ticks() + milliseconds * khz;
    while K::ticks() < end {
        core::hint::spin_loop();
    }
    Ok(())
}

pub fn interrupt_delivery<K: Machine>() -> Outcome {
    let timer = Timer::<K>::start(PERIOD)?;
    spin::<K>(5)?;
    assert_eq!(notification::<K>().poll().err(), Some(Error::WouldBlock), "an interrupt came before it was opened");
    assert_eq!(timer.interrupt.count()?, 0, "interrupts of a line that is masked");
    timer.interrupt.acknowledge()?;
    for _ in 0..5 {
        // Nobody else runs meanwhile: an idle machine that waits for a device is no deadlock.
        assert_eq!(notification::<K>().wait()?, kit::BITS as Word, "bits of the interrupt");
        spin::<K>(5)?;
        let error = notification::<K>().poll().err();
        assert_eq!(error, Some(Error::WouldBlock), "an interrupt came that was not acknowledged");
        timer.interrupt.acknowledge()?;
    }
    timer.stop()?;
    let _ = notification::<K>().poll();
    spin::<K>(5)?;
    assert_eq!(notification::<K>().poll().err(), Some(Error::WouldBlock), "an interrupt of what was destroyed");
    Ok(())
}

pub fn interrupt_noted<K: Machine>() -> Outcome {
    let timer = Timer::<K>::start(PERIOD)?;
    timer.interrupt.acknowledge()?;
    notification::<K>().wait()?;
    // One more comes, is noted, and the line masked: no third one but for one on its way.
    spin::<K>(20)?;
    let count = timer.interrupt.count()?;
    assert!((2..=3).contains(&count), "{count} interrupts while none was acknowledged");
    timer.interrupt.acknowledge()?;
    assert_eq!(notification::<K>().poll()?, kit::BITS as Word, "bits of the interrupt that was noted");
    timer.stop()
}

pub fn interrupt_storm<K: Machine>() -> Outcome {
    // As fast as it goes, and a driver that does nothing but acknowledge.
    let timer = Timer::<K>::start(24)?;
    kit::start::<K>(Work::DriveInterrupt, timer.interrupt.place(), PRIORITY - 1)?;
    timer.interrupt.acknowledge()?;
    // The driver runs only when this thread waits.
    spin::<K>(50)?;
    assert_eq!(SEEN.load(Ordering::SeqCst), 0, "the driver ran while a thread of a higher priority could");
    let before = timer.interrupt.count()?;
    // One for the driver, one that is noted, and one that was on its way when the line was masked.
    assert!(before <= 3, "{before} interrupts while the driver could not run");
    assert!(before >= 1, "no interrupt came");
    // It runs while this one sleeps, and this one wakes up.
    let other = factory::<K>().create_notification()?;
    let once = task::<K>().grant(other.place(), Rights::SEND, 1, 0)?;
    kit::GIVEN_TOO.store(once, Ordering::SeqCst);
    other.wait()?;
    assert!(SEEN.load(Ordering::SeqCst) >= kit::STORM, "the driver was not signalled often enough");
    timer.stop()
}

pub fn interrupt_refusals<K: Machine>() -> Outcome {
    let (factory, all) = (factory::<K>(), devices::<K>());
    let none = |line| factory.create_interrupt(all, line).err();
    // Line 2 is how the legacy controllers are connected; where the timer leads to input 2 it is no line at all.
    for line in [24 * 8, 1 << 16, u32::MAX] {
        assert_eq!(none(line), Some(Error::BadArgument), "line {line}");
    }
    let first = factory.create_interrupt(all, LINE)?;
    assert_eq!(none(LINE), Some(Error::Occupied), "a line that is handed out");
    assert_eq!(first.message().err(), Some(Error::Unsupported), "the message of a line's interrupt");
    let error = call::<K>(first.place(), 0, &[]).err();
    assert_eq!(error, Some(Error::BadOperation), "method 0 of an interrupt");

    let bind = |place, bits| first.bind(crate::Notification::at(place), bits).err();
    assert_eq!(bind(place::SERVICE, 0), Some(Error::WrongType), "binding to an endpoint");
    assert_eq!(bind(200, 0), Some(Error::BadCapability), "binding to nothing");
    let waiter = copy::<K>(place::NOTIFICATION, Rights::RECEIVE | Rights::GRANT)?;
    assert_eq!(bind(waiter, 0), Some(Error::NoRight), "binding to what can only be waited for");
    let signaller = copy::<K>(place::NOTIFICATION, Rights::SEND)?;
    assert_eq!(bind(signaller, 0), Some(Error::NoRight), "binding to what can't be given away");
    assert_eq!(bind(place::NOTIFICATION, 1 << 31), Some(Error::BadArgument), "bit 31");
    assert_eq!(bind(0, 0), None, "binding to nobody");

    let message = factory.create_message_interrupt(all)?;
    let (address, data) = message.message()?;
    assert!(address >> 20 == 0xfee && (0x10..0x100).contains(&data), "message {data:#x} to {address:#x}");
    let second = factory.create_message_interrupt(all)?;
    assert_ne!(second.message()?.1, data, "two interrupts have one vector");

    // A copy of what was destroyed is stale, and line and vector are free again.
    let copied = Interrupt::<K>::at(copy::<K>(first.place(), Rights::SEND)?);
    factory.destroy(first.place())?;
    assert_eq!(copied.acknowledge().err(), Some(Error::BadCapability), "an interrupt that was destroyed");
    let again = factory.create_interrupt(all, LINE)?;
    assert_eq!(copied.acknowledge().err(), Some(Error::BadCapability), "a stale copy beside a new object");
    for place in [again.place(), message.place(), second.place()] {
        factory.destroy(place)?;
    }
    Ok(())
}

pub fn device_rights<K: Machine>() -> Outcome {
    let factory = factory::<K>();
    // Reading the addresses of frames is all that this one permits, and using the object not even that.
    for rights in [Rights::SEND | Rights::READ, Rights::SEND, Rights::READ, Rights::SEND | Rights::GRANT] {
        let less = Devices::<K>::at(copy::<K>(kit::DEVICES, rights)?);
        assert_eq!(factory.create_interrupt(less, LINE).err(), Some(Error::NoRight), "an interrupt");
        assert_eq!(factory.create_message_interrupt(less).err(), Some(Error::NoRight), "an interrupt by message");
        assert_eq!(factory.create_ports(less, CHANNEL, 4).err(), Some(Error::NoRight), "ports");
        assert_eq!(factory.create_device_frames(less, HPET_PAGE, 1).err(), Some(Error::NoRight), "device memory");
        let readable = rights.contains(Rights::SEND | Rights::READ);
        let address = less.address(kit::frames(), 0);
        assert_eq!(address.err(), (!readable).then_some(Error::NoRight), "the address of frames");
        task::<K>().delete(less.place())?;
    }
    // Other objects are no authority, whatever their rights.
    for place in [kit::FACTORY, place::SYSTEM, place::TASK] {
        let other = Devices::<K>::at(place);
        assert_eq!(factory.create_interrupt(other, LINE).err(), Some(Error::WrongType), "an interrupt");
        assert_eq!(factory.create_ports(other, CHANNEL, 4).err(), Some(Error::WrongType), "ports");
        assert_eq!(factory.create_device_frames(other, HPET_PAGE, 1).err(), Some(Error::WrongType), "device memory");
    }
    let error = factory.destroy(kit::DEVICES).err();
    assert!(error.is_some(), "the devices object was destroyed");
    Ok(())
}

pub fn ports<K: Machine>() -> Outcome {
    let (factory, all) = (factory::<K>(), devices::<K>());
    // What is the kernel's, what is beyond all ports, and nothing.
    for (first, count) in
        [(0x20, 1), (0x1f, 2), (0xa1, 1), (0xf4, 4), (0xf7, 1), (0xe9, 1), (0, 0x1_0000), (0xffff, 2), (0x40, 0)]
    {
        let error = factory.create_ports(all, first, count).err();
        assert_eq!(error, Some(Error::BadArgument), "{count} ports from {first:#x}");
    }
    let timer = factory.create_ports(all, CHANNEL, 4)?;
    for (port, bytes) in [(0x3f, 1), (0x44, 1), (0x3f, 2), (0x43, 2), (0x41, 4), (0x40, 0), (0x40, 3), (0x40, 8)] {
        assert_eq!(timer.read(port, bytes).err(), Some(Error::BadArgument), "{bytes} bytes at {port:#x}");
        assert_eq!(timer.write(port, bytes, 0).err(), Some(Error::BadArgument), "{bytes} bytes to {port:#x}");
    }
    assert_eq!(timer.write(CHANNEL, 1, 0x100).err(), Some(Error::BadArgument), "a value of nine bits");
    assert_eq!(timer.write_bytes(0x44, &[0]).err(), Some(Error::BadArgument), "bytes to a port beyond");
    let error = call::<K>(timer.place(), 3, &[CHANNEL as Word, 9]).err();
    assert_eq!(error, Some(Error::BadArgument), "more bytes than the message has");
    // Channel 2 drives the speaker, which is off: its count is read back as it was written.
    timer.write(COMMAND, 1, 0b1011_0000)?;
    timer.write_bytes(0x42, &[0x34, 0x12])?;
    timer.write(COMMAND, 1, 0b1000_0000)?;
    let count = timer.read(0x42, 1)? | timer.read(0x42, 1)? << 8;
    assert!((1..=0x1234).contains(&count), "a count of {count:#x} after 0x1234 was written");

    let part = factory.split_ports(timer, 0x42, 2)?;
    assert_eq!(part.read(0x41, 1).err(), Some(Error::BadArgument), "a port of the whole that is not the part's");
    assert!(part.read(0x42, 1).is_ok(), "a port of the part");
    assert_eq!(factory.split_ports(part, 0x41, 2).err(), Some(Error::BadArgument), "a part beyond the part");
    let reader = IoPorts::<K>::at(copy::<K>(part.place(), Rights::GRANT)?);
    assert_eq!(reader.read(0x42, 1).err(), Some(Error::NoRight), "reading without the right to");
    assert_eq!(factory.split_ports(reader, 0x42, 1).err(), Some(Error::NoRight), "splitting without the right to");
    let copied = IoPorts::<K>::at(copy::<K>(part.place(), Rights::SEND)?);
    factory.destroy(part.place())?;
    assert_eq!(copied.read(0x42, 1).err(), Some(Error::BadCapability), "ports that were destroyed");
    factory.destroy(timer.place())
}

pub fn device_memory<K: Machine>() -> Outcome {
    let (factory, all) = (factory::<K>(), devices::<K>());
    let none = |first, pages| factory.create_device_frames(all, first, pages).err();
    // Memory: low memory, the kernel's, a program's own. The interrupt controllers. Nothing, and what no address reaches.
    let own = devices::<K>().address(kit::frames(), 0)? as Word >> 12;
    for (first, pages) in
        [(1, 1), (0x100, 1), (0x800, 16), (own, 1), (0xfee00, 1), (0xfedff, 2), (0xfec00, 1), (0xfeef0, 1)]
    {
        assert_eq!(none(first, pages), Some(Error::BadArgument), "{pages} pages from {first:#x}");
    }
    assert_eq!(none(HPET_PAGE, 0), Some(Error::BadArgument), "no pages");
    assert_eq!(none(HPET_PAGE, 1 << 19), Some(Error::BadArgument), "too many pages");
    if size_of::<Word>() == 8 {
        for first in [Word::MAX, Word::MAX >> 12, Word::MAX >> 24] {
            assert_eq!(none(first, 2), Some(Error::BadArgument), "pages from {first:#x}");
        }
    }

    let hpet = factory.create_device_frames(all, HPET_PAGE, 1)?;
    assert_eq!(none(HPET_PAGE, 1), Some(Error::Occupied), "a device that is handed out");
    assert_eq!(none(HPET_PAGE - 1, 3), Some(Error::Occupied), "a device around one that is handed out");
    let map = |rights| task::<K>().map(hpet, SCRATCH, 0, 1, rights).err();
    assert_eq!(map(Rights::READ | Rights::EXECUTE), Some(Error::BadArgument), "a device to execute");
    assert_eq!(map(Rights::READ), None, "a device to read");
    // The vendor of the chip set, Intel, in the first register.
    assert_eq!(K::peek(SCRATCH) >> 16, 0x8086, "the HPET's capabilities");
    assert_eq!(factory.destroy(hpet.place()).err(), Some(Error::Busy), "destroying a device that is mapped");
    task::<K>().unmap(SCRATCH, 1)?;
    factory.destroy(hpet.place())?;
    let again = factory.create_device_frames(all, HPET_PAGE, 1)?;
    factory.destroy(again.place())
}

pub fn device_memory_dies_with_its_task<K: Machine>() -> Outcome {
    let (factory, all) = (factory::<K>(), devices::<K>());
    let hpet = factory.create_device_frames(all, HPET_PAGE, 1)?;
    let arena = factory.create_arena()?;
    let wide = factory.create_wide()?;
    let (small, _) = factory.create_small(arena, 1 << 20, lilliput_abi::Isolation::Auto, 0)?;
    let host = factory.create_host(arena)?;
    for (task, address) in [(wide, 0x10_0000), (small, 0x2_0000)] {
        task.map(hpet, address, 0, 1, Rights::READ)?;
        assert_eq!(factory.destroy(hpet.place()).err(), Some(Error::Busy), "destroying a device that is mapped");
        factory.destroy(task.place())?;
    }
    factory.destroy(host.place())?;
    factory.destroy(arena.place())?;
    factory.destroy(hpet.place())
}

pub fn frame_addresses<K: Machine>() -> Outcome {
    let all = devices::<K>();
    let frames = factory::<K>().create_frames(4)?;
    let first = all.address(frames, 0)?;
    for page in 0..4 {
        assert_eq!(all.address(frames, page)?, first + page as u64 * 4096, "the address of page {page}");
    }
    assert_eq!(first % 4096, 0, "the address of the first page");
    assert_eq!(all.address(frames, 4).err(), Some(Error::BadArgument), "a page that there is not");
    assert_eq!(all.address(Frames::at(place::SERVICE), 0).err(), Some(Error::WrongType), "an endpoint's address");
    for rights in [Rights::READ, Rights::WRITE, Rights::GRANT] {
        let less = Frames::at(task::<K>().grant(frames.place(), rights, 0, 0)?);
        assert_eq!(all.address(less, 0).err(), Some(Error::NoRight), "the address of what can't be read and written");
    }
    factory::<K>().destroy(frames.place())
}
