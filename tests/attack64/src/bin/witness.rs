//! The witness, as a 64-bit task.
#![no_std]
#![no_main]

lilliput_user64::entry!(lilliput_attack64::witness);
