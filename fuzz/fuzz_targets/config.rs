//! The config, read and checked as `throng run` does.

#![no_main]
#![expect(dead_code, reason = "of the command line, what reads a config is a part")]

#[path = "../../crates/cli/args.rs"]
mod args;
#[path = "../../crates/cli/config.rs"]
mod config;
#[path = "../entries/mod.rs"]
mod entries;
#[path = "../../crates/cli/failure.rs"]
mod failure;
mod log {
    //! In the stead of the program's log: nobody listens.
    pub(crate) fn speak_as(_: crate::args::LogForm) {}
}
#[path = "../../crates/cli/next_step.rs"]
mod next_step;
#[path = "../../crates/cli/settings.rs"]
mod settings;

libfuzzer_sys::fuzz_target!(init: entries::hush(), |bytes: &[u8]| {
    entries::in_a_file("throng.toml", bytes, |path| {
        let _ = config::read(path).and_then(args::Settings::into_plan);
    });
});
