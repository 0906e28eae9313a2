//! Frames of WebP: stills in ANMF chunks.

use super::canvas::{Blend, Canvas, Disposal, Rect};
use super::change::{changed, cut, whole};
use super::{Frame, Plays, no_frame};
use crate::codec::error::CodecError;
use crate::codec::format::encode::{self, Output};
use crate::codec::format::webp::{self, chunks, damaged};
use crate::codec::metadata::Metadata;
use crate::codec::transform::orient_pad;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels, Size};
use crate::spec::Quality;
use std::time::Duration;

/// Longest delay, in milliseconds: three bytes.
const MAX_DELAY: u64 = (1 << 24) - 1;

/// Frame flag: the area becomes clear when the next frame is due.
const CLEAR: u8 = 0x01;

/// Frame flag: the pixels replace those below.
const REPLACE: u8 = 0x02;

/// Returns the number of frames.
pub(super) fn count(input: &[u8]) -> u32 {
    let frames = chunks(input).filter(|(kind, _)| kind == b"ANMF").count();
    u32::try_from(frames).unwrap_or(u32::MAX).max(1)
}

/// Returns true if the file is as long as it says.
pub(super) fn is_whole(input: &[u8]) -> bool {
    let length = input.get(4..8).and_then(|bytes| bytes.first_chunk::<4>()).copied().map(u32::from_le_bytes);
    length.is_some_and(|length| input.len() as u64 >= u64::from(length) + 8)
}

/// Frames of a file.
#[derive(Debug)]
pub(super) struct WebPReader<'a> {
    /// Data of the ANMF chunks that are left.
    left: std::vec::IntoIter<&'a [u8]>,
    canvas: Canvas,
    plays: Plays,
    limits: &'a Limits,
}

impl<'a> WebPReader<'a> {
    pub(super) fn open(input: &'a [u8], limits: &'a Limits) -> Result<WebPReader<'a>, CodecError> {
        let frames: Vec<_> =
            chunks(input).filter(|(kind, _)| kind == b"ANMF").map(|(_, data)| data).collect();
        let plays = chunks(input).find(|(kind, _)| kind == b"ANIM").and_then(|(_, data)| {
            let count = data.get(4..)?.first_chunk()?;
            Some(u16::from_le_bytes(*count).into())
        });
        // Browsers ignore the background colour of the file: the canvas is clear at first.
        let canvas = Canvas::new(webp::probe(input)?.stored)?;
        Ok(WebPReader { left: frames.into_iter(), canvas, plays: plays.unwrap_or(0), limits })
    }

    pub(super) fn plays(&self) -> Plays {
        self.plays
    }

    pub(super) fn next(&mut self) -> Result<Option<Frame>, CodecError> {
        self.limits.cancel.check()?;
        let Some(data) = self.left.next() else { return Ok(None) };
        let frame =
            webp::animation_frame(data).ok_or_else(|| damaged("the header of a frame is too short"))?;
        let pixels = frame.decode(self.limits)?;
        let pixels = if pixels.channels() == Channels::Rgba {
            pixels
        } else {
            orient_pad::widened(&pixels, Channels::Rgba)?
        };
        let (left, top) = (frame.x as usize, frame.y as usize);
        let disposal = if frame.flags & CLEAR == 0 { Disposal::Keep } else { Disposal::Clear };
        let blend = if frame.flags & REPLACE == 0 { Blend::Over } else { Blend::Replace };
        self.canvas.begin(Rect { left, top, ..whole(&pixels) }, disposal);
        for (y, row) in pixels.rows().enumerate() {
            self.canvas.draw(left, top + y, row, blend);
        }
        Ok(Some(Frame { pixels: self.canvas.shown()?, delay: Duration::from_millis(frame.duration.into()) }))
    }
}

/// A file that grows by an ANMF chunk for each change.
#[derive(Debug)]
pub(super) struct WebPWriter {
    plays: Plays,
    frames: Vec<u8>,
    /// Place of the last frame's delay in `frames`, and the delay.
    last: Option<(usize, u64)>,
    before: Option<Pixels>,
    has_alpha: bool,
}

