//! `TiffLayout`: the storage of the samples as the tags describe it, checked.

use crate::codec::error::CodecError;
use crate::codec::format::tiff::{damaged, unsupported};
use crate::codec::metadata::directory::{Directory, tag};
use crate::codec::transform::geometry::Size;
use crate::pixels::Channels;

/// Most strips or tiles of a picture: more than the smallest tiles of the largest picture.
const MAX_CHUNKS: usize = 1 << 20;

/// The type of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum SampleKind {
    Unsigned,
    Signed,
    Float,
}

/// The meaning of the samples of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Colours {
    /// Grey; 0 is white.
    Inverted,
    /// Grey; 0 is black.
    Grey,
    Rgb,
    Palette,
    Cmyk,
    YCbCr,
}

impl Colours {
    /// Samples of a pixel without the extra ones.
    pub(in crate::codec) fn samples(self) -> usize {
        match self {
            Colours::Grey | Colours::Inverted | Colours::Palette => 1,
            Colours::Rgb | Colours::YCbCr => 3,
            Colours::Cmyk => 4,
        }
    }
}

/// The meaning of the first sample behind the colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Extra {
    None,
    Alpha,
    PremultipliedAlpha,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Compression {
    None,
    /// CCITT run lengths, each row from a new byte.
    Rle,
    /// CCITT Group 3.
    Fax3 {
        two_dimensional: bool,
    },
    /// CCITT Group 4.
    Fax4,
    Lzw,
    Jpeg,
    Deflate,
    PackBits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Predictor {
    None,
    /// Each sample is the difference to the one before.
    Horizontal,
}

/// The storage of the samples of an image.
#[derive(Debug, Clone)]
pub(in crate::codec) struct TiffLayout<'a> {
    pub(in crate::codec) size: Size,
    /// Bits of a sample.
    pub(in crate::codec) depth: usize,
    /// Samples of a pixel.
    pub(in crate::codec) samples: usize,
    pub(in crate::codec) kind: SampleKind,
    pub(in crate::codec) colours: Colours,
    pub(in crate::codec) extra: Extra,
    pub(in crate::codec) compression: Compression,
    pub(in crate::codec) predictor: Predictor,
    /// True if each sample of a pixel has chunks of its own.
    pub(in crate::codec) planar: bool,
    pub(in crate::codec) big_endian: bool,
    /// True if the lowest bit of a byte comes first.
    pub(in crate::codec) low_bit_first: bool,
    /// The size of a strip or tile.
    pub(in crate::codec) chunk: Size,
    offsets: Vec<u64>,
    byte_counts: Vec<u64>,
    jpeg_tables: Option<&'a [u8]>,
}

/// A chunk and where it belongs.
#[derive(Debug, Clone, Copy)]
pub(in crate::codec) struct ChunkPosition {
    pub(in crate::codec) index: usize,
    pub(in crate::codec) plane: usize,
    pub(in crate::codec) x: usize,
    pub(in crate::codec) y: usize,
    /// Rows of the chunk that lie in the picture.
    pub(in crate::codec) rows: usize,
}

/// Width and height.
pub(in crate::codec) fn size(directory: &Directory<'_>) -> Option<Size> {
    let side = |tag| directory.number(tag).map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    Some(Size { width: side(tag::WIDTH)?, height: side(tag::HEIGHT)? })
}

