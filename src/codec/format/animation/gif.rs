//! Frames of GIF: read with their disposal, written with a palette each, unchanged pixels transparent.

use super::canvas::{Blend, Canvas, Disposal, Rect};
use super::change::{changed, cut, whole};
use super::{Frame, Plays, no_frame};
use crate::codec::error::CodecError;
use crate::codec::format::encode::Output;
use crate::codec::format::gif::{self, damaged, defect, order, reader, refused};
use crate::codec::format::palette::{Palette, PaletteOptions};
use crate::codec::transform::orient_pad;
use crate::limits::Limits;
use crate::pixels::Pixels;
use crate::spec::Effort;
use ::gif::{DisposalMethod, Encoder, Frame as GifFrame, Repeat};
use std::borrow::Cow;
use std::time::Duration;

/// Delays that browsers do not believe, in hundredths of a second, and the one that they show instead.
const TOO_SHORT: u16 = 1;
const USUAL: u16 = 10;

/// Returns the number of frames.
pub(super) fn count(input: &[u8]) -> u32 {
    u32::try_from(gif::frames(input)).unwrap_or(u32::MAX)
}

/// Returns true if the file has its trailer.
pub(super) fn is_whole(input: &[u8]) -> bool {
    gif::has_trailer(input)
}

/// Frames of a file.
pub(super) struct GifReader<'a> {
    decoder: ::gif::Decoder<&'a [u8]>,
    canvas: Canvas,
    plays: Plays,
    limits: &'a Limits,
}

impl std::fmt::Debug for GifReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GifReader").field("plays", &self.plays).finish_non_exhaustive()
    }
}

impl<'a> GifReader<'a> {
    pub(super) fn open(input: &'a [u8], limits: &'a Limits) -> Result<GifReader<'a>, CodecError> {
        let size = gif::probe(input)?.stored;
        let canvas = Canvas::new(size)?;
        Ok(GifReader { decoder: reader(input, limits)?, canvas, plays: gif::plays(input), limits })
    }

    pub(super) fn plays(&self) -> Plays {
        self.plays
    }

    pub(super) fn next(&mut self) -> Result<Option<Frame>, CodecError> {
        let Some(frame) = self.decoder.next_frame_info().map_err(refused)? else { return Ok(None) };
        let area = Rect {
            left: frame.left.into(),
            top: frame.top.into(),
            width: frame.width.into(),
            height: frame.height.into(),
        };
        let (transparent, interlaced) = (frame.transparent, frame.interlaced);
        let delay = if frame.delay <= TOO_SHORT { USUAL } else { frame.delay };
        let disposal = match frame.dispose {
            DisposalMethod::Any | DisposalMethod::Keep => Disposal::Keep,
            DisposalMethod::Background => Disposal::Clear,
            DisposalMethod::Previous => Disposal::Restore,
        };
        self.canvas.begin(area, disposal);
        let palette = self.decoder.palette().map_err(refused)?.to_vec();
        let colours: Vec<[u8; 4]> = (0..=255_u8)
            .map(|index| match palette.get(usize::from(index) * 3..).and_then(|rest| rest.first_chunk()) {
                Some(&[r, g, b]) if Some(index) != transparent => [r, g, b, 255],
                _ => [0; 4],
            })
            .collect();
        let mut indices = vec![0; area.width];
        let mut row = Vec::with_capacity(area.width * 4);
        for (done, y) in order(area.height, interlaced).enumerate() {
            if done % 64 == 0 {
                self.limits.cancel.check()?;
            }
            if !self.decoder.fill_buffer(&mut indices).unwrap_or(false) {
                return Err(damaged("the data of a frame ends early"));
            }
            row.clear();
            indices.iter().for_each(|index| row.extend_from_slice(&colours[usize::from(*index)]));
            self.canvas.draw(area.left, area.top + y, &row, Blend::Over);
        }
        let delay = Duration::from_millis(u64::from(delay) * 10);
        Ok(Some(Frame { pixels: self.canvas.shown()?, delay }))
    }
}

/// A file of which the last frame is held back, because the next one decides how it is disposed of.
pub(super) struct GifWriter {
    plays: Plays,
    encoder: Option<Encoder<Vec<u8>>>,
    /// The canvas before the frame that is held; `None` where it is clear.
    below: Option<Pixels>,
    held: Option<Frame>,
}

impl std::fmt::Debug for GifWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GifWriter").field("plays", &self.plays).finish_non_exhaustive()
    }
}

impl GifWriter {
    pub(super) fn new(plays: Plays) -> GifWriter {
        GifWriter { plays, encoder: None, below: None, held: None }
    }

