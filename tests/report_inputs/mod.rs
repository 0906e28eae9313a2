//! The inputs of `reports.rs`: small files with one oddity each, built from bytes.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a part of a test")]

use super::support::picture;
use image::codecs::gif::GifEncoder;
use imgsrv::codec::{Scratch, process};
use imgsrv::limits::Limits;
use imgsrv::spec::{Options, Spec};
use std::io::{Cursor, Write};

/// A picture made by our own encoder.
fn encode(width: u32, height: u32, options: &str) -> Vec<u8> {
    let mut source = Cursor::new(Vec::new());
    picture(width, height).write_to(&mut source, image::ImageFormat::Png).unwrap();
    let spec = Options::parse(options.as_bytes(), &Spec::default()).unwrap().spec;
    process(source.get_ref(), &spec, &Limits::default(), &mut Scratch::new()).unwrap().bytes
}

/// A baseline JPEG with optimised tables.
pub fn jpeg() -> Vec<u8> {
    encode(100, 80, "format=jpeg")
}

pub fn grey_jpeg() -> Vec<u8> {
    encode(100, 80, "format=jpeg&ops=grayscale&quality=95")
}

pub fn gif() -> Vec<u8> {
    let mut file = Vec::new();
    let frame = image::DynamicImage::ImageRgb8(picture(100, 80)).to_rgba8();
    GifEncoder::new(&mut file).encode_frame(image::Frame::new(frame)).unwrap();
    file
}

/// A GIF that ends within its pixels.
pub fn truncated_gif() -> Vec<u8> {
    let file = gif();
    file[..file.len() * 2 / 3].to_vec()
}

pub fn bmp() -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture(49, 40).write_to(&mut file, image::ImageFormat::Bmp).unwrap();
    file.into_inner()
}

/// Rows of 147 bytes are padded to 148; the last padding is missing.
pub fn bmp_without_last_padding() -> Vec<u8> {
    let file = bmp();
    file[..file.len() - 1].to_vec()
}

// JPEG

/// Marker and body of each segment up to the first scan, whose body is the rest of the file.
pub fn segments(jpeg: &[u8]) -> Vec<(u8, &[u8])> {
    let (mut found, mut at) = (Vec::new(), 2);
    while let Some(&[0xFF, marker, high, low]) = jpeg.get(at..at + 4) {
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        if marker == 0xDA {
            found.push((marker, &jpeg[at + 4..]));
            break;
        }
        found.push((marker, &jpeg[at + 4..end]));
        at = end;
    }
    found
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    [&[0xFF, marker][..], &(body.len() as u16 + 2).to_be_bytes(), body].concat()
}

/// Writes a JPEG again, with each segment as `change` makes it.
fn rewrite(jpeg: &[u8], change: impl Fn(u8, &[u8]) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut file = vec![0xFF, 0xD8];
    for (marker, body) in segments(jpeg) {
        match marker {
            // The length of the scan's header stands before its body.
            0xDA => file.extend([&[0xFF, 0xDA, 0, 6 + 2 * body[0]][..], body].concat()),
            _ => file.extend(change(marker, body).unwrap_or_default()),
        }
    }
    file
}

fn with_segment(jpeg: &[u8], marker: u8, body: &[u8]) -> Vec<u8> {
    [&jpeg[..2], &segment(marker, body), &jpeg[2..]].concat()
}

pub fn jpeg_with_html() -> Vec<u8> {
    let jpeg = jpeg();
    let (_, scan) = *segments(&jpeg).last().unwrap();
    let kept = jpeg.len() - scan.len() + 1 + 2 * usize::from(scan[0]) + 3;
    let html = "<html><body><p>404 Not Found: the picture has moved.</p></body></html>\n".repeat(40);
    [&jpeg[..kept], html.as_bytes()].concat()
}

