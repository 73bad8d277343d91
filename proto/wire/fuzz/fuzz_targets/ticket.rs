#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    sortie_wire_fuzz::ticket(bytes);
});
