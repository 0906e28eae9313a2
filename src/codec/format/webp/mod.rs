//! WebP (RFC 9649): its chunks, and the pixels of lossy and lossless pictures; of an animation the first frame.

pub(in crate::codec) mod encode;
#[cfg(feature = "webp")]
mod libwebp;

use crate::codec::bytes::Bytes;
use crate::codec::encoded::Warnings;
use crate::codec::error::CodecError;
use crate::codec::format::Decoded;
use crate::codec::metadata::exif;
use crate::codec::metadata::{Metadata, keep_first};
use crate::codec::probe::Probe;
use crate::codec::scratch::Frames;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::codec::transform::orient_pad;
use crate::codec::webp as vp8;
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::{Channels, Pixels};
use image_webp::{DecodingError, WebPDecoder};
use std::io::Cursor;

/// Reads the headers of the chunks.
pub(in crate::codec) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    let mut canvas = None;
    let mut alpha = false;
    let mut animated = false;
    let mut orientation = Orientation::default();
    let mut picture = None;
    for (kind, data) in chunks(input) {
        match &kind {
            b"VP8X" => {
                let (size, flags) = extended(data).ok_or_else(|| damaged("the VP8X chunk is too short"))?;
                canvas = Some(size);
                alpha |= flags & 0x10 != 0;
                animated = flags & 0x02 != 0;
            }
            b"VP8 " => picture = picture.or(lossy(data)),
            b"VP8L" => {
                let (size, transparent) =
                    lossless(data).ok_or_else(|| damaged("the VP8L header is wrong"))?;
                picture = picture.or(Some(size));
                alpha |= transparent && canvas.is_none();
            }
            b"EXIF" => orientation = exif::orientation(tiff_of(data)),
            _ => {}
        }
    }
    let stored = canvas.or(picture).ok_or_else(|| damaged("there is no picture chunk"))?;
    if !animated && picture.is_some_and(|picture| picture != stored) {
        return Err(damaged("canvas and picture differ in size"));
    }
    // A frame that does not cover its canvas leaves it clear.
    let covered = !animated || first_frame(input).is_some_and(|frame| frame.size == stored);
    let channels = if alpha || !covered { Channels::Rgba } else { Channels::Rgb };
    // Planes of a lossy picture (1.5 bytes a pixel), or the four channels in which a lossless one is made; of an
    // animation also the frame and its file.
    let working = stored.pixels() * if animated { 8 } else { 4 };
    let working = if animated { working.saturating_add(input.len() as u64) } else { working };
    Ok(Probe {
        format: Format::WebP,
        stored,
        orientation,
        channels,
        depth: 8,
        animated,
        working,
        cmyk: false,
        planar: !alpha && !animated && key_frame(input).is_some(),
    })
}

/// The VP8 key frame of an opaque still, which our own decoder reads; `None` for other WebP files.
pub(in crate::codec) fn key_frame(input: &[u8]) -> Option<&[u8]> {
    let mut frame = None;
    for (kind, data) in chunks(input) {
        match &kind {
            b"VP8 " => frame = frame.or(Some(data)),
            b"VP8L" | b"ALPH" | b"ANIM" | b"ANMF" => return None,
            _ => {}
        }
    }
    frame.filter(|data| vp8::frame_size(data).is_ok())
}

/// Finds EXIF, XMP and the profile.
pub(in crate::codec) fn metadata(input: &[u8]) -> Metadata<'_> {
    let mut metadata = Metadata::default();
    for (kind, data) in chunks(input) {
        let Metadata { exif, xmp, icc, other, .. } = &mut metadata;
        match &kind {
            b"EXIF" => keep_first(exif, tiff_of(data), other),
            b"XMP " => keep_first(xmp, data, other),
            b"ICCP" => keep_first(icc, data, other),
            b"VP8X" | b"VP8 " | b"VP8L" | b"ALPH" | b"ANIM" | b"ANMF" => {}
            // Unknown chunks, and whatever stands behind the last one.
            _ => *other = true,
        }
    }
    metadata
}

