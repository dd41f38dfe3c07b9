//! The codec of `rs`, in this process.

use std::{path::Path, time::Duration};

use rs::video::{
    budget::Budget,
    decoder::Decoder,
    encoder::Encoder,
    frame::{Damage, Frame, Size},
};

use crate::{
    Figures,
    kit::{clip::Clip, distortion::Distortion, thread_time},
};

/// The clips' time from one frame to the next.
const FRAME: Duration = Duration::from_millis(50);

/// Every frame with the whole screen as damage.
pub(crate) fn run(path: &Path, size: Size) -> anyhow::Result<Figures> {
    let mut clip = Clip::open(path, size)?;
    let (mut encoder, mut decoder) = (Encoder::new(true)?, Decoder::new());
    let (mut source, mut shown) = (Frame::new(size), Frame::new(size));
    let (mut bytes, mut distortion, mut processor) = (Vec::new(), Distortion::default(), [0.0; 2]);
    while clip.read(&mut source)? {
        let start = thread_time();
        let payload = encoder.encode(&source, &Damage::full(size), FRAME * bytes.len() as u32, Budget::default())?;
        let coded = thread_time();
        if let Some(payload) = &payload {
            decoder.decode(payload, &mut shown)?;
        }
        processor[1] += (thread_time() - coded).as_secs_f64();
        processor[0] += (coded - start).as_secs_f64();
        bytes.push(payload.map_or(0, |payload| payload.len()));
        distortion.add(&source, shown.data());
    }
    Ok(Figures {
        first_bytes: bytes.first().copied().unwrap_or(0),
        rest_bytes: bytes.iter().skip(1).sum(),
        psnr: Some(distortion.psnr()),
        processor,
    })
}