impl<'a> TiffLayout<'a> {
    pub(in crate::codec) fn of(directory: &Directory<'a>, size: Size) -> Result<TiffLayout<'a>, CodecError> {
        let number = |tag, default: u64| directory.number(tag).unwrap_or(default);
        let samples = number(tag::SAMPLES_PER_PIXEL, 1);
        if !(1..=64).contains(&samples) {
            return Err(unsupported(format_args!("{samples} samples a pixel")));
        }
        let samples = samples as usize;
        let depths: Vec<u64> =
            directory.numbers(tag::BITS_PER_SAMPLE).into_iter().flatten().take(samples).collect();
        let depth = depths.first().copied().unwrap_or(1);
        if depths.iter().any(|other| *other != depth) {
            return Err(unsupported("samples of several depths"));
        }
        let kind = match number(tag::SAMPLE_FORMAT, 1) {
            2 => SampleKind::Signed,
            3 => SampleKind::Float,
            _ => SampleKind::Unsigned,
        };
        let compression = compression(directory)?;
        let colours = colours(directory, samples, compression)?;
        let fits = match (kind, depth) {
            (SampleKind::Float, depth) => matches!(depth, 32 | 64) && colours != Colours::Palette,
            (SampleKind::Signed, depth) => matches!(depth, 8 | 16 | 32),
            (SampleKind::Unsigned, depth) if colours == Colours::Palette => (1..=8).contains(&depth),
            (SampleKind::Unsigned, depth) => (1..=16).contains(&depth) || depth == 32,
        };
        if !fits {
            return Err(unsupported(format_args!("samples of {depth} bits in {colours:?}")));
        }
        let predictor = match number(tag::PREDICTOR, 1) {
            2 if matches!(depth, 8 | 16 | 32) => Predictor::Horizontal,
            0 | 1 => Predictor::None,
            other => return Err(unsupported(format_args!("predictor {other}"))),
        };
        let tiled = directory.number(tag::TILE_WIDTH).is_some();
        let chunk = if tiled {
            Size { width: number(tag::TILE_WIDTH, 0) as u32, height: number(tag::TILE_HEIGHT, 0) as u32 }
        } else {
            let rows = number(tag::ROWS_PER_STRIP, 0).min(size.height.into()) as u32;
            Size { width: size.width, height: if rows == 0 { size.height } else { rows } }
        };
        let (offsets, byte_counts) = if tiled {
            (tag::TILE_OFFSETS, tag::TILE_BYTE_COUNTS)
        } else {
            (tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS)
        };
        let list = |tag| directory.numbers(tag).into_iter().flatten().take(MAX_CHUNKS).collect();
        let layout = TiffLayout {
            size,
            depth: depth as usize,
            samples,
            kind,
            colours,
            extra: extra(directory, samples, colours),
            compression,
            predictor,
            planar: number(tag::PLANAR, 1) == 2 && samples > 1,
            big_endian: directory.big_endian,
            low_bit_first: number(tag::FILL_ORDER, 1) == 2,
            chunk,
            offsets: list(offsets),
            byte_counts: list(byte_counts),
            jpeg_tables: directory.bytes(tag::JPEG_TABLES),
        };
        layout.checked()
    }

    /// No chunk may be empty or far larger than the picture, and each must have its place in the file.
    fn checked(self) -> Result<TiffLayout<'a>, CodecError> {
        let Size { width, height } = self.chunk;
        let most = |side: u32| u64::from(side).next_multiple_of(16).max(4096);
        if width == 0
            || height == 0
            || u64::from(width) > most(self.size.width)
            || u64::from(height) > most(self.size.height)
        {
            return Err(damaged("the strips or tiles have an impossible size"));
        }
        let planes = if self.planar { self.samples } else { 1 };
        let chunks = (self.across() as u64).saturating_mul(self.down() as u64).saturating_mul(planes as u64);
        if chunks > self.offsets.len() as u64 {
            return Err(damaged("there are fewer strips or tiles than the picture has"));
        }
        Ok(self)
    }

    fn across(&self) -> usize {
        self.size.width.div_ceil(self.chunk.width) as usize
    }

    fn down(&self) -> usize {
        self.size.height.div_ceil(self.chunk.height) as usize
    }

    /// Samples of each pixel in one chunk.
    pub(in crate::codec) fn samples_per_chunk(&self) -> usize {
        if self.planar { 1 } else { self.samples }
    }

    /// Bytes of one row of an unpacked chunk.
    pub(in crate::codec) fn row_len(&self) -> usize {
        (self.chunk.width as usize * self.samples_per_chunk() * self.depth).div_ceil(8)
    }

    /// Bytes of the largest unpacked chunk.
    pub(in crate::codec) fn chunk_len(&self) -> usize {
        self.row_len().saturating_mul(self.chunk.height.min(self.size.height) as usize)
    }

    /// Every chunk of the picture.
    pub(in crate::codec) fn places(&self) -> impl Iterator<Item = ChunkPosition> {
        let (across, down) = (self.across(), self.down());
        let planes = if self.planar { self.samples } else { 1 };
        let (size, chunk) = (self.size, self.chunk);
        (0..across * down * planes).map(move |index| {
            let y = index / across % down * chunk.height as usize;
            ChunkPosition {
                index,
                plane: index / (across * down),
                x: index % across * chunk.width as usize,
                y,
                rows: (size.height as usize - y).min(chunk.height as usize),
            }
        })
    }

