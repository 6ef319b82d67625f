#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    adbc_databricks::hostile::refusal(input);
});