/// The frame says zero rows, and a DNL segment behind the scan says how many.
pub fn jpeg_with_dnl() -> Vec<u8> {
    let jpeg = rewrite(&jpeg(), |marker, body| {
        let mut body = body.to_vec();
        if marker == 0xC0 {
            body[1..3].copy_from_slice(&[0, 0]);
        }
        Some(segment(marker, &body))
    });
    let end = jpeg.len() - 2;
    assert_eq!(jpeg[end..], [0xFF, 0xD9]);
    [&jpeg[..end], &segment(0xDC, &[0, 80]), &[0xFF, 0xD9]].concat()
}

/// A frame of Motion JPEG: the tables of Annex K are implied.
pub fn jpeg_without_tables() -> Vec<u8> {
    let jpeg = encode(100, 80, "format=jpeg&effort=fast");
    rewrite(&jpeg, |marker, body| (marker != 0xC4).then(|| segment(marker, body)))
}

pub fn jpeg_with_profile(jpeg: &[u8], profile: &[u8]) -> Vec<u8> {
    with_segment(jpeg, 0xE2, &[b"ICC_PROFILE\0\x01\x01", profile].concat())
}

/// A grey profile of version 2 with this connection space, and a curve: a gamma, or the identity.
pub fn grey_profile(connection: [u8; 4], gamma: Option<f64>) -> Vec<u8> {
    let curve = match gamma {
        None => [b"curv", &[0; 4][..], &0_u32.to_be_bytes()].concat(),
        Some(gamma) => {
            let fixed = ((gamma * 256.0) as u16).to_be_bytes();
            [b"curv", &[0; 4][..], &1_u32.to_be_bytes(), &fixed, &[0, 0]].concat()
        }
    };
    let white =
        [b"XYZ \0\0\0\0".to_vec(), [0xF6D6_u32, 0x1_0000, 0xD32D].map(u32::to_be_bytes).concat()].concat();
    let (first, second) = (128 + 4 + 2 * 12, 128 + 4 + 2 * 12 + white.len() as u32);
    let tag =
        |name: &[u8], at: u32, len: usize| [name, &at.to_be_bytes(), &(len as u32).to_be_bytes()].concat();
    let mut header = vec![0; 128];
    header[8..12].copy_from_slice(&[2, 0x20, 0, 0]);
    header[12..16].copy_from_slice(b"mntr");
    header[16..20].copy_from_slice(b"GRAY");
    header[20..24].copy_from_slice(&connection);
    header[36..40].copy_from_slice(b"acsp");
    header[68..80].copy_from_slice(&[0xF6D6_u32, 0x1_0000, 0xD32D].map(u32::to_be_bytes).concat());
    let tags =
        [&2_u32.to_be_bytes()[..], &tag(b"wtpt", first, white.len()), &tag(b"kTRC", second, curve.len())];
    let mut profile = [header, tags.concat(), white, curve].concat();
    let len = (profile.len() as u32).to_be_bytes();
    profile[..4].copy_from_slice(&len);
    profile
}

