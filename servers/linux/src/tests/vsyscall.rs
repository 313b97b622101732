//! Functions at fixed addresses.

use lilliput_abi::object::register;

use super::Scene;
use crate::arch::{Arch, DI};
use crate::machine::Machine;
use crate::process::End;
use crate::server::Answer;

#[test]
fn functions_at_fixed_addresses_return_to_their_caller() {
    const VSYSCALL: u64 = 0xffff_ffff_ff60_0000;
    let mut scene = Scene::new(Arch::Amd64);
    let (place, stack) = (scene.memory() + 0x100, scene.memory() + 0x200);
    let go = |scene: &mut Scene, address: u64, arguments: [u64; 2]| {
        scene.user(1, |user| user.write(stack, &0x40_1234_u64.to_le_bytes())).unwrap();
        let mut registers = scene.registers(1);
        registers.set(register::SP, stack);
        [DI, register::SI].into_iter().zip(arguments).for_each(|(number, value)| registers.set(number, value));
        let handle = scene.server.threads[0].as_ref().unwrap().handle;
        scene.server.machine.enters(1);
        scene.server.machine.set_registers(handle, Arch::Amd64, &registers).unwrap();
        // A fetch, as the processor would find out.
        let answer = scene.server.fault(1, 14, 20, address);
        scene.server.machine.answered(1, answer);
        answer
    };
    let returned = |scene: &Scene| {
        let registers = scene.registers(1);
        (registers.ip(), registers.sp(), registers.get(register::AX))
    };
    let seconds = scene.done(1, "time", &[0]);
    go(&mut scene, VSYSCALL + 0x400, [place, 0]);
    assert_eq!(returned(&scene), (0x40_1234, stack + 8, seconds));
    assert_eq!(u64::from(scene.number(1, 0x100)), seconds);
    for (address, arguments) in [(VSYSCALL, [0, 0]), (VSYSCALL, [place, 0]), (VSYSCALL + 0x800, [place, place + 4])] {
        go(&mut scene, address, arguments);
        assert_eq!(returned(&scene), (0x40_1234, stack + 8, 0), "{address:#x}");
    }
    // Between them, where nothing of the program's is, and where what is named is not there, it is ended.
    let bad = [(VSYSCALL + 1, place), (VSYSCALL + 0xc00, place), (VSYSCALL, 0x10)];
    for (address, place) in bad {
        let mut scene = Scene::new(Arch::Amd64);
        let answer = go(&mut scene, address, [place, 0]);
        assert_eq!((answer, scene.server.ended()), (Answer::Nobody, Some(End::Signal(11))), "{address:#x}");
    }
}
