//! Fuzzes `dhow_fuzz::load`: see there.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| dhow_fuzz::load(data));
