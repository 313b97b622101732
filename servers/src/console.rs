//! The console server: owns the machine's output, and writes what its clients print line by line.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use lilliput_runtime::console::{Lines, WRITE};
use lilliput_runtime::{Message, Word, parent, place, text};
use lilliput_user64::{Native, end, entry};

type Endpoint = lilliput_runtime::Endpoint<Native>;
type System = lilliput_runtime::System<Native>;

entry!(main, panic);

fn main(_: Word, _: Word) -> Word {
    let mut lines = Lines::new();
    let mut answer = None;
    loop {
        let received = match Endpoint::at(place::SERVICE).next(answer.as_ref()) {
            Ok(received) => received,
            Err(error) => panic!("the console's endpoint: {error:?}"),
        };
        if received.message.label() == WRITE {
            for byte in text::bytes(received.message.payload()) {
                lines.push(received.badge, byte, &mut |line| {
                    // There is nowhere to say that the log refused a line.
                    let _ = System::at(place::SYSTEM).write(line);
                });
            }
        }
        answer = Some(Message::new(0, &[]));
    }
}

/// The parent may be waiting for this server, so that only the log is left to tell.
fn panic(info: &PanicInfo) -> ! {
    let log = System::at(place::SYSTEM);
    let _ = text::send(format_args!("console: {info}\n"), |words| {
        text::bytes(words).try_for_each(|byte| log.write(&[byte]))
    });
    end(parent::PANICKED)
}
