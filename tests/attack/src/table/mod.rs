//! All attacks, as tables: one for each subject.

mod entries;
mod gates;
mod given;
mod leaks;
mod limits;
mod memory;
mod privileged;
mod random;
mod selectors;
mod strays;

use core::fmt;

use lilliput_abi::object::kind::{self, SMALL, WIDE};

/// What must come of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The CPU stops it by one of these exceptions.
    Fault(&'static [u8]),
    /// It goes on, and finds that it got nothing.
    Harmless,
    /// One or the other, as the CPU model has it.
    HarmlessOr(&'static [u8]),
    /// It reached for what lies beyond its space: the segment limit stops it by #GP or #SS. Where limits are not
    /// enforced, the page table does, by #PF.
    Beyond,
    /// It may end in any way or none, if only nobody else comes to harm.
    Any,
}

/// An attack.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// Its name, which is also the routine's.
    pub name: &'static str,
    /// What it tries.
    pub tries: &'static str,
    /// The manual's section about what must stop it: AMD64 Architecture Programmer's Manual (APM) or Intel Software
    /// Developer's Manual (SDM), volume and section.
    pub manual: &'static str,
    /// Kinds of task that it is run in.
    pub kinds: &'static [u64],
    /// What must come of it.
    pub expected: Expected,
    /// How many variants it has; each is run in a task of its own.
    pub variants: u16,
    /// Why it can't be shown where segment limits are not enforced: in practice, what TCG gets wrong.
    pub not_unenforced: Option<&'static str>,
}

/// All attacks, subject by subject, in the order in which they run.
pub const SUBJECTS: [&[Attack]; 11] = [
    CONTROL,
    gates::ATTACKS,
    selectors::ATTACKS,
    limits::ATTACKS,
    strays::ATTACKS,
    privileged::ATTACKS,
    entries::ATTACKS,
    leaks::ATTACKS,
    memory::ATTACKS,
    given::ATTACKS,
    random::ATTACKS,
];

/// What shows that the suite itself works.
const CONTROL: &[Attack] = &[
    harmless("control-nothing", BOTH, "nothing at all", "none"),
    ends("control-own-fault", BOTH, "its own end by an invalid opcode", "APM 3, UD2", &[UD]),
];

/// All attacks.
pub fn all() -> impl Iterator<Item = &'static Attack> {
    SUBJECTS.into_iter().flatten()
}

/// An attack by its number, as [`all`] counts.
pub fn numbered(number: usize) -> Option<&'static Attack> {
    all().nth(number)
}

const BOTH: &[u64] = &[SMALL, WIDE];
const NARROW: &[u64] = &[SMALL];
const LONG: &[u64] = &[WIDE];

const DB: u8 = 1;
const BP: u8 = 3;
const OF: u8 = 4;
const UD: u8 = 6;
const SS: u8 = 12;
const GP: u8 = 13;
const PF: u8 = 14;

const fn attack(
    name: &'static str,
    kinds: &'static [u64],
    tries: &'static str,
    manual: &'static str,
    expected: Expected,
) -> Attack {
    Attack { name, tries, manual, kinds, expected, variants: 1, not_unenforced: None }
}

const fn harmless(name: &'static str, kinds: &'static [u64], tries: &'static str, manual: &'static str) -> Attack {
    attack(name, kinds, tries, manual, Expected::Harmless)
}

const fn ends(
    name: &'static str,
    kinds: &'static [u64],
    tries: &'static str,
    manual: &'static str,
    vectors: &'static [u8],
) -> Attack {
    attack(name, kinds, tries, manual, Expected::Fault(vectors))
}

const fn beyond(name: &'static str, tries: &'static str, manual: &'static str, variants: u16) -> Attack {
    Attack { variants, ..attack(name, NARROW, tries, manual, Expected::Beyond) }
}

impl Attack {
    /// Its name where it is run in a task of this kind: `registers-at-start-64`; that of one kind only is bare.
    pub const fn named(&'static self, kind: u64) -> Name {
        Name { attack: self, kind }
    }

    const fn variants(self, variants: u16) -> Self {
        Self { variants, ..self }
    }

    const fn not_unenforced(self, reason: &'static str) -> Self {
        Self { not_unenforced: Some(reason), ..self }
    }
}

/// The name of an attack in a kind of task.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    attack: &'static Attack,
    kind: u64,
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.attack.name)?;
        match self.attack.kinds {
            [_] => Ok(()),
            _ => write!(formatter, "-{}", kind::name(self.kind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_words() {
        let full = || all().flat_map(|attack| attack.kinds.iter().map(|&kind| attack.named(kind).to_string()));
        let names: BTreeSet<_> = full().collect();
        assert_eq!(names.len(), full().count());
        assert!(names.contains("control-nothing-64") && names.contains("heavens-gate"));
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')));
    }

    #[test]
    fn every_attack_says_what_it_is() {
        for attack in all() {
            assert!(!attack.tries.is_empty() && !attack.manual.is_empty() && attack.variants > 0, "{}", attack.name);
            assert!(!attack.kinds.is_empty());
            assert!(attack.expected != Expected::Beyond || attack.kinds == NARROW, "only small tasks have a limit");
        }
    }

    /// Of what is said to be about the subjects of other kernels' tests.
    #[test]
    fn names_in_the_documents_are_those_of_attacks_and_trials() {
        use lilliput_runtime::trial::list::TRIALS;
        let known: BTreeSet<_> = all().map(|attack| attack.name).chain(TRIALS.iter().map(|trial| trial.name)).collect();
        let (_, table) = include_str!("../../../README.md").split_once("| selftest | here |").unwrap();
        let rows: Vec<_> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 15);
        for row in rows {
            let named: Vec<_> = row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2).collect();
            assert!(!named.is_empty(), "{row}");
            named.iter().for_each(|name| assert!(known.contains(name), "{name} in {row}"));
        }
    }

    #[test]
    fn numbers_find_names() {
        for (number, attack) in all().enumerate() {
            assert_eq!(numbered(number).map(|found| found.name), Some(attack.name));
        }
        assert!(numbered(all().count()).is_none());
    }
}