/// Eight by eight pixels of one colour, of four components and without a marker of Adobe.
///
/// The tables have one code each: `0` is a DC difference of seven bits, and the end of a block.
pub fn cmyk_jpeg(stored: [u8; 4]) -> Vec<u8> {
    let dht = |class: u8, symbol: u8| {
        let mut counts = [0; 16];
        counts[0] = 1;
        segment(0xC4, &[&[class][..], &counts, &[symbol]].concat())
    };
    let mut bits = String::new();
    for value in stored {
        // With steps of eight a difference of DC is one of samples.
        let difference = i32::from(value) - 128;
        assert!((64..128).contains(&difference.abs()), "seven bits");
        let amplitude = if difference < 0 { difference + 127 } else { difference };
        bits += &format!("0{amplitude:07b}0");
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    let scan: Vec<u8> = bits
        .as_bytes()
        .chunks(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .flat_map(|byte| if byte == 0xFF { vec![0xFF, 0] } else { vec![byte] })
        .collect();
    let frame = [&[8, 0, 8, 0, 8, 4][..], &[1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0]].concat();
    [
        vec![0xFF, 0xD8],
        segment(0xDB, &[&[0][..], &[8; 64]].concat()),
        segment(0xC0, &frame),
        dht(0x00, 7),
        dht(0x10, 0),
        segment(0xDA, &[4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]),
        scan,
        vec![0xFF, 0xD9],
    ]
    .concat()
}

/// Extended sequential with twelve bits a sample: one grey block.
pub fn twelve_bit_jpeg() -> Vec<u8> {
    let dht = |class: u8, symbol: u8| {
        let mut counts = [0; 16];
        counts[0] = 1;
        segment(0xC4, &[&[class][..], &counts, &[symbol]].concat())
    };
    [
        vec![0xFF, 0xD8],
        segment(0xDB, &[&[0][..], &[8; 64]].concat()),
        segment(0xC1, &[12, 0, 8, 0, 8, 1, 1, 0x11, 0]),
        dht(0x00, 0),
        dht(0x10, 0),
        segment(0xDA, &[1, 1, 0, 0, 63, 0]),
        vec![0b0011_1111, 0xFF, 0xD9],
    ]
    .concat()
}

/// A picture of Ultra HDR: XMP that announces a gain map, and the map behind the picture.
pub fn ultra_hdr_jpeg() -> Vec<u8> {
    let xmp = |attributes: &str| {
        format!(
            "http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF \
             xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" \
             xmlns:hdrgm=\"http://ns.adobe.com/hdr-gain-map/1.0/\" hdrgm:Version=\"1.0\"{attributes}/></rdf:RDF></x:xmpmeta>"
        )
    };
    let map = with_segment(&grey_jpeg(), 0xE1, xmp(" hdrgm:GainMapMax=\"2.0\"").as_bytes());
    let container = xmp("").replace(
        "/></rdf:RDF>",
        &format!(
            " xmlns:Container=\"http://ns.google.com/photos/1.0/container/\" \
             xmlns:Item=\"http://ns.google.com/photos/1.0/container/item/\"><Container:Directory><rdf:Seq>\
             <rdf:li rdf:parseType=\"Resource\"><Container:Item Item:Semantic=\"Primary\" Item:Mime=\"image/jpeg\"/></rdf:li>\
             <rdf:li rdf:parseType=\"Resource\"><Container:Item Item:Semantic=\"GainMap\" Item:Mime=\"image/jpeg\" \
             Item:Length=\"{}\"/></rdf:li></rdf:Seq></Container:Directory></rdf:Description></rdf:RDF>",
            map.len()
        ),
    );
    let primary = with_segment(&encode(300, 200, "format=jpeg"), 0xE1, container.as_bytes());
    [primary, map].concat()
}

/// Orientation 6 as two values of type LONG, where the standard has one SHORT.
pub fn jpeg_with_long_orientation() -> Vec<u8> {
    // A directory at 8 with one entry: tag 0x0112, type 4, two values at 26.
    let entry = [&[0x01, 0x12, 0, 4][..], &2_u32.to_be_bytes(), &26_u32.to_be_bytes()].concat();
    let values = [6_u32.to_be_bytes(), 0_u32.to_be_bytes()].concat();
    let tiff = [&b"MM\0*\0\0\0\x08\0\x01"[..], &entry, &[0; 4], &values].concat();
    with_segment(&jpeg(), 0xE1, &[b"Exif\0\0", &tiff[..]].concat())
}

pub fn jpeg_of_300_dpi() -> Vec<u8> {
    let plain = rewrite(&encode(300, 200, "format=jpeg"), |marker, body| {
        (marker != 0xE0).then(|| segment(marker, body))
    });
    with_segment(&plain, 0xE0, b"JFIF\0\x01\x01\x01\x01\x2C\x01\x2C\0\0")
}

// PNG

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(body);
    [&(body.len() as u32).to_be_bytes()[..], name, body, &crc.sum().to_be_bytes()].concat()
}

fn ihdr(width: u32, height: u32, colour: u8) -> Vec<u8> {
    chunk(b"IHDR", &[&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, colour, 0, 0, 0]].concat())
}

const PNG: &[u8] = b"\x89PNG\r\n\x1A\n";

/// Chunks that are sound by their checksums, with noise where deflate should be.
pub fn png_with_garbage() -> Vec<u8> {
    let noise: Vec<u8> = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    [PNG, &ihdr(100, 75, 2), &chunk(b"IDAT", &noise), &chunk(b"IEND", b"")].concat()
}

