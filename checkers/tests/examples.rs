//! The examples in the documentation: each checker allows the one history and forbids the other.

#[expect(dead_code, reason = "parts of it are for other tests")]
mod judging;

use judging::judge;
use squall_checkers::checker::CHECKERS;

#[test]
fn each_checker_has_an_example_that_holds() {
    let rows = include_str!("../EXAMPLES.md").lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut seen = Vec::new();
    for row in rows.filter(|row| !row.starts_with("| ---")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [name, allowed, forbidden] = cells[..] else { panic!("not three cells: {row}") };
        for (history, valid) in [(allowed, true), (forbidden, false)] {
            let verdict = judge(name, history);
            assert_eq!((verdict.is_valid(), verdict.is_invalid()), (valid, !valid), "{name}: {history}: {verdict:?}");
        }
        seen.push(name.split(' ').next().unwrap_or_default());
    }
    let missing: Vec<&str> = CHECKERS.iter().map(|c| c.name).filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "no example of {missing:?} in checkers/EXAMPLES.md");
}
