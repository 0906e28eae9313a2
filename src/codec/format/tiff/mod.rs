//! TIFF 6.0 and BigTIFF: the first image of a file, in grey, RGB, palette, CMYK and YCbCr of 1 to 64 bits,
//! as strips or tiles, with every compression that is in common use.
//!
//! The reader is ours. The crate `tiff` 0.11.3 refuses palettes, CCITT Group 3 and bare run lengths, and its JPEG pins
//! another zune-jpeg: of 78 files of the test corpus that others read it refuses 10. What it reads goes through the
//! same four compressions that those files need, so that nothing of this folder could go.
//!
//! ```text
//! directory (tags) -> layout (what they mean) -> chunk (one strip or tile, unpacked) -> samples (8 bits)
//! ```

mod chunk;
pub(in crate::codec) mod encode;
mod fax;
mod layout;
mod samples;

use crate::codec::encoded::{Warning, Warnings};
use crate::codec::error::CodecError;
use crate::codec::format::jpeg::decode::StoredInks;
use crate::codec::format::{Decoded, Tolerance, jpeg};
use crate::codec::metadata::Metadata;
use crate::codec::metadata::directory::{Directory, tag};
use crate::codec::metadata::exif;
use crate::codec::probe::Probe;
use crate::codec::transform::colour::InkConverter;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::format::Format;
use crate::limits::{Limits, try_vec};
use crate::pixels::Pixels;
use layout::{ChunkPosition, Colours, Compression, SampleKind, TiffLayout};
use std::borrow::Cow;

/// Reads the first directory.
pub(in crate::codec) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    let directory = directory(input)?;
    let size = layout::size(&directory).ok_or_else(|| damaged("width or height is missing"))?;
    let layout = TiffLayout::of(&directory, size)?;
    let orientation =
        directory.number(tag::ORIENTATION).and_then(|value| Orientation::from_exif(value as u16));
    let pixels = size.pixels();
    // All samples at 8 bits before their colours are converted (inks also apart), and one chunk as stored.
    let inks = if layout.colours == Colours::Cmyk { 7 } else { 0 };
    let samples = pixels.saturating_mul(layout.samples as u64 + inks);
    Ok(Probe {
        format: Format::Tiff,
        stored: size,
        orientation: orientation.unwrap_or_default(),
        channels: layout.channels(),
        depth: layout.depth.min(255) as u8,
        animated: directory.has_next(),
        working: samples.saturating_add(layout.chunk_len() as u64),
        cmyk: layout.colours == Colours::Cmyk,
        planar: false,
    })
}

/// Finds the profile, XMP, IPTC, and the descriptive tags as an EXIF block. There may be more in private tags.
pub(in crate::codec) fn metadata(input: &[u8]) -> Metadata<'_> {
    let Ok(directory) = directory(input) else { return Metadata::default() };
    let block = |tag| directory.bytes(tag).filter(|data| !data.is_empty()).map(Cow::Borrowed);
    Metadata {
        exif: exif::of_tiff(input).map(Cow::Owned),
        icc: block(tag::ICC_PROFILE),
        xmp: block(tag::XMP),
        iptc: block(tag::PHOTOSHOP),
        other: true,
        ..Metadata::default()
    }
}

/// Decodes the first image.
pub(in crate::codec) fn decode(
    input: &[u8],
    probe: &Probe,
    tolerance: Tolerance,
    profile: Option<&[u8]>,
    limits: &Limits,
) -> Result<Decoded, CodecError> {
    let directory = directory(input)?;
    let layout = TiffLayout::of(&directory, probe.stored)?;
    let mut warnings = Warnings::default();
    if layout.depth > 8 {
        warnings.add(Warning::DepthReduced);
    }
    let pixels = match layout.compression {
        Compression::Jpeg => from_jpegs(input, &layout, tolerance, profile, limits)?,
        _ => {
            let (inks, unusable) = InkConverter::of(profile);
            if unusable {
                warnings.add(Warning::ProfileDropped);
            }
            from_samples(input, &layout, &directory, &inks, limits)?
        }
    };
    Ok(Decoded { pixels, warnings })
}

