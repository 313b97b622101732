//! The witness, as an arena's host.
#![no_std]
#![no_main]

lilliput_user64::entry!(lilliput_attack64::witness);