    pub(super) fn add(&mut self, frame: Frame, output: &Output<'_>) -> Result<(), CodecError> {
        // Below half opacity a pixel is clear, the others stand on the background, as in a still.
        let pixels = orient_pad::half_clear(&frame.pixels, output.spec.background)?;
        let frame = Frame { pixels, delay: frame.delay };
        let Some(held) = &mut self.held else {
            self.held = Some(frame);
            return Ok(());
        };
        if changed(&held.pixels, &frame.pixels).is_none() {
            held.delay += frame.delay;
            return Ok(());
        }
        let uncovers = uncovers(&held.pixels, &frame.pixels);
        let Some(held) = self.held.replace(frame) else { return Ok(()) };
        if uncovers {
            // A pixel that becomes clear cannot be drawn: the frame before takes all with it.
            self.write(&held, whole(&held.pixels), None, DisposalMethod::Background, output)?;
            self.below = None;
        } else {
            self.write_change(held, output)?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self, output: &Output<'_>) -> Result<Vec<u8>, CodecError> {
        let held = self.held.take().ok_or_else(no_frame)?;
        self.write_change(held, output)?;
        let encoder = self.encoder.ok_or_else(no_frame)?;
        encoder.into_inner().map_err(defect)
    }

    /// Writes what a frame changes, and keeps it as what lies below the next one.
    fn write_change(&mut self, held: Frame, output: &Output<'_>) -> Result<(), CodecError> {
        let below = self.below.take();
        let area = below.as_ref().and_then(|below| changed(below, &held.pixels));
        let area = area.unwrap_or_else(|| whole(&held.pixels));
        self.write(&held, area, below.as_ref(), DisposalMethod::Keep, output)?;
        self.below = Some(held.pixels);
        Ok(())
    }

    fn write(
        &mut self,
        frame: &Frame,
        area: Rect,
        below: Option<&Pixels>,
        dispose: DisposalMethod,
        output: &Output<'_>,
    ) -> Result<(), CodecError> {
        let mut part = cut(&frame.pixels, area)?;
        if let Some(below) = below {
            let below = cut(below, area)?;
            let pixels = part.data_mut().as_chunks_mut::<4>().0.iter_mut();
            for (pixel, before) in pixels.zip(below.data().as_chunks::<4>().0) {
                if pixel == before {
                    *pixel = [0; 4];
                }
            }
        }
        let rounds = if output.spec.effort == Effort::Fast { 0 } else { 4 };
        let options = PaletteOptions { dither: output.spec.dither, rounds };
        let Palette { mut colours, indices, mut clear } = Palette::of(&part, options, &output.limits.cancel)?;
        if dispose == DisposalMethod::Background && clear.is_none() && colours.len() < 256 {
            // Pillow paints the area with the first colour unless the frame has a clear one.
            clear = Some(colours.len() as u8);
            colours.push([0; 3]);
        }
        // The sides fit: they are those of a result, checked when the first frame was written.
        let side = |n: usize| u16::try_from(n).map_err(|_| too_large());
        let hundredths = u16::try_from(frame.delay.as_millis().div_ceil(10)).unwrap_or(u16::MAX);
        let frame = GifFrame {
            delay: hundredths,
            dispose,
            transparent: clear,
            top: side(area.top)?,
            left: side(area.left)?,
            width: side(area.width)?,
            height: side(area.height)?,
            palette: Some(colours.into_flattened()),
            buffer: Cow::Owned(indices),
            ..GifFrame::default()
        };
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(self::encoder(&frame, self.plays)?),
        };
        encoder.write_frame(&frame).map_err(defect)
    }
}

/// The encoder of a file whose first frame covers its screen.
fn encoder(first: &GifFrame<'_>, plays: Plays) -> Result<Encoder<Vec<u8>>, CodecError> {
    let mut encoder = Encoder::new(Vec::new(), first.width, first.height, &[]).map_err(defect)?;
    let repeat = match plays {
        0 => Some(Repeat::Infinite),
        1 => None, // a file without the block is played once
        plays => Some(Repeat::Finite(u16::try_from(plays - 1).unwrap_or(u16::MAX))),
    };
    if let Some(repeat) = repeat {
        encoder.set_repeat(repeat).map_err(defect)?;
    }
    Ok(encoder)
}

/// Returns true if a pixel is shown before and clear now.
fn uncovers(before: &Pixels, now: &Pixels) -> bool {
    let (before, now) = (before.data().as_chunks::<4>().0, now.data().as_chunks::<4>().0);
    before.iter().zip(now).any(|(before, now)| before[3] >= 128 && now[3] < 128)
}

fn too_large() -> CodecError {
    CodecError::BadRequest("format=gif holds at most 65535 pixels a side".into())
}
