//! The log: what the program says on standard error, in words for people or as one JSON object a line for programs.
//!
//! Nobody has to listen: a standard error that is closed, full or a broken pipe changes nothing of a run. And nothing
//! is told that was read: no identifier, no row, no file beyond those that were named or lie in folders that were.

use std::{
    io::Write,
    panic::PanicHookInfo,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::{Timestamp, Unit};
use serde::Serialize;
use serde_json::{Map, Value};
use throng_aggregator::Warning;

use crate::{args::LogForm, failure::Failure};

/// The form holds for the whole program, for a panic may come from any thread.
static JSON: AtomicBool = AtomicBool::new(false);

/// The command that runs.
static COMMAND: OnceLock<&'static str> = OnceLock::new();

/// From now on the log has this form.
pub(crate) fn speak_as(form: LogForm) {
    JSON.store(form == LogForm::Json, Ordering::Relaxed);
}

/// The log speaks of this command.
pub(crate) fn speak_of(command: &'static str) {
    let _ = COMMAND.set(command);
}

pub(crate) fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Info,
    Warning,
    Error,
}

/// A line of the log in JSON.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: Level,
    command: Option<&'static str>,
    event: &'a str,
    message: &'a str,
    #[serde(flatten)]
    fields: &'a Map<String, Value>,
}

/// A time in RFC 3339, in UTC, to the millisecond.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    format!("{:.3}", at.round(Unit::Millisecond).unwrap_or(at))
}

/// A whole line in one piece, so that lines of several threads do not mix.
fn write(text: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}

fn json(level: Level, event: &str, message: &str, fields: &Map<String, Value>) -> String {
    let (time, command) = (rfc3339(Timestamp::now()), COMMAND.get().copied());
    // Strings and numbers always make JSON.
    serde_json::to_string(&Line { time, level, command, event, message, fields }).unwrap_or_default()
}

fn write_json(level: Level, event: &str, message: &str, fields: &Map<String, Value>) {
    write(&json(level, event, message, fields));
}

/// The fields of a JSON object.
pub(crate) fn fields(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Says how far the work is; to programs alone, for people have the bar and the closing table.
pub(crate) fn info(event: &str, message: &str, object: Value) {
    if is_json() {
        write_json(Level::Info, event, message, &fields(object));
    }
}

/// Says what somebody should look at, though the work goes on.
pub(crate) fn warning(warning: &Warning) {
    let Warning { event, message, next_step, fields } = warning;
    if is_json() {
        let mut fields = fields.clone();
        fields.insert("next_step".to_owned(), next_step.clone().into());
        write_json(Level::Warning, event, message, &fields);
    } else {
        write(&format!("warning: {message}\n   next: {next_step}"));
    }
}

/// Says what went wrong, and what to do about it.
pub(crate) fn error(failure: &Failure) {
    let (text, next_step) = (failure.to_string(), failure.to_do());
    if !is_json() {
        return write(&format!("error: {text}\n next: {next_step}"));
    }
    let (message, detail) = text.split_once('\n').unwrap_or((&text, ""));
    let mut fields = failure.fields.clone();
    fields.insert("kind".to_owned(), failure.kind.as_str().into());
    fields.insert("exit_code".to_owned(), failure.kind.exit_code().into());
    fields.insert("next_step".to_owned(), next_step.into());
    if !detail.is_empty() {
        fields.insert("detail".to_owned(), detail.lines().filter(|line| !line.is_empty()).collect());
    }
    write_json(Level::Error, "failed", message, &fields);
}

/// Says where in the code a bug showed, and nothing of what caused it.
pub(crate) fn bug(panic: &PanicHookInfo<'_>) {
    write(&line_of_bug(panic, is_json()));
}

fn line_of_bug(panic: &PanicHookInfo<'_>, in_json: bool) -> String {
    let place = panic.location().map(|at| format!("{}:{}", of_code(at.file()), at.line()));
    let at = place.as_ref().map_or_else(String::new, |place| format!(" at {place}"));
    if !in_json {
        return format!("error: a bug{at}. Please report this line.");
    }
    let next_step = "report this line; what stood at the destination before still stands";
    let object = serde_json::json!({ "kind": "bug", "place": place, "exit_code": 1, "next_step": next_step });
    json(Level::Error, "failed", &format!("a bug{at}"), &fields(object))
}

/// A path in the code without where that lay when it was compiled.
fn of_code(path: &str) -> &str {
    let of_a_crate = path.rsplit_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/'));
    of_a_crate.map_or(path, |(_, within)| within)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_place_in_the_code_does_not_tell_where_it_was_compiled() {
        assert_eq!(of_code("crates/cli/run.rs"), "crates/cli/run.rs");
        let path = "/home/somebody/.cargo/registry/src/index-1949/rayon-1.12.0/src/lib.rs";
        assert_eq!(of_code(path), "rayon-1.12.0/src/lib.rs");
    }

    #[test]
    fn a_bug_is_one_line_with_its_place_and_without_content() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hook = std::panic::take_hook();
        let lines = Arc::clone(&told);
        std::panic::set_hook(Box::new(move |panic| {
            let both = [false, true].map(|in_json| line_of_bug(panic, in_json));
            lines.lock().expect("whole").extend(both);
        }));
        let planted = "Kx7PLANTEDq9ZwT4";
        let ended = std::panic::catch_unwind(|| assert!(planted.is_empty(), "{planted}\n{planted}"));
        std::panic::set_hook(hook);
        assert!(ended.is_err());
        let told = told.lock().expect("whole");
        let [text, line] = &told[..] else { panic!("{} lines", told.len()) };
        assert!(
            text.starts_with("error: a bug at crates/cli/log.rs:") && text.ends_with("report this line.")
        );
        let line_of_json: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!((&line_of_json["event"], &line_of_json["kind"]), (&"failed".into(), &"bug".into()));
        assert_eq!((&line_of_json["level"], &line_of_json["exit_code"]), (&"error".into(), &1.into()));
        assert!(line_of_json["place"].as_str().is_some_and(|place| place.starts_with("crates/cli/log.rs:")));
        for said in [text, line] {
            assert!(!said.contains("PLANTED") && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn times_are_in_utc_to_the_millisecond() {
        let at = Timestamp::from_microsecond(1_792_015_200_123_456).expect("in range");
        assert_eq!(rfc3339(at), "2026-10-14T22:00:00.123Z");
    }
}
