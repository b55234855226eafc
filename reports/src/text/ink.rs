//! Colour on a terminal, or none.

/// What a piece of text is, as far as colour goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// As the terminal writes.
    None,
    /// To be read first.
    Strong,
    /// To be read last.
    Faint,
    /// What cannot be.
    Alarm,
    /// Faults.
    Fault,
}

/// Writes in colour when asked to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen {
    /// Whether to write ANSI escapes.
    pub(super) colour: bool,
}

impl Pen {
    /// The text in this ink. Measure before painting: escapes have no width.
    pub(super) fn paint(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Strong => "1",
            Ink::Faint => "2",
            Ink::Alarm => "1;31",
            Ink::Fault => "33",
            Ink::None => "",
        };
        if !self.colour || code.is_empty() || text.is_empty() {
            text.to_owned()
        } else {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        }
    }
}