/// Decodes the picture, or the first frame on a clear canvas.
pub(in crate::codec) fn decode(
    input: &[u8],
    probe: &Probe,
    limits: &Limits,
    frames: &mut Frames,
) -> Result<Decoded, CodecError> {
    let pixels = if probe.animated {
        let frame = first_frame(input).ok_or_else(|| damaged("the first frame is missing"))?;
        on_canvas(&still(&frame.file(), frame.size, limits, frames)?, &frame, probe)?
    } else {
        still(input, probe.stored, limits, frames)?
    };
    Ok(Decoded { pixels, warnings: Warnings::default() })
}

fn still(input: &[u8], size: Size, limits: &Limits, frames: &mut Frames) -> Result<Pixels, CodecError> {
    let refused = |error| match error {
        DecodingError::IoError(_) => damaged("the file ends before its picture"),
        error => CodecError::damaged(Format::WebP, error),
    };
    let mut decoder = WebPDecoder::new(Cursor::new(input)).map_err(refused)?;
    decoder.set_memory_limit(usize::try_from(limits.request_memory).unwrap_or(usize::MAX));
    let (width, height) = decoder.dimensions();
    let channels = if decoder.has_alpha() { Channels::Rgba } else { Channels::Rgb };
    let len = decoder.output_buffer_size().filter(|_| Size { width, height } == size);
    let len = len.ok_or_else(|| damaged("the sizes do not agree"))?;
    let mut frame = frames.take(len)?;
    decoder.read_image(&mut frame).map_err(refused)?;
    Pixels::new(width, height, channels, frame).ok_or_else(|| damaged("the sizes do not agree"))
}

/// Lays a frame on its canvas. Browsers ignore the background colour of the file, and leave the rest clear.
fn on_canvas(frame: &Pixels, place: &AnimationFrame<'_>, probe: &Probe) -> Result<Pixels, CodecError> {
    let frame = orient_pad::widened(frame, probe.channels)?;
    if place.size == probe.stored {
        return Ok(frame);
    }
    let Size { width, height } = probe.stored;
    let mut canvas = Pixels::zeroed(width, height, probe.channels)?;
    let (row_len, count) = (canvas.row_len(), probe.channels.count());
    let at = place.x as usize * count;
    for (to, from) in canvas.data_mut().chunks_exact_mut(row_len).skip(place.y as usize).zip(frame.rows()) {
        let to = to.get_mut(at..).unwrap_or_default();
        let len = to.len().min(from.len());
        to[..len].copy_from_slice(&from[..len]);
    }
    Ok(canvas)
}

/// A frame of an animation (ANMF, RFC 9649 section 2.7.1.1).
pub(in crate::codec::format) struct AnimationFrame<'a> {
    pub(in crate::codec::format) x: u32,
    pub(in crate::codec::format) y: u32,
    pub(in crate::codec::format) size: Size,
    /// Milliseconds for which it is shown.
    pub(in crate::codec::format) duration: u32,
    /// Bits of disposal (0x01: its area becomes clear) and blending (0x02: its pixels replace those below).
    pub(in crate::codec::format) flags: u8,
    /// The chunks of its picture.
    chunks: &'a [u8],
}

impl AnimationFrame<'_> {
    /// Decodes the picture of the frame.
    pub(in crate::codec::format) fn decode(&self, limits: &Limits) -> Result<Pixels, CodecError> {
        still(&self.file(), self.size, limits, &mut Frames::default())
    }

    /// Returns the frame as a file of its own.
    fn file(&self) -> Vec<u8> {
        let mut header = Vec::new();
        if self.chunks.starts_with(b"ALPH") {
            header.extend(b"VP8X\x0A\0\0\0\x10\0\0\0");
            for side in [self.size.width, self.size.height] {
                header.extend_from_slice(&(side - 1).to_le_bytes()[..3]);
            }
        }
        let len = (4 + header.len() + self.chunks.len()) as u32;
        [b"RIFF", &len.to_le_bytes()[..], b"WEBP", &header, self.chunks].concat()
    }
}

