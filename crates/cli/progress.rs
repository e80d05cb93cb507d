//! How far the reading is, on a terminal: rows, rows a second, and the time left. Silent in a pipe.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::When;

/// A bar over the rows of one stage.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar for about so many rows; hidden where progress is not wanted.
    pub(crate) fn new(when: When, stage: &str, rows: u64) -> Self {
        let shown = match when {
            When::Always => true,
            When::Never => false,
            When::Auto => std::io::stderr().is_terminal(),
        };
        if !shown {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(Some(rows), ProgressDrawTarget::stderr_with_hz(5));
        let template = "{msg:16} [{bar:32}] {human_pos} of about {human_len} rows, {per_sec}, {eta} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> "));
        bar.set_message(stage.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    pub(crate) fn add(&self, rows: u64) {
        self.0.inc(rows);
    }

    pub(crate) fn reach(&self, rows: u64) {
        self.0.set_position(rows);
    }

    pub(crate) fn stage(&self, stage: String, rows: u64) {
        self.0.set_message(stage);
        self.0.set_length(rows);
    }

    pub(crate) fn done(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.done();
    }
}

impl throng_ingest::Progress for Bar {
    fn rows(&self, rows: u64) {
        self.add(rows);
    }
}
