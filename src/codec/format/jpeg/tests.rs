//! JPEG files that people send: sound, unusual and damaged ones through the whole codec.

use crate::codec::encoded::{Encoded, Warning};
use crate::codec::error::CodecError;
use crate::codec::jpeg::encode::{
    Coding, Coefficients, ColourMark, Component, EncodeOptions, Encoder, FrameLayout, JpegQuality,
};
use crate::codec::jpeg::planes::{Planes, Sampling};
use crate::codec::jpeg::quant::QuantTable;
use crate::codec::{Scratch, process};
use crate::format::Format;
use crate::limits::Limits;
use crate::spec::{Metadata, OutputFormat, Spec};

/// A baseline file of 96x64 pixels with the Huffman tables of Annex K.
fn photo(coding: Coding) -> Vec<u8> {
    let mut planes = Planes::new(96, 64, Sampling::S420).unwrap();
    for (index, plane) in planes.planes_mut().iter_mut().enumerate() {
        let stride = plane.stride();
        for (i, sample) in plane.samples_mut().iter_mut().enumerate() {
            let (x, y) = (i % stride, i / stride);
            *sample = (40 + x * (1 + index) + y + ((x * y) >> 4 & 15)) as u8;
        }
        plane.extend_edges(0..plane.height());
    }
    let options =
        EncodeOptions { quality: JpegQuality::new(90).unwrap(), coding, ..EncodeOptions::default() };
    Encoder::default().encode(&planes, &options).unwrap()
}

fn run(input: &[u8], spec: &Spec) -> Encoded {
    process(input, spec, &Limits::default(), &mut Scratch::new()).unwrap()
}

fn png(input: &[u8]) -> Encoded {
    let spec = Spec { format: OutputFormat::Fixed(Format::Png), passthrough: false, ..Spec::default() };
    run(input, &spec)
}

fn pixels(input: &[u8]) -> image::RgbImage {
    image::load_from_memory(&png(input).bytes).unwrap().to_rgb8()
}

/// Offset of the first segment with this marker.
fn find(file: &[u8], marker: u8) -> usize {
    file.windows(2).position(|pair| pair == [0xFF, marker]).expect("a segment")
}

/// Removes the first segment with this marker.
fn without(file: &[u8], marker: u8) -> Vec<u8> {
    let at = find(file, marker);
    let len = usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
    [&file[..at], &file[at + 2 + len..]].concat()
}

#[test]
fn a_sound_file_passes_and_an_unusual_one_is_rewritten_without_loss() {
    let usual = photo(Coding::Fixed);
    assert!(run(&usual, &Spec::default()).warnings.contains(Warning::Passthrough));
    let mut late = usual.clone();
    let frame = find(&late, 0xC0);
    late[frame + 5..frame + 7].fill(0);
    late.splice(usual.len() - 2..usual.len() - 2, [0xFF, 0xDC, 0, 4, 0, 64]);
    let bare = without(&usual, 0xC4);
    let twice = [&usual[..2], &usual[..]].concat();
    let endless = usual[..usual.len() - 2].to_vec();
    for (what, file) in [("DNL", late), ("no DHT", bare), ("two SOI", twice), ("no EOI", endless)] {
        for spec in [Spec::default(), Spec { metadata: Metadata::Keep, ..Spec::default() }] {
            let result = run(&file, &spec);
            assert!(!result.warnings.contains(Warning::Passthrough), "{what}");
            assert!(result.warnings.contains(Warning::Lossless), "{what}");
            let bytes = &result.bytes;
            let frame = find(bytes, 0xC0);
            assert_eq!(bytes[frame + 5..frame + 9], [0, 64, 0, 96], "{what}");
            assert!(find(bytes, 0xC4) > 0 && bytes.ends_with(&[0xFF, 0xD9]), "{what}");
            assert_eq!(bytes[..4], [0xFF, 0xD8, 0xFF, 0xE0], "{what}");
            assert!(pixels(bytes) == pixels(&usual), "{what}");
        }
    }
}

#[test]
fn a_damaged_scan_is_treated_as_without_passthrough() {
    let usual = photo(Coding::Fixed);
    let markup = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body></body></html>";
    let at = usual.len() / 2;
    for broken in [[&usual[..at], markup, b"\xFF\xD9"].concat(), usual[..at].to_vec()] {
        let flawed = |result: &Encoded| {
            let flaws = [Warning::Truncated, Warning::Damaged];
            flaws.into_iter().filter(|flaw| result.warnings.contains(*flaw)).collect::<Vec<_>>()
        };
        let result = run(&broken, &Spec::default());
        let made = run(&broken, &Spec { passthrough: false, ..Spec::default() });
        assert!(!result.warnings.contains(Warning::Passthrough));
        assert!(!flawed(&result).is_empty() && flawed(&result) == flawed(&made));
        let strict = Spec { strict: true, ..Spec::default() };
        let error = process(&broken, &strict, &Limits::default(), &mut Scratch::new()).unwrap_err();
        assert!(matches!(error, CodecError::Damaged { .. }), "{error}");
    }
}

