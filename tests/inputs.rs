//! Kinds of files within a format: every type of PNG, transparency, first frames of animations, unsound files.
#![allow(missing_docs, clippy::unwrap_used)]

use imgsrv::codec::{Encoded, Scratch, Warning, process};
use imgsrv::limits::Limits;
use imgsrv::spec::{Options, Spec};
use png::{BitDepth, ColorType};

const RED: [u8; 4] = [255, 0, 0, 255];
const BLUE: [u8; 4] = [0, 0, 255, 255];

fn result(input: &[u8], options: &str) -> Encoded {
    let spec = Options::parse(options.as_bytes(), &Spec::default()).unwrap().spec;
    process(input, &spec, &Limits::default(), &mut Scratch::new()).unwrap()
}

fn pixels(input: &[u8]) -> image::RgbaImage {
    image::load_from_memory(&result(input, "format=png&passthrough=false").bytes).unwrap().to_rgba8()
}

/// A PNG of 8 by 8 pixels.
fn png(colour: ColorType, depth: BitDepth, data: &[u8], transparent: Option<&[u8]>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 8, 8);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == ColorType::Indexed {
        encoder.set_palette([[255, 0, 0], [0, 0, 255]].as_flattened());
    }
    if let Some(transparent) = transparent {
        encoder.set_trns(transparent.to_vec());
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    drop(writer);
    file
}

#[test]
fn png_of_every_colour_type_and_depth_is_read() {
    use BitDepth::{Eight, Four, One, Sixteen, Two};
    for (colour, depths, samples) in [
        (ColorType::Grayscale, &[One, Two, Four, Eight, Sixteen][..], 1),
        (ColorType::Rgb, &[Eight, Sixteen], 3),
        (ColorType::Indexed, &[One, Two, Four, Eight], 1),
        (ColorType::GrayscaleAlpha, &[Eight, Sixteen], 2),
        (ColorType::Rgba, &[Eight, Sixteen], 4),
    ] {
        for depth in depths {
            let bytes = 8 * samples * *depth as usize; // eight rows of eight pixels
            // The largest value of everything; of a palette the second colour.
            let fill = match (colour, depth) {
                (ColorType::Indexed, One) => 0xFF,
                (ColorType::Indexed, Two) => 0x55,
                (ColorType::Indexed, Four) => 0x11,
                (ColorType::Indexed, _) => 0x01,
                _ => 0xFF,
            };
            let file = png(colour, *depth, &vec![fill; bytes], None);
            let want = if colour == ColorType::Indexed { BLUE } else { [255; 4] };
            assert!(pixels(&file).pixels().all(|pixel| pixel.0 == want), "{colour:?} {depth:?}");
            let reduced =
                result(&file, "format=png&passthrough=false").warnings.contains(Warning::DepthReduced);
            assert_eq!(reduced, *depth == Sixteen, "{colour:?} {depth:?}");
        }
    }
}

#[test]
fn a_colour_or_palette_entry_that_png_calls_transparent_is() {
    let alpha = |file: &[u8]| pixels(file).get_pixel(0, 0)[3];
    assert_eq!(alpha(&png(ColorType::Grayscale, BitDepth::Eight, &[7; 64], Some(&[0, 7]))), 0);
    assert_eq!(alpha(&png(ColorType::Grayscale, BitDepth::Eight, &[8; 64], Some(&[0, 7]))), 255);
    assert_eq!(alpha(&png(ColorType::Rgb, BitDepth::Eight, &[9; 192], Some(&[0, 9, 0, 9, 0, 9]))), 0);
    assert_eq!(alpha(&png(ColorType::Rgb, BitDepth::Sixteen, &[9; 384], Some(&[9, 9, 9, 9, 9, 9]))), 0);
    assert_eq!(alpha(&png(ColorType::Indexed, BitDepth::Eight, &[1; 64], Some(&[255, 128]))), 128);
}

#[test]
fn an_interlaced_png_is_read_as_its_plain_twin() {
    for (colour, samples) in
        [(ColorType::Grayscale, 1), (ColorType::Rgb, 3), (ColorType::GrayscaleAlpha, 2), (ColorType::Rgba, 4)]
    {
        let data: Vec<u8> = (0..64 * samples).map(|i| (i * 37) as u8).collect();
        let plain = png(colour, BitDepth::Eight, &data, None);
        let interlaced = result(&plain, "format=png&progressive=true&passthrough=false").bytes;
        assert_eq!(interlaced[28], 1, "the interlace method of IHDR");
        assert_eq!(pixels(&interlaced), pixels(&plain), "{colour:?}");
    }
}

fn animated_gif() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = gif::Encoder::new(&mut file, 8, 8, &[]).unwrap();
    for colour in [RED, BLUE] {
        encoder.write_frame(&gif::Frame::from_rgba(8, 8, &mut colour.repeat(64))).unwrap();
    }
    drop(encoder);
    file
}

