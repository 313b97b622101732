//! Which ways there are through the fast path, and how each conditional jump on them ends.

use lilliput_abi::Operation;
use lilliput_abi::foreign::VECTOR;
use lilliput_abi::object::kind::{self, HOST, SMALL, WIDE};
use lilliput_abi::operation::OPERATION_SHIFT;
use lilliput_abi::tag::LONG_WORDS;
use lilliput_core::ipc::fast::FAULTED;
use lilliput_core::registers::FLAGS;
use lilliput_core::slab::Object;
use lilliput_core::thread::{Kind, LOCAL_ROOT, Thread, Ways, class};

use super::budgets;

/// Most cache lines of the kernel's code and data that a path may touch.
pub const LINES: [usize; 2] = [7, 8];

/// What paths have that don't reach that: they must not get worse.
const LONGER: [(&str, [usize; 2]); 13] = [
    ("call host -> small, without guests", [12, 9]),
    ("reply small -> small, another root of its own", [10, 7]),
    ("reply small -> host", [8, 9]),
    ("reply 64 -> small", [8, 7]),
    ("call 64 -> 64, 8 words", [8, 7]),
    ("reply 64 -> 64, 8 words", [9, 6]),
    ("foreign int 0x80 small -> host", [4, 11]),
    ("foreign syscall small -> host", [9, 11]),
    ("foreign int 0x80 answer host -> small", [8, 9]),
    ("foreign syscall 64 -> host", [9, 10]),
    ("foreign syscall answer host -> 64", [11, 9]),
    ("foreign syscall 64 -> 64", [10, 10]),
    ("foreign syscall answer 64 -> 64", [11, 10]),
];

fn lines(title: &str) -> [usize; 2] {
    LONGER.iter().find(|(name, _)| *name == title).map_or(LINES, |(_, lines)| *lines)
}

/// Of a path for longer messages than of four words.
const EIGHT: &str = ", 8 words";

/// How a conditional jump ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The instruction before it that sets the flags, and the jump's name: what has to stand there.
    pub test: String,
    /// Whether it is taken.
    pub taken: bool,
}

