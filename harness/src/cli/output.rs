//! Results on stdout. A reader that goes away is no error: what it has not read it did not want.

use std::io::{self, IsTerminal, Write};

use squall_reports::text::Style;

/// Columns of a terminal whose width is not known.
const WIDTH: usize = 110;

/// Where results go.
pub(super) struct Output {
    stdout: io::Stdout,
    closed: bool,
}

impl Output {
    pub(super) fn new() -> Self {
        Output { stdout: io::stdout(), closed: false }
    }

    /// Writes a text as it is.
    pub(super) fn text(&mut self, text: &str) -> super::Result<()> {
        if self.closed {
            return Ok(());
        }
        match self.stdout.write_all(text.as_bytes()).and_then(|()| self.stdout.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(e) => Err(super::wrong(format!("cannot write to stdout: {e}"), "Is the disk behind it full?")),
            Ok(()) => Ok(()),
        }
    }

    /// Writes a line.
    pub(super) fn line(&mut self, text: impl AsRef<str>) -> super::Result<()> {
        self.text(&format!("{}\n", text.as_ref()))
    }

    /// Writes a value as JSON, for machines.
    pub(super) fn json(&mut self, value: &impl serde::Serialize) -> super::Result<()> {
        let text =
            serde_json::to_string_pretty(value).map_err(|e| super::wrong(format!("cannot write JSON: {e}"), ""))?;
        self.line(text)
    }

    /// How to draw for this reader: in colour on a terminal whose user has nothing against it.
    pub(super) fn style(&self) -> Style {
        let terminal = self.stdout.is_terminal();
        Style {
            colour: terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
            width: if terminal { columns(&self.stdout).unwrap_or(WIDTH) } else { WIDTH },
        }
    }
}

/// Columns of the terminal behind a stream.
pub(super) fn columns(stream: &impl std::os::fd::AsFd) -> Option<usize> {
    rustix::termios::tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}
