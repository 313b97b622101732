//! The README against the crate: every number that it names is the crate's, and its program is the example, which compiles.

use std::fmt::Debug;
use std::path::Path;
use std::process::Command;

use lilliput_abi::boot::{capability, exit};
use lilliput_abi::object::{
    ArenaMethod, DevicesMethod, FactoryMethod, InterruptMethod, PortsMethod, SystemMethod, TaskMethod, ThreadMethod,
};
use lilliput_abi::{Error, ObjectType, Operation, Rights, fault, foreign, layout};

const README: &str = include_str!("../README.md");
/// The examples, with the options of the compiler that are theirs.
const EXAMPLES: [(&str, &str, &[&str]); 4] = [
    ("call32.c", include_str!("../examples/call32.c"), &["-m32"]),
    ("hello.c", include_str!("../examples/hello.c"), &["-m32"]),
    ("call64.c", include_str!("../examples/call64.c"), &["-m64", "-mno-red-zone"]),
    ("primes64.c", include_str!("../examples/primes64.c"), &["-m64", "-mno-red-zone"]),
];

/// The part of the README under a heading.
fn section(heading: &str) -> &'static str {
    let start = README.find(&format!("# {heading}\n")).unwrap_or_else(|| panic!("no section {heading}"));
    let rest = &README[start + 1..];
    &rest[..rest.find("\n##").unwrap_or(rest.len())]
}

/// The numbers and names in a section's table, in their order.
fn rows(heading: &str) -> Vec<(u64, &'static str)> {
    let row = |line: &'static str| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let number = cells.next()?.parse().ok()?;
        Some((number, cells.next()?.strip_prefix('`')?.strip_suffix('`')?))
    };
    section(heading).lines().filter_map(row).collect()
}

fn has(heading: &str, text: &str) {
    assert!(section(heading).contains(text), "{heading} does not say {text}");
}

#[test]
fn errors_are_numbered_as_documented() {
    let expected: Vec<_> = Error::ALL.iter().map(|&error| (error as u64, error.name())).collect();
    assert_eq!(rows("Status"), expected);
}

#[test]
fn operations_are_numbered_as_documented() {
    let mut documented = rows("Operations");
    documented.dedup();
    let expected: Vec<_> =
        Operation::ALL.iter().map(|&operation| (operation as u64, format!("{operation:?}"))).collect();
    assert_eq!(documented.iter().map(|&(number, name)| (number, name.to_string())).collect::<Vec<_>>(), expected);
}

#[test]
fn rights_are_the_bits_documented() {
    let expected: Vec<_> = Rights::all().iter_names().map(|(name, right)| (u64::from(right.bits()), name)).collect();
    assert_eq!(rows("Capabilities and rights"), expected);
}

#[test]
fn methods_are_numbered_as_documented() {
    fn check<T: Debug>(heading: &str, object_type: ObjectType, from_label: fn(u16) -> Option<T>) {
        let all = (0..=u16::MAX).filter_map(|label| Some((u64::from(label), format!("{:?}", from_label(label)?))));
        let documented = rows(&format!("{heading} (type {})", object_type as u8));
        let documented = documented.into_iter().map(|(label, name)| (label, name.to_string()));
        assert_eq!(documented.collect::<Vec<_>>(), all.collect::<Vec<_>>());
    }
    check("Factory", ObjectType::Factory, FactoryMethod::from_label);
    check("Task", ObjectType::Task, TaskMethod::from_label);
    check("Arena", ObjectType::Arena, ArenaMethod::from_label);
    check("Thread", ObjectType::Thread, ThreadMethod::from_label);
    check("System", ObjectType::System, SystemMethod::from_label);
    check("Devices", ObjectType::Devices, DevicesMethod::from_label);
    check("Interrupt", ObjectType::Interrupt, InterruptMethod::from_label);
    check("I/O ports", ObjectType::IoPorts, PortsMethod::from_label);
}

#[test]
fn addresses_and_codes_are_those_documented() {
    has("A system call", &format!("calls address `{:#x}`", layout::ENTRY_PAGE));
    has("A system call", &format!("`int {:#x}`", layout::SYSTEM_CALL_VECTOR));
    has("Address spaces", &format!("| `{:#x}` to the end |", layout::USER_START));
    has("Factory (type 6)", &format!("`{:#x}` to 4,286,578,688", layout::USER_START + layout::PAGE_SIZE));
    assert_eq!(layout::MAX_SMALL_SIZE, 4_286_578_688);
    assert_eq!((layout::USER_END, layout::HOST_START), (0x7fff_ffff_f000, 0x80_0000_0000));
    has("Exceptions", &format!("`{:#x}`", lilliput_abi::fault::FAULT_LABEL));
    for label in [foreign::INTERRUPT_LABEL, foreign::SYSCALL_LABEL, foreign::SYSENTER_LABEL] {
        has("Foreign threads", &format!("| `{label:#x}` | `"));
    }
    has("Foreign threads", &format!("`int {:#x}`", foreign::VECTOR));
    has("Foreign threads", &format!("| {} | the thread goes on", fault::RESUME));
    has("Foreign threads", &format!("| {} | the same, with the {} words", foreign::ANSWER, foreign::WORDS));
    let last = "The first task, and the end of the machine";
    for code in [exit::SUCCESS, exit::FAILURE, exit::PANIC, exit::DEADLOCK, exit::UNSUPPORTED] {
        has(last, &format!("| {code:#x} | {} |", 2 * code + 1));
    }
    let places = [
        (capability::FACTORY, "the factory"),
        (capability::TASK, "its own task"),
        (capability::THREAD, "its own thread"),
        (capability::SYSTEM, "the system object"),
        (capability::DEVICES, "the devices object"),
    ];
    for (place, what) in places {
        has(last, &format!("| {place} | {what}"));
    }
}

#[test]
fn the_programs_are_the_examples() {
    for (name, example, _) in EXAMPLES {
        assert!(section("A program in C").contains(example.trim_end()), "{name}");
    }
}

/// Where there is a C compiler for this width: with and without optimisation, since both use registers differently.
#[test]
fn the_examples_compile() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (name, example, options) in EXAMPLES {
        let compile = |text: &str, optimisation: &str| {
            let source = folder.join(name);
            std::fs::write(&source, text).unwrap();
            let mut command = Command::new("cc");
            command.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-pic", "-c"]);
            command.arg("-I").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"));
            command.args(options).arg(optimisation).arg(&source).arg("-o").arg(source.with_extension("o")).output()
        };
        if !compile("int empty;\n", "-O0").is_ok_and(|output| output.status.success()) {
            println!("skipped: no C compiler for {name}");
            continue;
        }
        for optimisation in ["-O0", "-Os", "-O2"] {
            let output = compile(example, optimisation).unwrap();
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
