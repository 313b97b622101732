//! The lists of records of `bench --json` and `bench linux --json` as experiments.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Number, Value};

use super::{Experiment, Figure, How, Limits, Plot, Row, Shape};
use crate::report;

/// An experiment of a list of records.
pub fn experiment(records: Vec<Value>) -> Result<Experiment> {
    let has = |key: &str| records.first().is_some_and(|record| record.get(key).is_some());
    match (has("user_instructions"), has("architecture")) {
        (true, false) => {
            let records: Vec<Switch> = read(records)?;
            Ok(switches().rows(records.iter().map(|Switch { row, platform, accelerator, limits_enforced }| {
                switch_row(row, &format!("{platform}, {accelerator}"), *limits_enforced)
            })))
        }
        (false, true) => Ok(linux().rows(read::<Call>(records)?.iter().map(linux_row))),
        _ => bail!("it is neither in the scheme of figures nor a list of records of `bench` or `bench linux`"),
    }
}

fn read<T: for<'a> Deserialize<'a>>(records: Vec<Value>) -> Result<Vec<T>> {
    let all = records.into_iter().map(serde_json::from_value).collect::<Result<_, _>>();
    all.context("a record is not understood")
}

#[derive(Deserialize)]
struct Switch {
    #[serde(flatten)]
    row: report::Row,
    platform: String,
    accelerator: String,
    limits_enforced: bool,
}

/// The experiment of the switch-cost table, without rows.
pub fn switches() -> Experiment {
    let plot = |title, operation: &[&str], x: &[&str], y| {
        Plot::new(title, Shape::Bars, x, &[y]).only("operation", operation.iter().copied())
    };
    let ends = ["from", "to", "isolation"];
    let switch = |title, y| plot(title, &["call", "reply"], &ends, y).only("words", [4_u64]).panels(&["operation"]);
    let requests = |y| {
        let title =
            "Ten requests, by ten calls and by a ring with one wake-up, with the 100 instructions that each asks for";
        let plot = plot(title, &["10 by calls", "10 by a ring"], &ends, y);
        plot.only("words", [100_u64]).series(&["operation"])
    };
    Experiment::new("switches", "What a switch costs", &report::Row::KEYS)
        .question("What does each way into the kernel and out of it cost, and are ten requests cheaper by ten calls or by a ring with one wake-up?")
        .about(
            "One way of each operation. Instructions are the kernel's, from the entry instruction through the exit instruction, counted in a boot in which the time-stamp \
             counter counts them; ticks of the time-stamp counter are of a free run: the median, from the least to what 99 in 100 rounds do not exceed. Strings, mapping and requests \
             are whole, with the user's side. Words are message words; of ten requests, the instructions that each asks for.",
            "cargo xtask bench --json FILE; on a real machine `cargo xtask image`, and then cargo xtask report --from-log FILE",
        )
        .without("Instructions are no time: one that writes CR3 or loads a segment register counts as one.")
        .without("Ticks under an emulator say what emulation costs, and nothing about a processor.")
        .without("Performance counters, where a processor has any, count whatever it does, speculation and interrupts included: a median of 201 rounds, of strings, mapping and ten requests of six, less that of measuring nothing.")
        .column("instructions", "instructions", How::Counted)
        .column("user_instructions", "instructions", How::Counted)
        .column("ticks", "ticks of the TSC", How::Measured)
        .column("ticks_p90", "ticks of the TSC", How::Measured)
        .column("cr3_writes", "writes", How::Counted)
        .column("segment_loads", "loads", How::Counted)
        .column("counted_instructions", "instructions, by counter", How::Measured)
        .column("core_cycles", "cycles, by counter", How::Measured)
        .column("data_walks", "walks, by counter", How::Measured)
        .column("code_walks", "walks, by counter", How::Measured)
        .column("cache_misses", "misses, by counter", How::Measured)
        .plot(switch("The kernel's instructions of a call and of its answer, four words", "instructions"))
        .plot(switch("Ticks of a call and of its answer, four words", "ticks"))
        .plot(switch("Cycles of a call and of its answer by a performance counter, four words", "core_cycles"))
        .plot(requests("instructions"))
}

/// A row of it.
pub fn switch_row(row: &report::Row, platform: &str, limits_enforced: bool) -> Row {
    let number = |number: &Option<Number>| number.as_ref().and_then(Number::as_f64);
    let ticks = number(&row.ticks).map(|usual| Figure::Range {
        low: number(&row.ticks_min).unwrap_or(usual),
        usual,
        high: number(&row.ticks_p99).unwrap_or(usual),
    });
    let row_of = report::Row { limits_enforced: Some(limits_enforced), ..row.clone() };
    row_of
        .experiment_row(platform)
        .figure_if("instructions", number(&row.instructions))
        .figure_if("user_instructions", number(&row.user_instructions))
        .figure_if("ticks", ticks)
        .figure_if("ticks_p90", number(&row.ticks_p90))
        .figure_if("cr3_writes", number(&row.cr3_writes))
        .figure_if("segment_loads", number(&row.segment_loads))
        .figure_if("counted_instructions", number(&row.counted_instructions))
        .figure_if("core_cycles", number(&row.core_cycles))
        .figure_if("data_walks", number(&row.data_walks))
        .figure_if("code_walks", number(&row.code_walks))
        .figure_if("cache_misses", number(&row.cache_misses))
}