fn first_frame(input: &[u8]) -> Option<AnimationFrame<'_>> {
    let (_, data) = chunks(input).find(|(kind, _)| kind == b"ANMF")?;
    animation_frame(data)
}

pub(in crate::codec::format) fn animation_frame(data: &[u8]) -> Option<AnimationFrame<'_>> {
    let mut bytes = Bytes(data);
    let mut number = || bytes.array().map(|[low, middle, high]| u32::from_le_bytes([low, middle, high, 0]));
    let (x, y, width, height) = (number()?, number()?, number()?, number()?);
    let duration = number()?;
    let flags = bytes.u8()?;
    let size = Size { width: width + 1, height: height + 1 };
    Some(AnimationFrame { x: x * 2, y: y * 2, size, duration, flags, chunks: bytes.0 })
}

/// Returns true if the file has every byte that its chunks, and the partitions of its lossy pictures, state. Whether a
/// lossless picture can be unpacked takes a decode.
pub(in crate::codec) fn has_all_bytes(input: &[u8]) -> bool {
    let riff = Bytes(input.get(4..).unwrap_or_default()).le32().map(|len| len as usize + 8);
    riff.and_then(|len| input.get(12..len)).is_some_and(|body| chunks_are_whole(body, false))
}

fn chunks_are_whole(body: &[u8], within_frame: bool) -> bool {
    let mut bytes = Bytes(body);
    let mut pictures = 0;
    while !bytes.0.is_empty() {
        let (Some(kind), Some(len)) = (bytes.array::<4>(), bytes.le32()) else { return false };
        let Some(data) = bytes.take(len as usize) else { return false };
        // The padding of the last chunk may be missing.
        bytes.skip(len as usize % 2);
        let whole = match &kind {
            b"VP8 " => lossy_is_whole(data).unwrap_or(false),
            b"VP8L" => lossless(data).is_some(),
            b"ANMF" if !within_frame => {
                animation_frame(data).is_some_and(|frame| chunks_are_whole(frame.chunks, true))
            }
            _ => true,
        };
        pictures += usize::from(matches!(&kind, b"VP8 " | b"VP8L" | b"ANMF"));
        if !whole {
            return false;
        }
    }
    pictures > 0
}

/// Returns true if the partitions of a key frame lie within it (RFC 6386 section 9). Their sizes follow the first
/// partition; their number stands in its header, behind what is skipped here.
fn lossy_is_whole(data: &[u8]) -> Option<bool> {
    lossy(data)?;
    let tag = u32::from_le_bytes([data[0], data[1], data[2], 0]);
    let mut bytes = Bytes(data.get(10..)?);
    let mut header = BoolReader::new(bytes.take((tag >> 5) as usize)?);
    header.skip(2); // colour space, clamping
    if header.flag() {
        let (updates_map, updates_data) = (header.flag(), header.flag());
        if updates_data {
            header.skip(1);
            [7; 4].iter().chain(&[6; 4]).for_each(|bits| header.skip_optional(bits + 1));
        }
        if updates_map {
            (0..3).for_each(|_| header.skip_optional(8));
        }
    }
    header.skip(1 + 6 + 3); // filter type, level, sharpness
    if header.flag() && header.flag() {
        (0..8).for_each(|_| header.skip_optional(6 + 1));
    }
    let partitions = 1usize << header.bits(2);
    let sizes = bytes.take(3 * (partitions - 1))?;
    for size in sizes.as_chunks::<3>().0 {
        bytes.skip(u32::from_le_bytes([size[0], size[1], size[2], 0]) as usize)?;
    }
    // The last partition takes what is left, and is never empty.
    Some(!bytes.0.is_empty())
}

