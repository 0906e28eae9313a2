//! TIFF results (TIFF 6.0): strips, deflated or LZW, with the metadata as tags of their directory.

use crate::codec::error::CodecError;
use crate::codec::metadata::Metadata;
use crate::codec::metadata::directory::{Directory, kind, tag};
use crate::codec::metadata::exif;
use crate::codec::transform::orient_pad;
use crate::limits::{Cancel, try_vec};
use crate::pixels::{Channels, Pixels};
use crate::spec::{Effort, Spec};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::{self, Write};
use weezl::BitOrder;

/// Bytes of a strip before it is packed, about.
const STRIP: usize = 256 << 10;

/// Encodes the pixels.
pub(in crate::codec) fn encode(
    pixels: &Pixels,
    spec: &Spec,
    metadata: &Metadata<'_>,
    cancel: &Cancel,
) -> Result<Vec<u8>, CodecError> {
    if pixels.channels() == Channels::GrayAlpha {
        return encode(&orient_pad::widened(pixels, Channels::Rgba)?, spec, metadata, cancel);
    }
    // The file has the byte order of the camera's block, whose values go along as they are.
    let camera = metadata.exif.as_deref().and_then(Directory::first);
    let big_endian = camera.is_some_and(|camera| camera.big_endian);
    let mut draft = camera.as_ref().map(exif::described).unwrap_or_default();

    let mut file = if big_endian { b"MM\0*\0\0\0\0" } else { b"II*\0\0\0\0\0" }.to_vec();
    let rows = (STRIP / pixels.row_len()).clamp(1, pixels.height() as usize);
    let (mut offsets, mut lengths) = (Vec::new(), Vec::new());
    let mut strip = try_vec(rows * pixels.row_len())?;
    for source in pixels.data().chunks(rows * pixels.row_len()) {
        cancel.check()?;
        let strip = &mut strip[..source.len()];
        differences(source, strip, pixels);
        let at = file.len();
        file = packed(strip, spec.effort, file)
            .map_err(|error| CodecError::Internal(format!("TIFF: {error}")))?;
        offsets.push(at as u32);
        lengths.push((file.len() - at) as u32);
    }

    let shorts = |values: &[u16]| -> Vec<u8> {
        values.iter().flat_map(|n| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() }).collect()
    };
    let longs = |values: &[u32]| -> Vec<u8> {
        values.iter().flat_map(|n| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() }).collect()
    };
    let samples = pixels.channels().count();
    let photometric = if pixels.channels().colours() == 1 { 1 } else { 2 };
    let compression = if spec.effort == Effort::Fast { 5 } else { 8 };
    draft.set(tag::WIDTH, kind::LONG, longs(&[pixels.width()]));
    draft.set(tag::HEIGHT, kind::LONG, longs(&[pixels.height()]));
    draft.set(tag::BITS_PER_SAMPLE, kind::SHORT, shorts(&vec![8; samples]));
    draft.set(tag::COMPRESSION, kind::SHORT, shorts(&[compression]));
    draft.set(tag::PHOTOMETRIC, kind::SHORT, shorts(&[photometric]));
    draft.set(tag::STRIP_OFFSETS, kind::LONG, longs(&offsets));
    draft.set(tag::SAMPLES_PER_PIXEL, kind::SHORT, shorts(&[samples as u16]));
    draft.set(tag::ROWS_PER_STRIP, kind::LONG, longs(&[rows as u32]));
    draft.set(tag::STRIP_BYTE_COUNTS, kind::LONG, longs(&lengths));
    draft.set(tag::PLANAR, kind::SHORT, shorts(&[1]));
    draft.set(tag::PREDICTOR, kind::SHORT, shorts(&[2]));
    if pixels.channels().has_alpha() {
        draft.set(tag::EXTRA_SAMPLES, kind::SHORT, shorts(&[2])); // straight alpha
    }
    let blocks = [
        (tag::XMP, kind::BYTE, &metadata.xmp),
        (tag::PHOTOSHOP, kind::UNDEFINED, &metadata.iptc),
        (tag::ICC_PROFILE, kind::UNDEFINED, &metadata.icc),
    ];
    for (tag, kind, block) in blocks {
        if let Some(block) = block.as_deref() {
            draft.set(tag, kind, block);
        }
    }
    let at = draft.write(&mut file, big_endian);
    file[4..8].copy_from_slice(&longs(&[at]));
    Ok(file)
}

/// Each sample less the one of the pixel before it (section 14).
fn differences(source: &[u8], strip: &mut [u8], pixels: &Pixels) {
    let depth = pixels.channels().count();
    strip.copy_from_slice(source);
    let rows = source.chunks_exact(pixels.row_len()).zip(strip.chunks_exact_mut(pixels.row_len()));
    for (source, row) in rows {
        for (sample, before) in row[depth..].iter_mut().zip(source) {
            *sample = sample.wrapping_sub(*before);
        }
    }
}

/// Appends a packed strip to the file.
fn packed(strip: &[u8], effort: Effort, mut file: Vec<u8>) -> io::Result<Vec<u8>> {
    let level = match effort {
        Effort::Fast => {
            let mut lzw = weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, 8);
            lzw.into_vec(&mut file).encode_all(strip).status.map_err(io::Error::other)?;
            return Ok(file);
        }
        Effort::Balanced => Compression::default(),
        Effort::Smallest => Compression::best(),
    };
    let mut zlib = ZlibEncoder::new(file, level);
    zlib.write_all(strip)?;
    zlib.finish()
}