/// A record of `bench linux`.
#[derive(Deserialize)]
struct Call {
    name: String,
    architecture: String,
    system: String,
    isolation: Option<String>,
    #[serde(default)]
    further: bool,
    #[serde(default)]
    large: bool,
    instructions: Option<f64>,
    least: Option<f64>,
    rounds: Option<f64>,
    error: Option<f64>,
    ratio: Option<f64>,
    platform: String,
    kernel: Option<String>,
    mark: Option<String>,
}

fn linux() -> Experiment {
    Experiment::new("linux", "What Linux's system calls cost", &["operation", "architecture", "system", "isolation"])
        .question("What do Linux's programs and system calls cost here, and on Linux's own kernel?")
        .about(
            "One static program of each width, here and on Debian's own kernel in the same emulator: instructions of program, kernel and server together, medians; and whole programs of \
             Debian's busybox, from the fork to the wait. A ratio is to the same binary on Linux.",
            "cargo xtask bench linux --json FILE",
        )
        .without("Instructions are no time. Linux runs with mitigations=off, on a processor model without fast string operations.")
        .column("instructions", "instructions", How::Counted)
        .column("least", "instructions", How::Counted)
        .column("ratio", "of Linux's instructions", How::Counted)
        .column("rounds", "rounds", How::Counted)
        .column("error", "Linux's number", How::Counted)
        .plot(
            Plot::new("Instructions, of those on Linux", Shape::Bars, &["operation"], &["ratio"])
                .only("system", ["lilliput"])
                .series(&["isolation"])
                .panels(&["architecture"]),
        )
}

fn linux_row(call: &Call) -> Row {
    let kernel = call.kernel.as_ref().map_or(String::new(), |version| format!(", beside Linux {version}"));
    let isolation = call.isolation.as_deref();
    let mode = isolation.unwrap_or("-");
    let mode = match (call.further, call.large) {
        (true, _) => format!("{mode}, in a further arena"),
        (_, true) => format!("{mode}, as a large task"),
        _ => mode.to_owned(),
    };
    Row::new(&format!("{}{kernel}", call.platform), Limits::of(isolation, call.mark.is_none()))
        .key("operation", call.name.as_str())
        .key("architecture", call.architecture.as_str())
        .key("system", call.system.as_str())
        .key("isolation", mode)
        .figure_if("instructions", call.instructions)
        .figure_if("least", call.least)
        .figure_if("ratio", call.ratio)
        .figure_if("rounds", call.rounds)
        .figure_if("error", call.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Experiment {
        let experiment = experiment(serde_json::from_str(text).unwrap()).unwrap();
        experiment.check().unwrap();
        experiment
    }

    #[test]
    fn switch_costs_are_an_experiment() {
        let experiment = of(
            r#"[{"name":"call","from":"small","to":"small","words":4,"isolation":"segment","instructions":42,"user_instructions":4,
                "ticks":900,"ticks_min":850,"ticks_p90":950,"ticks_p99":1200,"cr3_writes":0,"segment_loads":null,
                "platform":"QEMU 7.2","accelerator":"tcg","limits_enforced":false,"mark":"UNENFORCED"}]"#,
        );
        let row = &experiment.rows[0];
        assert_eq!((row.limits, row.platform.as_str()), (Limits::Unenforced, "QEMU 7.2, tcg"));
        assert_eq!(row.figures["ticks"], Figure::Range { low: 850.0, usual: 900.0, high: 1200.0 });
        assert_eq!((row.figures["instructions"], row.figures.get("segment_loads")), (Figure::Exact(42.0), None));
    }

    #[test]
    fn requests_are_known_by_what_they_ask_for() {
        let record = |name: &str| {
            format!(
                r#"{{"name":"{name}","from":"64","to":"64","words":2,"isolation":null,"instructions":4476,"user_instructions":null,
                    "platform":"QEMU 7.2","accelerator":"tcg","limits_enforced":false,"mark":"UNENFORCED"}}"#
            )
        };
        let experiment = of(&format!("[{},{}]", record("10 by calls, 100 each"), record("string and answer, 4 KiB")));
        assert!(experiment.rows[0].is("operation", "10 by calls") && experiment.rows[0].is("words", 100_u64));
        assert!(
            experiment.rows[1].is("operation", "string and answer, 4 KiB") && experiment.rows[1].is("words", 2_u64)
        );
    }

    #[test]
    fn linux_s_calls_are_an_experiment() {
        let experiment = of(
            r#"[{"name":"getpid","architecture":"i386","system":"lilliput","isolation":"page","instructions":149,"least":149,
                "rounds":1000,"error":null,"ratio":0.423,"platform":"QEMU","kernel":"6.1","mark":null},
                {"name":"getpid","architecture":"i386","system":"lilliput","isolation":"page","further":true,"instructions":2511,"least":2511,
                "rounds":1000,"error":null,"ratio":7.13,"platform":"QEMU","kernel":"6.1","mark":null}]"#,
        );
        let row = &experiment.rows[0];
        assert_eq!((row.limits, row.platform.as_str()), (Limits::NotUsed, "QEMU, beside Linux 6.1"));
        assert_eq!(row.figures["ratio"], Figure::Exact(0.423));
        assert!(experiment.rows[1].is("isolation", "page, in a further arena"));
    }
}