/// The boolean entropy decoder (RFC 6386 section 7.3), for bits of even probability.
struct BoolReader<'a> {
    bytes: Bytes<'a>,
    value: u32,
    range: u32,
    /// Bits of the second byte of `value` that were shifted out.
    used: u32,
}

impl<'a> BoolReader<'a> {
    fn new(data: &'a [u8]) -> BoolReader<'a> {
        let mut bytes = Bytes(data);
        let value = u32::from(bytes.u8().unwrap_or(0)) << 8 | u32::from(bytes.u8().unwrap_or(0));
        BoolReader { bytes, value, range: 255, used: 0 }
    }

    fn flag(&mut self) -> bool {
        let split = 1 + ((self.range - 1) >> 1);
        let set = self.value >= split << 8;
        if set {
            self.range -= split;
            self.value -= split << 8;
        } else {
            self.range = split;
        }
        while self.range < 128 {
            self.value <<= 1;
            self.range <<= 1;
            self.used += 1;
            if self.used == 8 {
                self.used = 0;
                self.value |= u32::from(self.bytes.u8().unwrap_or(0));
            }
        }
        set
    }

    fn bits(&mut self, count: u32) -> u32 {
        (0..count).fold(0, |value, _| value << 1 | u32::from(self.flag()))
    }

    fn skip(&mut self, count: u32) {
        self.bits(count);
    }

    /// Skips `count` bits that are there only if the flag before them is set.
    fn skip_optional(&mut self, count: u32) {
        if self.flag() {
            self.skip(count);
        }
    }
}

/// Returns true if the pixels of a still file are stored without loss.
pub(in crate::codec) fn is_lossless(input: &[u8]) -> bool {
    chunks(input).any(|(kind, _)| &kind == b"VP8L")
}

/// Drops the signature of a JPEG segment, which some writers repeat before the TIFF header.
fn tiff_of(exif: &[u8]) -> &[u8] {
    exif.strip_prefix(b"Exif\0\0").unwrap_or(exif)
}

fn extended(data: &[u8]) -> Option<(Size, u8)> {
    let [flags, _, _, _, w0, w1, w2, h0, h1, h2] = *data.first_chunk::<10>()?;
    let side = |bytes: [u8; 3]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) + 1;
    Some((Size { width: side([w0, w1, w2]), height: side([h0, h1, h2]) }, flags))
}

/// Reads the frame header (RFC 6386 section 9.1): a key frame, its start code and two sides of 14 bits.
fn lossy(data: &[u8]) -> Option<Size> {
    let mut bytes = Bytes(data);
    let [tag, _, _] = bytes.array()?;
    let start = bytes.array()?;
    let size = Size { width: u32::from(bytes.le16()? & 0x3FFF), height: u32::from(bytes.le16()? & 0x3FFF) };
    (tag & 1 == 0 && start == [0x9D, 0x01, 0x2A]).then_some(size)
}

fn lossless(data: &[u8]) -> Option<(Size, bool)> {
    let mut bytes = Bytes(data);
    let signature = bytes.u8()?;
    let bits = bytes.le32()?;
    let size = Size { width: (bits & 0x3FFF) + 1, height: (bits >> 14 & 0x3FFF) + 1 };
    (signature == 0x2F).then_some((size, bits >> 28 & 1 == 1))
}

/// Returns kind and data of each chunk; data that the file does not have is cut off.
pub(in crate::codec::format) fn chunks(input: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut bytes = Bytes(input.get(12..).unwrap_or_default());
    std::iter::from_fn(move || {
        let kind = bytes.array::<4>()?;
        let len = bytes.le32()? as usize;
        let data = bytes.take(len.min(bytes.0.len()))?;
        bytes.0 = bytes.0.get(len % 2..).unwrap_or_default();
        Some((kind, data))
    })
}

