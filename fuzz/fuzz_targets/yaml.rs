//! Fuzzes `dhow_fuzz::yaml`: see there.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| dhow_fuzz::yaml(data));
