//! Rust sources as text: code without comments and literals, and the words in it.

/// The first names of the paths that `code` begins with: one, or in braces several. With their offsets.
pub(crate) fn first_segments(code: &str) -> Vec<(usize, &str)> {
    let name_at = |offset: usize| {
        let start = offset + code[offset..].find(|c: char| !c.is_whitespace()).unwrap_or(0);
        let rest = &code[start..];
        (start, &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())])
    };
    if !code.starts_with('{') {
        return vec![name_at(0)];
    }
    let mut names = Vec::new();
    let mut depth = 0;
    for (i, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && (i == 0 || c == ',') {
            names.push(name_at(i + 1));
        }
    }
    names.retain(|(_, name)| !name.is_empty());
    names
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `word` stands by itself.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| !code[..*at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word))
}

pub(crate) fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// The source with comments and texts blanked out, so that only code is left, on its lines.
pub(crate) fn strip(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let skipped = skip(rest, out.ends_with(is_word));
        let (taken, keep) = if skipped == 0 { (c.len_utf8(), true) } else { (skipped, false) };
        out.extend(rest[..taken].chars().map(|c| if keep || c == '\n' { c } else { ' ' }));
        rest = &rest[taken..];
    }
    out
}

/// The length of the comment or literal that `rest` begins with; 0 when it begins with code.
fn skip(rest: &str, in_word: bool) -> usize {
    let until = |end: &str, from: usize| rest[from..].find(end).map_or(rest.len(), |i| from + i + end.len());
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until("*/", 2);
    }
    if let Some(text) = rest.strip_prefix('"') {
        let mut escaped = false;
        let end = text.find(|c| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        return end.map_or(rest.len(), |i| i + 2);
    }
    if rest.starts_with('r') && !in_word {
        let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
        if rest[1 + hashes..].starts_with('"') {
            return until(&format!("\"{}", "#".repeat(hashes)), 2 + hashes);
        }
    }
    if rest.starts_with("'\\") {
        return until("'", 3);
    }
    // A lifetime has no second quote.
    let mut chars = rest.chars();
    match (chars.next(), chars.next(), chars.next()) {
        (Some('\''), Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}
