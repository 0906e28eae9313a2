//! PNG results: 8 bits, adaptive filters, `effort` as the level of compression, `progressive` as interlacing.

use crate::codec::error::CodecError;
use crate::codec::metadata::Metadata;
use crate::limits::Cancel;
use crate::pixels::{Channels, Pixels};
use crate::spec::{Effort, Spec};
use flate2::write::ZlibEncoder;
use png::{BitDepth, ColorType, Compression, Encoder, Filter, Info};
use std::borrow::Cow;
use std::io::{self, Write};

/// Encodes the pixels, alpha included.
pub(in crate::codec) fn encode(
    pixels: &Pixels,
    spec: &Spec,
    metadata: &Metadata<'_>,
    cancel: &Cancel,
) -> Result<Vec<u8>, CodecError> {
    let mut info = Info::with_size(pixels.width(), pixels.height());
    info.bit_depth = BitDepth::Eight;
    info.interlaced = spec.progressive;
    info.color_type = match pixels.channels() {
        Channels::Gray => ColorType::Grayscale,
        Channels::GrayAlpha => ColorType::GrayscaleAlpha,
        Channels::Rgb => ColorType::Rgb,
        Channels::Rgba => ColorType::Rgba,
    };
    info.icc_profile = metadata.icc.as_deref().map(|icc| Cow::Owned(icc.to_vec()));
    info.exif_metadata = metadata.exif.as_deref().map(|exif| Cow::Owned(exif.to_vec()));

    let mut bytes = Vec::new();
    let mut encoder = Encoder::with_info(&mut bytes, info).map_err(defect)?;
    if let Some(xmp) = metadata.xmp.as_deref().and_then(|xmp| str::from_utf8(xmp).ok()) {
        encoder.add_itxt_chunk("XML:com.adobe.xmp".into(), xmp.into()).map_err(defect)?;
    }
    let (compression, filter, level) = match spec.effort {
        Effort::Fast => (Compression::Fast, Filter::Up, flate2::Compression::fast()),
        Effort::Balanced => (Compression::Balanced, Filter::Adaptive, flate2::Compression::default()),
        Effort::Smallest => (Compression::High, Filter::Adaptive, flate2::Compression::best()),
    };
    encoder.set_compression(compression);
    encoder.set_filter(filter);
    let mut writer = encoder.write_header().map_err(defect)?;
    if spec.progressive {
        let data = interlaced(pixels, level, cancel)?;
        writer.write_chunk(png::chunk::IDAT, &data).map_err(defect)?;
    } else {
        let mut stream = writer.stream_writer_with_size(IDAT_BYTES).map_err(defect)?;
        for row in pixels.rows() {
            cancel.check()?;
            stream.write_all(row).map_err(|error| defect(error.into()))?;
        }
        stream.finish().map_err(defect)?;
    }
    writer.finish().map_err(defect)?;
    Ok(bytes)
}

/// Most bytes of a chunk of data.
const IDAT_BYTES: usize = 256 << 10;

fn defect(error: png::EncodingError) -> CodecError {
    CodecError::Internal(format!("PNG: {error}"))
}

/// First column, first row, and the steps across and down of each pass.
const PASSES: [[usize; 4]; 7] =
    [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

/// Returns the data of the IDAT chunk: seven passes, their rows filtered, in one zlib stream (sections 8.1 and 9).
fn interlaced(pixels: &Pixels, level: flate2::Compression, cancel: &Cancel) -> Result<Vec<u8>, CodecError> {
    let failed = |error: io::Error| defect(error.into());
    let depth = pixels.channels().count();
    let mut stream = ZlibEncoder::new(Vec::new(), level);
    for [left, top, across, down] in PASSES {
        let mut above = Vec::new();
        for row in pixels.rows().skip(top).step_by(down) {
            cancel.check()?;
            let row: Vec<u8> =
                row.chunks_exact(depth).skip(left).step_by(across).flatten().copied().collect();
            if row.is_empty() {
                break;
            }
            above.resize(row.len(), 0);
            let (kind, filtered) = filtered(&row, &above, depth);
            stream.write_all(&[kind]).map_err(failed)?;
            stream.write_all(&filtered).map_err(failed)?;
            above = row;
        }
    }
    stream.finish().map_err(failed)
}

/// Returns the row by the filter that leaves the smallest sum of differences, and the number of the filter.
fn filtered(row: &[u8], above: &[u8], depth: usize) -> (u8, Vec<u8>) {
    let apply = |filter: fn(u8, u8, u8) -> u8| -> Vec<u8> {
        let before = |line: &[u8], i: usize| if i < depth { 0 } else { line[i - depth] };
        let predicted = |i: usize| filter(before(row, i), above[i], before(above, i));
        row.iter().enumerate().map(|(i, sample)| sample.wrapping_sub(predicted(i))).collect()
    };
    let filters: [fn(u8, u8, u8) -> u8; 5] =
        [|_, _, _| 0, |left, _, _| left, |_, above, _| above, |left, above, _| left.midpoint(above), paeth];
    let cost = |line: &[u8]| line.iter().map(|sample| u64::from((*sample as i8).unsigned_abs())).sum::<u64>();
    let lines = (0..).zip(filters.map(apply));
    lines.min_by_key(|(_, line)| cost(line)).unwrap_or_default()
}

/// Returns the one of left, above and above left that is nearest to their plane.
fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let plane = i16::from(left) + i16::from(above) - i16::from(corner);
    let far = |sample: u8| plane.abs_diff(i16::from(sample));
    if far(left) <= far(above) && far(left) <= far(corner) {
        left
    } else if far(above) <= far(corner) {
        above
    } else {
        corner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, channels: Channels) -> Pixels {
        let len = width as usize * height as usize * channels.count();
        Pixels::new(width, height, channels, (0..len).map(|i| (i * i / 5) as u8).collect()).unwrap()
    }

    fn decoded(file: &[u8]) -> (bool, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        (reader.info().interlaced, pixels)
    }

    #[test]
    fn an_interlaced_file_holds_the_same_pixels_at_any_size() {
        for channels in [Channels::Gray, Channels::GrayAlpha, Channels::Rgb, Channels::Rgba] {
            for (width, height) in [(1, 1), (1, 9), (5, 1), (2, 3), (8, 8), (37, 23)] {
                for effort in [Effort::Fast, Effort::Balanced, Effort::Smallest] {
                    let pixels = picture(width, height, channels);
                    let spec = Spec { progressive: true, effort, ..Spec::default() };
                    let file = encode(&pixels, &spec, &Metadata::default(), &Cancel::never()).unwrap();
                    assert_eq!(decoded(&file), (true, pixels.into_data()), "{channels:?} {width}x{height}");
                }
            }
        }
    }

    #[test]
    fn xmp_stands_where_readers_look_for_it() {
        let metadata = Metadata { xmp: Some(Cow::Borrowed(b"<x/>")), ..Metadata::default() };
        let file =
            encode(&picture(3, 2, Channels::Rgb), &Spec::default(), &metadata, &Cancel::never()).unwrap();
        let reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let text = &reader.info().utf8_text[0];
        assert_eq!((text.keyword.as_str(), text.get_text().unwrap()), ("XML:com.adobe.xmp", "<x/>".into()));
    }
}