/// Where a way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With the far return of this name.
    FarReturn(&'static str),
    /// With the return from an interrupt of this name.
    InterruptReturn(&'static str),
    /// With SYSRET.
    Sysret,
}

/// A way through the fast path.
#[derive(Clone, Debug)]
pub struct Route {
    /// The benchmark's name of the operation.
    pub name: &'static str,
    /// What is special about it.
    pub remark: &'static str,
    /// Kinds of the tasks that call and are called, whoever enters here.
    pub client: u64,
    /// Kind of the task that is called.
    pub server: u64,
    /// Whether the budget of the benchmark is for this way.
    pub budgeted: bool,
    /// Most cache lines of code and of data that it may touch.
    pub lines: [usize; 2],
    /// The symbol where it begins.
    pub entry: &'static str,
    /// The conditional jumps, in their order.
    pub branches: Vec<Branch>,
    /// Where it ends.
    pub exit: Exit,
}

impl Route {
    /// For people.
    pub fn title(&self) -> String {
        let (from, to) = match is_answer(self.name) {
            true => (self.server, self.client),
            false => (self.client, self.server),
        };
        let arrow = if self.name == "null call" { String::new() } else { format!(" -> {}", kind::name(to)) };
        format!("{} {}{arrow}{}", self.name, kind::name(from), self.remark)
    }

    /// The kernel instructions that it may have.
    pub fn budget(&self) -> Option<u32> {
        let words = match (self.name, self.remark) {
            ("null call", _) => 0,
            (name, _) if name.starts_with("foreign") => 0,
            (_, EIGHT) => 8,
            _ => 4,
        };
        self.budgeted.then(|| budgets::limit(self.name, self.client, self.server, words)).flatten()
    }
}

/// Whether who enters is the one that was called.
fn is_answer(name: &str) -> bool {
    name.starts_with("reply") || name.ends_with("answer")
}

/// `test; jump` that is or is not taken.
fn branch(test: impl Into<String>, jump: &str, taken: bool) -> Branch {
    Branch { test: format!("{}; {jump}", test.into()), taken }
}

fn selector(operation: Operation) -> u64 {
    (operation as u64) << OPERATION_SHIFT
}

fn is_class(class: u32, yes: bool) -> Branch {
    branch(format!("cmp r11d, {class:#x}"), "jne", !yes)
}

fn is_peer(yes: bool) -> Branch {
    branch("cmp r11d, sender.peers", "jne", !yes)
}

fn is_own_host(yes: bool) -> Branch {
    branch("cmp r11d, sender.host_peer", "jne", !yes)
}

fn is_small(yes: bool) -> Branch {
    branch(format!("cmp r11d, {:#x}", class(Kind::Small, LOCAL_ROOT - 1)), "ja", !yes)
}

fn is_wide(yes: bool) -> Branch {
    is_class(class(Kind::Wide, 0), yes)
}

fn fits() -> Branch {
    branch("shr r11, 0x20", "jne", false)
}

fn same_root(yes: bool) -> Branch {
    branch("cmp rcx, sender.cr3", "je", yes)
}

fn has_guest(yes: bool) -> Branch {
    branch("cmp receiver.kind, 0x0", "jne", !yes)
}

/// The place is in the table: it is a call, by a capability that admits it.
fn call() -> Vec<Branch> {
    vec![branch("cmp eax, sender.gate.places", "jae", false), branch("cmp r11d, endpoint.header", "jne", false)]
}

/// It is not; it is an answer, and nobody is at the thread's home.
fn reply() -> Vec<Branch> {
    vec![
        branch("cmp eax, sender.gate.places", "jae", true),
        branch(format!("cmp eax, {:#x}", selector(Operation::ReplyReceive)), "jne", false),
        branch(format!("cmp endpoint.queue, {:#x}", Thread::BASE), "jne", false),
    ]
}

/// It is not, and no answer.
fn neither() -> Vec<Branch> {
    vec![
        branch("cmp eax, sender.gate.places", "jae", true),
        branch(format!("cmp eax, {:#x}", selector(Operation::ReplyReceive)), "jne", true),
    ]
}

fn null_call(yes: bool) -> Branch {
    branch("cmp eax, sender.null_call", "jne", !yes)
}

/// A host calls: its gate is always closed.
fn host_call() -> Vec<Branch> {
    let mut branches = neither();
    branches.extend([
        null_call(false),
        branch("cmp eax, sender.null_call", "jg", false),
        branch("cmp eax, sender.null_call", "jo", false),
        branch(format!("cmp sender.ways, {:#x}", Ways::OwnHost as u8), "ja", false),
        branch(format!("cmp sender.ways, {:#x}", Ways::OwnHost as u8), "jb", false),
        branch("cmp eax, sender.places", "jae", false),
        branch("cmp cpu.attention, 0x0", "jne", false),
        branch("cmp r11d, endpoint.header", "jne", false),
        is_wide(false),
        is_small(true),
        fits(),
        branch(format!("cmp r11d, {:#x}", Thread::BASE), "je", true),
        branch("cmp r8, receiver.cr3", "je", true),
    ]);
    branches
}

/// More words than four, up to eight.
fn long() -> Vec<Branch> {
    let mut branches = neither();
    branches.extend([
        null_call(false),
        branch("cmp eax, sender.null_call", "jg", false),
        branch("cmp eax, sender.null_call", "jo", true),
        branch(format!("cmp dx, {LONG_WORDS:#x}"), "ja", false),
    ]);
    branches
}

fn long_call() -> [Branch; 4] {
    let places = branch("cmp r11d, sender.gate.places", "jae", false);
    [places, branch("cmp r11d, endpoint.header", "jne", false), is_peer(true), same_root(false)]
}

fn long_reply() -> [Branch; 5] {
    [
        branch("cmp r11d, sender.gate.places", "jae", true),
        branch(format!("cmp r11d, {:#x}", selector(Operation::ReplyReceive)), "jne", false),
        branch(format!("cmp endpoint.queue, {:#x}", Thread::BASE), "jne", false),
        is_peer(true),
        same_root(false),
    ]
}

/// Where a foreign system call goes: to the host that waits where the thread's handler is.
fn to_host() -> Branch {
    branch("cmp r10d, sender.host_peer", "jne", false)
}

/// A foreign system call by the instruction that has other meanings, too.
fn foreign() -> Vec<Branch> {
    let mut branches = neither();
    branches.push(null_call(false));
    branches.push(branch(format!("cmp sender.ways, {:#x}", Ways::Foreign as u8), "je", true));
    branches
}

/// The same by 64-bit code.
fn foreign_wide() -> Vec<Branch> {
    let mut branches = neither();
    branches.extend([
        null_call(false),
        branch("cmp eax, sender.null_call", "jg", false),
        branch("cmp eax, sender.null_call", "jo", false),
        branch(format!("cmp sender.ways, {:#x}", Ways::OwnHost as u8), "ja", true),
    ]);
    branches
}

/// It goes to a host, or to a 64-bit thread: nothing is loaded for its own alone.
fn to_any_host(yes: bool) -> Branch {
    branch(format!("cmp receiver.kind, {:#x}", Kind::Host as u8), "jne", !yes)
}

fn to_other_wide() -> [Branch; 3] {
    let wide = branch(format!("cmp receiver.root, {:#x}", class(Kind::Wide, 0)), "jne", false);
    [to_any_host(false), wide, branch(format!("cmp sender.root, {LOCAL_ROOT:#x}"), "je", false)]
}

/// Kind and obstacles of a thread that made a foreign call.
fn called(kind: Kind) -> u32 {
    u32::from(kind as u8) | u32::from(FAULTED.bits()) << 8
}

fn has_guest_called(kind: Kind, jump: &str, taken: bool) -> Branch {
    branch(format!("cmp receiver.kind, {:#x}", called(kind)), jump, taken)
}

/// The answer to a 64-bit one that is a guest.
fn to_wide_guest() -> [Branch; 2] {
    [has_guest_called(Kind::Small, "jne", true), has_guest_called(Kind::Wide, "je", true)]
}

/// To one that is a caller.
fn to_wide_caller() -> [Branch; 8] {
    [
        has_guest_called(Kind::Small, "jne", true),
        has_guest_called(Kind::Wide, "je", false),
        branch(format!("cmp sender.kind, {:#x}", Kind::Wide as u8), "jne", false),
        branch(format!("cmp receiver.root, {:#x}", called(Kind::Wide) << 8), "jne", false),
        branch(format!("cmp receiver.raised, {VECTOR:#x}"), "jne", false),
        branch("cmp rdx, receiver.registers", "jne", false),
        branch(format!("cmp receiver.registers, {FLAGS:#x}"), "jne", false),
        branch(format!("cmp receiver.interrupted, {FLAGS:#x}"), "jne", false),
    ]
}

/// The answer to one, by the operation for it.
fn return_receive() -> Vec<Branch> {
    let mut branches = neither();
    branches.extend([
        null_call(false),
        branch("cmp eax, sender.null_call", "jg", true),
        branch(format!("cmp eax, {:#x}", selector(Operation::ReturnReceive)), "je", true),
        branch(format!("cmp endpoint.queue, {:#x}", Thread::BASE), "jne", false),
    ]);
    branches
}

/// Where a frame is on the kernel stack.
pub const BY_INTERRUPT: &str = "lilliput_foreign_interrupt";
const FROM_SMALL: &str = "lilliput_syscall32";
const FROM_WIDE: &str = "lilliput_syscall64";

/// All that are shown.
pub fn all() -> Vec<Route> {
    use Exit::{FarReturn, InterruptReturn, Sysret};
    let same = ", another root of its own";
    let arena = ", without guests";
    [
        route("call", "", SMALL, SMALL, call(), [is_peer(true)], FarReturn("lilliput_return_call32")),
        route("call", same, SMALL, SMALL, call(), small_elsewhere(), FarReturn("lilliput_return_call32_other")),
        route("call", "", SMALL, HOST, call(), [is_peer(false), is_own_host(true)], Sysret),
        route("call", arena, HOST, SMALL, host_call(), [], FarReturn("lilliput_return_host_call")),
        route("call", "", SMALL, WIDE, call(), [is_peer(false), is_own_host(false), is_wide(true)], Sysret),
        route("call", "", WIDE, SMALL, call(), wide_to_small(), FarReturn("lilliput_return_call64")),
        route("call", "", WIDE, WIDE, call(), [is_peer(true), same_root(false)], Sysret),
        route("call in one task", "", WIDE, WIDE, call(), [is_peer(true), same_root(true)], Sysret),
        route("reply", "", SMALL, SMALL, reply(), [is_peer(true)], FarReturn("lilliput_return_reply32")),
        route(
            "reply",
            same,
            SMALL,
            SMALL,
            reply(),
            small_reply_elsewhere(),
            FarReturn("lilliput_return_reply32_other"),
        ),
        route("reply", ", its guest", SMALL, HOST, reply(), [has_guest(true)], FarReturn("lilliput_return_guest")),
        route("reply", "", HOST, SMALL, reply(), [is_peer(false), is_wide(false), is_own_host(true)], Sysret),
        route("reply", "", SMALL, WIDE, reply(), wide_reply_to_small(), FarReturn("lilliput_return_reply64")),
        route("reply", "", WIDE, SMALL, reply(), [is_peer(false), is_wide(true)], Sysret),
        route("reply", "", WIDE, WIDE, reply(), [has_guest(false), is_peer(true), same_root(false)], Sysret),
        route("reply in one task", "", WIDE, WIDE, reply(), [has_guest(false), is_peer(true), same_root(true)], Sysret),
        route("call", EIGHT, WIDE, WIDE, long(), long_call(), Sysret),
        route("reply", EIGHT, WIDE, WIDE, long(), long_reply(), Sysret),
        route("null call", "", SMALL, SMALL, neither(), [null_call(true)], FarReturn("lilliput_return_null32")),
        route("null call", "", WIDE, WIDE, neither(), [null_call(true)], Sysret),
        Route { entry: BY_INTERRUPT, ..route("foreign int 0x80", "", SMALL, HOST, vec![], [to_host()], Sysret) },
        route("foreign syscall", "", SMALL, HOST, foreign(), [to_host()], Sysret),
        route(
            "foreign int 0x80 answer",
            "",
            SMALL,
            HOST,
            return_receive(),
            [has_guest_called(Kind::Small, "jne", false)],
            InterruptReturn("lilliput_iret_foreign"),
        ),
        route("foreign syscall", "", WIDE, HOST, foreign_wide(), [to_any_host(true)], Sysret),
        route("foreign syscall answer", "", WIDE, HOST, return_receive(), to_wide_guest(), Sysret),
        route("foreign syscall", "", WIDE, WIDE, foreign_wide(), to_other_wide(), Sysret),
        route("foreign syscall answer", "", WIDE, WIDE, return_receive(), to_wide_caller(), Sysret),
    ]
    .map(|route| Route { budgeted: route.remark != same, lines: lines(&route.title()), ..route })
    .into()
}

fn small_elsewhere() -> [Branch; 5] {
    [is_peer(false), is_own_host(false), is_wide(false), is_small(true), same_root(false)]
}

fn small_reply_elsewhere() -> [Branch; 5] {
    [is_peer(false), is_wide(false), is_own_host(false), is_small(true), same_root(false)]
}

fn wide_to_small() -> [Branch; 3] {
    [is_peer(false), is_small(true), fits()]
}

fn wide_reply_to_small() -> [Branch; 4] {
    [has_guest(false), is_peer(false), is_small(true), fits()]
}

fn route(
    name: &'static str,
    remark: &'static str,
    client: u64,
    server: u64,
    mut branches: Vec<Branch>,
    rest: impl IntoIterator<Item = Branch>,
    exit: Exit,
) -> Route {
    let enters = if is_answer(name) { server } else { client };
    let entry = if enters == SMALL { FROM_SMALL } else { FROM_WIDE };
    branches.extend(rest);
    Route { name, remark, client, server, budgeted: true, lines: LINES, entry, branches, exit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_tell_routes_apart() {
        let titles: Vec<_> = all().iter().map(Route::title).collect();
        for (index, title) in titles.iter().enumerate() {
            assert!(!titles[..index].contains(title), "{title}");
        }
        assert!(LONGER.iter().all(|(name, _)| titles.iter().any(|title| title == name)));
    }

    #[test]
    fn every_way_but_to_another_root_has_a_budget() {
        assert!(all().iter().all(|route| route.budget().is_some() == route.budgeted));
    }
}
