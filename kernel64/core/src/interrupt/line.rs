//! Interrupt lines, and how an I/O APIC is told about one.

/// Lines of the ISA bus.
const ISA: usize = 16;

/// When a line interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// When it becomes active.
    Edge,
    /// As long as it is active.
    Level,
}

/// An interrupt line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number among all inputs of I/O APICs: ACPI's global system interrupt.
    pub global: u32,
    /// When it interrupts.
    pub trigger: Trigger,
    /// Whether it is active when low.
    pub active_low: bool,
}

/// Where the lines of the ISA bus lead (ACPI 6.5, 5.2.12.5).
#[derive(Clone, Copy, Debug)]
pub struct IsaLines {
    lines: [Line; ISA],
    /// Which of them the firmware's tables name.
    named: u16,
}

impl IsaLines {
    /// Each to the input of its own number, as where the tables say nothing.
    pub const fn new() -> Self {
        let mut lines = [Line { global: 0, trigger: Trigger::Edge, active_low: false }; ISA];
        let mut number = 0;
        while number < ISA {
            lines[number].global = number as u32;
            number += 1;
        }
        Self { lines, named: 0 }
    }

    /// Takes in an "interrupt source override". Flags: polarity in bits 1..0, trigger mode in 3..2; 3 is "low" and "level", 0 and
    /// what is reserved the bus's own way.
    pub fn override_with(&mut self, isa: u8, global: u32, flags: u16) {
        if let Some(line) = self.lines.get_mut(usize::from(isa)) {
            let trigger = if flags >> 2 & 3 == 3 { Trigger::Level } else { Trigger::Edge };
            *line = Line { global, trigger, active_low: flags & 3 == 3 };
            self.named |= 1 << isa;
        }
    }

    /// The line with this number: 0 to 15 are ISA's, others global ones, by which PCI interrupts with a low level. `None` for a number
    /// whose input another ISA line leads to.
    pub fn resolve(&self, number: u32) -> Option<Line> {
        let isa = self.lines.get(number as usize);
        let named = number < ISA as u32 && self.named >> number & 1 == 1;
        let line = *isa.unwrap_or(&Line { global: number, trigger: Trigger::Level, active_low: true });
        let taken = (0..ISA).any(|other| self.named >> other & 1 == 1 && self.lines[other].global == line.global);
        (named || !taken).then_some(line)
    }
}

impl Default for IsaLines {
    fn default() -> Self {
        Self::new()
    }
}

/// An entry of an I/O APIC's redirection table (82093AA data sheet, 3.2.4): fixed delivery to one CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirection {
    /// The vector.
    pub vector: u8,
    /// The local APIC that it is delivered to.
    pub apic: u8,
    /// The line.
    pub line: Line,
    /// Whether nothing is delivered.
    pub masked: bool,
}

impl Redirection {
    /// The entry of an input that nobody uses.
    pub const UNUSED: [u32; 2] = [1 << 16, 0];

    /// The entry's two halves, the low one first.
    pub const fn halves(&self) -> [u32; 2] {
        let level = matches!(self.line.trigger, Trigger::Level);
        let low = self.vector as u32
            | (self.line.active_low as u32) << 13
            | (level as u32) << 15
            | (self.masked as u32) << 16;
        [low, (self.apic as u32) << 24]
    }
}
