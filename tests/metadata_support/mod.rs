//! Files as cameras and press agencies write them, with everything in them.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use super::support;
use flate2::Crc;
use image::ImageFormat;
use imgsrv::codec::{Encoded, Scratch, process};
use imgsrv::limits::Limits;
use imgsrv::spec::{Options, Spec};
use std::io::Cursor;

/// What locates or identifies: none of it may leave with `copyright`.
pub const EXIF_SECRETS: [&str; 10] = [
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
pub const XMP_SECRET: &str = "SECRET-xmp-48.8584N";
pub const IPTC_SECRET: &str = "SECRET-iptc-city";
pub const COMMENT_SECRET: &str = "SECRET-comment";
pub const ARTIST: &str = "Ada Photographer";
pub const COPYRIGHT: &str = "(c) Example Agency";

/// A directory under construction, little-endian: fields, and what stands behind them.
pub struct Directory {
    at: usize,
    fields: Vec<(u16, u16, u32, Vec<u8>)>,
}

impl Directory {
    pub fn new(at: usize) -> Directory {
        Directory { at, fields: Vec::new() }
    }

    pub fn text(&mut self, tag: u16, text: &str) {
        self.fields.push((tag, 2, text.len() as u32 + 1, [text.as_bytes(), b"\0"].concat()));
    }

    pub fn bytes(&mut self, tag: u16, bytes: &[u8]) {
        self.fields.push((tag, 7, bytes.len() as u32, bytes.to_vec()));
    }

    pub fn short(&mut self, tag: u16, value: u16) {
        self.fields.push((tag, 3, 1, value.to_le_bytes().to_vec()));
    }

    pub fn long(&mut self, tag: u16, value: usize) {
        self.fields.push((tag, 4, 1, (value as u32).to_le_bytes().to_vec()));
    }

    /// The bytes of the directory, which points to `next`.
    pub fn finish(mut self, next: usize) -> Vec<u8> {
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
pub fn camera(orientation: u16, image: impl Fn(&mut Directory)) -> Vec<u8> {
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

pub fn xmp(orientation: u16) -> Vec<u8> {
    format!(
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:Description tiff:Orientation=\"{orientation}\" \
         exif:GPSLatitude=\"{XMP_SECRET}\"/></x:xmpmeta>"
    )
    .into_bytes()
}

pub fn iptc() -> Vec<u8> {
    let dataset = [&[0x1C, 2, 90, 0, IPTC_SECRET.len() as u8], IPTC_SECRET.as_bytes()].concat();
    [b"8BIM\x04\x04\0\0\0\0\0", &[dataset.len() as u8][..], &dataset].concat()
}

/// As a press agency has it: who and whose, and where.
pub fn press_iptc() -> Vec<u8> {
    let dataset =
        |number: u8, text: &str| [&[0x1C, 2, number, 0, text.len() as u8], text.as_bytes()].concat();
    let datasets = [dataset(80, ARTIST), dataset(90, IPTC_SECRET), dataset(116, COPYRIGHT)].concat();
    [b"8BIM\x04\x04\0\0\0\0\0", &[datasets.len() as u8][..], &datasets].concat()
}

/// The same in XMP.
pub fn press_xmp() -> Vec<u8> {
    format!(
        "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:Description exif:GPSLatitude=\"{XMP_SECRET}\">\
         <dc:creator><rdf:Seq><rdf:li>{ARTIST}</rdf:li></rdf:Seq></dc:creator><dc:rights><rdf:Alt>\
         <rdf:li xml:lang=\"x-default\">{COPYRIGHT}</rdf:li></rdf:Alt></dc:rights></rdf:Description></x:xmpmeta>"
    )
    .into_bytes()
}

pub fn picture(format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    support::picture(24, 16).write_to(&mut file, format).unwrap();
    file.into_inner()
}

pub fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    [&[0xFF, marker][..], &(body.len() as u16 + 2).to_be_bytes(), body].concat()
}

pub fn plain_jpeg() -> Vec<u8> {
    result(&picture(ImageFormat::Png), "quality=90").bytes
}

pub fn jpeg(orientation: u16) -> Vec<u8> {
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

pub fn png_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat()
}

/// Where a PNG file's IEND chunk begins.
pub fn png_end(file: &[u8]) -> usize {
    file.len() - 12
}

pub fn png(orientation: u16) -> Vec<u8> {
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

pub fn riff_chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    [&kind[..], &(data.len() as u32).to_le_bytes(), data, &[0][..data.len() % 2]].concat()
}

pub fn webp_of(chunks: &[Vec<u8>]) -> Vec<u8> {
    let bare = picture(ImageFormat::WebP);
    let flag =
        |kind: &[u8], bit: u8| if chunks.iter().any(|chunk| chunk.starts_with(kind)) { bit } else { 0 };
    let flags = flag(b"EXIF", 8) | flag(b"XMP ", 4);
    let header = riff_chunk(b"VP8X", &[flags, 0, 0, 0, 23, 0, 0, 15, 0, 0]);
    let body = [b"WEBP", &header[..], &bare[12..], &chunks.concat()].concat();
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

pub fn webp(orientation: u16) -> Vec<u8> {
    webp_of(&[
        riff_chunk(b"EXIF", &camera(orientation, |_| ())),
        riff_chunk(b"XMP ", &xmp(orientation)),
        riff_chunk(b"note", COMMENT_SECRET.as_bytes()),
    ])
}

pub fn tiff(orientation: u16) -> Vec<u8> {
    tiff_file(camera(orientation, |main| {
        tiff_tags(main);
        main.bytes(700, &xmp(orientation));
        main.bytes(34377, &iptc());
        main.text(65000, COMMENT_SECRET);
    }))
}

pub fn press_tiff() -> Vec<u8> {
    let mut main = Directory::new(8);
    tiff_tags(&mut main);
    main.bytes(34377, &press_iptc());
    tiff_file([b"II*\0\x08\0\0\0", &main.finish(0)[..]].concat())
}

/// Where the pixels of a TIFF file begin.
const PIXELS: usize = 8000;

fn tiff_tags(main: &mut Directory) {
    main.short(256, 24);
    main.short(257, 16);
    main.fields.push((258, 3, 3, [8, 0, 8, 0, 8, 0].to_vec()));
    main.short(259, 1);
    main.short(262, 2);
    main.long(273, PIXELS);
    main.short(277, 3);
    main.short(278, 16);
    main.long(279, 24 * 16 * 3);
}

fn tiff_file(mut directories: Vec<u8>) -> Vec<u8> {
    directories.resize(PIXELS, 0);
    directories.extend(support::picture(24, 16).into_raw());
    directories
}

/// An EXIF segment that may stay.
pub fn ownership_only() -> Vec<u8> {
    let mut main = Directory::new(8);
    main.text(0x013B, ARTIST);
    segment(0xE1, &[b"Exif\0\0II*\0\x08\0\0\0", &main.finish(0)[..]].concat())
}

/// Does what `options` ask.
pub fn result(input: &[u8], options: &str) -> Encoded {
    let spec = Options::parse(options.as_bytes(), &Spec::default()).unwrap().spec;
    process(input, &spec, &Limits::default(), &mut Scratch::new()).unwrap()
}
