//! The notation for people: one operation per line (or several, separated by `;`), with its process, reply and interval.
//!
//! ```text
//! 0: write[x] 1               # process 0 writes 1 to x and is acknowledged
//! 1: read[x] -> 1             # then process 1 reads it
//! 0: cas[x] [1 2] -> true @4..7
//! 1: read[x] -> 2 @5..6       # while the cas is in flight
//! 0: write[x] 3 ? timeout     # of unknown outcome; `? …` is the reason
//! 2: write[x] 4 ! full        # failed: it certainly did not happen
//! 3: write 5 ? @20..          # on the only object, never completed
//! ```
//!
//! `@4..7` are the positions of invocation and completion in the order of all events; without them an operation comes after
//! all before it. `@4/1500..7/2300` gives times in nanoseconds too; otherwise the time is the position. Values are `nil`,
//! `true`, `-12`, `word`, `"any text"`, `0x00ff` (bytes), `[list of values]` and `{key value, key value}`. An `ok` without
//! `->` replied nil.
//!
//! Other lines say what was run (`%system raft`, `%workload register`, `%seed 7`, `%promised linearizable`), that positions
//! say nothing of how one process stands to another (`%order processes`), and mark what happened meanwhile: `-- chaos @3`,
//! `-- settle`, `-- final-reads`, `-- fault 1 begins "partition"`, `-- fault 1 ends`,
//! `-- process 4 reads replica 2`. A `#` begins a comment.

use std::{collections::BTreeMap, fmt::Write};

use super::{
    ParseError, Place,
    cursor::{Cursor, DEPTH_MAX},
};
use crate::{
    history::{Entry, History, Mark, MarkKind, Moment, Order, Outcome, Phase, ProcessId, Provenance},
    operation::{Name, Operation},
    recorder::HistoryError,
    value::{self, Value},
};

/// Reads the notation.
///
/// # Errors
/// Where the text is not in the notation, or is nothing that clients can do.
pub fn read(text: &str) -> Result<History, ParseError> {
    Reader {
        cursor: Cursor::new(text),
        next_position: 0,
        provenance: Provenance::default(),
        order: Order::RealTime,
        marks: vec![],
        entries: vec![],
    }
    .history()
}

/// Writes the notation; [`read`] gives the same history again.
pub fn write(history: &History) -> String {
    let mut out = String::new();
    write_to(&mut out, history).expect("writing to a string does not fail");
    out
}

struct Reader<'t> {
    cursor: Cursor<'t>,
    next_position: u32,
    provenance: Provenance,
    order: Order,
    marks: Vec<(Place, Mark)>,
    entries: Vec<(Place, Entry)>,
}

