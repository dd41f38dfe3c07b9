//! Control messages: what is a message and within its bounds comes back the same, and the viewer's memory of pointers keeps its own.

#![no_main]

use rs_fuzz::{
    next,
    protocol::{
        cursors::{Cursors, MAX_BYTES, MAX_SHAPES},
        message::{MAX_CURSOR, Message},
        screens::MAX_SCREENS,
    },
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (mut cursors, mut rest) = (Cursors::default(), data);
    let mut shapes = 0_u32;
    while let Some(bytes) = next(&mut rest) {
        let Ok((message, behind)) = postcard::take_from_bytes::<Message>(bytes) else { continue };
        let _ = (message.is_droppable(), format!("{message:?}"));
        if !message.is_valid() {
            continue;
        }
        let again = postcard::to_stdvec(&message).expect("it is written");
        assert_eq!(postcard::from_bytes::<Message>(&again).as_ref(), Ok(&message));
        assert!(behind.len() < bytes.len());
        match message {
            Message::CursorShape(shape) => {
                assert!(shape.bgra.len() <= usize::from(MAX_CURSOR) * usize::from(MAX_CURSOR) * 4);
                cursors.add(shape.clone());
                shapes += 1;
                let number = cursors.find(&shape).expect("the newest shape is remembered");
                assert_eq!(cursors.get(number), Some(&shape));
            }
            Message::KnownCursor(number) => assert!(cursors.get(number).is_none_or(|_| number < shapes)),
            Message::Screens(screens) => assert!(screens.list.len() <= MAX_SCREENS),
            _ => {}
        }
    }
    let kept: Vec<_> = (0..shapes).filter_map(|number| cursors.get(number)).collect();
    assert!(kept.len() <= MAX_SHAPES && kept.iter().map(|shape| shape.bgra.len()).sum::<usize>() <= MAX_BYTES);
});
