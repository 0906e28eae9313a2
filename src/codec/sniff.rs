//! Tells formats apart by their first bytes: an allow-list, and names for what is not on it.

use crate::codec::bytes::Bytes;
use crate::codec::error::CodecError;
use crate::format::Format;

/// The format of `input`, by content alone.
///
/// # Errors
/// [`CodecError::Unsupported`] that names what the bytes look like.
pub(super) fn sniff(input: &[u8]) -> Result<Format, CodecError> {
    match input {
        [0xFF, 0xD8, 0xFF, ..] => Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Ok(Format::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Format::WebP),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Format::Gif),
        [b'B', b'M', ..] if is_bmp(input) => Ok(Format::Bmp),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Ok(Format::Tiff),
        [b'q', b'o', b'i', b'f', ..] => Ok(Format::Qoi),
        [b'P', b'1'..=b'7', next, ..] if next.is_ascii_whitespace() || *next == b'#' => Ok(Format::Pnm),
        [0, 0, 1 | 2, 0, count, more, ..] if (*count, *more) != (0, 0) && is_ico(input) => Ok(Format::Ico),
        _ => match name_of_the_unsupported(input) {
            Some(name) => Err(CodecError::Unsupported(format!("{name} is not supported"))),
            None if is_tga(input) => Ok(Format::Tga),
            None if input.is_empty() => Err(CodecError::Unsupported("the input is empty".into())),
            None => Err(CodecError::Unsupported(
                "this is no image of a kind that is read here: jpeg, png, webp, gif, bmp, tiff, qoi, pnm, ico or tga".into(),
            )),
        },
    }
}

