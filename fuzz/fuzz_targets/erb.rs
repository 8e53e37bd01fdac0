//! Fuzzes `dhow_fuzz::erb`: see there.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| dhow_fuzz::erb(data));
