//! PCI: configuration by ports 0xcf8 and 0xcfc, a device's memory, and its interrupt by message (MSI-X).

use core::ptr::NonNull;

use lilliput_abi::Error;
use lilliput_runtime::place::driver::PORTS;
use lilliput_runtime::{Interrupt, IoPorts};
use lilliput_user64::Native;
use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::pci::bus::{BarInfo, Command, ConfigurationAccess, DeviceFunction, PciRoot};
use virtio_drivers::transport::pci::virtio_device_type;

use crate::memory;

/// The first of the ports of PCI's configuration, and how far behind it the data are (PCI 3.0, 3.2.2.3.2).
const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
const ENABLE: u32 = 1 << 31;

/// Identity of the capability for MSI-X, and its parts (PCI 3.0, 6.8.2).
const MSIX: u8 = 0x11;
const MSIX_ENABLE: u32 = 1 << 31;
const MSIX_MASK_ALL: u32 = 1 << 30;
/// The capability of virtio's common configuration (Virtio 1.2, 4.1.4).
const VENDOR: u8 = 0x09;
const COMMON_CONFIGURATION: u8 = 1;

/// Configuration space, by system calls.
pub struct Configuration;

impl Configuration {
    fn select(device: DeviceFunction, register: u8) -> IoPorts<Native> {
        let DeviceFunction { bus, device, function } = device;
        let place =
            u32::from(bus) << 16 | u32::from(device) << 11 | u32::from(function) << 8 | u32::from(register & !3);
        let ports = IoPorts::at(PORTS);
        ports.write(ADDRESS, 4, ENABLE | place).expect("the ports of PCI's configuration");
        ports
    }
}

impl ConfigurationAccess for Configuration {
    fn read_word(&self, device: DeviceFunction, register: u8) -> u32 {
        Self::select(device, register).read(DATA, 4).expect("the ports of PCI's configuration")
    }

    fn write_word(&mut self, device: DeviceFunction, register: u8, data: u32) {
        Self::select(device, register).write(DATA, 4, data).expect("the ports of PCI's configuration");
    }

    unsafe fn unsafe_clone(&self) -> Self {
        Self
    }
}

/// The first block device of virtio's on the first bus.
pub fn find(root: &PciRoot<Configuration>) -> Option<DeviceFunction> {
    let block = |info| virtio_device_type(&info) == Some(DeviceType::Block);
    root.enumerate_bus(0).find_map(|(device, info)| block(info).then_some(device))
}

/// Maps the memory of a device, and lets it use the machine's.
///
/// # Errors
/// What the kernel says; `Unsupported` where the device's registers can't be read.
pub fn open(root: &mut PciRoot<Configuration>, device: DeviceFunction) -> Result<(), Error> {
    for bar in root.bars(device).map_err(|_| Error::Unsupported)?.into_iter().flatten() {
        if let BarInfo::Memory { address, size, .. } = bar {
            memory::map_device(address, size)?;
        }
    }
    let (_, command) = root.get_status_command(device);
    root.set_command(device, command | Command::MEMORY_SPACE | Command::BUS_MASTER | Command::INTERRUPT_DISABLE);
    Ok(())
}

/// Where something of a device's memory is, by the number of its base address register and the distance from there.
fn locate(root: &mut PciRoot<Configuration>, device: DeviceFunction, bar: u8, offset: u32) -> Option<NonNull<u8>> {
    match root.bar_info(device, bar).ok()?? {
        BarInfo::Memory { address, size, .. } if u64::from(offset) < size => {
            memory::device(address + u64::from(offset))
        }
        _ => None,
    }
}

/// Where virtio's common configuration of a device is.
pub fn common_configuration(root: &mut PciRoot<Configuration>, device: DeviceFunction) -> Option<NonNull<u8>> {
    let common = |kind: u16| (kind >> 8) as u8 == COMMON_CONFIGURATION;
    let capability = root.capabilities(device).find(|found| found.id == VENDOR && common(found.private_header))?;
    let [bar, offset] = [4, 8].map(|part| Configuration.read_word(device, capability.offset + part));
    locate(root, device, bar as u8, offset)
}

/// Lets the first of a device's messages raise an interrupt.
///
/// # Errors
/// What the kernel says; `Unsupported` where the device has no MSI-X.
pub fn connect(
    root: &mut PciRoot<Configuration>,
    device: DeviceFunction,
    interrupt: Interrupt<Native>,
) -> Result<(), Error> {
    let capability = root.capabilities(device).find(|found| found.id == MSIX).ok_or(Error::Unsupported)?;
    let table = Configuration.read_word(device, capability.offset + 4);
    let entry = locate(root, device, (table & 7) as u8, table & !7).ok_or(Error::Unsupported)?.cast::<u32>();
    let (address, data) = interrupt.message()?;
    for (place, word) in [address as u32, (address >> 32) as u32, data, 0].into_iter().enumerate() {
        // SAFETY: an entry of the table has four words; it lies in the device's memory, which is mapped for good, and nobody
        // else uses it.
        unsafe { entry.add(place).write_volatile(word) };
    }
    let control = Configuration.read_word(device, capability.offset);
    Configuration.write_word(device, capability.offset, control & !MSIX_MASK_ALL | MSIX_ENABLE);
    Ok(())
}
