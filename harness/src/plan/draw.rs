//! Drawing a plan from a seed.
