#![no_main]

// Arrow asserts where messages say that their buffers are, and the driver catches it. What nobody catches aborts all the same.
libfuzzer_sys::fuzz_target!(init: std::panic::set_hook(Box::new(|_| ())), |data: &[u8]| {
    adbc_databricks::hostile::answer(data);
});