impl WebPWriter {
    pub(super) fn new(plays: Plays) -> WebPWriter {
        WebPWriter { plays, frames: Vec::new(), last: None, before: None, has_alpha: false }
    }

    pub(super) fn add(
        &mut self,
        frame: Frame,
        quality: Quality,
        output: &Output<'_>,
    ) -> Result<(), CodecError> {
        let Frame { pixels, delay } = frame;
        let delay = u64::try_from(delay.as_millis()).unwrap_or(MAX_DELAY).min(MAX_DELAY);
        let area = match &self.before {
            None => whole(&pixels),
            Some(before) => match changed(before, &pixels) {
                Some(area) => even(area),
                None => {
                    self.prolong(delay);
                    return Ok(());
                }
            },
        };
        let part = cut(&pixels, area)?;
        let none = Metadata::default();
        let still = encode::encode(&part, quality, &Output { metadata: &none, ..*output })?;
        let mut data = Vec::with_capacity(still.len() + 16);
        for n in [area.left / 2, area.top / 2, area.width - 1, area.height - 1, delay as usize] {
            data.extend_from_slice(&n.to_le_bytes()[..3]);
        }
        data.push(REPLACE);
        for (kind, bytes) in chunks(&still).filter(|(kind, _)| matches!(kind, b"ALPH" | b"VP8 " | b"VP8L")) {
            self.has_alpha |= &kind != b"VP8 ";
            chunk(&mut data, &kind, bytes);
        }
        let start = self.frames.len();
        chunk(&mut self.frames, b"ANMF", &data);
        self.last = Some((start + 8 + 12, delay));
        self.before = Some(pixels);
        Ok(())
    }

    /// Shows the last frame for longer.
    fn prolong(&mut self, more: u64) {
        if let Some((at, delay)) = &mut self.last {
            *delay = (*delay + more).min(MAX_DELAY);
            self.frames[*at..*at + 3].copy_from_slice(&delay.to_le_bytes()[..3]);
        }
    }

    pub(super) fn finish(self, output: &Output<'_>) -> Result<Vec<u8>, CodecError> {
        let shown = self.before.ok_or_else(no_frame)?;
        let Metadata { exif, xmp, icc, .. } = output.metadata;
        let flag = |present: bool, bit: u8| if present { bit } else { 0 };
        let flags = 0x02
            | flag(icc.is_some(), 0x20)
            | flag(self.has_alpha, 0x10)
            | flag(exif.is_some(), 0x08)
            | flag(xmp.is_some(), 0x04);
        let mut header = vec![flags, 0, 0, 0];
        let Size { width, height } = Size { width: shown.width(), height: shown.height() };
        for side in [width, height] {
            header.extend_from_slice(&(side - 1).to_le_bytes()[..3]);
        }
        let plays = u16::try_from(self.plays).unwrap_or(u16::MAX).to_le_bytes();
        let mut out = b"RIFF\0\0\0\0WEBP".to_vec();
        chunk(&mut out, b"VP8X", &header);
        icc.iter().for_each(|icc| chunk(&mut out, b"ICCP", icc));
        chunk(&mut out, b"ANIM", &[&[0; 4][..], &plays].concat());
        out.extend_from_slice(&self.frames);
        exif.iter().for_each(|exif| chunk(&mut out, b"EXIF", exif));
        xmp.iter().for_each(|xmp| chunk(&mut out, b"XMP ", xmp));
        let len = u32::try_from(out.len() - 8);
        let len = len.map_err(|_| CodecError::BadRequest("format=webp holds at most 4 GiB".into()))?;
        out[4..8].copy_from_slice(&len.to_le_bytes());
        Ok(out)
    }
}

/// The same area from even coordinates, which are all that the file can hold.
fn even(area: Rect) -> Rect {
    let (left, top) = (area.left & !1, area.top & !1);
    Rect { left, top, width: area.width + area.left - left, height: area.height + area.top - top }
}

fn chunk(out: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(&(data.len() as u32).to_le_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(&[0][..data.len() % 2]);
}
