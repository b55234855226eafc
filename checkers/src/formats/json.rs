//! Just enough JSON to read Jepsen's histories: the same forms as from EDN, each with its place.

use super::{
    ParseError,
    cursor::{Cursor, DEPTH_MAX},
    edn::{Edn, Form},
};

/// The next value, within so many others; `None` at the end.
pub(super) fn next(cursor: &mut Cursor<'_>, depth: usize) -> Result<Option<Form>, ParseError> {
    cursor.take_while(char::is_whitespace);
    if cursor.peek().is_none() { Ok(None) } else { value(cursor, depth).map(Some) }
}

fn value(cursor: &mut Cursor<'_>, depth: usize) -> Result<Form, ParseError> {
    if depth > DEPTH_MAX {
        return Err(cursor.expected("values nested at most 64 deep"));
    }
    cursor.take_while(char::is_whitespace);
    let at = cursor.place();
    let edn = match cursor.peek() {
        Some('"') => Edn::Text(cursor.string()?),
        Some('[') => {
            let mut forms = Vec::new();
            members(cursor, "[", "]", |cursor| {
                forms.push(value(cursor, depth + 1)?);
                Ok(())
            })?;
            Edn::Sequence(forms)
        }
        Some('{') => {
            let mut pairs = Vec::new();
            members(cursor, "{", "}", |cursor| {
                cursor.take_while(char::is_whitespace);
                let at = cursor.place();
                let key = Form { at, edn: Edn::Keyword(cursor.string()?) };
                cursor.take_while(char::is_whitespace);
                if !cursor.eat(":") {
                    return Err(cursor.expected("`:` after a key"));
                }
                pairs.push((key, value(cursor, depth + 1)?));
                Ok(())
            })?;
            Edn::Map(pairs)
        }
        _ => {
            let before = cursor.clone();
            let word = cursor.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
            match word {
                "null" => Edn::Nil,
                "true" => Edn::Bool(true),
                "false" => Edn::Bool(false),
                _ => match word.parse::<i64>() {
                    Ok(int) => Edn::Int(int),
                    Err(_) if word.parse::<f64>().is_ok_and(f64::is_finite) => Edn::Other(word.to_owned()),
                    Err(_) => return Err(before.expected("a value of JSON")),
                },
            }
        }
    };
    Ok(Form { at, edn })
}

/// What stands between two brackets, with commas between.
fn members(
    cursor: &mut Cursor<'_>,
    open: &str,
    close: &str,
    mut member: impl FnMut(&mut Cursor<'_>) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    cursor.eat(open);
    cursor.take_while(char::is_whitespace);
    if cursor.eat(close) {
        return Ok(());
    }
    loop {
        member(cursor)?;
        cursor.take_while(char::is_whitespace);
        if cursor.eat(close) {
            return Ok(());
        }
        if !cursor.eat(",") {
            return Err(cursor.expected(&format!("`,` or `{close}`")));
        }
    }
}
