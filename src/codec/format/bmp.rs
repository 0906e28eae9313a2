//! BMP of Windows and OS/2, read and written; icons hold the same bitmaps and are read here too.
//!
//! The reader is ours because the crate `image` refuses files that browsers show: without the padding of the last
//! row, cut short, with unusual bit fields.

use crate::codec::bytes::Bytes;
use crate::codec::encoded::{Warning, Warnings};
use crate::codec::error::CodecError;
use crate::codec::format::{Decoded, Tolerance};
use crate::codec::metadata::Metadata;
use crate::codec::probe::Probe;
use crate::codec::scratch::Frames;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::codec::transform::orient_pad;
use crate::format::Format;
use crate::limits::{Limits, try_vec};
use crate::pixels::{Channels, Pixels};
use image::codecs::bmp::BmpEncoder;
use image::{ExtendedColorType, ImageEncoder};

/// Bytes of the file header, which icons leave out.
const FILE_HEADER: usize = 14;

/// Reads the headers.
pub(in crate::codec) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    Ok(Bitmap::of_file(input)?.probe(Format::Bmp))
}

/// Returns no block: a BMP has none that goes along. Bytes behind the end of the file count as more.
pub(in crate::codec) fn metadata(input: &[u8]) -> Metadata<'_> {
    let stated = Bytes(input.get(2..).unwrap_or_default()).le32();
    let other = stated.is_some_and(|len| (len as usize) < input.len());
    Metadata { other, ..Metadata::default() }
}

/// Decodes the pixels. Rows that the file does not have are grey.
pub(in crate::codec) fn decode(
    input: &[u8],
    tolerance: Tolerance,
    limits: &Limits,
    frames: &mut Frames,
) -> Result<Decoded, CodecError> {
    Bitmap::of_file(input)?.decode(tolerance, limits, frames)
}

/// Encodes the pixels; grey as a palette, transparency by the header of version 4.
pub(in crate::codec) fn encode(pixels: &Pixels) -> Result<Vec<u8>, CodecError> {
    let (channels, colour) = match pixels.channels() {
        Channels::Gray => (Channels::Gray, ExtendedColorType::L8),
        Channels::Rgb => (Channels::Rgb, ExtendedColorType::Rgb8),
        Channels::GrayAlpha | Channels::Rgba => (Channels::Rgba, ExtendedColorType::Rgba8),
    };
    if channels != pixels.channels() {
        return encode(&orient_pad::widened(pixels, channels)?);
    }
    let mut bytes = Vec::new();
    BmpEncoder::new(&mut bytes)
        .write_image(pixels.data(), pixels.width(), pixels.height(), colour)
        .map_err(|error| CodecError::Internal(format!("BMP: {error}")))?;
    Ok(bytes)
}

/// The packing of the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    /// Indices of 1, 2, 4 or 8 bits into the palette.
    Indexed,
    /// Colours of 16, 24 or 32 bits, told apart by [`Bitmap::fields`].
    Direct,
    /// Run lengths of indices of 8 bits, or of 4.
    Runs { nibbles: bool },
    /// Run lengths of colours (OS/2).
    ColourRuns,
}

/// The place of one channel in a pixel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct BitField {
    shift: u32,
    largest: u32,
}

impl BitField {
    fn of(mask: u32) -> BitField {
        match mask {
            0 => BitField::default(),
            mask => BitField { shift: mask.trailing_zeros(), largest: mask >> mask.trailing_zeros() },
        }
    }

    /// Returns true if the bits stand together within a pixel of `depth` bits.
    fn fits(self, depth: u32) -> bool {
        let together = self.largest.checked_add(1).is_none_or(u32::is_power_of_two);
        together && self.shift + self.largest.count_ones() <= depth
    }

    /// Returns the channel of `pixel`, stretched to 8 bits.
    fn sample(self, pixel: u32) -> u8 {
        let value = u64::from(pixel >> self.shift & self.largest);
        let largest = u64::from(self.largest.max(1));
        ((value * 255 + largest / 2) / largest).min(255) as u8
    }
}