/// `BM` is also how a text may begin: the size of the second header is one of a few.
fn is_bmp(input: &[u8]) -> bool {
    matches!(Bytes(input).skip_then_le32(14), Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

/// The first directory entry has a zero reserved byte and points behind the directory.
fn is_ico(input: &[u8]) -> bool {
    let first_entry = || {
        let mut bytes = Bytes(input);
        bytes.skip(4)?;
        let count = u32::from(bytes.le16()?);
        bytes.skip(3)?;
        let reserved = bytes.u8()?;
        bytes.skip(8)?;
        Some((count, reserved, bytes.le32()?))
    };
    first_entry()
        .is_some_and(|(count, reserved, offset)| matches!(reserved, 0 | 255) && offset >= 6 + 16 * count)
}

/// TGA has no signature: every field of its header must be one that real files have, and the picture
/// must be able to fit the data.
fn is_tga(input: &[u8]) -> bool {
    let Some(header) = input.first_chunk::<18>() else { return false };
    let [
        _,
        map_type,
        kind,
        _,
        _,
        map_low,
        map_high,
        map_depth,
        _,
        _,
        _,
        _,
        w0,
        w1,
        h0,
        h1,
        depth,
        descriptor,
    ] = *header;
    let mapped = match kind {
        1 | 9 => map_type == 1 && depth == 8 && matches!(map_depth, 15 | 16 | 24 | 32),
        2 | 10 => map_type <= 1 && matches!(depth, 15 | 16 | 24 | 32),
        3 | 11 => map_type == 0 && matches!(depth, 8 | 16),
        _ => false,
    };
    let map_len = u16::from_le_bytes([map_low, map_high]);
    let map_fits =
        if map_type == 0 { map_len == 0 && matches!(map_depth, 0 | 15 | 16 | 24 | 32) } else { map_len > 0 };
    let sides = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
    let pixels = u64::from(sides.0) * u64::from(sides.1);
    let bytes = pixels * u64::from(depth.div_ceil(8));
    // A run-length packet covers 128 pixels at most.
    let least = if kind >= 9 { pixels.div_ceil(128) } else { bytes };
    mapped
        && map_fits
        && pixels > 0
        && descriptor & 0xC0 == 0
        && descriptor & 0x0F <= 8
        && least <= input.len() as u64
}

/// What people send that is not on the list, so that the refusal can name it.
fn name_of_the_unsupported(input: &[u8]) -> Option<&'static str> {
    if let [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] = input {
        return Some(match brand.first_chunk::<4>() {
            Some(b"avif" | b"avis") => "AVIF",
            Some(b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1") => "HEIC",
            Some(b"crx ") => "Canon raw",
            _ => "MP4 video",
        });
    }
    let signatures: &[(&[u8], &str)] = &[
        (b"%PDF", "PDF"),
        (b"%!PS", "PostScript"),
        (b"\xC5\xD0\xD3\xC6", "EPS"),
        (b"PK\x03\x04", "a zip archive"),
        (b"PK\x05\x06", "a zip archive"),
        (b"\x1F\x8B", "gzip"),
        (b"Rar!", "a RAR archive"),
        (b"7z\xBC\xAF", "a 7z archive"),
        (b"\0\0\0\x0CJXL ", "JPEG XL"),
        (b"\xFF\x0A", "JPEG XL"),
        (b"\0\0\0\x0CjP  ", "JPEG 2000"),
        (b"\xFF\x4F\xFF\x51", "JPEG 2000"),
        (b"8BPS", "Photoshop"),
        (b"gimp xcf", "GIMP"),
        (b"v/1\x01", "OpenEXR"),
        (b"#?RADIANCE", "Radiance HDR"),
        (b"#?RGBE", "Radiance HDR"),
        (b"DDS ", "DDS"),
        (b"farbfeld", "farbfeld"),
        (b"FLIF", "FLIF"),
        (b"BPG\xFB", "BPG"),
        (b"\x8AMNG", "MNG"),
        (b"\x8BJNG", "JNG"),
        (b"II\xBC\x01", "JPEG XR"),
        (b"\x59\xA6\x6A\x95", "Sun raster"),
        (b"\x01\xDA", "SGI"),
        (b"\xD7\xCD\xC6\x9A", "WMF"),
        (b"RIFF", "a RIFF file without WebP"),
        (b"push graphic-context", "MVG"),
        (b"\x7FELF", "a program"),
        (b"MZ", "a program"),
    ];
    if let Some((_, name)) = signatures.iter().find(|(signature, _)| input.starts_with(signature)) {
        return Some(name);
    }
    let text = input.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(input).trim_ascii_start();
    let head = &text[..text.len().min(1024)];
    let has = |word: &[u8]| head.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
    if head.first() != Some(&b'<') {
        return None;
    }
    Some(match () {
        () if has(b"<svg") => "SVG",
        () if has(b"<html") || has(b"<!doctype html") => "HTML",
        () => "XML",
    })
}

impl Bytes<'_> {
    fn skip_then_le32(mut self, len: usize) -> Option<u32> {
        self.skip(len)?;
        self.le32()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(input: &[u8]) -> String {
        sniff(input).unwrap_err().to_string()
    }

    #[test]
    fn refusals_name_what_the_bytes_look_like() {
        assert!(refusal(b"%PDF-1.7 ...").contains("PDF"));
        assert!(refusal(b"<?xml version=\"1.0\"?>\n<svg xmlns=...>").contains("SVG"));
        assert!(refusal(b"<!DOCTYPE html><p>").contains("HTML"));
        assert!(refusal(b"\0\0\0\x1cftypheic\0\0\0\0").contains("HEIC"));
        assert!(refusal(b"\0\0\0\x1cftypavif\0\0\0\0").contains("AVIF"));
        assert!(refusal(b"PK\x03\x04rest").contains("zip"));
        assert!(refusal(b"").contains("empty"));
    }

    #[test]
    fn text_and_noise_are_never_tga() {
        for text in [
            &b"BM is how this sentence starts, and it is no bitmap"[..],
            b"Hello, world. This is plain text.",
        ] {
            assert!(sniff(text).is_err());
        }
        let mut state = 0x2545_F491_u32;
        for _ in 0..20_000 {
            let noise: Vec<u8> = std::iter::repeat_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .take(64)
            .collect();
            assert_ne!(sniff(&noise).ok(), Some(Format::Tga), "{noise:?}");
        }
    }
}
