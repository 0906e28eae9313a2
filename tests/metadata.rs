//! What a camera writes into a file, and how much of it leaves: every class, from and to every format that carries it.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use flate2::Crc;
use image::ImageFormat;
use imgsrv::codec::{Encoded, Scratch, Warning, inspect, process};
use imgsrv::limits::Limits;
use imgsrv::spec::{Options, Spec};
use std::io::Cursor;

/// What locates or identifies: none of it may leave with `copyright`.
const EXIF_SECRETS: [&str; 10] = [
    "SECRET-make",
    "SECRET-model",
    "SECRET-body-serial",
    "SECRET-lens-serial",
    "SECRET-owner",
    "SECRET-maker-note",
    "SECRET-unique-id",
    "SECRET-gps-method",
    "LATI", // numerators of a latitude
    "SECRET-thumbnail",
];
const XMP_SECRET: &str = "SECRET-xmp-48.8584N";
const IPTC_SECRET: &str = "SECRET-iptc-city";
const COMMENT_SECRET: &str = "SECRET-comment";
const ARTIST: &str = "Ada Photographer";
const COPYRIGHT: &str = "(c) Example Agency";

/// A directory under construction, little-endian: fields, and what stands behind them.
struct Directory {
    at: usize,
    fields: Vec<(u16, u16, u32, Vec<u8>)>,
}

impl Directory {
    fn new(at: usize) -> Directory {
        Directory { at, fields: Vec::new() }
    }

    fn text(&mut self, tag: u16, text: &str) {
        self.fields.push((tag, 2, text.len() as u32 + 1, [text.as_bytes(), b"\0"].concat()));
    }

    fn bytes(&mut self, tag: u16, bytes: &[u8]) {
        self.fields.push((tag, 7, bytes.len() as u32, bytes.to_vec()));
    }

    fn short(&mut self, tag: u16, value: u16) {
        self.fields.push((tag, 3, 1, value.to_le_bytes().to_vec()));
    }

    fn long(&mut self, tag: u16, value: usize) {
        self.fields.push((tag, 4, 1, (value as u32).to_le_bytes().to_vec()));
    }

    /// The bytes of the directory, which points to `next`.
    fn finish(mut self, next: usize) -> Vec<u8> {
        self.fields.sort_by_key(|field| field.0);
        let mut heap_at = self.at + 2 + 12 * self.fields.len() + 4;
        let mut heap = Vec::new();
        let mut out = (self.fields.len() as u16).to_le_bytes().to_vec();
        for (tag, kind, count, value) in self.fields {
            out.extend(tag.to_le_bytes());
            out.extend(kind.to_le_bytes());
            out.extend(count.to_le_bytes());
            if value.len() <= 4 {
                out.extend(value.iter().chain(&[0; 4]).take(4));
            } else {
                out.extend((heap_at as u32).to_le_bytes());
                heap_at += value.len();
                heap.extend(value);
            }
        }
        out.extend((next as u32).to_le_bytes());
        out.extend(heap);
        out
    }
}

/// A camera's block with everything in it; `image` adds the tags of a picture, which makes it a TIFF file.
fn camera(orientation: u16, image: impl Fn(&mut Directory)) -> Vec<u8> {
    const EXIF: usize = 4000;
    const GPS: usize = 6000;
    const THUMBNAIL: usize = 7000;
    let mut main = Directory::new(8);
    main.text(0x010F, "SECRET-make");
    main.text(0x0110, "SECRET-model");
    main.short(0x0112, orientation);
    main.text(0x013B, ARTIST);
    main.text(0x8298, COPYRIGHT);
    main.long(0x8769, EXIF);
    main.long(0x8825, GPS);
    image(&mut main);
    let mut exif = Directory::new(EXIF);
    exif.bytes(0x927C, b"SECRET-maker-note");
    exif.text(0xA420, "SECRET-unique-id");
    exif.text(0xA430, "SECRET-owner");
    exif.text(0xA431, "SECRET-body-serial");
    exif.text(0xA435, "SECRET-lens-serial");
    let mut gps = Directory::new(GPS);
    gps.text(0x0001, "N");
    gps.fields.push((0x0002, 5, 3, b"LATI\x01\0\0\0LATI\x01\0\0\0LATI\x01\0\0\0".to_vec()));
    gps.bytes(0x001B, b"SECRET-gps-method");
    let mut thumbnail = Directory::new(THUMBNAIL);
    thumbnail.short(0x0103, 6);
    thumbnail.long(0x0201, THUMBNAIL + 200);
    thumbnail.long(0x0202, 16);

    let mut block = b"II*\0\x08\0\0\0".to_vec();
    for (at, part) in [
        (8, main.finish(THUMBNAIL)),
        (EXIF, exif.finish(0)),
        (GPS, gps.finish(0)),
        (THUMBNAIL, thumbnail.finish(0)),
        (THUMBNAIL + 200, b"SECRET-thumbnail".to_vec()),
    ] {
        assert!(block.len() <= at);
        block.resize(at, 0);
        block.extend(part);
    }
    block
}

