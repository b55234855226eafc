//! Panics of code under test: caught, noted with their place, and kept off the terminal.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

/// A panic, whoever caught it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Its message.
    pub message: String,
    /// Where it was (`src/store.rs:12:5`).
    pub place: Option<String>,
}

/// How tokio's words begin when a task has panicked before, in runtimes that end then. They say neither what nor where.
const ECHO: &str = "a spawned task panicked and the ";

/// Runs `f`; a panic in it becomes `Err` with the panic's message.
///
/// The panic is not printed: it is a verdict about the code under test, and is told as one. [`last`] knows where it was.
pub fn catch<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    install();
    let before = CATCHING.replace(true);
    LAST.take();
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    CATCHING.set(before);
    result.map_err(|payload| message(payload.as_ref()))
}

/// The last panic inside the last [`catch`] of this thread, whoever caught it.
pub fn last() -> Option<Noted> {
    LAST.with_borrow(Clone::clone)
}

/// Whether a message says only that there was a panic before.
pub fn is_echo(message: &str) -> bool {
    message.starts_with(ECHO)
}

/// The text of a panic's payload.
pub fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic whose payload is no text".to_owned()
    }
}

/// Wraps the process's panic hook, once: threads inside [`catch`] note the place, all others go the old way.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHING.get() {
                let message = message(info.payload());
                if !is_echo(&message) {
                    LAST.set(Some(Noted { message, place: info.location().map(ToString::to_string) }));
                }
            } else {
                before(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_message_and_place() {
        assert_eq!(catch(|| 7), Ok(7));
        assert_eq!(last(), None);
        assert_eq!(catch(|| panic!("no {}", "way")), Err::<(), _>("no way".to_owned()));
        let Noted { message, place } = last().unwrap();
        assert!(message == "no way" && place.is_some_and(|p| p.contains("panics.rs")));
        assert_eq!(catch(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
    }

    #[test]
    fn the_place_is_known_when_somebody_else_caught_the_panic() {
        let inner = catch(|| panic::catch_unwind(|| panic!("inside")).is_err());
        assert_eq!(inner, Ok(true));
        assert_eq!(last().unwrap().message, "inside");
    }

    #[test]
    fn an_echo_hides_no_panic() {
        let echo = catch(|| {
            drop(panic::catch_unwind(|| panic!("inside")));
            panic!("{ECHO}")
        });
        assert!(is_echo(&echo.unwrap_err()) && last().unwrap().message == "inside");
    }
}
