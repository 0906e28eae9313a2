//! PNG (W3C Portable Network Graphics, third edition): its chunks, from which the header and the metadata are read.
//! The pixels are read in [`decode`] and written in [`encode`]. Apple's variant, CgBI, is read as well.

pub(in crate::codec) mod decode;
pub(in crate::codec) mod encode;

use crate::codec::bytes::Bytes;
use crate::codec::error::CodecError;
use crate::codec::metadata::exif;
use crate::codec::metadata::{Metadata, keep_first};
use crate::codec::probe::Probe;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::Channels;
use flate2::Crc;
use std::borrow::Cow;
use std::io::Cursor;

/// Bytes of the signature that a file begins with.
const SIGNATURE: usize = 8;

/// Start of an uncompressed XMP packet in an iTXt chunk: keyword, zero, two flags of zero, two empty strings.
const XMP: &[u8] = b"XML:com.adobe.xmp\0\0\0\0\0";

/// Reads the header from the chunks.
pub(in crate::codec) fn probe(input: &[u8]) -> Result<Probe, CodecError> {
    let mut chunks = chunks(input).skip(usize::from(is_apple(input)));
    let header = chunks.next().and_then(header).ok_or_else(|| damaged("the IHDR chunk is missing"))?;
    let mut alpha = matches!(header.colour, 4 | 6);
    let mut animated = false;
    let mut orientation = Orientation::default();
    let mut before_pixels = true;
    for (kind, data) in chunks {
        match &kind {
            b"IDAT" => before_pixels = false,
            b"tRNS" if before_pixels => alpha = true,
            b"acTL" if before_pixels => animated = Bytes(data).be32().is_some_and(|frames| frames > 1),
            b"eXIf" => orientation = exif::orientation(data),
            _ => {}
        }
    }
    let channels = match (header.colour, alpha) {
        (0 | 4, false) => Channels::Gray,
        (0 | 4, true) => Channels::GrayAlpha,
        (_, false) => Channels::Rgb,
        (_, true) => Channels::Rgba,
    };
    // Interlaced passes fill the whole picture at its full depth before a row is complete.
    let pixels = header.size.pixels();
    let interlaced = if header.interlaced && header.depth == 16 {
        pixels.saturating_mul(2 * channels.count() as u64)
    } else {
        0
    };
    let working = if is_apple(input) { interlaced + input.len() as u64 } else { interlaced };
    Ok(Probe {
        format: Format::Png,
        stored: header.size,
        orientation,
        channels,
        depth: header.depth,
        animated,
        working,
        cmyk: false,
        planar: false,
    })
}

/// Finds EXIF, XMP and the profile. Only the profile has to be inflated, within the limit.
pub(in crate::codec) fn metadata(input: &[u8]) -> Metadata<'_> {
    let mut metadata = Metadata::default();
    let mut len = SIGNATURE;
    for (kind, data) in chunks(input) {
        len += data.len() + 12;
        let Metadata { exif, xmp, other, .. } = &mut metadata;
        match &kind {
            b"eXIf" => keep_first(exif, data, other),
            b"iTXt" if data.starts_with(XMP) => keep_first(xmp, &data[XMP.len()..], other),
            b"iCCP" => {
                let icc = profile(input);
                *other |= icc.is_none();
                metadata.icc = icc.map(Cow::Owned);
            }
            b"IHDR" | b"PLTE" | b"IDAT" | b"IEND" | b"tRNS" | b"cHRM" | b"gAMA" | b"sBIT" | b"sRGB"
            | b"cICP" | b"mDCV" | b"cLLI" | b"bKGD" | b"hIST" | b"pHYs" | b"acTL" | b"fcTL" | b"fdAT" => {}
            _ => *other = true,
        }
    }
    metadata.other |= len != input.len();
    metadata
}

fn profile(input: &[u8]) -> Option<Vec<u8>> {
    let limits = png::Limits { bytes: Metadata::MAX_BLOCK };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(input), limits);
    decoder.set_ignore_text_chunk(true);
    let reader = decoder.read_info().ok()?;
    reader.info().icc_profile.as_deref().map(<[u8]>::to_vec)
}

struct ImageHeader {
    size: Size,
    depth: u8,
    colour: u8,
    interlaced: bool,
}

fn header((kind, data): ([u8; 4], &[u8])) -> Option<ImageHeader> {
    let mut bytes = Bytes(data);
    let size = Size { width: bytes.be32()?, height: bytes.be32()? };
    let [depth, colour, _, _, interlace] = bytes.array()?;
    (&kind == b"IHDR").then_some(ImageHeader { size, depth, colour, interlaced: interlace != 0 })
}

/// Returns true if the file is of Apple's variant, in which iOS applications keep their pictures: a first chunk `CgBI`,
/// blue before red, colours multiplied by alpha, and a deflate stream without the zlib header.
fn is_apple(input: &[u8]) -> bool {
    input.get(SIGNATURE + 4..).is_some_and(|rest| rest.starts_with(b"CgBI"))
}

/// Rewrites the containers of Apple's variant as those of a PNG. The colours stay as they are.
fn without_apple(input: &[u8]) -> Vec<u8> {
    let mut file = input[..SIGNATURE].to_vec();
    let mut chunk = |kind: [u8; 4], parts: &[&[u8]]| {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        file.extend((len as u32).to_be_bytes());
        let mut crc = Crc::new();
        for part in [&[&kind[..]], parts].concat() {
            crc.update(part);
            file.extend_from_slice(part);
        }
        file.extend(crc.sum().to_be_bytes());
    };
    let mut zlib: &[u8] = b"\x78\x01";
    for (kind, data) in chunks(input).skip(1) {
        let header = if &kind == b"IDAT" { std::mem::take(&mut zlib) } else { &[] };
        chunk(kind, &[header, data]);
    }
    file
}

/// Returns true if the picture is stored in seven passes.
pub(in crate::codec) fn is_interlaced(input: &[u8]) -> bool {
    chunks(input).find_map(header).is_some_and(|header| header.interlaced)
}

/// Returns true if all chunks up to the last have the checksum that they state, and every picture of the file can be
/// unpacked to its end.
pub(in crate::codec) fn is_sound(input: &[u8], limits: &Limits) -> Result<bool, CodecError> {
    let mut bytes = Bytes(input.get(SIGNATURE..).unwrap_or_default());
    let mut next = || -> Option<([u8; 4], bool)> {
        let len = bytes.be32()? as usize;
        let kind = *bytes.0.first_chunk::<4>()?;
        let mut crc = Crc::new();
        crc.update(bytes.take(len.checked_add(4)?)?);
        Some((kind, bytes.be32()? == crc.sum()))
    };
    if is_apple(input) {
        return Ok(false); // few readers know it
    }
    loop {
        match next() {
            Some((kind, true)) if &kind == b"IEND" => return decode::is_whole(input, limits),
            Some((_, true)) => limits.cancel.check()?,
            Some((_, false)) | None => return Ok(false),
        }
    }
}

/// Returns kind and data of each whole chunk.
pub(in crate::codec::format) fn chunks(input: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut bytes = Bytes(input.get(SIGNATURE..).unwrap_or_default());
    std::iter::from_fn(move || {
        let len = bytes.be32()?;
        let kind = bytes.array::<4>()?;
        let data = bytes.take(len as usize)?;
        bytes.skip(4)?; // CRC
        Some((kind, data))
    })
}

pub(in crate::codec::format) fn damaged(reason: &str) -> CodecError {
    CodecError::damaged(Format::Png, reason)
}
