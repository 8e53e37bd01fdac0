//! Fuzzes `dhow_proxy::fuzzing::h2`: see there.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| dhow_proxy::fuzzing::h2(data));