/// Unpacks every chunk to samples of 8 bits and converts their colours.
fn from_samples(
    input: &[u8],
    layout: &TiffLayout<'_>,
    directory: &Directory<'_>,
    inks: &InkConverter,
    limits: &Limits,
) -> Result<Pixels, CodecError> {
    let Size { width, height } = layout.size;
    let (width, height) = (width as usize, height as usize);
    let mut all = try_vec(width * height * layout.samples)?;
    let mut unpacked = try_vec(layout.chunk_len())?;
    let mut row = try_vec(layout.chunk.width as usize * layout.samples_per_chunk())?;
    let unpack = |place: &ChunkPosition, unpacked: &mut [u8]| -> Result<(), CodecError> {
        limits.cancel.check()?;
        let packed =
            layout.packed(input, place.index).ok_or_else(|| damaged("a strip lies outside the file"))?;
        chunk::unpack(packed, layout, place.rows, unpacked)
            .ok_or_else(|| damaged("a strip cannot be unpacked"))
    };
    let mut white = 1.0;
    if layout.kind == SampleKind::Float {
        // The range of floats shows only when all are unpacked.
        let mut largest = 0.0f64;
        for place in layout.places() {
            let unpacked = &mut unpacked[..layout.row_len() * place.rows];
            unpack(&place, unpacked)?;
            largest = largest.max(samples::largest(unpacked, layout));
        }
        white = samples::white(largest);
    }
    for place in layout.places() {
        let unpacked = &mut unpacked[..layout.row_len() * place.rows];
        unpack(&place, unpacked)?;
        for (y, stored) in unpacked.chunks_exact(layout.row_len()).enumerate() {
            samples::to_bytes(stored, layout, white, &mut row);
            let columns = (width - place.x).min(layout.chunk.width as usize);
            let start = ((place.y + y) * width + place.x) * layout.samples;
            if layout.planar {
                let to = all[start + place.plane..].iter_mut().step_by(layout.samples);
                to.zip(&row[..columns]).for_each(|(to, from)| *to = *from);
            } else {
                let len = columns * layout.samples;
                all[start..start + len].copy_from_slice(&row[..len]);
            }
        }
    }
    let data = samples::to_colours(all, layout, directory, inks, limits)?;
    Pixels::new(layout.size.width, layout.size.height, layout.channels(), data)
        .ok_or_else(|| damaged("the sizes do not agree"))
}

/// Decodes every chunk as the JPEG file that it is, but for the tables that all share.
fn from_jpegs(
    input: &[u8],
    layout: &TiffLayout<'_>,
    tolerance: Tolerance,
    profile: Option<&[u8]>,
    limits: &Limits,
) -> Result<Pixels, CodecError> {
    let mut picture = Pixels::zeroed(layout.size.width, layout.size.height, layout.channels())?;
    let channels = picture.channels();
    let stride = picture.row_len();
    for place in layout.places() {
        limits.cancel.check()?;
        let packed =
            layout.packed(input, place.index).ok_or_else(|| damaged("a strip lies outside the file"))?;
        let file = layout.jpeg_file(packed).ok_or_else(|| damaged("a strip is no JPEG"))?;
        let part = crate::codec::probe::probe(&file, limits)?;
        let inks = StoredInks { profile, inverted: false };
        let part = jpeg::decode::decode(&file, &part, tolerance, inks, limits)?.pixels;
        if part.channels() != channels {
            return Err(damaged("a strip has other colours than the picture"));
        }
        let count = channels.count();
        let len = (layout.size.width as usize - place.x).min(part.width() as usize) * count;
        let rows = picture.data_mut().chunks_exact_mut(stride).skip(place.y).take(place.rows);
        for (to, from) in rows.zip(part.rows()) {
            to[place.x * count..][..len].copy_from_slice(&from[..len]);
        }
    }
    Ok(picture)
}

fn directory(input: &[u8]) -> Result<Directory<'_>, CodecError> {
    Directory::first(input).ok_or_else(|| damaged("there is no directory"))
}

pub(super) fn damaged(reason: &str) -> CodecError {
    CodecError::damaged(Format::Tiff, reason)
}

