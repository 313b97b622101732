//! Instructions and flags that are not for tasks.

use super::{Attack, BOTH, DB, Expected, GP, LONG, NARROW, UD, attack, ends, harmless};

const SYSTEM: &str = "APM 3, chapter 4 (system instructions): general protection unless CPL is 0";
const ABSENT: &str = "APM 3: an invalid opcode unless the kernel enables it";

const fn general(name: &'static str, tries: &'static str) -> Attack {
    ends(name, BOTH, tries, SYSTEM, &[GP])
}

const fn invalid(name: &'static str, tries: &'static str) -> Attack {
    ends(name, BOTH, tries, ABSENT, &[UD])
}

const fn either(name: &'static str, tries: &'static str) -> Attack {
    ends(name, BOTH, tries, ABSENT, &[UD, GP])
}

pub(super) const ATTACKS: &[Attack] = &[
    general("hlt", "to stop the CPU"),
    general("cli", "to keep interrupts out"),
    general("sti", "to let interrupts in"),
    general("lgdt", "another GDT"),
    general("lidt", "another IDT"),
    general("lmsw", "another CR0, by LMSW"),
    general("clts", "the vector registers of others"),
    general("invlpg", "a TLB entry gone"),
    general("wbinvd", "the caches written back"),
    general("invd", "the caches thrown away"),
    general("read-cr0", "CR0"),
    general("read-cr2", "the last fault's address"),
    general("read-cr3", "the page table's address"),
    general("read-cr4", "CR4"),
    general("write-cr0", "paging off"),
    general("write-cr3", "another page table"),
    general("write-cr4", "other features"),
    general("read-dr7", "the debug control register"),
    general("write-dr0", "a data breakpoint's address"),
    general("write-dr7", "a data breakpoint"),
    general("rdmsr", "the system call entry's address"),
    general("wrmsr", "another system call entry"),
    general("rdpmc", "a performance counter"),
    general("in-immediate", "a port, by IN with an immediate"),
    general("in-register", "a port, by IN with DX, of every kind").variants(8),
    general("out-immediate", "the POST port"),
    general("out-register", "a port, by OUT with DX: PIC, PIT, PCI, keyboard reset").variants(8),
    either("sysexit", "a return from the kernel that never was"),
    either("sysret", "the same by SYSRET"),
    either("swapgs", "the kernel's GS base"),
    ends("mov-cr8", LONG, "the task priority", SYSTEM, &[GP]),
    either("invpcid", "the TLB entries of a tag gone"),
    either("rsm", "a return from system management mode"),
    either("monitor", "MONITOR"),
    either("mwait", "MWAIT"),
    either("vmcall", "a hypervisor's attention, by VMCALL"),
    either("vmmcall", "the same by VMMCALL"),
    either("vmrun", "a virtual machine of its own"),
    either("vmxon", "the same on the other make"),
    either("stgi", "the global interrupt flag"),
    either("clgi", "no interrupt at all, not even NMI"),
    either("skinit", "a secure start"),
    either("getsec", "the same on the other make"),
    either("encls", "an enclave, as the system"),
    either("xsetbv", "other vector state to be enabled"),
    invalid("xgetbv", "XCR0"),
    invalid("xsave", "extended state saved"),
    invalid("xrstor", "extended state restored"),
    invalid("avx", "registers of 256 and of 512 bits, which are not switched").variants(4),
    invalid("rdpkru", "protection keys read"),
    invalid("wrpkru", "protection keys written"),
    ends("rdfsbase", LONG, "the base of FS", ABSENT, &[UD]),
    ends("rdgsbase", LONG, "the base of GS", ABSENT, &[UD]),
    ends("wrfsbase", LONG, "another base of FS", ABSENT, &[UD]),
    ends("wrgsbase", LONG, "another base of GS, which the kernel's entry relies on", ABSENT, &[UD]),
    invalid("lock-nop", "LOCK where there is nothing to lock"),
    invalid("long-instruction", "an undefined instruction"),
    ends("too-many-prefixes", BOTH, "an instruction of more than 15 bytes", "APM 3, 1.1", &[GP]),
    harmless("popf", BOTH, "IOPL, IF, VM, VIF and VIP by POPF", "APM 3, POPF").variants(8),
    harmless("iret-flags", BOTH, "the same by IRET", "APM 3, IRET").variants(8),
    harmless("iret-virtual-8086", BOTH, "virtual-8086 mode by IRET", "APM 3, IRET")
        .variants(2)
        .not_unenforced("TCG lets any task enter virtual-8086 mode"),
    ends("popf-then-port", BOTH, "a port after POPF set IOPL", "APM 2, 12.2.4", &[GP]),
    ends("popf-then-cli", BOTH, "CLI after POPF set IOPL", "APM 3, CLI", &[GP]),
    ends("nested-iret", BOTH, "a task switch by IRET with NT set", "APM 3, IRET", &[GP]),
    ends("single-step", BOTH, "a single step", "APM 2, 13.1.4", &[DB]),
    // TCG takes the opcode for an invalid one.
    ends("icebp", BOTH, "a debug exception by opcode F1, which asks no gate's privilege", "APM 3, INT1", &[DB, UD]),
    ends("every-interrupt", BOTH, "every vector by INT that is not for tasks", "APM 2, 8.9.1", &[GP]).variants(253),
    ends("breakpoint", BOTH, "INT3, both forms", "APM 3, INT3", &[3]).variants(2),
    ends("overflow", NARROW, "INTO, both forms", "APM 3, INTO", &[4]).variants(2),
    ends("bound", NARROW, "BOUND", "APM 3, BOUND", &[5]),
    ends("divide", BOTH, "a division by zero, and one that overflows", "APM 2, 8.2.1", &[0]).variants(2),
    ends("x87-error", BOTH, "an x87 exception, raised by the next instruction", "APM 2, 8.2.17", &[16]),
    ends("simd-error", BOTH, "an SSE exception", "APM 2, 8.2.20", &[19]).not_unenforced("TCG raises no SSE exceptions"),
    attack(
        "cpuid-and-rdtsc",
        BOTH,
        "CPUID, RDTSC and RDTSCP, which are open to all",
        "APM 3, RDTSC",
        Expected::HarmlessOr(&[UD]),
    ),
];
