//! Devices: making what drivers need of them, and the methods of that.

use lilliput_abi::object::{DevicesMethod, InterruptMethod, PortsMethod};
use lilliput_abi::{Error, ObjectType, Rights};
use lilliput_core::capability::Capability;
use lilliput_core::cpu::Decision;
use lilliput_core::factory::Factory;
use lilliput_core::frames::Frame;
use lilliput_core::interrupt::{self, Interrupt};
use lilliput_core::ports::{IoPorts, PortRange};
use lilliput_core::slab::Index;
use x86_64::instructions::port::{PortReadOnly, PortWriteOnly};

use super::factory::{full, insert};
use super::frames::new_device;
use super::{Answer, Call, DONE, revoke, split};
use crate::console;
use crate::cpu::apic;
use crate::cpu::percpu::PerCpu;
use crate::devices;
use crate::dispatch::object;
use crate::state::Kernel;

/// The most pages of a run of frames.
const MOST_PAGES: u32 = 1 << 18;

/// Whether a capability is to the devices object, with these rights.
fn authority(capability: Capability, rights: Rights) -> Result<(), Error> {
    if !capability.is(ObjectType::Devices) {
        return Err(Error::WrongType);
    }
    if capability.rights().contains(rights) { Ok(()) } else { Err(Error::NoRight) }
}

/// The interrupt of a line, or one raised by messages.
pub(super) fn interrupt(
    kernel: &mut Kernel,
    factory: u32,
    call: &Call,
    line: Option<u32>,
) -> Result<Capability, Error> {
    authority(call.capability(kernel, 0)?, Rights::WRITE)?;
    let index = devices::new_interrupt(kernel, factory, line)?;
    Ok(full(&kernel.devices.interrupts, index))
}

/// Ports, of all that there are or of a range.
pub(super) fn ports(kernel: &mut Kernel, factory: u32, call: &Call) -> Result<Capability, Error> {
    let from = call.capability(kernel, 0)?;
    let whole = if from.is(ObjectType::IoPorts) {
        kernel.ports[object(&kernel.ports, from, Rights::SEND)?].range
    } else {
        authority(from, Rights::WRITE).map(|()| PortRange::ALL)?
    };
    let range = whole.part(call.small(1)?, call.small(2)?)?;
    let capability = insert(&mut kernel.ports, factory, IoPorts { range, ..IoPorts::default() })?;
    console::lend(&range);
    Ok(capability)
}

/// Frames of device memory.
pub(super) fn frames(kernel: &mut Kernel, factory: Index<Factory>, call: &Call) -> Result<Capability, Error> {
    authority(call.capability(kernel, 0)?, Rights::WRITE)?;
    let first = Frame::new(call.words[1]).ok_or(Error::BadArgument)?;
    let count: u32 = call.small(2)?;
    if !(1..=MOST_PAGES).contains(&count) || !kernel.devices.are_a_device(first, u64::from(count)) {
        return Err(Error::BadArgument);
    }
    let index = new_device(kernel, factory, first, count)?;
    Ok(full(&kernel.frame_sets, index))
}

pub(super) fn invoke_devices(kernel: &Kernel, devices: Capability, call: &Call) -> Answer {
    let DevicesMethod::Address = DevicesMethod::from_label(call.label).ok_or(Error::BadOperation)?;
    authority(devices, Rights::READ)?;
    let set = object(&kernel.frame_sets, call.capability(kernel, 0)?, Rights::READ | Rights::WRITE)?;
    let frame = kernel.frame_sets[set].set.frame(&kernel.frames.borrow(), call.small(1)?).ok_or(Error::BadArgument)?;
    Ok(split(frame.start().as_u64()))
}

pub(super) fn invoke_interrupt(
    kernel: &mut Kernel,
    this: &mut PerCpu,
    index: Index<Interrupt>,
    call: &Call,
) -> Result<super::Words, Error> {
    match InterruptMethod::from_label(call.label).ok_or(Error::BadOperation)? {
        InterruptMethod::Bind => {
            let notification = if call.words[0] == 0 {
                Capability::NULL
            } else {
                let source = call.capability(kernel, 0)?;
                object(&kernel.machine.notifications, source, Rights::SEND)?;
                let derived = revoke::derive(kernel, this, source, Rights::SEND, call.small(1)?)?;
                let Some(derived) = derived else { return Ok(call.again()) };
                derived
            };
            kernel.devices.interrupts[index].notification = notification;
            Ok(DONE)
        }
        InterruptMethod::Acknowledge => {
            match devices::acknowledge(kernel, this, index) {
                // Whoever was woken waits in the queue until this call has its answer.
                Decision::Preempt(thread) => this.cpu.enqueue(&mut kernel.machine, thread),
                Decision::Stay | Decision::Block | Decision::Donate(_) => {}
            }
            Ok(DONE)
        }
        InterruptMethod::Message if kernel.devices.interrupts[index].line.is_some() => Err(Error::Unsupported),
        InterruptMethod::Message => {
            let (address, data) = apic::message(interrupt::vector(index.number())).ok_or(Error::Unsupported)?;
            Ok([u64::from(address), u64::from(data)].into())
        }
        InterruptMethod::Count => Ok(split(kernel.devices.interrupts[index].count)),
    }
}

pub(super) fn invoke_ports(kernel: &Kernel, ports: Index<IoPorts>, call: &Call) -> Answer {
    let range = kernel.ports[ports].range;
    let (port, second): (u32, u32) = (call.small(0)?, call.small(1)?);
    match PortsMethod::from_label(call.label).ok_or(Error::BadOperation)? {
        PortsMethod::Read => {
            let value = read(range.access(port, second)?, second);
            Ok([u64::from(value)].into())
        }
        PortsMethod::Write => {
            let port = range.access(port, second)?;
            let value: u32 = call.small(2)?;
            // A value of more bits than the port has is a mistake, and nothing is cut.
            if second < 4 && value >> (8 * second) != 0 {
                return Err(Error::BadArgument);
            }
            write(port, second, value);
            Ok(DONE)
        }
        PortsMethod::WriteBytes => {
            let port = range.access(port, 1)?;
            for byte in call.bytes(kernel, 2, second)? {
                write(port, 1, u32::from(byte));
            }
            Ok(DONE)
        }
    }
}

fn read(port: u16, bytes: u32) -> u32 {
    // SAFETY: the port is the caller's, who was given it by whoever answers for the machine's devices, and none of the kernel's.
    unsafe {
        match bytes {
            1 => u32::from(PortReadOnly::<u8>::new(port).read()),
            2 => u32::from(PortReadOnly::<u16>::new(port).read()),
            _ => PortReadOnly::<u32>::new(port).read(),
        }
    }
}

fn write(port: u16, bytes: u32, value: u32) {
    // SAFETY: as above.
    unsafe {
        match bytes {
            1 => PortWriteOnly::<u8>::new(port).write(value as u8),
            2 => PortWriteOnly::<u16>::new(port).write(value as u16),
            _ => PortWriteOnly::<u32>::new(port).write(value),
        }
    }
}