fn animated_png() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 8, 8);
    encoder.set_color(ColorType::Rgba);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    for colour in [RED, BLUE] {
        writer.write_image_data(&colour.repeat(64)).unwrap();
    }
    writer.finish().unwrap();
    file
}

fn riff_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    [&kind[..], &(data.len() as u32).to_le_bytes(), data, &[0][..data.len() % 2]].concat()
}

fn animated_webp() -> Vec<u8> {
    let frames = [RED, BLUE].map(|colour| {
        let mut still = Vec::new();
        let encoder = image_webp::WebPEncoder::new(&mut still);
        encoder.encode(&colour.repeat(64), 8, 8, image_webp::ColorType::Rgba8).unwrap();
        // Place, size, 100 ms, no blending, and the picture's own chunk.
        let header = [0, 0, 0, 0, 0, 0, 7, 0, 0, 7, 0, 0, 100, 0, 0, 2];
        riff_chunk(b"ANMF", &[&header, &still[12..]].concat())
    });
    let header = riff_chunk(b"VP8X", &[0x12, 0, 0, 0, 7, 0, 0, 7, 0, 0]);
    let loops = riff_chunk(b"ANIM", &[0; 6]);
    let body = [b"WEBP".to_vec(), header, loops, frames.concat()].concat();
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

#[test]
fn of_an_animation_a_still_format_takes_the_first_frame_and_warns_of_the_rest() {
    for (name, file) in [("gif", animated_gif()), ("png", animated_png()), ("webp", animated_webp())] {
        for options in ["format=jpeg", "format=bmp", "format=jpeg&max_bytes=9k"] {
            let result = result(&file, options);
            assert!(result.warnings.contains(Warning::FramesDropped), "{name}, {options}");
        }
        for options in ["format=png&width=4", "format=gif&passthrough=false", "format=jpeg&frames=first"] {
            let result = result(&file, options);
            assert!(!result.warnings.contains(Warning::FramesDropped), "{name}, {options}");
        }
        let first = pixels(&file);
        assert!(first.pixels().all(|pixel| pixel.0 == RED), "{name}: {:?}", first.get_pixel(0, 0));
        let untouched = result(&file, "format=source");
        assert!(!untouched.warnings.contains(Warning::FramesDropped), "{name}: all frames are still there");
        assert_eq!(untouched.bytes, file, "{name}");
    }
}

#[test]
fn transparency_stays_in_formats_that_have_it_and_stands_on_the_background_in_others() {
    let glass = png(ColorType::Rgba, BitDepth::Eight, &[10, 20, 30, 0].repeat(64), None);
    for format in ["png", "webp", "gif", "tiff", "qoi", "bmp"] {
        let lossless = format == "webp";
        let file = result(&glass, &format!("format={format}&lossless={lossless}&passthrough=false")).bytes;
        assert_eq!(pixels(&file).get_pixel(3, 3)[3], 0, "{format}");
    }
    let jpeg = result(&glass, "format=jpeg&background=%23ff0000&quality=100").bytes;
    let [r, g, b, a] = pixels(&jpeg).get_pixel(3, 3).0;
    assert!(r > 250 && g < 5 && b < 5 && a == 255, "{r} {g} {b} {a}");
}

fn truncated_in_the_middle(file: &[u8]) -> Vec<u8> {
    file[..file.len() / 2].to_vec()
}

/// Garbage in the middle, everything else as it was.
fn garbled(file: &[u8]) -> Vec<u8> {
    let mut garbled = file.to_vec();
    let middle = file.len() / 2;
    garbled[middle..middle + 8].iter_mut().for_each(|byte| *byte ^= 0xA5);
    garbled
}

#[test]
fn what_needs_nothing_done_is_walked_to_its_end_before_it_is_handed_back() {
    let noise: Vec<u8> =
        (0..64u32 * 4).map(|i| (i.wrapping_mul(i).wrapping_mul(2_654_435) >> 7) as u8 | 128).collect();
    let source = png(ColorType::Rgba, BitDepth::Eight, &noise, None);
    for (format, options) in [
        ("png", ""),
        ("png", "&progressive=true"),
        ("gif", ""),
        ("webp", "&lossless=true"),
        ("webp", ""),
        ("bmp", ""),
        ("qoi", ""),
        ("tiff", ""),
    ] {
        let name = format!("{format}{options}");
        let sound = result(&source, &format!("format={format}{options}")).bytes;
        let nothing = format!("format=source&metadata=keep{options}");
        assert!(result(&sound, &nothing).warnings.contains(Warning::Passthrough), "{name}");
        let cut = truncated_in_the_middle(&sound);
        let mut unsound = vec![cut.clone()];
        // The others have no checksum, and take most bytes as pixels.
        if format == "png" {
            unsound.push(garbled(&sound));
        }
        for file in unsound {
            let asked = |options: &str| {
                let spec = Options::parse(options.as_bytes(), &Spec::default()).unwrap().spec;
                process(&file, &spec, &Limits::default(), &mut Scratch::new())
            };
            match (asked(&nothing), asked(&format!("{nothing}&passthrough=false"))) {
                (Ok(walked), Ok(made)) => {
                    assert_eq!((walked.bytes, walked.warnings), (made.bytes, made.warnings), "{name}");
                    assert!(made.warnings.contains(Warning::Truncated) || file != cut, "{name}");
                }
                (Err(walked), Err(made)) => {
                    assert_eq!(walked.to_string(), made.to_string(), "{name}");
                    assert!(!made.to_string().contains("whole buffer"), "{made}");
                }
                (walked, made) => panic!("{name}: {walked:?}, {made:?}"),
            }
        }
    }
}

#[test]
fn an_explicit_wish_is_obeyed_even_where_the_result_grows() {
    let flat = png(ColorType::Rgb, BitDepth::Eight, &[7; 192], None);
    let interlaced = result(&flat, "format=png&progressive=true");
    assert_eq!(interlaced.bytes[28], 1, "the interlace method of IHDR");
    let again = result(&interlaced.bytes, "format=png&progressive=true");
    assert!(again.warnings.contains(Warning::Passthrough), "it has what was asked for");
    let jpeg = result(&flat, "format=jpeg&subsampling=420").bytes;
    let full = result(&jpeg, "subsampling=444").bytes;
    let frame = full.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    assert_eq!(full[frame + 11], 0x11, "the sampling factors of luma");
    if cfg!(feature = "webp") {
        let lossy = result(&flat, "format=webp").bytes;
        let lossless = result(&lossy, "format=webp&lossless=true").bytes;
        assert!(lossless.windows(4).any(|kind| kind == b"VP8L"));
    }
}

/// A chunk of a PNG.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(data);
    [&(data.len() as u32).to_be_bytes(), &kind[..], data, &crc.sum().to_be_bytes()].concat()
}