fn xmp(orientation: u16) -> Vec<u8> {
    format!(
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:Description tiff:Orientation=\"{orientation}\" \
         exif:GPSLatitude=\"{XMP_SECRET}\"/></x:xmpmeta>"
    )
    .into_bytes()
}

fn iptc() -> Vec<u8> {
    let dataset = [&[0x1C, 2, 90, 0, IPTC_SECRET.len() as u8], IPTC_SECRET.as_bytes()].concat();
    [b"8BIM\x04\x04\0\0\0\0\0", &[dataset.len() as u8][..], &dataset].concat()
}

fn picture(format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    support::picture(24, 16).write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    [&[0xFF, marker][..], &(body.len() as u16 + 2).to_be_bytes(), body].concat()
}

fn plain_jpeg() -> Vec<u8> {
    result(&picture(ImageFormat::Png), "quality=90").bytes
}

fn jpeg(orientation: u16) -> Vec<u8> {
    let mut file = plain_jpeg();
    let segments = [
        segment(0xE1, &[b"Exif\0\0", &camera(orientation, |_| ())[..]].concat()),
        segment(0xE1, &[b"http://ns.adobe.com/xap/1.0/\0", &xmp(orientation)[..]].concat()),
        segment(0xED, &[b"Photoshop 3.0\0", &iptc()[..]].concat()),
        segment(0xFE, COMMENT_SECRET.as_bytes()),
    ];
    file.splice(2..2, segments.concat());
    file
}

fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat()
}

/// Where a PNG file's IEND chunk begins.
fn png_end(file: &[u8]) -> usize {
    file.len() - 12
}

fn png(orientation: u16) -> Vec<u8> {
    let mut file = picture(ImageFormat::Png);
    let after_header = 8 + 25;
    let chunks = [
        png_chunk(b"eXIf", &camera(orientation, |_| ())),
        png_chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", &xmp(orientation)[..]].concat()),
        png_chunk(b"tEXt", format!("Comment\0{COMMENT_SECRET}").as_bytes()),
    ];
    file.splice(after_header..after_header, chunks.concat());
    file
}

fn riff_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    [&kind[..], &(data.len() as u32).to_le_bytes(), data, &[0][..data.len() % 2]].concat()
}