#[test]
fn a_progressive_result_is_progressive_though_the_source_is_smaller() {
    let mut flat = Planes::new(16, 16, Sampling::S420).unwrap();
    flat.planes_mut().iter_mut().for_each(|plane| plane.samples_mut().fill(90));
    let source = Encoder::default().encode(&flat, &EncodeOptions::default()).unwrap();
    for source in [source, photo(Coding::Optimised)] {
        let result = run(&source, &Spec { progressive: true, ..Spec::default() });
        assert!(find(&result.bytes, 0xC2) > 0);
    }
}

#[test]
fn cmyk_is_inverted_with_or_without_an_adobe_segment() {
    let components =
        (0..4).map(|i| Component { id: i + 1, h: 1, v: 1, quantisation: 0, huffman: 0 }).collect();
    let frame = FrameLayout::new(16, 8, components, ColourMark::Adobe(0)).unwrap();
    let mut inks = Coefficients::new(frame, vec![QuantTable([1; 64])]).unwrap();
    for (index, sample) in [200, 100, 50, 255].into_iter().enumerate() {
        for x in 0..2 {
            let mut block = [0; 64];
            block[0] = (sample - 128) * 8;
            inks.set(index, x, 0, &block).unwrap();
        }
    }
    let adobe = Encoder::default().encode_coefficients(&inks, &EncodeOptions::default()).unwrap();
    for file in [without(&adobe, 0xEE), adobe] {
        let shown = pixels(&file);
        let off = shown.get_pixel(5, 5).0.iter().zip([200, 100, 50]).map(|(a, b)| a.abs_diff(b)).max();
        assert!(off <= Some(1), "{:?}", shown.get_pixel(5, 5));
    }
}

#[test]
fn twelve_bits_become_eight_with_a_warning() {
    let usual = photo(Coding::Fixed);
    let mut deep = usual.clone();
    let frame = find(&deep, 0xC0);
    (deep[frame + 1], deep[frame + 4]) = (0xC1, 12);
    // Sixteen times the steps give sixteen times the amplitude, as 12 bits have.
    let at = find(&usual, 0xDB);
    let tables = usual[at + 4..at + 4 + 2 * 65].chunks(65).flat_map(|table| {
        let steps = table[1..].iter().flat_map(|&step| (u16::from(step) * 16).to_be_bytes());
        [0x10 | table[0]].into_iter().chain(steps).collect::<Vec<_>>()
    });
    let tables: Vec<u8> = tables.collect();
    let segment = [&[0xFF, 0xDB], &(tables.len() as u16 + 2).to_be_bytes()[..], &tables].concat();
    deep.splice(at..at + 4 + 2 * 65, segment);
    let result = png(&deep);
    assert!(result.warnings.contains(Warning::DepthReduced));
    let (got, expected) = (pixels(&deep), pixels(&usual));
    let off = got.iter().zip(expected.iter()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(off <= Some(2), "{off:?}");
    assert!(!run(&deep, &Spec::default()).warnings.contains(Warning::Passthrough));
    // Other depths, and 12 bits in other processes, are named.
    let frame = find(&deep, 0xC1);
    deep[frame + 4] = 10;
    let error = process(&deep, &Spec::default(), &Limits::default(), &mut Scratch::new()).unwrap_err();
    assert!(matches!(&error, CodecError::Unsupported(what) if what.contains("10 bits")), "{error}");
}

#[test]
fn lossless_files_of_three_components_are_rgb() {
    let mut file = vec![0xFF, 0xD8, 0xFF, 0xC3, 0, 17, 8, 0, 1, 0, 2, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
    // 17 codes of 5 bits: category n is code n.
    file.extend([0xFF, 0xC4, 0, 36, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(0..17);
    file.extend([0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0, 3, 0, 1, 0, 0]);
    // From 128: red +72, green 0, blue -100; then no difference to the pixel on the left.
    let bits = "00111 1001000 00000 00111 0011011 00000 00000 00000".replace(' ', "") + "1111111";
    let bytes = bits.as_bytes().chunks_exact(8);
    file.extend(bytes.map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | (bit - b'0'))));
    file.extend([0xFF, 0xD9]);
    let shown = pixels(&file);
    assert_eq!((shown.get_pixel(0, 0).0, shown.get_pixel(1, 0).0), ([200, 128, 28], [200, 128, 28]));
}

#[test]
fn the_pixel_density_goes_along_with_the_metadata() {
    let mut file = photo(Coding::Optimised);
    file[13..18].copy_from_slice(&[1, 1, 44, 1, 44]);
    let kept = run(&file, &Spec { metadata: Metadata::Keep, ..Spec::plain(48, 0) });
    assert_eq!(kept.bytes[13..18], [1, 1, 44, 1, 44]);
    let stripped = run(&file, &Spec { metadata: Metadata::Strip, ..Spec::plain(48, 0) });
    assert_eq!(stripped.bytes[13..18], [0, 0, 1, 0, 1]);
}