pub(in crate::codec::format) fn damaged(reason: &str) -> CodecError {
    CodecError::damaged(Format::WebP, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image_webp::{ColorType, WebPEncoder};

    fn lossless_file(width: u32, height: u32) -> Vec<u8> {
        let mut file = Vec::new();
        let data = (0..width * height * 4).map(|i| (i * i / 3) as u8 | 128).collect::<Vec<_>>();
        WebPEncoder::new(&mut file).encode(&data, width, height, ColorType::Rgba8).unwrap();
        file
    }

    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        [kind, &(data.len() as u32).to_le_bytes()[..], data, &[0][..data.len() % 2]].concat()
    }

    /// A canvas of 8 x 6 with one frame of 4 x 2 at (2, 4).
    fn animation() -> Vec<u8> {
        let header = chunk(b"VP8X", &[0x02, 0, 0, 0, 7, 0, 0, 5, 0, 0]);
        let place = [1, 0, 0, 2, 0, 0, 3, 0, 0, 1, 0, 0, 100, 0, 0, 2];
        let frame = chunk(b"ANMF", &[&place, &lossless_file(4, 2)[12..]].concat());
        let body = [b"WEBP".to_vec(), header, chunk(b"ANIM", &[9; 6]), frame].concat();
        [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
    }

    fn read(file: &[u8]) -> Pixels {
        decode(file, &probe(file).unwrap(), &Limits::default(), &mut Frames::default()).unwrap().pixels
    }

    #[test]
    fn around_a_first_frame_that_is_smaller_than_the_canvas_all_is_clear() {
        let (whole, frame) = (read(&animation()), read(&lossless_file(4, 2)));
        assert_eq!((whole.width(), whole.height(), whole.channels()), (8, 6, Channels::Rgba));
        let frame = orient_pad::widened(&frame, Channels::Rgba).unwrap();
        for (y, row) in whole.rows().enumerate() {
            for (x, pixel) in row.chunks_exact(4).enumerate() {
                let inside = (2..6).contains(&x) && (4..6).contains(&y);
                let at = if inside { ((y - 4) * 4 + x - 2) * 4 } else { 0 };
                let wanted = if inside { &frame.data()[at..at + 4] } else { &[0; 4] };
                assert_eq!(pixel, wanted, "{x} {y}");
            }
        }
    }

    #[test]
    fn a_file_that_is_cut_lacks_bytes_even_if_its_length_was_mended() {
        for file in [lossless_file(9, 7), animation()] {
            assert!(has_all_bytes(&file));
            for cut in 12..file.len() {
                assert!(!has_all_bytes(&file[..cut]), "{cut}");
                let mut mended = file[..cut].to_vec();
                mended[4..8].copy_from_slice(&(cut as u32 - 8).to_le_bytes());
                // Only the padding of the last chunk may be missing.
                assert_eq!(has_all_bytes(&mended), cut == file.len() - 1 && file[cut] == 0, "{cut} mended");
            }
        }
    }

    #[cfg(feature = "webp")]
    #[test]
    fn a_lossy_picture_that_is_cut_lacks_a_partition() {
        let data = (0..64 * 48 * 3).map(|i: u32| (i * i / 7) as u8).collect();
        let pixels = Pixels::new(64, 48, Channels::Rgb, data).unwrap();
        let quality = crate::spec::Quality::DEFAULT;
        let file =
            libwebp::encode(&pixels, quality, crate::spec::Effort::Balanced, &Default::default()).unwrap();
        assert!(has_all_bytes(&file));
        let first = (u32::from_le_bytes([file[20], file[21], file[22], 0]) >> 5) as usize;
        // A mended file is cut within its first partition, or right behind it.
        for cut in [30, 20 + 10 + first / 2, 20 + 10 + first] {
            let mut mended = file[..cut].to_vec();
            mended[4..8].copy_from_slice(&(cut as u32 - 8).to_le_bytes());
            mended[16..20].copy_from_slice(&(cut as u32 - 20).to_le_bytes());
            assert!(!has_all_bytes(&mended), "{cut}");
        }
    }
}
