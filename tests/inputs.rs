//! Kinds of files within a format: every type of PNG, transparency, and of an animation the first frame, said aloud.
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
fn of_an_animation_the_first_frame_is_taken_and_the_rest_is_warned_of() {
    for (name, file) in [("gif", animated_gif()), ("png", animated_png()), ("webp", animated_webp())] {
        for options in ["format=png&width=4", "format=png&passthrough=false", "format=jpeg"] {
            let result = result(&file, options);
            assert!(result.warnings.contains(Warning::FramesDropped), "{name}, {options}");
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
