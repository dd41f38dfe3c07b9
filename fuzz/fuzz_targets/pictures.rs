//! A session of several pictures before they are packed: what gets past zstd. Each is a head, which streams (two bytes), and these.

#![no_main]

use rs_fuzz::{Packer, STREAMS, Viewer, next};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (mut viewer, mut packer, mut rest) = (Viewer::default(), Packer::default(), data);
    while let Some(&[flags, width, height, low, high]) = rest.split_off(..5) {
        let mask = u16::from_le_bytes([low, high]);
        let head = [flags, width, 0, height, 0];
        let head = if flags & 1 == 1 { &head[..] } else { &head[..1] };
        let parts =
            std::array::from_fn::<_, STREAMS, _>(
                |kind| {
                    if mask >> kind & 1 == 1 { next(&mut rest).unwrap_or_default() } else { &[] }
                },
            );
        if !viewer.show(&packer.pack(head, &parts)) {
            break;
        }
    }
});
