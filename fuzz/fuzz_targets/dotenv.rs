//! Fuzzes `dhow_fuzz::dotenv`: see there.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| dhow_fuzz::dotenv(data));
