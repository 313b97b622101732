//! How a small space is confined.

/// The isolation mode of a small space. `Auto` is a request only: it never is a mode in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Isolation {
    /// `Segment` where this CPU enforces limits, else `Page`.
    Auto = 0,
    /// By base and limit of its descriptors, beside the other slots of its arena.
    Segment = 1,
    /// By a page-table root that maps its own slot only, tagged with a PCID where there are PCIDs.
    Page = 2,
    /// The same, with a TLB flush at each switch of root.
    PageUntagged = 3,
}

impl Isolation {
    /// The modes that can be in force.
    pub const MODES: [Self; 3] = [Self::Segment, Self::Page, Self::PageUntagged];

    /// Reads a mode from its number.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Auto),
            1 => Some(Self::Segment),
            2 => Some(Self::Page),
            3 => Some(Self::PageUntagged),
            _ => None,
        }
    }

    /// The name used in configuration, on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Segment => "segment",
            Self::Page => "page",
            Self::PageUntagged => "page-untagged",
        }
    }

    /// Reads a mode from its name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Auto, Self::Segment, Self::Page, Self::PageUntagged].into_iter().find(|mode| mode.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_come_back() {
        for number in 0..4 {
            let mode = Isolation::from_number(number).unwrap();
            assert_eq!(mode as u64, number);
            assert_eq!(Isolation::from_name(mode.name()), Some(mode));
        }
        assert_eq!(Isolation::from_number(4), None);
        assert_eq!(Isolation::from_name("Segment"), None);
    }
}
