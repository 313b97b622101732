//! Walks as Markdown.

use std::fmt::Write;

use super::Walk;
use super::paths::Route;

/// What stages are.
const STAGES: &str = "\
| stage | what it is |
| --- | --- |
| entry | the kernel's GS and the block of the thread that entered; where it goes on is stored |
| place | whether the selector is a place in the capability table; if not, what else it is |
| capability | type, generation and right in one comparison with the endpoint |
| home | of an answer: whether nobody is where the thread waits then |
| foreign | of a foreign system call by SYSCALL: where the thread goes on, as `int` has the CPU store it |
| receiver | who waits, alone, in which kind of space: which exit |
| words | whether 64-bit words fit a 32-bit receiver |
| guest | of a host that calls: its guest becomes its caller |
| registers | a foreign thread's, into its block: *from here on there is no way back* |
| commit | *from here on there is no way back*: the queue, the links, who runs |
| account | time and count of both threads |
| message | the badge; upper halves of a 32-bit sender's words |
| note | for a host: what the CPU has loaded |
| root | the page table, where it is another one |
| segments | descriptors and segment registers |
| clear | registers that may be a host's |
| exit | the other thread's registers, the user's GS, the exit instruction |
";

/// All of them in one document.
pub fn render(walks: &[(Route, Walk)]) -> String {
    let mut text = String::from("# The fast path, instruction by instruction\n\n");
    text.push_str("Made by `cargo xtask ipc-path` from the kernel as it was built. Instructions count from the entry instruction\n");
    text.push_str("through the exit instruction. Lines are of 64 bytes.\n\n");
    text.push_str("| path | instructions | lines of code | lines of data |\n| --- | --- | --- | --- |\n");
    for (route, walk) in walks {
        let (code, data) = (walk.code_lines(), walk.data_lines().len());
        line(&mut text, format_args!("| {} | {} | {code} | {data} |", route.title(), walk.instructions()));
    }
    line(&mut text, format_args!("\n{STAGES}"));
    for (route, walk) in walks {
        path(&mut text, route, walk);
    }
    text
}

fn path(text: &mut String, route: &Route, walk: &Walk) {
    line(text, format_args!("## {}\n\n| stage | instructions |\n| --- | --- |", route.title()));
    for (stage, count) in walk.stages() {
        line(text, format_args!("| {stage} | {count} |"));
    }
    line(text, format_args!("| sum | {} |\n", walk.instructions()));
    let data = walk.data_lines();
    line(text, format_args!("{} lines of code, {} of data: {}.\n", walk.code_lines(), data.len(), data.join("; ")));
    line(text, format_args!("```text"));
    let mut stage = "";
    for step in &walk.steps {
        let name = if step.stage == stage { "" } else { &step.stage };
        stage = &step.stage;
        let taken = match step.taken {
            Some(true) => "    ; taken",
            Some(false) => "    ; not taken",
            None => "",
        };
        line(text, format_args!("{name:10}  {:x}  {}{taken}", step.address, step.text));
    }
    line(text, format_args!("```\n"));
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{arguments}");
}
