//! Frames of APNG: read with disposal and blending, written as stills whose data goes into fdAT chunks.

use super::canvas::{Blend, Canvas, Disposal, Rect};
use super::change::{changed, cut, whole};
use super::{Frame, Plays, no_frame};
use crate::codec::bytes::Bytes;
use crate::codec::error::CodecError;
use crate::codec::format::encode::{self, Output};
use crate::codec::format::png::{self, chunks, damaged};
use crate::codec::metadata::Metadata;
use crate::codec::transform::orient_pad;
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
use crate::spec::{Quality, Spec};
use ::png::{BlendOp, Decoder, DisposeOp, Limits as PngLimits, Reader, Transformations};
use flate2::Crc;
use std::io::Cursor;
use std::time::Duration;

/// Returns the number of frames.
pub(super) fn count(input: &[u8]) -> u32 {
    let control = chunks(input).take_while(|(kind, _)| kind != b"IDAT").find(|(kind, _)| kind == b"acTL");
    control.and_then(|(_, data)| Bytes(data).be32()).unwrap_or(1).max(1)
}

/// Returns true if the file has its last chunk.
pub(super) fn is_whole(input: &[u8]) -> bool {
    chunks(input).any(|(kind, _)| &kind == b"IEND")
}

/// Frames of a file.
pub(super) struct ApngReader<'a> {
    reader: Reader<Cursor<&'a [u8]>>,
    canvas: Canvas,
    left: u32,
    plays: Plays,
    limits: &'a Limits,
}

impl std::fmt::Debug for ApngReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApngReader").field("left", &self.left).finish_non_exhaustive()
    }
}

fn refused(error: ::png::DecodingError) -> CodecError {
    match error {
        ::png::DecodingError::IoError(_) => damaged("the file ends within a frame"),
        error => CodecError::damaged(Format::Png, error),
    }
}

impl<'a> ApngReader<'a> {
    pub(super) fn open(input: &'a [u8], limits: &'a Limits) -> Result<ApngReader<'a>, CodecError> {
        let memory = usize::try_from(limits.request_memory).unwrap_or(usize::MAX);
        let mut decoder = Decoder::new_with_limits(Cursor::new(input), PngLimits { bytes: memory });
        decoder.set_transformations(Transformations::normalize_to_color8());
        decoder.set_ignore_text_chunk(true);
        let reader = decoder.read_info().map_err(refused)?;
        let control = reader.info().animation_control();
        let (left, plays) = control.map_or((1, 1), |control| (control.num_frames, control.num_plays));
        let canvas = Canvas::new(png::probe(input)?.stored)?;
        Ok(ApngReader { reader, canvas, left, plays, limits })
    }

    pub(super) fn plays(&self) -> Plays {
        self.plays
    }

    pub(super) fn next(&mut self) -> Result<Option<Frame>, CodecError> {
        self.limits.cancel.check()?;
        if self.left == 0 {
            return Ok(None);
        }
        let len = self.reader.output_buffer_size().ok_or_else(|| damaged("a frame is too large"))?;
        let mut data = crate::limits::try_vec(len)?;
        let mut shape = self.reader.next_frame(&mut data).map_err(refused)?;
        if self.reader.info().frame_control().is_none() {
            // The picture for viewers without animation is no frame.
            shape = self.reader.next_frame(&mut data).map_err(refused)?;
        }
        let control =
            *self.reader.info().frame_control().ok_or_else(|| damaged("a frame has no control chunk"))?;
        self.left -= 1;
        let channels = match shape.color_type {
            ::png::ColorType::Grayscale => Channels::Gray,
            ::png::ColorType::GrayscaleAlpha => Channels::GrayAlpha,
            ::png::ColorType::Rgb => Channels::Rgb,
            ::png::ColorType::Rgba => Channels::Rgba,
            ::png::ColorType::Indexed => return Err(damaged("a palette was not looked up")),
        };
        data.truncate(shape.buffer_size());
        let pixels = Pixels::new(shape.width, shape.height, channels, data);
        let pixels = pixels.ok_or_else(|| damaged("the sizes do not agree"))?;
        let pixels = orient_pad::widened(&pixels, Channels::Rgba)?;
        let (left, top) = (control.x_offset as usize, control.y_offset as usize);
        let area = Rect { left, top, ..whole(&pixels) };
        let disposal = match control.dispose_op {
            DisposeOp::None => Disposal::Keep,
            DisposeOp::Background => Disposal::Clear,
            DisposeOp::Previous => Disposal::Restore,
        };
        let blend = match control.blend_op {
            BlendOp::Source => Blend::Replace,
            BlendOp::Over => Blend::Over,
        };
        self.canvas.begin(area, disposal);
        for (y, row) in pixels.rows().enumerate() {
            self.canvas.draw(left, top + y, row, blend);
        }
        let parts = match control.delay_den {
            0 => 100,
            parts => parts,
        };
        let delay = Duration::from_micros(u64::from(control.delay_num) * 1_000_000 / u64::from(parts));
        Ok(Some(Frame { pixels: self.canvas.shown()?, delay }))
    }
}