#[test]
fn apples_variant_of_png_is_read_and_handed_on_as_a_usual_one() {
    use std::io::Write;
    // Two pixels, blue before red, multiplied by their alpha.
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    deflate.write_all(&[0, 30, 20, 10, 255, 40, 20, 10, 128]).unwrap();
    let packed = deflate.finish().unwrap();
    let header = [0, 0, 0, 2, 0, 0, 0, 1, 8, 6, 0, 0, 0];
    let file = [
        b"\x89PNG\r\n\x1A\n".to_vec(),
        chunk(b"CgBI", &[0x50, 0, 0x20, 2]),
        chunk(b"IHDR", &header),
        chunk(b"IDAT", &packed),
        chunk(b"IEND", &[]),
    ]
    .concat();
    for options in ["format=png", "format=png&passthrough=false", "format=source"] {
        let done = result(&file, options);
        assert_eq!(&done.bytes[12..16], b"IHDR", "{options}");
        let picture = image::load_from_memory(&done.bytes).unwrap().to_rgba8();
        assert_eq!(picture.into_raw(), [10, 20, 30, 255, 20, 40, 80, 128], "{options}");
    }
}

#[test]
fn a_shadow_in_a_gif_is_clear_below_half_and_stands_on_the_background_above() {
    let shadow: Vec<u8> = (0..64u32).flat_map(|i| [0, 0, 0, (i * 4) as u8]).collect();
    let source = png(ColorType::Rgba, BitDepth::Eight, &shadow, None);
    for (background, under) in [("ffffff", 255), ("000000", 0)] {
        let gif = result(&source, &format!("format=gif&background=%23{background}")).bytes;
        for (i, pixel) in pixels(&gif).pixels().enumerate() {
            let alpha = i * 4;
            if alpha < 128 {
                assert_eq!(pixel[3], 0, "{alpha}");
            } else {
                let wanted = (under * (255 - alpha) + 127) / 255;
                assert_eq!(*pixel, image::Rgba([wanted as u8, wanted as u8, wanted as u8, 255]), "{alpha}");
            }
        }
    }
}

#[test]
fn a_photo_as_gif_is_dithered_unless_it_should_not_be() {
    let picture =
        image::RgbImage::from_fn(96, 96, |x, y| image::Rgb([(x * 2) as u8, (y * 2) as u8, (x + y) as u8]));
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Png).unwrap();
    let file = file.into_inner();
    let rows_differ = |options: &str| {
        let shown = pixels(&result(&file, options).bytes);
        (0..95).filter(|x| shown.get_pixel(*x, 40) != shown.get_pixel(x + 1, 40)).count()
    };
    assert!(rows_differ("format=gif") > rows_differ("format=gif&dither=false"));
    assert_eq!(rows_differ("format=gif"), rows_differ("format=gif&dither=true"));
}
