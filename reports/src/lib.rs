//! Records of a campaign, and what is drawn from them for people and machines.
//!
//! The records are the boundary: whoever runs a campaign writes [`records`], and every output reads nothing else, at any
//! later time. There is one module per output:
//!
//! | output | module | from |
//! |---|---|---|
//! | JSON | [`records`] (they are their own JSON form) | |
//! | terminal | [`text`] | one finding |
//! | HTML | [`html`] | one finding, or a whole campaign |
//! | `JUnit` XML | [`junit`] | a whole campaign |
//! | Markdown | [`markdown`] | a whole campaign |
//!
//! A further output (SARIF) is one more module beside these. What all of them say in the same
//! words (headline, the sentence that says what cannot be, the faults in plain words) is in [`story`]; which operations
//! matter and in what order things happened is in [`table`].

pub mod html;
pub mod junit;
pub mod markdown;
pub mod records;
pub mod story;
pub mod table;
pub mod text;
mod words;
