//! A walk along one route: which instructions run, in which stage, and what they touch.
//!
//! Registers are followed as far as they point to the kernel's structures. An access through any other register, a jump that is not
//! the one that the route knows, or an exit at another place is an error: then route and code no longer fit.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use iced_x86::{
    FlowControl, Formatter, Instruction, InstructionInfo, InstructionInfoFactory, IntelFormatter, Mnemonic, OpAccess,
    OpKind, Register, UsedMemory,
};

use super::code::Code;
use super::layout::{LINE, Layout, Line, Structure};
use super::paths::{self, Exit, Route};

/// More instructions than any path has: it turns in circles.
const ENDLESS: usize = 200;

/// An instruction that runs.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it is.
    pub address: u64,
    /// The instruction, with the names of what it touches.
    pub text: String,
    /// The stage that it is part of.
    pub stage: String,
    /// Whether it is a conditional jump, and taken.
    pub taken: Option<bool>,
}

/// What was seen on a route.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// The kernel's instructions after the entry instruction.
    pub steps: Vec<Step>,
    code: BTreeSet<u64>,
    /// Lines of data, with their names.
    data: BTreeMap<Line, String>,
}

impl Walk {
    /// Walks along a route.
    pub fn new(code: &Code, layout: &Layout, route: &Route) -> Result<Self> {
        let mut walker = Walker { layout, registers: BTreeMap::new(), info: InstructionInfoFactory::new() };
        if route.entry == paths::BY_INTERRUPT {
            walker.registers.insert(Register::RSP, (Structure::Stack, 0));
        }
        let mut walk = Self::default();
        let mut branches = route.branches.iter();
        let (mut address, mut stage, mut test) = (code.symbol(route.entry)?, None, None);
        while walk.steps.len() < ENDLESS {
            stage = code.stage_at(address).map(str::to_owned).or(stage);
            let instruction = code.instruction(address)?;
            let at = || format!("at {address:#x}");
            let (text, lines) = walker.step(&instruction).with_context(at)?;
            let mut step = Step {
                address,
                text: text.clone(),
                stage: stage.clone().with_context(|| format!("no stage begins at or before {address:#x}"))?,
                taken: None,
            };
            walk.code.extend([address / LINE, (instruction.next_ip() - 1) / LINE]);
            walk.data.extend(lines.into_iter().map(|line| (line, layout.line(line))));
            let mut next = instruction.next_ip();
            match instruction.flow_control() {
                FlowControl::Next => {}
                FlowControl::UnconditionalBranch => next = instruction.near_branch_target(),
                FlowControl::ConditionalBranch => {
                    let jump = text.split_whitespace().next().unwrap_or_default();
                    let found = format!("{}; {jump}", test.as_deref().unwrap_or("nothing"));
                    let branch = branches.next().with_context(|| format!("`{found}` {} is unknown", at()))?;
                    ensure!(branch.test == found, "{} is `{found}` where `{}` is expected", at(), branch.test);
                    step.taken = Some(branch.taken);
                    if branch.taken {
                        next = instruction.near_branch_target();
                    }
                }
                FlowControl::Return => {
                    walk.steps.push(step);
                    ensure!(branches.next().is_none(), "it ends {} before all jumps were made", at());
                    return Self::ends(code, route.exit, &instruction).map(|()| walk);
                }
                _ => bail!("`{text}` {} leads nobody knows where", at()),
            }
            if writes_flags(&instruction) {
                test = Some(text);
            }
            walk.steps.push(step);
            address = next;
        }
        bail!("no end after {ENDLESS} instructions")
    }

    /// Whether this is the expected exit.
    fn ends(code: &Code, exit: Exit, instruction: &Instruction) -> Result<()> {
        let (mnemonic, address) = (instruction.mnemonic(), instruction.ip());
        let right = match exit {
            Exit::Sysret => mnemonic == Mnemonic::Sysretq,
            Exit::FarReturn(name) => mnemonic == Mnemonic::Retf && code.symbol(name)? == address,
            Exit::InterruptReturn(name) => mnemonic == Mnemonic::Iretq && code.symbol(name)? == address,
        };
        ensure!(right, "it ends with {mnemonic:?} at {address:#x}, not with {exit:?}");
        Ok(())
    }

    /// How many of the kernel's instructions there are, with the entry instruction.
    pub fn instructions(&self) -> usize {
        1 + self.steps.len()
    }

    /// How many cache lines the code is on.
    pub fn code_lines(&self) -> usize {
        self.code.len()
    }

    /// Names of the cache lines of the kernel's data that are touched.
    pub fn data_lines(&self) -> Vec<&str> {
        self.data.values().map(String::as_str).collect()
    }

    /// Stages in their order, with how many instructions each has.
    pub fn stages(&self) -> Vec<(&str, usize)> {
        let mut stages = vec![("entry instruction", 1)];
        for step in &self.steps {
            match stages.iter_mut().find(|(name, _)| *name == step.stage) {
                Some((_, count)) => *count += 1,
                None => stages.push((&step.stage, 1)),
            }
        }
        stages
    }
}

/// Whether a later conditional jump looks at what this instruction found.
fn writes_flags(instruction: &Instruction) -> bool {
    instruction.rflags_modified() & (iced_x86::RflagsBits::ZF | iced_x86::RflagsBits::CF) != 0
}

/// Where a register points.
type Pointer = (Structure, u64);

/// What registers hold while one walks.
struct Walker<'a> {
    layout: &'a Layout,
    /// Where those registers point of which it is known, by their full names.
    registers: BTreeMap<Register, Pointer>,
    info: InstructionInfoFactory,
}

