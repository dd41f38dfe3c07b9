//! A session of several payloads, as they come in: each with its length before it.

#![no_main]

use rs_fuzz::{Viewer, next};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (mut viewer, mut rest) = (Viewer::default(), data);
    while let Some(payload) = next(&mut rest) {
        if !viewer.show(payload) {
            break;
        }
    }
});
