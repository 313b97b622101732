use proptest::prelude::*;

use super::*;

#[test]
fn every_number_has_a_vector_of_its_own() {
    for number in 1..=u32::from(VECTORS) {
        assert_eq!(super::number(vector(number)), Some(number));
    }
    let others = (0..=u8::MAX).filter(|&vector| super::number(vector).is_none());
    assert_eq!(others.count(), 256 - usize::from(VECTORS));
    // The kernel's timer, system calls, the spurious vector.
    for vector in [0, 31, 0x30, lilliput_abi::layout::SYSTEM_CALL_VECTOR, lilliput_abi::foreign::VECTOR, 0xff] {
        assert_eq!(super::number(vector), None);
    }
}

#[test]
fn overrides_move_lines() {
    let mut lines = IsaLines::new();
    // What QEMU's tables say: the timer leads to input 2, and 5, 9, 10 and 11 are levels.
    lines.override_with(0, 2, 0);
    lines.override_with(9, 9, 0b1101);
    let edge = |global| Some(Line { global, trigger: Trigger::Edge, active_low: false });
    assert_eq!(lines.resolve(0), edge(2));
    assert_eq!(lines.resolve(2), None, "the input is the timer's");
    assert_eq!(lines.resolve(4), edge(4));
    assert_eq!(lines.resolve(9), Some(Line { global: 9, trigger: Trigger::Level, active_low: false }));
    assert_eq!(lines.resolve(20), Some(Line { global: 20, trigger: Trigger::Level, active_low: true }));
    lines.override_with(7, 20, 0b1111);
    assert_eq!(lines.resolve(20), None, "an ISA line leads there");
    assert_eq!(lines.resolve(7), Some(Line { global: 20, trigger: Trigger::Level, active_low: true }));
    lines.override_with(16, 3, 0);
    assert_eq!(lines.resolve(3), edge(3), "there is no ISA line 16");
}

proptest! {
    #[test]
    fn no_two_numbers_lead_to_one_input(overrides in prop::collection::vec((0_u8..16, 0_u32..24, 0_u16..16), 0..8)) {
        let mut lines = IsaLines::new();
        // Tables that lead two ISA lines to one input are broken.
        let (mut used, mut named) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        for (isa, global, flags) in overrides {
            if used.insert(global) && named.insert(isa) {
                lines.override_with(isa, global, flags);
            }
        }
        let inputs: std::vec::Vec<u32> = (0..24).filter_map(|number| lines.resolve(number)).map(|line| line.global).collect();
        let different: std::collections::BTreeSet<_> = inputs.iter().collect();
        prop_assert_eq!(inputs.len(), different.len());
    }
}

#[test]
fn redirections_are_packed_as_the_data_sheet_says() {
    let line = Line { global: 9, trigger: Trigger::Level, active_low: true };
    let entry = Redirection { vector: 0x51, apic: 3, line, masked: true };
    assert_eq!(entry.halves(), [0x1_a051, 3 << 24]);
    let line = Line { global: 4, trigger: Trigger::Edge, active_low: false };
    assert_eq!(Redirection { vector: 0x52, apic: 0, line, masked: false }.halves(), [0x52, 0]);
}

/// A device and an I/O APIC's input, with a driver that serves the device when it is signalled, and acknowledges then.
struct Bench {
    interrupt: Interrupt,
    masked: bool,
    /// The device wants to be served.
    active: bool,
    /// An edge was accepted and not delivered.
    latched: bool,
    signalled: bool,
    served: bool,
}

impl Bench {
    fn new(trigger: Trigger) -> Self {
        let line = Line { global: 0, trigger, active_low: false };
        let interrupt = Interrupt::new(Some(line));
        Self { interrupt, masked: true, active: false, latched: false, signalled: false, served: false }
    }

    fn level(&self) -> bool {
        self.interrupt.line.is_some_and(|line| line.trigger == Trigger::Level)
    }

    fn carry_out(&mut self, action: Action) {
        self.signalled |= action.signal;
        self.masked = action.mask.unwrap_or(self.masked);
    }

    /// The device has something new. Edges on a masked line are lost.
    fn raise(&mut self) {
        self.latched |= !self.level() && !self.masked && !self.active;
        self.active = true;
    }

    fn deliver(&mut self) {
        let due = if self.level() { self.active && !self.masked } else { self.latched };
        if due {
            self.latched = false;
            let action = self.interrupt.arrive();
            self.carry_out(action);
        }
    }

    fn serve(&mut self) {
        if core::mem::take(&mut self.signalled) {
            self.active = false;
            self.served = true;
        }
    }

    fn acknowledge(&mut self) {
        if core::mem::take(&mut self.served) {
            let action = self.interrupt.acknowledge();
            self.carry_out(action);
        }
    }
}

proptest! {
    /// Whatever the device, the controller and the driver do in whatever order: a device that wants to be served is served in the end,
    /// and no more than two interrupts come while the driver does nothing.
    #[test]
    fn no_device_is_forgotten(level: bool, steps in prop::collection::vec(0..4, 0..80)) {
        let mut bench = Bench::new(if level { Trigger::Level } else { Trigger::Edge });
        let action = bench.interrupt.acknowledge();
        bench.carry_out(action);
        let mut since = 0;
        for step in steps {
            let before = bench.interrupt.count;
            match step {
                0 => bench.raise(),
                1 => bench.deliver(),
                2 => bench.serve(),
                _ => {
                    since = if bench.served { 0 } else { since };
                    bench.acknowledge();
                }
            }
            since += bench.interrupt.count - before;
            prop_assert!(since <= 2, "{since} interrupts while the driver did nothing");
        }
        for _ in 0..4 {
            bench.deliver();
            bench.serve();
            bench.acknowledge();
        }
        prop_assert!(!bench.active, "the device waits for ever");
        prop_assert!(bench.interrupt.is_open() && !bench.masked);
    }
}

#[test]
fn a_message_is_noted_while_closed() {
    let mut interrupt = Interrupt::new(None);
    assert!(!interrupt.is_open());
    assert_eq!(interrupt.arrive(), Action { signal: false, mask: None });
    assert_eq!(interrupt.acknowledge(), Action { signal: true, mask: None });
    assert!(!interrupt.is_open(), "the one that was noted is to be acknowledged too");
    assert_eq!(interrupt.acknowledge(), Action { signal: false, mask: None });
    assert_eq!(interrupt.arrive(), Action { signal: true, mask: None });
    assert_eq!(interrupt.count, 2);
}
