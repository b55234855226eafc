//! All checkers, and what the verifier says to their certificates.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| squall_checkers_fuzz::judge(bytes));