    /// The stored bytes of a chunk; without a byte count, all that follow its offset.
    pub(in crate::codec) fn packed<'i>(&self, input: &'i [u8], index: usize) -> Option<&'i [u8]> {
        let rest = input.get(usize::try_from(*self.offsets.get(index)?).ok()?..)?;
        let len =
            self.byte_counts.get(index).map_or(rest.len(), |len| usize::try_from(*len).unwrap_or(usize::MAX));
        Some(&rest[..len.min(rest.len())])
    }

    /// The channels of the decoded picture.
    pub(in crate::codec) fn channels(&self) -> Channels {
        let alpha = self.extra != Extra::None && self.compression != Compression::Jpeg;
        match (self.colours, alpha) {
            (Colours::Grey | Colours::Inverted, false) => Channels::Gray,
            (Colours::Grey | Colours::Inverted, true) => Channels::GrayAlpha,
            (_, false) => Channels::Rgb,
            (_, true) => Channels::Rgba,
        }
    }

    /// Returns a chunk as a JPEG file of its own: the shared tables first, and an Adobe segment where the colours
    /// are RGB (TIFF technical note 2).
    pub(in crate::codec) fn jpeg_file(&self, packed: &[u8]) -> Option<Vec<u8>> {
        let scan = packed.strip_prefix(&[0xFF, 0xD8])?;
        let mut file = vec![0xFF, 0xD8];
        if self.colours == Colours::Rgb {
            file.extend(b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0");
        }
        if let Some(tables) = self.jpeg_tables {
            let tables = tables.strip_prefix(&[0xFF, 0xD8])?;
            file.extend_from_slice(tables.strip_suffix(&[0xFF, 0xD9]).unwrap_or(tables));
        }
        file.extend_from_slice(scan);
        Some(file)
    }
}

fn compression(directory: &Directory<'_>) -> Result<Compression, CodecError> {
    Ok(match directory.number(tag::COMPRESSION).unwrap_or(1) {
        1 => Compression::None,
        2 => Compression::Rle,
        3 => Compression::Fax3 { two_dimensional: directory.number(tag::T4_OPTIONS).unwrap_or(0) & 1 == 1 },
        4 => Compression::Fax4,
        5 => Compression::Lzw,
        7 => Compression::Jpeg,
        8 | 32_946 => Compression::Deflate,
        32_773 => Compression::PackBits,
        other => return Err(unsupported(format_args!("compression {other}"))),
    })
}

fn colours(
    directory: &Directory<'_>,
    samples: usize,
    compression: Compression,
) -> Result<Colours, CodecError> {
    let photometric = directory.number(tag::PHOTOMETRIC).unwrap_or(if samples >= 3 { 2 } else { 1 });
    let (colours, least) = match photometric {
        0 => (Colours::Inverted, 1),
        1 | 4 => (Colours::Grey, 1),
        2 => (Colours::Rgb, 3),
        3 => (Colours::Palette, 1),
        5 => (Colours::Cmyk, 4),
        6 => (Colours::YCbCr, 3),
        other => return Err(unsupported(format_args!("photometric interpretation {other}"))),
    };
    if samples < least {
        return Err(damaged("a pixel has too few samples for its colours"));
    }
    let subsampled = directory
        .numbers(tag::SUBSAMPLING)
        .map_or(colours == Colours::YCbCr, |mut factors| factors.any(|factor| factor != 1));
    if colours == Colours::YCbCr && subsampled && compression != Compression::Jpeg {
        return Err(unsupported("subsampled colours"));
    }
    Ok(colours)
}

fn extra(directory: &Directory<'_>, samples: usize, colours: Colours) -> Extra {
    if samples <= colours.samples() {
        return Extra::None;
    }
    match directory.number(tag::EXTRA_SAMPLES) {
        Some(0) => Extra::None,
        Some(1) => Extra::PremultipliedAlpha,
        // Beside inks and indices a sample is alpha only where the file says so.
        None if matches!(colours, Colours::Palette | Colours::Cmyk) => Extra::None,
        _ => Extra::Alpha,
    }
}
