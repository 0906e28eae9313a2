//! The metadata of cameras and the part of it that leaves: every class, from and to every format that carries it.
#![allow(missing_docs, clippy::unwrap_used)]

mod metadata_support;
mod support;

use image::ImageFormat;
use imgsrv::codec::{Warning, inspect};
use imgsrv::limits::Limits;
use metadata_support::*;

type Source = fn(u16) -> Vec<u8>;
const SOURCES: [(&str, Source); 4] = [("jpeg", jpeg), ("png", png), ("webp", webp), ("tiff", tiff)];
const CARRIERS: [&str; 4] = ["jpeg", "png", "webp", "tiff"];
const ALL: [&str; 7] = ["jpeg", "png", "webp", "tiff", "gif", "bmp", "qoi"];

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
fn an_owner_that_only_iptc_or_xmp_names_leaves_in_exif_and_nothing_else_does() {
    let [iptc, xmp] = [press_iptc(), press_xmp()];
    let app13 = || segment(0xED, &[b"Photoshop 3.0\0", &iptc[..]].concat());
    let app1 = || segment(0xE1, &[b"http://ns.adobe.com/xap/1.0/\0", &xmp[..]].concat());
    let jpeg_of = |segments: Vec<u8>| {
        let mut file = plain_jpeg();
        file.splice(2..2, segments);
        file
    };
    let mut png = picture(ImageFormat::Png);
    png.splice(33..33, png_chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", &xmp[..]].concat()));
    let files = [
        ("IPTC in JPEG", jpeg_of(app13())),
        ("XMP in JPEG", jpeg_of(app1())),
        ("both in JPEG", jpeg_of([app1(), app13()].concat())),
        ("XMP in PNG", png),
        ("XMP in WebP", webp_of(&[riff_chunk(b"XMP ", &xmp)])),
        ("IPTC in TIFF", press_tiff()),
    ];
    for (what, file) in files {
        assert!(has(&file, ARTIST) && has(&file, COPYRIGHT), "{what}");
        assert!(inspect(&file, &Limits::default()).unwrap().metadata.ownership, "{what}");
        for format in CARRIERS {
            for options in ["", "quality=80&"] {
                let bytes = result(&file, &format!("{options}format={format}")).bytes;
                assert!(has(&bytes, ARTIST) && has(&bytes, COPYRIGHT), "{what} to {format}");
                let leaked: Vec<_> = secrets().filter(|secret| has(&bytes, secret)).collect();
                assert_eq!(leaked, [""; 0], "{what} to {format}");
                let facts = inspect(&bytes, &Limits::default()).unwrap().metadata;
                assert!(facts.exif && !facts.xmp && !facts.iptc, "{what} to {format}");
            }
            let stripped = result(&file, &format!("metadata=strip&format={format}")).bytes;
            assert!(!has(&stripped, ARTIST) && !has(&stripped, COPYRIGHT), "{what} to {format}");
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
            // The thumbnail shows the picture before it was turned.
            assert!(!has(&result.bytes, "SECRET-thumbnail"), "{name} to {format}");
            let exif = EXIF_SECRETS.into_iter().filter(|secret| *secret != "SECRET-thumbnail");
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

#[test]
fn a_thumbnail_stays_only_while_it_shows_the_picture() {
    for (options, stays) in [
        ("quality=70", true),
        ("effort=smallest", true),
        ("width=12", false),
        ("crop=0,0,16,16", false),
        ("flip=true", false),
        ("ops=grayscale", false),
    ] {
        let bytes = result(&jpeg(1), &format!("metadata=keep&{options}")).bytes;
        assert_eq!(has(&bytes, "SECRET-thumbnail"), stays, "{options}");
    }
}

#[test]
fn a_gain_map_that_is_dropped_is_warned_of_and_named_no_more() {
    let packet = b"http://ns.adobe.com/xap/1.0/\0<rdf:Description hdrgm:Version=\"1.0\" dc:format=\"kept\"/>";
    let mut source = plain_jpeg();
    source.splice(2..2, segment(0xE1, packet));
    source.extend(plain_jpeg());
    let facts = inspect(&source, &Limits::default()).unwrap().jpeg.unwrap();
    assert!(facts.gain_map && facts.trailing_bytes == plain_jpeg().len() as u64);
    for format in CARRIERS {
        let made = result(&source, &format!("width=12&metadata=keep&format={format}"));
        assert!(made.warnings.contains(Warning::GainMapDropped), "{format}");
        assert!(!has(&made.bytes, "hdrgm:Version") && has(&made.bytes, "dc:format=\"kept\""), "{format}");
    }
    let untouched = result(&source, "metadata=keep");
    assert!(untouched.bytes == source && !untouched.warnings.contains(Warning::GainMapDropped));
    assert!(!result(&plain_jpeg(), "width=12").warnings.contains(Warning::GainMapDropped));
}
