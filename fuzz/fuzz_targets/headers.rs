//! Fuzzes `dhow_proxy::fuzzing::headers`: see there.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| dhow_proxy::fuzzing::headers(data));