/// Xcode's PNG: a chunk before the header, blue before red, deflate without its envelope.
pub fn cgbi_png() -> Vec<u8> {
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    for _ in 0..20 {
        deflate.write_all(&[0]).unwrap();
        deflate.write_all(&[10, 20, 200, 255].repeat(30)).unwrap();
    }
    let data = deflate.finish().unwrap();
    let first = chunk(b"CgBI", &[0x50, 0, 0x20, 2]);
    [PNG, &first, &ihdr(30, 20, 6), &chunk(b"IDAT", &data), &chunk(b"IEND", b"")].concat()
}

/// A black disc whose alpha falls from the middle outwards.
pub fn shadow_png() -> Vec<u8> {
    let shadow = image::RgbaImage::from_fn(64, 64, |x, y| {
        let away = (f64::from(x) - 31.5).hypot(f64::from(y) - 31.5) / 32.0;
        image::Rgba([0, 0, 0, (255.0 * (1.0 - away).clamp(0.0, 1.0)) as u8])
    });
    let mut file = Cursor::new(Vec::new());
    shadow.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

// Others

/// A frame of 20x20 on a screen of 0x0.
pub fn gif_with_empty_screen() -> Vec<u8> {
    let mut file = Vec::new();
    let frame = image::DynamicImage::ImageRgb8(picture(20, 20)).to_rgba8();
    GifEncoder::new(&mut file).encode_frame(image::Frame::new(frame)).unwrap();
    file[6..10].fill(0);
    file
}

/// An animation of 60x40 whose first frame is 20x10 in the middle.
pub fn webp_with_offset_frame() -> Vec<u8> {
    let still = encode(20, 10, "format=webp&lossless=true");
    let data = &still[12..]; // behind RIFF, length and WEBP: the chunk VP8L
    let riff = |name: &[u8; 4], body: &[u8]| {
        let pad = vec![0; body.len() % 2];
        [name, &(body.len() as u32).to_le_bytes()[..], body, &pad].concat()
    };
    let three = |n: u32| n.to_le_bytes()[..3].to_vec();
    let extended = [&[0b0001_0010, 0, 0, 0][..], &three(59), &three(39)].concat();
    let place = [three(20 / 2), three(15 / 2), three(19), three(9), three(100)].concat();
    let frame = [&place[..], &[0], data].concat();
    let body =
        [&b"WEBP"[..], &riff(b"VP8X", &extended), &riff(b"ANIM", &[0; 6]), &riff(b"ANMF", &frame)].concat();
    riff(b"RIFF", &body)
}

/// ImageJ's floats: one strip of 32-bit samples from 0 to 255.
pub fn float_tiff() -> Vec<u8> {
    let (width, height) = (64_u32, 40_u32);
    let samples: Vec<u8> =
        (0..width * height).flat_map(|n| ((n % width) as f32 * 255.0 / 63.0).to_le_bytes()).collect();
    let long = |tag: u16, value: u32| {
        [&tag.to_le_bytes()[..], &4_u16.to_le_bytes(), &1_u32.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let entries = [
        long(256, width),
        long(257, height),
        long(258, 32),
        long(259, 1),
        long(262, 1),
        long(273, 8 + 2 + 10 * 12 + 4),
        long(277, 1),
        long(278, height),
        long(279, samples.len() as u32),
        long(339, 3),
    ];
    [&b"II*\0\x08\0\0\0"[..], &10_u16.to_le_bytes(), &entries.concat(), &[0; 4], &samples].concat()
}

/// A form with these fields: name, file name, value. Fields without a file name are text.
pub fn form(fields: &[(&str, &[u8], &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, value) in fields {
        body.extend(format!("--XXBOUNDXX\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes());
        if !file.is_empty() {
            body.extend([b"; filename=\"", *file, b"\"\r\nContent-Type: image/png"].concat());
        }
        body.extend([b"\r\n\r\n", *value, b"\r\n"].concat());
    }
    body.extend(b"--XXBOUNDXX--\r\n");
    body
}
