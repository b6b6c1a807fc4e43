#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = tensor_core::fuzz::descriptor(bytes);
});
