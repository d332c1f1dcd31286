//! Reads the command line and calls the library.

use std::process::ExitCode;

use clap::Parser;
use ml_connector::advised;
use ml_connector::cli::{self, Cli};

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", advised::text(&error));
            ExitCode::FAILURE
        }
    }
}
