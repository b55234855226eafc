//! What people and programs read, tested on findings as they come and on awkward ones.

mod ci;
mod common;
mod html;
mod records;
mod text;
