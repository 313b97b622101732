//! The two legacy interrupt controllers: moved out of the way and masked.

use x86_64::instructions::port::PortWriteOnly;

/// Where the first controller's spurious interrupts would come in: above the exceptions.
const FIRST_VECTOR: u8 = 0x20;

/// Masks all lines. The vectors are moved all the same, since a spurious interrupt can't be masked and would
/// come in as an exception otherwise.
pub fn mask() {
    for (command, first_vector, cascade) in [(0x20, FIRST_VECTOR, 4), (0xa0, FIRST_VECTOR + 8, 2)] {
        let mut data = PortWriteOnly::<u8>::new(command + 1);
        let mut command = PortWriteOnly::<u8>::new(command);
        // SAFETY: the initialisation sequence of the 8259A; nothing else in the kernel uses it.
        unsafe {
            command.write(0x11);
            data.write(first_vector);
            data.write(cascade);
            data.write(0x01);
            data.write(0xff);
        }
    }
}