impl Reader<'_> {
    fn history(mut self) -> Result<History, ParseError> {
        // An empty file says that nothing happened; one of comments only is no history.
        let mut says = self.cursor.rest().trim().is_empty();
        loop {
            self.cursor.take_while(|c| c.is_whitespace() || c == ';');
            let next = self.cursor.peek();
            says |= next.is_some_and(|c| c != '#');
            match next {
                None if says => break,
                Some('#') => {}
                Some('%') => self.provenance_line()?,
                Some('-') => self.mark()?,
                Some(c) if c.is_ascii_digit() => self.operation()?,
                _ => return Err(self.cursor.expected("an operation (`0: write[x] 1`), `--`, `%` or `#`")),
            }
            self.spaces();
            if self.cursor.peek() == Some('#') {
                self.cursor.take_while(|c| c != '\n');
            }
            if !matches!(self.cursor.peek(), None | Some('\n' | ';')) {
                return Err(self.cursor.expected("the end of the line or `;`"));
            }
        }
        self.entries.sort_by_key(|(_, e)| e.invoked.position);
        self.marks.sort_by_key(|(_, m)| m.at.position);
        let (entry_places, entries): (Vec<Place>, Vec<Entry>) = self.entries.into_iter().unzip();
        let (mark_places, marks): (Vec<Place>, Vec<Mark>) = self.marks.into_iter().unzip();
        let history = History { provenance: self.provenance, order: self.order, entries, marks };
        history.validate().map_err(|error| {
            let at = match error {
                HistoryError::AlreadyOpen { process, open: index }
                | HistoryError::Ended { process, unknown: index } => {
                    let later = (index + 1..entry_places.len()).find(|&i| history.entries[i].process == process);
                    entry_places.get(later.unwrap_or(index))
                }
                HistoryError::Order { index, position } => {
                    let is_entry = history.entries.get(index).is_some_and(|e| {
                        e.invoked.position == position || e.completed.is_some_and(|m| m.position == position)
                    });
                    if is_entry { entry_places.get(index) } else { mark_places.get(index).or(entry_places.get(index)) }
                }
                _ => None,
            };
            ParseError::protocol(at.copied().unwrap_or(Place { line: 1, column: 1 }), &error)
        })?;
        match super::ends_nothing(&history.marks) {
            Some((mark, fault)) => Err(ParseError::ends_nothing(mark_places[mark], fault)),
            None => Ok(history),
        }
    }

    fn spaces(&mut self) {
        self.cursor.take_while(|c| c.is_whitespace() && c != '\n');
    }

    fn word(&mut self) -> &str {
        self.spaces();
        self.cursor.take_while(is_word)
    }

    fn number<T: std::str::FromStr>(&mut self, expected: &str) -> Result<T, ParseError> {
        self.spaces();
        let before = self.cursor.clone();
        let digits = self.cursor.take_while(|c| c.is_ascii_digit());
        digits.parse().map_err(|_| before.expected(expected))
    }

    fn provenance_line(&mut self) -> Result<(), ParseError> {
        self.cursor.eat("%");
        let before = self.cursor.clone();
        match self.word() {
            "system" => self.provenance.system = self.text()?,
            "workload" => self.provenance.workload = self.text()?,
            "seed" => self.provenance.seed = Some(self.number("a seed, an integer of 64 bits")?),
            "promised" => self.provenance.promised = Some(Name::from(self.text()?)),
            "order" => {
                let before = self.cursor.clone();
                self.order = match self.word() {
                    "real-time" => Order::RealTime,
                    "processes" => Order::Processes,
                    _ => return Err(before.expected("`real-time` or `processes`")),
                }
            }
            _ => return Err(before.expected("`system`, `workload`, `seed`, `promised` or `order`")),
        }
        Ok(())
    }

    fn mark(&mut self) -> Result<(), ParseError> {
        let place = self.cursor.place();
        if !self.cursor.eat("--") {
            return Err(self.cursor.expected("`--`"));
        }
        self.spaces();
        let before = self.cursor.clone();
        let unknown = before.expected("`chaos`, `settle`, `final-reads`, `fault` or `process`");
        let kind = match self.word() {
            "chaos" => MarkKind::Phase(Phase::Chaos),
            "settle" => MarkKind::Phase(Phase::Settle),
            "final-reads" => MarkKind::Phase(Phase::FinalReads),
            "fault" => {
                let id = self.number("the number of a fault")?;
                self.spaces();
                let before = self.cursor.clone();
                match self.word() {
                    "begins" => MarkKind::FaultBegins(id, self.text()?),
                    "ends" => MarkKind::FaultEnds(id),
                    _ => return Err(before.expected("`begins` or `ends`")),
                }
            }
            "process" => {
                let process = ProcessId(self.number("the number of a process")?);
                for word in ["reads", "replica"] {
                    self.spaces();
                    if !self.cursor.eat(word) {
                        return Err(self.cursor.expected(&format!("`{word}`")));
                    }
                }
                MarkKind::FinalReads(process, self.number("the number of a replica")?)
            }
            _ => return Err(unknown),
        };
        self.spaces();
        let at = if self.cursor.eat("@") { self.moment()? } else { self.implied() };
        self.marks.push((place, Mark { at, kind }));
        Ok(())
    }

    fn operation(&mut self) -> Result<(), ParseError> {
        let place = self.cursor.place();
        let process = ProcessId(self.number("the number of a process, below 2^32")?);
        if !self.cursor.eat(":") {
            return Err(self.cursor.expected("`:` after the process"));
        }
        self.spaces();
        let f = self.text()?;
        let mut key = Value::Nil;
        if self.cursor.eat("[") {
            key = self.value(0)?;
            self.spaces();
            if !self.cursor.eat("]") {
                return Err(self.cursor.expected("`]` after the key"));
            }
        }
        self.spaces();
        let args = if self.at_value() { self.value(0)? } else { Value::Nil };
        self.spaces();
        let outcome = if self.cursor.eat("->") {
            self.spaces();
            Outcome::Ok(self.value(0)?)
        } else if self.cursor.eat("!") {
            Outcome::Failed(self.reason()?.into())
        } else if self.cursor.eat("?") {
            Outcome::Unknown(self.reason()?.into())
        } else {
            Outcome::Ok(Value::Nil)
        };
        self.spaces();
        let (invoked, completed) = if self.cursor.eat("@") {
            let invoked = self.moment()?;
            if !self.cursor.eat("..") {
                return Err(self.cursor.expected("`..` between invocation and completion"));
            }
            let open = !self.cursor.peek().is_some_and(|c| c.is_ascii_digit());
            if open && !matches!(outcome, Outcome::Unknown(_)) {
                return Err(self.cursor.expected("the completion of an operation whose outcome is known"));
            }
            let before = self.cursor.place();
            let completed = if open { None } else { Some(self.moment()?) };
            if let Some(completed) = completed.filter(|m| m.position > invoked.position && m.time() < invoked.time()) {
                return Err(ParseError::too_early(before, invoked, completed));
            }
            (invoked, completed)
        } else {
            (self.implied(), Some(self.implied()))
        };
        let operation = Operation { f: super::known_name(f), key, args };
        self.entries.push((place, Entry { process, operation, invoked, completed, outcome }));
        Ok(())
    }

    fn implied(&mut self) -> Moment {
        let position = self.next_position;
        self.next_position = position.saturating_add(1);
        Moment::new(position, u64::from(position))
    }

    fn moment(&mut self) -> Result<Moment, ParseError> {
        let before = self.cursor.clone();
        let position: u32 = self.number("a position below 2^32 - 1")?;
        if position == u32::MAX {
            return Err(before.expected("a position below 2^32 - 1"));
        }
        let time = if self.cursor.eat("/") { self.number("a time in nanoseconds")? } else { u64::from(position) };
        self.next_position = self.next_position.max(position + 1);
        Ok(Moment::new(position, time))
    }

    fn reason(&mut self) -> Result<String, ParseError> {
        self.spaces();
        if self.at_value() { self.text() } else { Ok(String::new()) }
    }

    /// A word or a string.
    fn text(&mut self) -> Result<String, ParseError> {
        self.spaces();
        if self.cursor.peek() == Some('"') {
            return self.cursor.string_in_line();
        }
        let before = self.cursor.clone();
        match self.cursor.take_while(is_word) {
            "" => Err(before.expected("a word or a string in double quotes")),
            word => Ok(word.to_owned()),
        }
    }

    fn at_value(&self) -> bool {
        let starts = |c: char| is_word(c) || matches!(c, '"' | '[' | '{');
        self.cursor.peek().is_some_and(starts) && !self.cursor.starts_with("->")
    }

    fn value(&mut self, depth: usize) -> Result<Value, ParseError> {
        self.spaces();
        let before = self.cursor.clone();
        if depth > DEPTH_MAX {
            return Err(before.expected("values nested at most 64 deep"));
        }
        match self.cursor.peek() {
            Some('"') => return Ok(self.cursor.string_in_line()?.into()),
            Some('[') => {
                self.cursor.next();
                let mut list = Vec::new();
                loop {
                    self.spaces();
                    if self.cursor.eat("]") {
                        return Ok(Value::List(list));
                    }
                    list.push(self.value(depth + 1)?);
                }
            }
            Some('{') => {
                self.cursor.next();
                let mut map = BTreeMap::new();
                loop {
                    self.spaces();
                    if self.cursor.eat("}") {
                        return Ok(map.into());
                    }
                    let key = self.value(depth + 1)?;
                    let value = self.value(depth + 1)?;
                    map.insert(key, value);
                    self.spaces();
                    self.cursor.eat(",");
                }
            }
            _ => {}
        }
        let word = self.cursor.take_while(is_word);
        let wrong = |expected: &str| Err(before.expected(expected));
        match word {
            "" => wrong("a value"),
            "nil" => Ok(Value::Nil),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ if word.starts_with("0x") => value::from_hex(&word[2..])
                .map_or_else(|| wrong("an even number of hexadecimal digits"), |b| Ok(Value::Bytes(b.into()))),
            _ if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                word.parse().map_or_else(|_| wrong("an integer of 64 bits"), |i| Ok(Value::Int(i)))
            }
            _ => Ok(word.into()),
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

fn write_to(out: &mut String, history: &History) -> std::fmt::Result {
    let Provenance { system, workload, seed, promised } = &history.provenance;
    for (name, text) in [("system", system), ("workload", workload)] {
        if !text.is_empty() {
            writeln!(out, "%{name} {}", quoted(text))?;
        }
    }
    if let Some(seed) = seed {
        writeln!(out, "%seed {seed}")?;
    }
    if let Some(promised) = promised {
        writeln!(out, "%promised {}", quoted(promised.as_str()))?;
    }
    if history.order == Order::Processes {
        writeln!(out, "%order processes")?;
    }
    let mut marks = history.marks.iter().peekable();
    for entry in &history.entries {
        while let Some(mark) = marks.next_if(|mark| mark.at.position < entry.invoked.position) {
            write_mark(out, mark)?;
        }
        write_entry(out, entry)?;
    }
    marks.try_for_each(|mark| write_mark(out, mark))
}

fn write_mark(out: &mut String, mark: &Mark) -> std::fmt::Result {
    match &mark.kind {
        MarkKind::Phase(Phase::Chaos) => write!(out, "-- chaos")?,
        MarkKind::Phase(Phase::Settle) => write!(out, "-- settle")?,
        MarkKind::Phase(Phase::FinalReads) => write!(out, "-- final-reads")?,
        MarkKind::FaultBegins(id, what) => write!(out, "-- fault {id} begins {}", quoted(what))?,
        MarkKind::FaultEnds(id) => write!(out, "-- fault {id} ends")?,
        MarkKind::FinalReads(process, replica) => write!(out, "-- process {} reads replica {replica}", process.0)?,
    }
    write!(out, " @")?;
    write_moment(out, mark.at)?;
    writeln!(out)
}

fn write_entry(out: &mut String, entry: &Entry) -> std::fmt::Result {
    let Operation { f, key, args } = &entry.operation;
    write!(out, "{}: {}", entry.process.0, quoted(f.as_str()))?;
    if !key.is_nil() {
        write!(out, "[{}]", literal(key))?;
    }
    if !args.is_nil() {
        write!(out, " {}", literal(args))?;
    }
    match &entry.outcome {
        Outcome::Ok(Value::Nil) if !crate::models::reads(&entry.operation) => {}
        Outcome::Ok(reply) => write!(out, " -> {}", literal(reply))?,
        Outcome::Failed(why) if why.is_empty() => write!(out, " !")?,
        Outcome::Failed(why) => write!(out, " ! {}", quoted(why))?,
        Outcome::Unknown(why) if why.is_empty() => write!(out, " ?")?,
        Outcome::Unknown(why) => write!(out, " ? {}", quoted(why))?,
    }
    write!(out, " @")?;
    write_moment(out, entry.invoked)?;
    write!(out, "..")?;
    if let Some(completed) = entry.completed {
        write_moment(out, completed)?;
    }
    writeln!(out)
}

fn write_moment(out: &mut String, moment: Moment) -> std::fmt::Result {
    write!(out, "{}", moment.position)?;
    if moment.time() == u64::from(moment.position) { Ok(()) } else { write!(out, "/{}", moment.time()) }
}

/// The text as a word where it is one, else in quotes.
fn quoted(text: &str) -> String {
    let is_plain = text.starts_with(char::is_alphabetic) && text.chars().all(is_word);
    if is_plain && !matches!(text, "nil" | "true" | "false") {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() && (c as u32) < 0x1_0000 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::List(list) => format!("[{}]", list.iter().map(literal).collect::<Vec<_>>().join(" ")),
        Value::Map(map) => {
            let pairs: Vec<String> = map.iter().map(|(k, v)| format!("{} {}", literal(k), literal(v))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Bytes(_) => value.to_string(),
    }
}
