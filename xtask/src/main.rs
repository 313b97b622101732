//! `cargo xtask`: everything that is done with Lilliput's sources, one module for each subcommand.

mod attack;
mod bench;
mod boot;
mod build;
mod check;
mod clean;
mod counts;
mod figures;
mod fuzz;
mod gdb;
mod image;
mod ipc_path;
mod linux;
mod machine;
mod options;
mod page;
mod platform;
mod prepare;
mod process;
mod progress;
mod report;
mod run;
mod setup;
mod test;
mod visit;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sets up, builds, runs, measures and tests the Lilliput microkernel.
///
/// Every command first sets up what it needs and is missing (see `cargo xtask setup --help`), and builds
/// what has changed. What is made lies in `target/lilliput`.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// The subcommands.
#[derive(Subcommand)]
enum Command {
    Setup(setup::Arguments),
    Build(build::Arguments),
    Image(image::Arguments),
    Run(run::Arguments),
    Linux(linux::Arguments),
    Test(test::Arguments),
    Attack(attack::Arguments),
    Bench(bench::Arguments),
    Report(page::Arguments),
    Fuzz(fuzz::Arguments),
    IpcPath(ipc_path::Arguments),
    Gdb(gdb::Arguments),
    Check(check::Arguments),
    Clean(clean::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Setup(arguments) => setup::main(arguments),
        Command::Build(arguments) => build::main(arguments),
        Command::Image(arguments) => image::main(arguments),
        // A program that it runs has a status of its own.
        Command::Run(arguments) => match run::main(arguments) {
            Ok(status) => return status,
            Err(error) => Err(error),
        },
        Command::Linux(arguments) => match linux::main(arguments) {
            Ok(status) => return status,
            Err(error) => Err(error),
        },
        // Its last line is the count, also where the count is bad.
        Command::Test(arguments) => return test::main(arguments),
        Command::Attack(arguments) => attack::main(arguments),
        Command::Bench(arguments) => bench::main(arguments),
        Command::Report(arguments) => page::main(arguments),
        Command::Fuzz(arguments) => fuzz::main(arguments),
        Command::IpcPath(arguments) => ipc_path::main(arguments),
        Command::Gdb(arguments) => gdb::main(arguments),
        Command::Check(arguments) => check::main(arguments),
        Command::Clean(arguments) => clean::main(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, the last one: what went wrong, and in the same breath why.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn no_two_options_have_one_name() {
        super::Arguments::command().debug_assert();
    }
}
