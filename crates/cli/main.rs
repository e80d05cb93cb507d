//! The command line: reads the arguments, runs one command, and ends with a documented exit code.

mod args;
mod attack;
mod bench;
mod config;
mod failure;
mod inspect;
mod privacy;
mod progress;
mod run;
mod settings;
mod speak;
mod synth;
mod verify;

use std::{alloc::System, panic::AssertUnwindSafe, process::ExitCode};

use clap::{CommandFactory, Parser};
use zeroizing_alloc::ZeroAlloc;

use crate::{
    args::{Cli, Command},
    failure::Failure,
};

/// What is given back is wiped first, so that no identifier outlives the buffer that it was read into.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    privacy::shut();
    let cli = Cli::parse();
    // A bug ends the run as a failure, and what it printed was its place in the code alone.
    match std::panic::catch_unwind(AssertUnwindSafe(|| dispatch(cli.command))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => {
            speak::error(&failure);
            failure.code()
        }
        Err(_) => ExitCode::from(1),
    }
}

fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(args) => run::run(*args),
        Command::Verify(args) => verify::verify(&args),
        Command::Attack(args) => attack::attack(&args),
        Command::Synth(args) => synth::synth(&args),
        Command::Bench(args) => bench::bench(&args),
        Command::Inspect(args) => inspect::inspect(*args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "throng", &mut script);
            speak::bytes(&script)
        }
        Command::Man { out } => {
            std::fs::create_dir_all(&out).map_err(|error| Failure::io(&out, error))?;
            clap_mangen::generate_to(Cli::command(), &out).map_err(|error| Failure::io(&out, error))
        }
    }
}
