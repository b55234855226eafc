//! Records of a campaign, and what is drawn from them for people and machines.
//!
//! The records are the boundary: whoever runs a campaign writes [`records`], and every output reads nothing else, at any
//! later time. There is one module per output; the records are their own JSON form.

pub mod records;
