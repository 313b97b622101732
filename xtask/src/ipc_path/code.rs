//! Machine code and the symbols in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use iced_x86::{Decoder, DecoderOptions, Instruction};
use object::{Object, ObjectSection, ObjectSymbol};

/// What a symbol that marks the beginning of a stage begins with; its name and a number follow.
const STAGE: &str = "lilliput_stage_";

/// The section that holds the kernel's code.
const SECTION: &str = ".text";

/// A piece of machine code.
pub struct Code {
    /// Where it starts.
    start: u64,
    bytes: Vec<u8>,
    symbols: BTreeMap<String, u64>,
    stages: BTreeMap<u64, String>,
}

impl Code {
    /// The code of an ELF file.
    pub fn read(file: &Path) -> Result<Self> {
        let bytes = fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
        let object = object::File::parse(&*bytes).with_context(|| format!("{} is no ELF file", file.display()))?;
        let section = object.section_by_name(SECTION).with_context(|| format!("there is no section {SECTION}"))?;
        let symbols = object.symbols().filter_map(|symbol| Some((symbol.name().ok()?, symbol.address())));
        Self::new(section.address(), section.data()?.to_vec(), symbols)
    }

    /// These bytes at an address, with symbols.
    pub fn new<'a>(start: u64, bytes: Vec<u8>, names: impl Iterator<Item = (&'a str, u64)>) -> Result<Self> {
        let (mut symbols, mut stages) = (BTreeMap::new(), BTreeMap::new());
        for (name, address) in names {
            if let Some((stage, _)) = name.strip_prefix(STAGE).and_then(|rest| rest.rsplit_once('_')) {
                if let Some(other) = stages.insert(address, stage.to_owned()).filter(|other| other != stage) {
                    bail!("both {other} and {stage} begin at {address:#x}");
                }
            } else {
                symbols.insert(name.to_owned(), address);
            }
        }
        Ok(Self { start, bytes, symbols, stages })
    }

    /// The value of a symbol.
    pub fn symbol(&self, name: &str) -> Result<u64> {
        self.symbols.get(name).copied().with_context(|| format!("the kernel has no symbol {name}"))
    }

    /// The stage that begins at an address, if one does.
    pub fn stage_at(&self, address: u64) -> Option<&str> {
        self.stages.get(&address).map(String::as_str)
    }

    /// The instruction at an address.
    pub fn instruction(&self, address: u64) -> Result<Instruction> {
        let bytes = address.checked_sub(self.start).and_then(|offset| self.bytes.get(usize::try_from(offset).ok()?..));
        let bytes =
            bytes.filter(|bytes| !bytes.is_empty()).with_context(|| format!("{address:#x} is outside of the code"))?;
        let instruction = Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).decode();
        if instruction.is_invalid() {
            bail!("there is no instruction at {address:#x}");
        }
        Ok(instruction)
    }
}
