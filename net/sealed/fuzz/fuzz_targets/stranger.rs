#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    sortie_sealed_fuzz::stranger(bytes);
});