fn webp_of(chunks: &[Vec<u8>]) -> Vec<u8> {
    let bare = picture(ImageFormat::WebP);
    let flag =
        |kind: &[u8], bit: u8| if chunks.iter().any(|chunk| chunk.starts_with(kind)) { bit } else { 0 };
    let flags = flag(b"EXIF", 8) | flag(b"XMP ", 4);
    let header = riff_chunk(b"VP8X", &[flags, 0, 0, 0, 23, 0, 0, 15, 0, 0]);
    let body = [b"WEBP", &header[..], &bare[12..], &chunks.concat()].concat();
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

fn webp(orientation: u16) -> Vec<u8> {
    webp_of(&[
        riff_chunk(b"EXIF", &camera(orientation, |_| ())),
        riff_chunk(b"XMP ", &xmp(orientation)),
        riff_chunk(b"note", COMMENT_SECRET.as_bytes()),
    ])
}

fn tiff(orientation: u16) -> Vec<u8> {
    let pixels = support::picture(24, 16).into_raw();
    let mut file = camera(orientation, |main| {
        main.short(256, 24);
        main.short(257, 16);
        main.fields.push((258, 3, 3, [8, 0, 8, 0, 8, 0].to_vec()));
        main.short(259, 1);
        main.short(262, 2);
        main.long(273, 8000);
        main.short(277, 3);
        main.short(278, 16);
        main.long(279, pixels.len());
        main.bytes(700, &xmp(orientation));
        main.bytes(34377, &iptc());
        main.text(65000, COMMENT_SECRET);
    });
    file.resize(8000, 0);
    file.extend(pixels);
    file
}

type Source = fn(u16) -> Vec<u8>;
const SOURCES: [(&str, Source); 4] = [("jpeg", jpeg), ("png", png), ("webp", webp), ("tiff", tiff)];
const CARRIERS: [&str; 4] = ["jpeg", "png", "webp", "tiff"];
const ALL: [&str; 7] = ["jpeg", "png", "webp", "tiff", "gif", "bmp", "qoi"];

fn result(input: &[u8], options: &str) -> Encoded {
    let spec = Options::parse(options.as_bytes(), &Spec::default()).unwrap().spec;
    process(input, &spec, &Limits::default(), &mut Scratch::new()).unwrap()
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn secrets() -> impl Iterator<Item = &'static str> {
    EXIF_SECRETS.into_iter().chain([XMP_SECRET, IPTC_SECRET, COMMENT_SECRET])
}

#[test]
fn the_files_of_this_test_hold_what_they_are_searched_for() {
    for (name, source) in SOURCES {
        let file = source(6);
        let missing: Vec<_> = secrets().filter(|secret| !has(&file, secret)).collect();
        let expected: &[&str] = if matches!(name, "png" | "webp") { &[IPTC_SECRET] } else { &[] };
        assert_eq!(missing, expected, "{name}");
        assert!(has(&file, ARTIST) && has(&file, COPYRIGHT));
    }
}

#[test]
fn with_copyright_the_owner_leaves_and_nothing_that_locates_or_identifies() {
    for (name, source) in SOURCES {
        for (orientation, size) in [(6, ""), (1, ""), (1, "width=12&")] {
            for format in ALL {
                let bytes = result(&source(orientation), &format!("{size}format={format}")).bytes;
                let leaked: Vec<_> = secrets().filter(|secret| has(&bytes, secret)).collect();
                assert_eq!(leaked, [""; 0], "{name} to {format}, {size}orientation {orientation}");
                if CARRIERS.contains(&format) {
                    assert!(has(&bytes, ARTIST) && has(&bytes, COPYRIGHT), "{name} to {format}");
                    let facts = inspect(&bytes, &Limits::default()).unwrap();
                    assert!(facts.metadata.ownership && !facts.metadata.gps, "{name} to {format}");
                }
            }
        }
    }
}

#[test]
fn with_strip_nothing_leaves() {
    for (name, source) in SOURCES {
        for format in ALL {
            let bytes = result(&source(1), &format!("metadata=strip&format={format}")).bytes;
            let leaked: Vec<_> =
                secrets().chain([ARTIST, COPYRIGHT]).filter(|text| has(&bytes, text)).collect();
            assert_eq!(leaked, [""; 0], "{name} to {format}");
        }
    }
}

#[test]
fn with_keep_everything_that_the_format_can_say_stays_and_the_picture_is_turned_once() {
    for (name, source) in SOURCES {
        for format in CARRIERS {
            let result = result(&source(6), &format!("metadata=keep&format={format}"));
            assert_eq!((result.width, result.height), (16, 24), "{name} to {format}");
            // Thumbnails of TIFF files are pictures of their own.
            let tiff = name == "tiff" || format == "tiff";
            let exif = EXIF_SECRETS.into_iter().filter(|secret| !(tiff && *secret == "SECRET-thumbnail"));
            let iptc =
                (matches!(name, "jpeg" | "tiff") && matches!(format, "jpeg" | "tiff")).then_some(IPTC_SECRET);
            let wanted = exif.chain([XMP_SECRET, ARTIST, COPYRIGHT]).chain(iptc);
            let lost: Vec<_> = wanted.filter(|text| !has(&result.bytes, text)).collect();
            assert_eq!(lost, [""; 0], "{name} to {format}");
            let facts = inspect(&result.bytes, &Limits::default()).unwrap();
            assert_eq!((facts.orientation, facts.metadata.gps), (1, true), "{name} to {format}");
            assert!(has(&result.bytes, "tiff:Orientation=\"1\""), "{name} to {format}");
        }
    }
}

#[test]
fn a_stored_orientation_turns_the_picture_with_every_class() {
    for (name, source) in SOURCES {
        for class in ["strip", "copyright", "keep"] {
            for format in CARRIERS {
                let turned = result(&source(6), &format!("metadata={class}&format={format}")).bytes;
                let again = result(&turned, "format=png&passthrough=false");
                assert_eq!((again.width, again.height), (16, 24), "{name} to {format}, {class}");
            }
        }
    }
}

/// Places where notes hide in a file of which everything else could stay as it is.
#[test]
fn a_file_with_a_hidden_note_is_never_passed_through() {
    let secret = COMMENT_SECRET.as_bytes();
    let thumbnail = segment(0xE0, &[b"JFXX\0\x10", secret].concat());
    let camera_block = segment(0xE1, &[b"Exif\0\0", &camera(1, |_| ())[..]].concat());
    let pictures = segment(0xE2, &[b"MPF\0", secret].concat());
    let profile = segment(0xE2, &[b"ICC_PROFILE\0\x01\x02", secret].concat());
    let insert = |mut file: Vec<u8>, at: usize, part: &[u8]| {
        file.splice(at..at, part.iter().copied());
        file
    };
    let bare_jpeg = plain_jpeg();
    let bare_png = picture(ImageFormat::Png);
    let bare_qoi = picture(ImageFormat::Qoi);
    let bare_bmp = picture(ImageFormat::Bmp);
    let bare_gif = result(&bare_png, "format=gif").bytes;
    let jpeg_end = bare_jpeg.len();
    let files = [
        ("a JPEG thumbnail", insert(bare_jpeg.clone(), 20, &thumbnail)),
        ("further pictures", insert(bare_jpeg.clone(), 20, &pictures)),
        ("half a profile", insert(bare_jpeg.clone(), 20, &profile)),
        (
            "a second camera block",
            insert(insert(bare_jpeg.clone(), 20, &camera_block), 20, &ownership_only()),
        ),
        ("a comment behind the scan", insert(bare_jpeg.clone(), jpeg_end - 2, &segment(0xFE, secret))),
        ("bytes behind a JPEG", insert(bare_jpeg.clone(), jpeg_end, secret)),
        ("a PNG text", insert(bare_png.clone(), 33, &png_chunk(b"tEXt", secret))),
        ("a camera block behind the pixels", {
            insert(bare_png.clone(), png_end(&bare_png), &png_chunk(b"eXIf", &camera(1, |_| ())))
        }),
        ("a PNG text behind the pixels", {
            insert(bare_png.clone(), png_end(&bare_png), &png_chunk(b"zTXt", secret))
        }),
        ("bytes behind a PNG", insert(bare_png.clone(), bare_png.len(), secret)),
        ("a WebP chunk", webp_of(&[riff_chunk(b"note", secret)])),
        ("a GIF comment behind the picture", {
            let comment = [b"\x21\xFE", &[secret.len() as u8][..], secret, b"\0"].concat();
            insert(bare_gif.clone(), bare_gif.len() - 1, &comment)
        }),
        ("bytes behind a GIF", insert(bare_gif.clone(), bare_gif.len(), secret)),
        ("bytes behind a BMP", insert(bare_bmp.clone(), bare_bmp.len(), secret)),
        ("bytes behind a QOI", insert(bare_qoi.clone(), bare_qoi.len(), secret)),
    ];
    for (what, file) in files {
        for class in ["copyright", "strip"] {
            let result =
                result(&file, &format!("format=source&lossless={}&metadata={class}", what == "a WebP chunk"));
            assert!(!result.warnings.contains(Warning::Passthrough), "{what}, {class}");
            let leaked: Vec<_> = secrets().filter(|secret| has(&result.bytes, secret)).collect();
            assert_eq!(leaked, [""; 0], "{what}, {class}");
        }
    }
}

#[test]
fn a_file_without_a_note_is_passed_through_when_nothing_would_be_gained() {
    let png = picture(ImageFormat::Png);
    for (format, options) in [
        ("jpeg", "quality=100"),
        ("png", ""),
        ("gif", ""),
        ("bmp", ""),
        ("qoi", ""),
        ("webp", "lossless=true"),
    ] {
        let file = result(&png, &format!("passthrough=false&format={format}&{options}")).bytes;
        let again = result(&file, &format!("format=source&{options}"));
        assert!(again.warnings.contains(Warning::Passthrough), "{format}");
        assert_eq!(again.bytes, file, "{format}");
    }
}

/// An EXIF segment that may stay.
fn ownership_only() -> Vec<u8> {
    let mut main = Directory::new(8);
    main.text(0x013B, ARTIST);
    segment(0xE1, &[b"Exif\0\0II*\0\x08\0\0\0", &main.finish(0)[..]].concat())
}