/// A file that grows by a frame control and its data for each change.
#[derive(Debug)]
pub(super) struct ApngWriter {
    plays: Plays,
    /// Chunks up to the animation control, which needs the number of frames.
    head: Vec<u8>,
    frames: Vec<u8>,
    count: u32,
    sequence: u32,
    /// Place of the last frame control in `frames`, and its data.
    last: Option<(usize, Vec<u8>)>,
    before: Option<Pixels>,
}

impl ApngWriter {
    pub(super) fn new(plays: Plays) -> ApngWriter {
        ApngWriter {
            plays,
            head: Vec::new(),
            frames: Vec::new(),
            count: 0,
            sequence: 0,
            last: None,
            before: None,
        }
    }

    pub(super) fn add(&mut self, frame: Frame, output: &Output<'_>) -> Result<(), CodecError> {
        let Frame { pixels, delay } = frame;
        let area = match &self.before {
            None => whole(&pixels),
            Some(before) => match changed(before, &pixels) {
                Some(area) => area,
                None => {
                    self.prolong(delay);
                    return Ok(());
                }
            },
        };
        let part = cut(&pixels, area)?;
        let is_first = self.before.is_none();
        let none = Metadata::default();
        let metadata = if is_first { output.metadata } else { &none };
        // Passes of an interlaced frame are not worth their bytes.
        let spec = Spec { progressive: false, ..output.spec.clone() };
        let still = encode::encode(&part, Quality::DEFAULT, &Output { metadata, spec: &spec, ..*output })?;
        let mut control = Vec::with_capacity(26);
        control.extend(self.next_sequence());
        for n in [area.width, area.height, area.left, area.top] {
            control.extend((n as u32).to_be_bytes());
        }
        control.extend(millis(delay).to_be_bytes());
        control.extend(1000_u16.to_be_bytes());
        control.extend([0, 0]); // it stays, and replaces what is below
        let at = self.frames.len();
        chunk(&mut self.frames, b"fcTL", &[&control]);
        self.last = Some((at, control));
        for (kind, data) in chunks(&still) {
            match &kind {
                b"IDAT" if is_first => chunk(&mut self.frames, b"IDAT", &[data]),
                b"IDAT" => {
                    let number = self.next_sequence();
                    chunk(&mut self.frames, b"fdAT", &[&number, data]);
                }
                b"IEND" => {}
                _ if is_first => chunk(&mut self.head, &kind, &[data]),
                _ => {}
            }
        }
        self.count += 1;
        self.before = Some(pixels);
        Ok(())
    }

    fn next_sequence(&mut self) -> [u8; 4] {
        self.sequence += 1;
        (self.sequence - 1).to_be_bytes()
    }

    /// Shows the last frame for longer.
    fn prolong(&mut self, more: Duration) {
        let Some((at, control)) = &mut self.last else { return };
        let delay = u16::from_be_bytes([control[20], control[21]]);
        control[20..22].copy_from_slice(&delay.saturating_add(millis(more)).to_be_bytes());
        let mut written = Vec::new();
        chunk(&mut written, b"fcTL", &[control]);
        self.frames[*at..*at + written.len()].copy_from_slice(&written);
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, CodecError> {
        if self.count == 0 {
            return Err(no_frame());
        }
        let mut file = b"\x89PNG\r\n\x1A\n".to_vec();
        file.extend_from_slice(&self.head);
        chunk(&mut file, b"acTL", &[&self.count.to_be_bytes(), &self.plays.to_be_bytes()]);
        file.extend_from_slice(&self.frames);
        chunk(&mut file, b"IEND", &[]);
        Ok(file)
    }
}

/// A delay in thousandths of a second, as far as two bytes go.
fn millis(delay: Duration) -> u16 {
    u16::try_from(delay.as_millis()).unwrap_or(u16::MAX)
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], parts: &[&[u8]]) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    out.extend((len as u32).to_be_bytes());
    let mut crc = Crc::new();
    for part in [&[&kind[..]], parts].concat() {
        crc.update(part);
        out.extend_from_slice(part);
    }
    out.extend(crc.sum().to_be_bytes());
}