pub(super) fn unsupported(what: impl std::fmt::Display) -> CodecError {
    CodecError::Unsupported(format!("TIFF with {what} is not supported"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::format::encode::{self, Output};
    use crate::pixels::Channels;
    use crate::spec::{Effort, Quality, Spec};

    fn picture(channels: Channels) -> Pixels {
        let data = (0..37 * 23 * channels.count()).map(|i| (i * i / 7) as u8).collect();
        Pixels::new(37, 23, channels, data).unwrap()
    }

    fn read(file: &[u8]) -> Result<Decoded, CodecError> {
        let limits = Limits::default();
        decode(file, &crate::codec::probe::probe(file, &limits)?, Tolerance::Strict, None, &limits)
    }

    #[test]
    fn what_we_write_is_read_again() {
        for channels in [Channels::Gray, Channels::Rgb, Channels::Rgba] {
            for effort in [Effort::Fast, Effort::Balanced] {
                let spec = Spec { effort, ..Spec::default() };
                let pixels = picture(channels);
                let (metadata, limits) = (Metadata::default(), Limits::default());
                let output =
                    Output { format: Format::Tiff, spec: &spec, metadata: &metadata, limits: &limits };
                let file = encode::encode(&pixels, Quality::DEFAULT, &output).unwrap();
                assert_eq!(read(&file).unwrap().pixels, pixels, "{channels:?} {effort:?}");
            }
        }
    }

    /// One uncompressed strip, in either byte order.
    fn file(big: bool, tags: &[(u16, u16, &[u32])], strip: &[u8]) -> Vec<u8> {
        let short = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let long = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut out = if big { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        let heap_at = 8 + 2 + 12 * (tags.len() as u32 + 1) + 4;
        let mut heap = strip.to_vec();
        out.extend(long(8));
        out.extend(short(tags.len() as u16 + 1));
        let mut tags = tags.to_vec();
        let at = [heap_at];
        tags.push((tag::STRIP_OFFSETS, 4, &at));
        for (tag, kind, values) in tags {
            out.extend(short(tag));
            out.extend(short(kind));
            out.extend(long(values.len() as u32));
            let bytes: Vec<u8> = values
                .iter()
                .flat_map(
                    |value| if kind == 3 { short(*value as u16).to_vec() } else { long(*value).to_vec() },
                )
                .collect();
            if bytes.len() <= 4 {
                out.extend(bytes.iter().chain([&0; 4]).take(4));
            } else {
                out.extend(long(heap_at + heap.len() as u32));
                heap.extend(bytes);
            }
        }
        out.extend(long(0));
        out.extend(heap);
        out
    }

    #[test]
    fn palettes_are_looked_up() {
        let map: Vec<u32> = [[0, 0xFFFF, 0x8000, 0], [0, 0, 0x8000, 0], [0, 0, 0x8000, 0xFFFF]].concat();
        let tags: [(u16, u16, &[u32]); 5] = [
            (tag::WIDTH, 3, &[3]),
            (tag::HEIGHT, 3, &[1]),
            (tag::BITS_PER_SAMPLE, 3, &[2]),
            (tag::PHOTOMETRIC, 3, &[3]),
            (tag::COLOR_MAP, 3, &map),
        ];
        for big in [true, false] {
            let decoded = read(&file(big, &tags, &[0b01_10_11_00])).unwrap();
            assert_eq!(decoded.pixels.data(), [255, 0, 0, 128, 128, 128, 0, 0, 255]);
        }
    }

    #[test]
    fn wide_and_inverted_samples_become_bytes() {
        let tags: [(u16, u16, &[u32]); 4] = [
            (tag::WIDTH, 3, &[2]),
            (tag::HEIGHT, 3, &[1]),
            (tag::BITS_PER_SAMPLE, 3, &[16]),
            (tag::PHOTOMETRIC, 3, &[0]),
        ];
        let decoded = read(&file(true, &tags, &[0xFF, 0xFF, 0x80, 0x80])).unwrap();
        assert_eq!(decoded.pixels.data(), [0, 127]);
        assert!(decoded.warnings.contains(Warning::DepthReduced));
    }

    /// Tags of one row of `width` pixels, and more.
    fn read_row(width: u32, more: &[(u16, u16, &[u32])], strip: &[u8]) -> Decoded {
        let width = [width];
        let mut tags: Vec<(u16, u16, &[u32])> = vec![(tag::WIDTH, 3, &width), (tag::HEIGHT, 3, &[1])];
        tags.extend(more);
        tags.sort_by_key(|(tag, ..)| *tag);
        read(&file(true, &tags, strip)).unwrap()
    }

    #[test]
    fn alpha_beside_a_palette_is_kept() {
        let map: Vec<u32> = [vec![0, 0xFFFF], vec![0, 0x8000], vec![0, 0]].concat();
        let map = [
            map[..2].to_vec(),
            vec![0; 254],
            map[2..4].to_vec(),
            vec![0; 254],
            map[4..].to_vec(),
            vec![0; 254],
        ];
        let map = map.concat();
        let tags: [(u16, u16, &[u32]); 5] = [
            (tag::BITS_PER_SAMPLE, 3, &[8, 8]),
            (tag::PHOTOMETRIC, 3, &[3]),
            (tag::SAMPLES_PER_PIXEL, 3, &[2]),
            (tag::COLOR_MAP, 3, &map),
            (tag::EXTRA_SAMPLES, 3, &[2]),
        ];
        let decoded = read_row(2, &tags, &[1, 200, 0, 0]);
        assert_eq!(decoded.pixels.channels(), Channels::Rgba);
        assert_eq!(decoded.pixels.data(), [255, 128, 0, 200, 0, 0, 0, 0]);
    }

    #[test]
    fn signed_samples_are_offset() {
        let signed = |depth: u32, strip: &[u8]| {
            let depth = [depth];
            let tags: [(u16, u16, &[u32]); 3] = [
                (tag::BITS_PER_SAMPLE, 3, &depth),
                (tag::PHOTOMETRIC, 3, &[1]),
                (tag::SAMPLE_FORMAT, 3, &[2]),
            ];
            read_row(3, &tags, strip).pixels.into_data()
        };
        assert_eq!(signed(8, &[0x80, 0x00, 0x7F]), [0, 128, 255]);
        assert_eq!(signed(16, &[0x80, 0x00, 0x00, 0x00, 0x7F, 0xFF]), [0, 128, 255]);
        assert_eq!(signed(32, &[0x80, 0, 0, 0, 0, 0, 0, 0, 0x7F, 255, 255, 255]), [0, 128, 255]);
    }

    #[test]
    fn floats_of_other_ranges_than_one_are_scaled() {
        let floats = |values: [f64; 3]| {
            let tags = |depth| {
                [
                    (tag::BITS_PER_SAMPLE, 3, depth),
                    (tag::PHOTOMETRIC, 3, &[1][..]),
                    (tag::SAMPLE_FORMAT, 3, &[3][..]),
                ]
            };
            let narrow: Vec<u8> = values.iter().flat_map(|value| (*value as f32).to_be_bytes()).collect();
            let wide: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
            let narrow = read_row(3, &tags(&[32][..]), &narrow).pixels.into_data();
            assert_eq!(narrow, read_row(3, &tags(&[64][..]), &wide).pixels.into_data());
            narrow
        };
        assert_eq!(floats([0.0, 0.5, 1.0]), [0, 128, 255]);
        // A highlight above white, as in linear renderings.
        assert_eq!(floats([0.0, 0.5, 4.0]), [0, 128, 255]);
        assert_eq!(floats([0.0, 100.0, 250.0]), [0, 100, 250]);
        assert_eq!(floats([0.0, 25_700.0, 65_535.0]), [0, 100, 255]);
        assert_eq!(floats([f64::NAN, 100.0, f64::INFINITY]), [0, 100, 255]);
    }

    #[test]
    fn directories_that_lie_are_refused() {
        let sides = |width: u32, rows: u32| {
            let tags: [(u16, u16, &[u32]); 3] =
                [(tag::WIDTH, 4, &[width]), (tag::HEIGHT, 4, &[2]), (tag::ROWS_PER_STRIP, 4, &[rows])];
            read(&file(false, &tags, &[0]))
        };
        assert!(matches!(sides(u32::MAX, 2), Err(CodecError::TooLarge(_))));
        // Two strips are needed, one is there.
        assert!(matches!(sides(8, 1), Err(CodecError::Damaged { .. })));
        assert!(sides(4, 2).is_err(), "the strip is too short");
        assert!(matches!(read(b"II*\0\xFF\xFF\xFF\xFF"), Err(CodecError::Damaged { .. })));
    }
}
