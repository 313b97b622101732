//! What there is to know of the scenarios whose tasks measure themselves: what their records say, and how that is shown.

use crate::figures::{Plot, Shape};

/// What is known of a scenario.
pub struct Known {
    /// Its name.
    pub scenario: &'static str,
    /// The experiment's.
    pub title: &'static str,
    /// Which it answers.
    pub question: &'static str,
    /// What was done.
    pub about: &'static str,
    /// What its cases say beside kinds of task and isolation.
    pub case: &'static [&'static str],
    /// What the digits of a batch's name are, and how many each has; nothing where the name is always the same.
    pub batch: &'static [(&'static str, usize)],
    /// Whether tasks in other ways are compared with small ones in `segment` mode.
    pub compares: bool,
    /// What is shown as a picture.
    pub plots: fn() -> Vec<Plot>,
}

/// Who takes part, and how small tasks are confined.
pub const ENDS: [&str; 3] = ["from", "to", "isolation"];

/// All of them, in the order in which they are shown.
pub const KNOWN: [Known; 7] = [
    Known {
        scenario: "crossover",
        title: "Where small spaces pay, by clocks",
        question: "What does a round among tasks that touch memory of their own take, by the machine's own clocks?",
        about: "A client goes round among servers, one or seven, and each task touches memory of its own before it passes a message on: so many pages, a line in each, or so many KiB of lines. A \
                figure is a whole round: a call and its answer of each server.",
        case: &["tasks"],
        batch: &[("pages", 3), ("kib", 3)],
        compares: true,
        plots: || {
            let by_pages = |title, y: &str| {
                let plot = Plot::new(title, Shape::Lines, &["pages"], &[y]).only("kib", [0_u64]);
                plot.series(&ENDS).panels(&["tasks"])
            };
            vec![
                by_pages(
                    "What a round takes more than in segment mode, by pages that each task touches",
                    "over_segment_percent",
                ),
                by_pages("A round, by pages that each task touches", "ticks").log(),
                by_pages("Cycles of a round by a performance counter, by pages that each task touches", "core_cycles")
                    .log(),
                by_pages("Walks of page tables for data in a round by a performance counter", "data_walks"),
            ]
        },
    },
    Known {
        scenario: "many",
        title: "Many spaces, by clocks",
        question: "What does a round among up to a thousand tasks take, by the machine's own clocks?",
        about: "A client goes round among servers, up to a thousand, each a task of its own that touches so many pages before it answers. A figure is a whole round.",
        case: &["tasks"],
        batch: &[("pages", 3), ("kib", 3)],
        compares: true,
        plots: || {
            let by_tasks =
                |title, y: &str| Plot::new(title, Shape::Lines, &["tasks"], &[y]).series(&ENDS).panels(&["pages"]);
            vec![
                by_tasks(
                    "What a round takes more than in segment mode, by how many tasks take part",
                    "over_segment_percent",
                ),
                by_tasks("A round, by how many tasks take part", "ticks").log(),
            ]
        },
    },
    Known {
        scenario: "split",
        title: "A page, by the kernel alone and by servers, by clocks",
        question: "What does splitting memory management into servers cost, by the machine's own clocks?",
        about: "A task wants a page and reads it: by the kernel alone, by one memory server, and by two. A figure is all of it, from before the request to behind the read.",
        case: &["servers"],
        batch: &[],
        compares: false,
        plots: || vec![Plot::new("Getting a page", Shape::Bars, &ENDS, &["ticks"]).series(&["servers"])],
    },
    Known {
        scenario: "files",
        title: "Small files, by calls and by rings, by clocks",
        question: "Are ten small files read faster by calls or by rings, by the machine's own clocks?",
        about: "Ten files are opened, read and closed, by a program for calls and by one for rings, and by one of Linux's by system calls of the Linux server. A figure is all ten.",
        case: &["rings"],
        batch: &[],
        compares: false,
        plots: || vec![Plot::new("Ten small files", Shape::Bars, &ENDS, &["ticks"]).series(&["rings"])],
    },
    Known {
        scenario: "colours",
        title: "Cache colours and bases of slots, by clocks",
        question: "What do cache colours and slots' bases save, by the machine's own clocks?",
        about: "A task that touches much memory calls one that has to answer soon, with cache colours of their own and without; and a client calls small tasks whose pages fall into the same \
                sets of a TLB, or into different ones. A figure is the calls.",
        case: &["about", "kib", "coloured", "tasks", "pages", "staggered"],
        batch: &[],
        compares: false,
        plots: || {
            let colours = Plot::new("The call, by KiB that the other task touches", Shape::Bars, &["kib"], &["ticks"]);
            let bases = Plot::new(
                "A round among small tasks, by where their bases are",
                Shape::Bars,
                &["tasks", "pages"],
                &["ticks"],
            );
            vec![
                colours.only("about", ["colours"]).series(&["coloured"]).panels(&ENDS),
                bases.only("about", ["bases"]).series(&["staggered"]),
            ]
        },
    },
    Known {
        scenario: "messages",
        title: "Messages of 64 bytes to 4 MiB, by clocks",
        question: "Which way is the fastest to bring bytes to another task, by the machine's own clocks?",
        about: "Bytes go to another task in registers, by a shared buffer, as a string, by mapping, through a ring; the other side reads each line of them. A figure is all of it.",
        case: &["way", "arenas"],
        batch: &[("bytes", 7)],
        compares: false,
        plots: || {
            let plot = Plot::new("A message, by its bytes", Shape::Lines, &["bytes"], &["ticks"]);
            vec![plot.series(&["way"]).panels(&["from", "to", "isolation", "arenas"]).log()]
        },
    },
    Known {
        scenario: "syscall-table",
        title: "A system call of Linux's, by clocks",
        question: "What does a Linux system call cost by the arena's host, and by a server in a page table of its own, by the machine's own clocks?",
        about: "A program of Linux's makes the shortest system call, getpid, a 32-bit one by int 0x80 and a 64-bit one by syscall, and the Linux server answers it: as the arena's host, or as a 64-bit \
                task of its own. A figure is all that this takes: program, kernel and server.",
        case: &["call"],
        batch: &[],
        compares: false,
        plots: || vec![Plot::new("A getpid", Shape::Bars, &ENDS, &["ticks"])],
    },
];

/// What a key's value is called that a case says to be false, or true.
pub const WORDS: [(&str, [&str; 2]); 3] = [
    ("rings", ["by calls", "by rings"]),
    ("coloured", ["any colours", "colours of their own"]),
    ("staggered", ["equal bases", "staggered bases"]),
];
