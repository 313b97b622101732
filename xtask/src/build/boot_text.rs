//! Whether nothing in the kernel that stays leads to the code that boot gives back.
//!
//! The linker keeps the relocations of the kernel's file: every address that stands anywhere in it. Those are looked at after each build, so
//! that the names in `kernel64/kernel.ld` need not be right for the kernel to be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol, RelocationKind, RelocationTarget, SectionKind, SymbolKind};

/// The section of boot's code.
const BOOT: &str = ".boot.text";
/// The section of the code that checks invariants, which boot keeps where it is told to.
const CHECKS: &str = ".checks.text";
/// The sections of what does not stay.
pub const SECTIONS: [&str; 2] = [BOOT, CHECKS];
/// The one way into the checks. Who takes it knows whether they are there.
const CHECK: &str = "lilliput::invariants::check";

/// Functions of boot's in tables of functions that only boot looks into.
const IN_BOOTS_TABLES: [&str; 4] = [
    "lilliput::probe::run::{closure#1}",
    "<lilliput::probe::run::{closure#1} as core::ops::function::FnOnce<(lilliput_core::paging::clear::Leaf,)>>::call_once::{shim:vtable#0}",
    "<tar_no_std::header::InvalidTypeFlagError as core::fmt::Debug>::fmt",
    "<core::num::error::ParseIntError as core::fmt::Debug>::fmt",
];

/// An address that stands in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reference {
    /// Where it stands.
    at: u64,
    /// Whether that is code.
    in_code: bool,
    /// What it is.
    to: u64,
}

/// Where the code is that only boot executes.
///
/// # Errors
/// If the kernel's file is not one, or has no such section.
pub fn boot_code(kernel: &Path) -> Result<Range<u64>> {
    let bytes = fs::read(kernel).with_context(|| format!("can't read {}", kernel.display()))?;
    bounds(&object::File::parse(&*bytes)?, BOOT)
}

fn bounds(file: &object::File, name: &str) -> Result<Range<u64>> {
    let section = file.section_by_name(name).with_context(|| format!("the kernel has no section {name}"))?;
    Ok(section.address()..section.address() + section.size())
}

/// Checks the kernel's file.
///
/// # Errors
/// With each function of boot's that something else leads to, and what that is.
pub fn check(kernel: &Path) -> Result<()> {
    let bytes = fs::read(kernel).with_context(|| format!("can't read {}", kernel.display()))?;
    let file = object::File::parse(&*bytes).with_context(|| format!("{} is no ELF file", kernel.display()))?;
    let (boot, checks) = (bounds(&file, BOOT)?, bounds(&file, CHECKS)?);
    let (references, starts) = read(&file);
    ensure!(
        references.iter().any(|reference| boot.contains(&reference.to)),
        "the kernel was linked without relocations"
    );
    let names = super::Symbols::read(kernel)?;
    let strays = strays(&references, &boot, &checks, &starts, |address| names.at(address).unwrap_or_default());
    ensure!(strays.is_empty(), "this does not stay, but is wanted later:\n  {}", strays.join("\n  "));
    Ok(())
}

/// All addresses that stand in what is loaded, and where functions start.
fn read(file: &object::File) -> (Vec<Reference>, BTreeSet<u64>) {
    let mut references = Vec::new();
    for section in file.sections() {
        let in_code = section.kind() == SectionKind::Text;
        if !in_code && !matches!(section.kind(), SectionKind::ReadOnlyData | SectionKind::Data) {
            continue;
        }
        for (at, relocation) in section.relocations() {
            let RelocationTarget::Symbol(symbol) = relocation.target() else { continue };
            let Ok(symbol) = file.symbol_by_index(symbol) else { continue };
            // The bounds of boot's code, which the linker script gives: who asks for them does not go there.
            if symbol.name().is_ok_and(|name| name.starts_with("__") && name.contains("text_")) {
                continue;
            }
            // What is relative to the instruction's end is said relative to where it stands, four bytes before.
            let relative = !matches!(relocation.kind(), RelocationKind::Absolute);
            let to = symbol.address().wrapping_add_signed(relocation.addend() + if relative { 4 } else { 0 });
            references.push(Reference { at, in_code, to });
        }
    }
    let functions = file.symbols().filter(|symbol| symbol.is_definition() && symbol.kind() == SymbolKind::Text);
    (references, functions.map(|symbol| symbol.address()).collect())
}

/// What leads into boot's code from elsewhere. In data only starts of functions do: an address within one is of a jump table, which nobody
/// but the function has.
fn strays(
    references: &[Reference],
    boot: &Range<u64>,
    checks: &Range<u64>,
    starts: &BTreeSet<u64>,
    name: impl Fn(u64) -> String,
) -> Vec<String> {
    let leads = |reference: &&Reference| {
        let is = |known: &str| name(reference.to) == format!("{known}+0x0");
        let in_checks = |address| checks.contains(&address);
        let stays = !boot.contains(&reference.at) && !in_checks(reference.at);
        let wrong = boot.contains(&reference.to) && !boot.contains(&reference.at)
            || in_checks(reference.to) && stays && !(reference.in_code && is(CHECK));
        wrong && (reference.in_code || starts.contains(&reference.to) && !IN_BOOTS_TABLES.into_iter().any(is))
    };
    let shown = |reference: &Reference| {
        let from = if reference.in_code { name(reference.at) } else { format!("data at {:#x}", reference.at) };
        (reference.to, format!("{} from {from}", name(reference.to)))
    };
    references.iter().filter(leads).map(shown).collect::<BTreeMap<_, _>>().into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: Range<u64> = 0x1000..0x2000;
    const CHECKS: Range<u64> = 0x2000..0x2100;

    fn found(at: u64, in_code: bool, to: u64) -> Vec<String> {
        let starts = [0x1000, 0x1100, 0x1200, 0x2000, 0x2080, 0x2100].into();
        strays(&[Reference { at, in_code, to }], &BOOT, &CHECKS, &starts, |address| match address {
            0x2000..0x2080 => format!("{CHECK}+{:#x}", address - 0x2000),
            0x1200..0x1300 => format!("{}+{:#x}", IN_BOOTS_TABLES[0], address - 0x1200),
            _ => format!("{address:#x}"),
        })
    }

    #[test]
    fn code_that_stays_must_not_lead_there() {
        assert_eq!(found(0x2100, true, 0x1100), ["0x1100 from 0x2100"]);
        assert_eq!(found(0x2100, true, 0x1104).len(), 1);
        assert_eq!(found(0x2100, true, 0x1200).len(), 1, "known for tables only");
        assert!(found(0x2100, true, 0x2100).is_empty());
        assert!(found(0x1800, true, 0x1100).is_empty(), "boot itself may");
    }

    #[test]
    fn data_may_have_jump_tables_and_known_functions() {
        assert_eq!(found(0x3000, false, 0x1100), ["0x1100 from data at 0x3000"]);
        assert!(found(0x3000, false, 0x1108).is_empty(), "a jump table");
        assert!(found(0x3000, false, 0x1200).is_empty(), "known");
        assert!(found(0x3000, false, 0x2100).is_empty());
    }

    #[test]
    fn checks_have_one_way_in_and_none_back() {
        assert!(found(0x2100, true, 0x2000).is_empty(), "the way in");
        assert_eq!(found(0x2100, true, 0x2080).len(), 1);
        assert_eq!(found(0x3000, false, 0x2080).len(), 1);
        assert!(found(0x1800, true, 0x2080).is_empty(), "boot may: they are there");
        assert_eq!(found(0x2000, true, 0x1100).len(), 1, "boot is gone when they run");
    }
}
