//! The command line: reads the arguments, runs one command, and ends with a documented exit code.

mod args;
mod attack;
mod bench;
mod config;
mod failure;
mod inspect;
mod log;
mod next_step;
mod privacy;
mod progress;
mod run;
mod settings;
mod speak;
mod synth;
mod verify;
mod watch;

use std::{
    alloc::System,
    ffi::{OsStr, OsString},
    panic::AssertUnwindSafe,
    process::ExitCode,
};

use clap::{CommandFactory, Parser};
use zeroizing_alloc::ZeroAlloc;

use crate::{
    args::{Cli, Command, LogForm},
    failure::Failure,
};

/// What is given back is wiped first, so that no identifier outlives the buffer that it was read into.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    privacy::shut();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => return refused(&refusal),
    };
    // A bug ends the run as a failure, and what it printed was its place in the code alone.
    match std::panic::catch_unwind(AssertUnwindSafe(|| dispatch(cli.command))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => {
            log::error(&failure);
            failure.code()
        }
        Err(_) => ExitCode::from(1),
    }
}

/// What ends before a command has begun: wrong flags, or a question for help.
fn refused(refusal: &clap::Error) -> ExitCode {
    if refusal.use_stderr() && asks_for_json(std::env::args_os()) {
        log::speak_as(LogForm::Json);
        let text = refusal.render().to_string();
        let failure = Failure::usage(anyhow::anyhow!(text.trim_start_matches("error: ").to_owned()));
        log::error(&failure);
        return failure.code();
    }
    let _ = refusal.print();
    ExitCode::from(u8::try_from(refusal.exit_code()).unwrap_or(2))
}

/// Whether flags that cannot be used ask for the log in JSON.
fn asks_for_json(args: impl Iterator<Item = OsString>) -> bool {
    let args: Vec<OsString> = args.collect();
    let of_two = |pair: &[OsString]| pair[0] == OsStr::new("--log") && pair[1] == OsStr::new("json");
    args.iter().any(|arg| arg == OsStr::new("--log=json")) || args.windows(2).any(of_two)
}

fn dispatch(command: Command) -> Result<(), Failure> {
    log::speak_of(match &command {
        Command::Run(_) => "run",
        Command::Verify(_) => "verify",
        Command::Attack(_) => "attack",
        Command::Synth(_) => "synth",
        Command::Bench(_) => "bench",
        Command::Inspect(_) => "inspect",
        Command::Completions { .. } => "completions",
        Command::Man { .. } => "man",
    });
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
