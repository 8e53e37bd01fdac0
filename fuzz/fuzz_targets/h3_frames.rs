//! Fuzzes `dhow_proxy::fuzzing::h3_frames`: see there.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| dhow_proxy::fuzzing::h3_frames(data));