/// A bitmap as its header describes it.
#[derive(Debug, Clone)]
pub(in crate::codec::format) struct Bitmap<'a> {
    size: Size,
    top_down: bool,
    /// Bits of a pixel.
    depth: u32,
    packing: Packing,
    /// Red, green, blue and alpha of [`Packing::Direct`]; without a mask there is no alpha.
    fields: [BitField; 4],
    palette: Vec<[u8; 3]>,
    /// The packed pixels, which may end early.
    data: &'a [u8],
}

impl<'a> Bitmap<'a> {
    fn of_file(input: &'a [u8]) -> Result<Bitmap<'a>, CodecError> {
        let mut header = Bytes(input.get(10..).unwrap_or_default());
        let at = header.le32().ok_or_else(|| damaged("the header is too short"))? as usize;
        Bitmap::of(header.0, at.checked_sub(FILE_HEADER), false)
    }

    /// Returns the size that the header states.
    pub(in crate::codec::format) fn size(&self) -> Size {
        self.size
    }

    /// Reads the bitmap of an icon entry, which has no file header and holds a mask of the same size below.
    pub(in crate::codec::format) fn of_icon(input: &'a [u8]) -> Result<Bitmap<'a>, CodecError> {
        Bitmap::of(input, None, true)
    }

    /// `at` is where the pixels begin in `input`, behind the palette if it is not told.
    fn of(input: &'a [u8], at: Option<usize>, icon: bool) -> Result<Bitmap<'a>, CodecError> {
        let short = || damaged("the header is too short");
        let mut bytes = Bytes(input);
        let header_len = bytes.le32().ok_or_else(short)? as usize;
        let header = input.get(..header_len).ok_or_else(short)?;
        let mut fields = Bytes(header.get(4..).ok_or_else(short)?);
        let (width, height, depth) = if header_len == 12 {
            let sides = (fields.le16(), fields.le16());
            let (Some(width), Some(height)) = sides else { return Err(short()) };
            fields.skip(2);
            (u32::from(width), i64::from(height), fields.le16().ok_or_else(short)?)
        } else {
            let (Some(width), Some(height)) = (fields.le32(), fields.le32()) else { return Err(short()) };
            fields.skip(2);
            // The sides are signed; a negative height means that the first row is the top.
            (width, i64::from(height as i32), fields.le16().ok_or_else(short)?)
        };
        if width > i32::MAX as u32 {
            return Err(damaged("the width is negative"));
        }
        let rows = if icon { height / 2 } else { height };
        let size = Size { width, height: u32::try_from(rows.unsigned_abs()).unwrap_or(u32::MAX) };
        let depth = u32::from(depth);
        let compression = fields.le32().unwrap_or(0);
        fields.skip(12);
        let colours = fields.le32().unwrap_or(0) as usize;
        let os2 = matches!(header_len, 16 | 64);

        let mut behind = header_len;
        let masks = match (compression, os2) {
            (3 | 6, false) if header_len >= 52 => Some(header.get(40..).unwrap_or_default()),
            (3 | 6, false) => {
                let len = if compression == 6 { 16 } else { 12 };
                behind += len;
                Some(input.get(header_len..behind).ok_or_else(short)?)
            }
            _ => None,
        };
        let packing = match (compression, depth) {
            (0, 1 | 2 | 4 | 8) => Packing::Indexed,
            (0, 16 | 24 | 32) => Packing::Direct,
            (3 | 6, 16 | 24 | 32) if !os2 => Packing::Direct,
            (1, 8) => Packing::Runs { nibbles: false },
            (2, 4) => Packing::Runs { nibbles: true },
            (4, 24) if os2 => Packing::ColourRuns,
            (0..=4 | 6, _) if !os2 && compression != 4 => {
                return Err(damaged(&format!(
                    "{depth} bits a pixel do not go with compression {compression}"
                )));
            }
            _ => {
                let kind = format!("BMP with compression {compression} and {depth} bits a pixel");
                return Err(CodecError::Unsupported(format!("{kind} is not supported")));
            }
        };
        let fields = match masks {
            Some(masks) => {
                let mut masks = Bytes(masks);
                // Only a header of 56 bytes or compression 6 has a mask for alpha.
                let fields = [(); 4].map(|()| BitField::of(masks.le32().unwrap_or(0)));
                let coloured = fields[..3].iter().all(|field| field.largest > 0);
                if !coloured || !fields.iter().all(|field| field.fits(depth)) {
                    return Err(damaged("the bit fields make no sense"));
                }
                fields
            }
            None if depth == 16 => [0x7C00, 0x03E0, 0x001F, 0].map(BitField::of),
            None => {
                let alpha = if icon && depth == 32 { 0xFF00_0000 } else { 0 };
                [0x00FF_0000, 0x0000_FF00, 0x0000_00FF, alpha].map(BitField::of)
            }
        };

        let entry = if header_len == 12 { 3 } else { 4 };
        let wanted = match packing {
            Packing::Direct => colours.min(256),
            _ if colours == 0 => 1 << depth.min(8),
            _ => colours.min(256),
        };
        if rows < 0 && !matches!(packing, Packing::Indexed | Packing::Direct) {
            return Err(damaged("run lengths cannot go from the top down"));
        }
        let palette_at = input.get(behind..).unwrap_or_default();
        // Some writers leave entries out, and let the pixels begin where the palette would go on.
        let room = at.and_then(|at| at.checked_sub(behind)).unwrap_or(usize::MAX).min(palette_at.len());
        let palette: Vec<[u8; 3]> = palette_at[..room]
            .chunks_exact(entry)
            .take(wanted)
            .filter_map(|entry| entry.first_chunk().map(|&[blue, green, red]| [red, green, blue]))
            .collect();
        let after_palette = behind + palette.len() * entry;
        let at = at.filter(|at| *at >= behind).unwrap_or(after_palette);
        let data = input.get(at..).unwrap_or_default();
        Ok(Bitmap { size, top_down: rows < 0, depth, packing, fields, palette, data })
    }

    /// Describes the bitmap as the picture of a file of `format`.
    pub(in crate::codec::format) fn probe(&self, format: Format) -> Probe {
        let runs = matches!(self.packing, Packing::Runs { .. } | Packing::ColourRuns);
        Probe {
            format,
            stored: self.size,
            orientation: Orientation::default(),
            channels: if format == Format::Ico { Channels::Rgba } else { self.channels() },
            depth: 8,
            animated: false,
            // Run lengths are unpacked before their colours are looked up.
            working: if runs { self.size.pixels().saturating_mul(3) } else { 0 },
            cmyk: false,
            planar: false,
        }
    }

    fn channels(&self) -> Channels {
        let alpha = self.packing == Packing::Direct && self.fields[3].largest > 0;
        if alpha { Channels::Rgba } else { Channels::Rgb }
    }

    /// Bytes of a row that hold pixels, and bytes from one row to the next.
    fn row(&self) -> (usize, usize) {
        let bits = self.size.width as usize * self.depth as usize;
        (bits.div_ceil(8), bits.div_ceil(32) * 4)
    }

    /// Decodes the pixels. Rows that are missing are grey, or clear where there is alpha.
    ///
    /// # Errors
    /// [`CodecError::Damaged`] when there is no row, or one is missing and `tolerance` is strict.
    pub(in crate::codec::format) fn decode(
        &self,
        tolerance: Tolerance,
        limits: &Limits,
        frames: &mut Frames,
    ) -> Result<Decoded, CodecError> {
        let Size { width, height } = self.size;
        let channels = self.channels();
        let row_len = width as usize * channels.count();
        let mut data = frames.take(row_len * height as usize)?;
        data.fill(if channels.has_alpha() { 0 } else { 128 });
        let mut warnings = Warnings::default();
        let rows = match self.packing {
            Packing::Indexed | Packing::Direct => {
                let (len, step) = self.row();
                let mut rows = 0;
                for (y, packed) in self.data.chunks(step.max(1)).take(height as usize).enumerate() {
                    if y % 64 == 0 {
                        limits.cancel.check()?;
                    }
                    let Some(packed) = packed.get(..len) else { break };
                    let at = self.place(y) * row_len;
                    self.unpack(packed, &mut data[at..at + row_len]);
                    rows += 1;
                }
                rows
            }
            Packing::Runs { nibbles } => {
                let mut indices = try_vec(width as usize * height as usize)?;
                let Unpacked { rows, fits } = self.unpack_runs::<1>(&mut indices, nibbles);
                self.warn_of_overrun(fits, tolerance, &mut warnings)?;
                for (y, row) in indices.chunks_exact(width as usize).take(rows).enumerate() {
                    let at = self.place(y) * row_len;
                    self.look_up(row.iter().copied(), &mut data[at..at + row_len]);
                }
                rows
            }
            Packing::ColourRuns => {
                let mut colours = try_vec(row_len * height as usize)?;
                let Unpacked { rows, fits } = self.unpack_runs::<3>(&mut colours, false);
                self.warn_of_overrun(fits, tolerance, &mut warnings)?;
                for (y, row) in colours.chunks_exact(row_len).take(rows).enumerate() {
                    let at = self.place(y) * row_len;
                    for (to, from) in data[at..].as_chunks_mut::<3>().0.iter_mut().zip(row.as_chunks::<3>().0)
                    {
                        *to = [from[2], from[1], from[0]];
                    }
                }
                rows
            }
        };
        if rows < height as usize {
            if rows == 0 || tolerance == Tolerance::Strict {
                return Err(damaged("rows of the picture are missing"));
            }
            warnings.add(Warning::Truncated);
        }
        let pixels = Pixels::new(width, height, channels, data);
        let pixels = pixels.ok_or_else(|| damaged("the sizes do not agree"))?;
        Ok(Decoded { pixels, warnings })
    }

    /// Runs that go beyond their row are damage, though all pixels are there.
    fn warn_of_overrun(
        &self,
        fits: bool,
        tolerance: Tolerance,
        warnings: &mut Warnings,
    ) -> Result<(), CodecError> {
        match tolerance {
            _ if fits => Ok(()),
            Tolerance::Strict => Err(damaged("a run goes beyond its row")),
            Tolerance::Lenient => {
                warnings.add(Warning::Damaged);
                Ok(())
            }
        }
    }

    /// Returns the row from the top that row `y` of the file becomes.
    fn place(&self, y: usize) -> usize {
        if self.top_down { y } else { self.size.height as usize - 1 - y }
    }

    fn unpack(&self, packed: &[u8], row: &mut [u8]) {
        let fields = self.fields;
        match self.depth {
            16 => {
                direct::<2>(packed, row, |[low, high]| colour(fields, u16::from_le_bytes([low, high]).into()))
            }
            24 => direct::<3>(packed, row, |[b, g, r]| colour(fields, u32::from_le_bytes([b, g, r, 0]))),
            32 => direct::<4>(packed, row, |bytes| colour(fields, u32::from_le_bytes(bytes))),
            depth => {
                let per_byte = 8 / depth as usize;
                let mask = ((1u16 << depth) - 1) as u8;
                let index = |i: usize| {
                    let shift = (per_byte - 1 - i % per_byte) * depth as usize;
                    packed[i / per_byte] >> shift & mask
                };
                self.look_up((0..self.size.width as usize).map(index), row);
            }
        }
    }

    /// Writes the colours of palette indices; an index beyond the palette is black.
    fn look_up(&self, indices: impl Iterator<Item = u8>, row: &mut [u8]) {
        for (to, index) in row.as_chunks_mut::<3>().0.iter_mut().zip(indices) {
            *to = self.palette.get(usize::from(index)).copied().unwrap_or_default();
        }
    }

    /// Unpacks runs of items of `N` bytes into rows in the order of the file. Items that the data skips stay zero: the
    /// first colour of the palette.
    fn unpack_runs<const N: usize>(&self, out: &mut [u8], nibbles: bool) -> Unpacked {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let mut bytes = Bytes(self.data);
        let (mut x, mut y) = (0, 0);
        let mut fits = true;
        let mut put = |x: usize, y: usize, item: [u8; N]| {
            if x < width && y < height {
                out[(y * width + x) * N..][..N].copy_from_slice(&item);
            } else {
                fits = false;
            }
        };
        let mut step = || -> Option<bool> {
            let count = bytes.u8()?;
            if count > 0 {
                let item = bytes.array::<N>()?;
                for i in 0..usize::from(count) {
                    let half = if i % 2 == 0 { item[0] >> 4 } else { item[0] & 15 };
                    put(x, y, if nibbles { [half; N] } else { item });
                    x += 1;
                }
                return Some(true);
            }
            match bytes.u8()? {
                0 => (x, y) = (0, y + 1),
                1 => return Some(false),
                2 => {
                    let [right, up] = bytes.array()?;
                    (x, y) = (x + usize::from(right), y + usize::from(up));
                }
                count => {
                    let count = usize::from(count);
                    let len = if nibbles { count.div_ceil(2) } else { count * N };
                    let literal = bytes.take(len)?;
                    for i in 0..count {
                        let mut item = [0; N];
                        if nibbles {
                            let byte = literal[i / 2];
                            item = [if i % 2 == 0 { byte >> 4 } else { byte & 15 }; N];
                        } else {
                            item.copy_from_slice(&literal[i * N..][..N]);
                        }
                        put(x, y, item);
                        x += 1;
                    }
                    // Literals fill whole words. The last one may lack its padding.
                    if len % 2 == 1 {
                        bytes.skip(1);
                    }
                }
            }
            Some(true)
        };
        let ended = loop {
            match step() {
                Some(true) => {}
                Some(false) => break true,
                None => break false,
            }
        };
        // A file that says its end has skipped the rest; one that is full needs no end.
        let whole = ended || y >= height || (y + 1 == height && x >= width);
        Unpacked { rows: if whole { height } else { y }, fits }
    }

    /// Returns true for each clear pixel of the mask that follows an icon's pixels, in rows from the top. `None` if
    /// the file does not have all of it.
    pub(in crate::codec::format) fn mask(&self) -> Option<Vec<bool>> {
        let Size { width, height } = self.size;
        let (width, height) = (width as usize, height as usize);
        let step = width.div_ceil(32) * 4;
        let mask = self.data.get(self.row().1 * height..)?;
        let mut clear = vec![false; width * height];
        for (y, row) in clear.chunks_exact_mut(width).rev().enumerate() {
            let packed = mask.get(y * step..)?.get(..width.div_ceil(8))?;
            for (x, clear) in row.iter_mut().enumerate() {
                *clear = packed[x / 8] << (x % 8) & 0x80 != 0;
            }
        }
        Some(clear)
    }
}

/// The outcome of unpacking run lengths.
struct Unpacked {
    /// Rows that are there.
    rows: usize,
    /// True if no run went beyond its row.
    fits: bool,
}

/// Writes pixels of `N` bytes as RGB or RGBA, whichever `row` holds.
fn direct<const N: usize>(packed: &[u8], row: &mut [u8], colour: impl Fn([u8; N]) -> [u8; 4]) {
    let pixels = packed.as_chunks::<N>().0;
    if row.len() == pixels.len() * 3 {
        for (to, from) in row.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
            let [r, g, b, _] = colour(*from);
            *to = [r, g, b];
        }
    } else {
        for (to, from) in row.as_chunks_mut::<4>().0.iter_mut().zip(pixels) {
            *to = colour(*from);
        }
    }
}

fn colour(fields: [BitField; 4], pixel: u32) -> [u8; 4] {
    // The usual order needs no division.
    const USUAL: [u32; 3] = [16, 8, 0];
    let usual = (0..3).all(|i| fields[i] == BitField { shift: USUAL[i], largest: 255 });
    if usual && (fields[3] == BitField { shift: 24, largest: 255 } || fields[3].largest == 0) {
        let [b, g, r, a] = pixel.to_le_bytes();
        return [r, g, b, a];
    }
    fields.map(|field| field.sample(pixel))
}

fn damaged(reason: &str) -> CodecError {
    CodecError::damaged(Format::Bmp, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with a header of 40 bytes.
    fn file(
        width: i32,
        height: i32,
        depth: u16,
        compression: u32,
        palette: &[[u8; 3]],
        data: &[u8],
    ) -> Vec<u8> {
        let at = 54 + 4 * palette.len() as u32;
        let mut bytes = b"BM".to_vec();
        bytes.extend((at + data.len() as u32).to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(at.to_le_bytes());
        bytes.extend(40u32.to_le_bytes());
        bytes.extend(width.to_le_bytes());
        bytes.extend(height.to_le_bytes());
        bytes.extend(1u16.to_le_bytes());
        bytes.extend(depth.to_le_bytes());
        bytes.extend(compression.to_le_bytes());
        bytes.extend([0; 12]);
        bytes.extend((palette.len() as u32).to_le_bytes());
        bytes.extend([0; 4]);
        palette.iter().for_each(|[r, g, b]| bytes.extend([*b, *g, *r, 0]));
        bytes.extend(data);
        bytes
    }

    fn read(file: &[u8], tolerance: Tolerance) -> Result<Decoded, CodecError> {
        probe(file)?;
        decode(file, tolerance, &Limits::default(), &mut Frames::default())
    }

    const PALETTE: [[u8; 3]; 4] = [[9, 8, 7], [255, 0, 0], [0, 255, 0], [0, 0, 255]];

    #[test]
    fn the_padding_of_the_last_row_may_be_missing() {
        let whole = file(1, 2, 24, 0, &[], &[3, 2, 1, 0, 6, 5, 4, 0]);
        for file in [&whole[..], &whole[..whole.len() - 1]] {
            let decoded = read(file, Tolerance::Strict).unwrap();
            assert_eq!(decoded.pixels.data(), [4, 5, 6, 1, 2, 3]);
            assert!(decoded.warnings.is_empty());
        }
    }

    #[test]
    fn rows_that_are_missing_are_grey_and_warned_of() {
        let whole = file(1, 2, 24, 0, &[], &[3, 2, 1, 0, 6, 5, 4, 0]);
        let cut = &whole[..whole.len() - 2];
        let decoded = read(cut, Tolerance::Lenient).unwrap();
        assert_eq!(decoded.pixels.data(), [128, 128, 128, 1, 2, 3]);
        assert!(decoded.warnings.contains(Warning::Truncated));
        assert!(read(cut, Tolerance::Strict).is_err());
        let error = read(&whole[..54], Tolerance::Lenient).unwrap_err().to_string();
        assert!(error.contains("rows of the picture are missing"), "{error}");
    }

    #[test]
    fn indices_of_every_depth_are_looked_up() {
        for (depth, data) in [(1, [0b0110_0000]), (2, [0b0001_0100]), (8, [0])] {
            let data = if depth == 8 { vec![0, 1, 1, 0] } else { [&data[..], &[0; 3]].concat() };
            let decoded = read(&file(4, -1, depth, 0, &PALETTE[..2], &data), Tolerance::Strict).unwrap();
            let [a, b] = [PALETTE[0], PALETTE[1]];
            assert_eq!(decoded.pixels.data(), [a, b, b, a].concat(), "{depth}");
        }
    }

    #[test]
    fn pixels_that_runs_skip_have_the_first_colour_of_the_palette() {
        // Three of colour 1, one column and no row on, one of colour 2; the end of the picture leaves the upper row.
        let data = [3, 1, 0, 2, 1, 0, 1, 2, 0, 1];
        let decoded = read(&file(5, 2, 8, 1, &PALETTE, &data), Tolerance::Strict).unwrap();
        let [skipped, red, green, _] = PALETTE;
        assert_eq!(decoded.pixels.data()[..15], [skipped; 5].concat());
        assert_eq!(decoded.pixels.data()[15..], [red, red, red, skipped, green].concat());
    }

    #[test]
    fn runs_of_half_bytes_alternate_and_literals_are_padded() {
        let data = [3, 0x12, 0, 3, 0x30, 0x10, 0, 1];
        let decoded = read(&file(6, 1, 4, 2, &PALETTE, &data), Tolerance::Strict).unwrap();
        let of = |indices: [usize; 6]| indices.map(|i| PALETTE[i]).concat();
        assert_eq!(decoded.pixels.data(), of([1, 2, 1, 3, 0, 1]));
    }

    #[test]
    fn runs_that_end_early_keep_the_rows_they_had() {
        let data = [2, 1, 0, 0, 1, 2];
        let decoded = read(&file(2, 2, 8, 1, &PALETTE, &data), Tolerance::Lenient).unwrap();
        assert!(decoded.warnings.contains(Warning::Truncated));
        assert_eq!(decoded.pixels.data(), [[128; 3], [128; 3], PALETTE[1], PALETTE[1]].concat());
    }

    #[test]
    fn bit_fields_of_any_width_are_stretched() {
        let mut file = file(1, 1, 16, 3, &[], &[]);
        for mask in [0xF800u32, 0x07E0, 0x001F] {
            file.extend(mask.to_le_bytes());
        }
        file[10] = 54 + 12;
        file.extend([0b1110_0000, 0b0000_0111, 0, 0]);
        assert_eq!(read(&file, Tolerance::Strict).unwrap().pixels.data(), [0, 255, 0]);
    }

    #[test]
    fn a_run_beyond_its_row_is_damage() {
        let file = file(2, 1, 8, 1, &PALETTE, &[3, 1, 0, 1]);
        let decoded = read(&file, Tolerance::Lenient).unwrap();
        assert!(decoded.warnings.contains(Warning::Damaged));
        assert_eq!(decoded.pixels.data(), [PALETTE[1]; 2].concat());
        assert!(read(&file, Tolerance::Strict).is_err());
    }

    #[test]
    fn bit_fields_with_gaps_or_beyond_their_pixel_are_refused() {
        for red in [0u32, 0b1010_0000, 0x0001_F000] {
            let mut file = file(1, 1, 16, 3, &[], &[]);
            for mask in [red, 0x07E0, 0x001F] {
                file.extend(mask.to_le_bytes());
            }
            file.extend([0; 4]);
            assert!(read(&file, Tolerance::Lenient).is_err(), "{red:x}");
        }
    }

    #[test]
    fn headers_that_lie_are_refused() {
        let whole = file(4, 4, 8, 1, &PALETTE, &[4, 1, 0, 0, 4, 2, 0, 1]);
        for cut in 0..whole.len() {
            let _ = read(&whole[..cut], Tolerance::Lenient);
        }
        assert!(matches!(
            read(&file(4, 4, 7, 0, &[], &[0; 64]), Tolerance::Lenient),
            Err(CodecError::Damaged { .. })
        ));
        let jpeg_inside = read(&file(4, 4, 0, 4, &[], &[0; 64]), Tolerance::Lenient);
        assert!(matches!(jpeg_inside, Err(CodecError::Unsupported(_))), "{jpeg_inside:?}");
    }
}