impl Walker<'_> {
    /// Executes one instruction: how it reads, and which lines it touches.
    fn step(&mut self, instruction: &Instruction) -> Result<(String, Vec<Line>)> {
        let info = self.info.info(instruction).clone();
        let mut lines = Vec::new();
        for memory in info.used_memory().iter().filter(|memory| memory.access() != OpAccess::NoMemAccess) {
            let (structure, offset) = self.locate(memory)?;
            let size = match instruction.mnemonic() {
                // What an inner level's code and stack are; the decoder tells of the first half only.
                Mnemonic::Retf => Layout::FRAME,
                Mnemonic::Iretq => Layout::INTERRUPTED,
                _ => memory.memory_size().size().max(1) as u64,
            };
            lines.extend((offset / LINE..=(offset + size - 1) / LINE).map(|line| Line(structure, line)));
        }
        let descriptors = self.layout.descriptors();
        let implied = match (instruction.mnemonic(), instruction.op0_register().is_segment_register()) {
            (Mnemonic::Retf | Mnemonic::Iretq, _) => &descriptors[..],
            (Mnemonic::Mov, true) => &descriptors[..1],
            _ => &[],
        };
        lines.extend(implied.iter().map(|offset| Line(Structure::Cpu, offset / LINE)));
        let text = self.text(instruction)?;
        self.execute(instruction, &info)?;
        Ok((text, lines))
    }

    /// Where an access goes.
    fn locate(&self, memory: &UsedMemory) -> Result<Pointer> {
        self.resolve(memory.segment(), memory.base(), memory.index(), memory.displacement())
    }

    fn resolve(&self, segment: Register, base: Register, index: Register, displacement: u64) -> Result<Pointer> {
        ensure!(index == Register::None, "an access has an index");
        if segment == Register::GS && base == Register::None {
            return Ok((Structure::Cpu, displacement));
        }
        let pointer = self.registers.get(&base.full_register());
        let (structure, offset) = pointer.with_context(|| format!("where {base:?} points is unknown"))?;
        Ok((*structure, offset.wrapping_add(displacement)))
    }

    /// Where the memory operand lies.
    fn operand(&self, instruction: &Instruction) -> Result<Pointer> {
        let (base, index) = (instruction.memory_base(), instruction.memory_index());
        self.resolve(instruction.memory_segment(), base, index, instruction.memory_displacement64())
    }

    /// Whether it accesses nothing but adds to a register that points nowhere.
    fn is_sum(&self, instruction: &Instruction) -> bool {
        let base = instruction.memory_base().full_register();
        instruction.mnemonic() == Mnemonic::Lea && !self.registers.contains_key(&base)
    }

    /// What the registers that it writes hold afterwards.
    fn execute(&mut self, instruction: &Instruction, info: &InstructionInfo) -> Result<()> {
        let target = instruction.op0_register().full_register();
        let pointer = match (instruction.mnemonic(), instruction.op1_kind()) {
            (Mnemonic::Lea, _) if self.is_sum(instruction) => None,
            (Mnemonic::Lea, _) => Some(self.operand(instruction)?),
            // Of a sum with the address of a table it is not known which entry it is; all look alike.
            (Mnemonic::Mov | Mnemonic::Movsxd | Mnemonic::Add, OpKind::Memory) if target != Register::None => {
                let (structure, offset) = self.operand(instruction)?;
                self.layout.target(structure, offset)?.map(|structure| (structure, 0))
            }
            (Mnemonic::Mov, OpKind::Register) if instruction.op0_register().size() == 8 => {
                self.registers.get(&instruction.op1_register()).copied()
            }
            _ => None,
        };
        let moved = instruction.stack_pointer_increment();
        let stack = self.registers.get(&Register::RSP).map(|(structure, offset)| (*structure, *offset));
        for used in info.used_registers() {
            let written = !matches!(used.access(), OpAccess::Read | OpAccess::CondRead | OpAccess::None);
            if written {
                self.registers.remove(&used.register().full_register());
            }
        }
        if let (Some((structure, offset)), true) = (stack, moved != 0) {
            self.registers.insert(Register::RSP, (structure, offset.wrapping_add_signed(moved.into())));
        }
        if let Some(pointer) = pointer {
            self.registers.insert(target, pointer);
        }
        Ok(())
    }

    /// The instruction in words, with the name of the field in place of its address.
    fn text(&self, instruction: &Instruction) -> Result<String> {
        let mut formatter = IntelFormatter::new();
        let options = formatter.options_mut();
        options.set_space_after_operand_separator(true);
        options.set_hex_prefix("0x");
        options.set_hex_suffix("");
        options.set_uppercase_hex(false);
        options.set_branch_leading_zeros(false);
        options.set_small_hex_numbers_in_decimal(false);
        let mut text = String::new();
        formatter.format(instruction, &mut text);
        let has_memory = instruction.op_kinds().any(|kind| kind == OpKind::Memory);
        let Some((before, rest)) = text.rfind('[').filter(|_| has_memory).map(|at| text.split_at(at)) else {
            return Ok(text);
        };
        if self.is_sum(instruction) {
            return Ok(text);
        }
        let (structure, offset) = self.operand(instruction)?;
        let field = self.layout.field(structure, offset)?;
        let after = rest.split_once(']').map_or("", |(_, after)| after);
        // A size or a segment says nothing beside a name.
        let cut = ["dword ptr ", "qword ptr ", "word ptr ", "byte ptr ", "gs:"];
        let before = cut.iter().fold(before.to_owned(), |before, word| before.replace(word, ""));
        Ok(format!("{before}{}.{field}{after}", structure.word()))
    }
}

#[cfg(test)]
mod tests;
