//! The kernel's function names and sizes, read from its ELF file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::boot_text;
use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

/// Names of functions by address.
#[derive(Debug, Default)]
pub struct Symbols(BTreeMap<u64, String>);

impl Symbols {
    /// Reads the symbol table of an ELF file.
    pub fn read(file: &Path) -> Result<Self> {
        let bytes = fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
        let object = object::File::parse(&*bytes).with_context(|| format!("{} is no ELF file", file.display()))?;
        let mut names = BTreeMap::new();
        for symbol in object.symbols().filter(|symbol| symbol.is_definition() && symbol.kind() == SymbolKind::Text) {
            if let Ok(name) = symbol.name() {
                // The alternate form leaves out the hash.
                names.entry(symbol.address()).or_insert_with(|| format!("{:#}", rustc_demangle::demangle(name)));
            }
        }
        Ok(Self(names))
    }

    /// Lines of `hexadecimal address, space, name`, sorted by address, as the kernel reads them.
    pub fn listing(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (address, name)| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{address:x} {name}");
            text
        })
    }

    /// The function that an address lies in, and how far from its start: `name+0x12`.
    pub fn at(&self, address: u64) -> Option<String> {
        let (start, name) = self.0.range(..=address).next_back()?;
        Some(format!("{name}+{:#x}", address - start))
    }
}

/// Bytes of machine code in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextSize {
    /// What stays while user code runs.
    pub stays: u64,
    /// What runs during boot only, or checks invariants where that is asked for, and is given back else.
    pub boot: u64,
}

/// Bytes of machine code in an ELF file.
pub fn text_size(file: &Path) -> Result<TextSize> {
    let bytes = fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
    let object = object::File::parse(&*bytes).with_context(|| format!("{} is no ELF file", file.display()))?;
    let mut size = TextSize { stays: 0, boot: 0 };
    for section in object.sections().filter(|section| section.kind() == SectionKind::Text) {
        let goes = section.name().is_ok_and(|name| boot_text::SECTIONS.contains(&name));
        let part = if goes { &mut size.boot } else { &mut size.stays };
        *part += section.size();
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    #[test]
    fn lists_sorted_and_looks_up() {
        let names = [(0xffff_ffff_8000_1000, "a::b"), (0xffff_ffff_8000_0000, "_start")];
        let symbols = Symbols(names.map(|(address, name)| (address, name.to_owned())).into());
        assert_eq!(symbols.listing(), "ffffffff80000000 _start\nffffffff80001000 a::b\n");
        assert_eq!(symbols.at(0xffff_ffff_8000_1012).as_deref(), Some("a::b+0x12"));
        assert_eq!(symbols.at(0x1000), None);
    }

    #[test]
    fn reads_this_very_program() {
        let file = env::current_exe().unwrap();
        let symbols = Symbols::read(&file).unwrap();
        assert!(symbols.listing().lines().any(|line| line.ends_with("xtask::build::symbols::text_size")));
        assert!(text_size(&file).unwrap().stays > 10_000);
    }
}
