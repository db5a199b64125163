//! The `fleet` command: reads the arguments, runs the subcommand, ends with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(fleet::cli::main(std::env::args_os()))
}
