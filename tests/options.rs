//! The table of options against the parser, and `docs/options.md` against the table. `UPDATE=1 cargo test --test options` rewrites it.
#![allow(missing_docs, clippy::unwrap_used)]

use imgsrv::spec::{OPTIONS, Options, Spec};
use std::fmt::Write;

const BEGIN: &str = "<!-- the table is made from the parser: UPDATE=1 cargo test --test options -->\n";
const END: &str = "<!-- end of the table -->";

fn table() -> String {
    let mut table = String::from("| option | accepts | default | meaning |\n|---|---|---|---|\n");
    for key in OPTIONS {
        writeln!(table, "| `{}` | {} | {} | {} |", key.name, key.accepts(), key.default(), key.help).unwrap();
    }
    table
}

#[test]
fn the_documented_options_are_the_ones_that_the_parser_takes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/options.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once(BEGIN).expect("the table's begin mark");
    let (documented, after) = rest.split_once(END).expect("the table's end mark");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, [before, BEGIN, &table(), END, after].concat()).unwrap();
        return;
    }
    assert_eq!(documented, table(), "run UPDATE=1 cargo test --test options");
}

#[test]
fn every_picture_of_the_document_is_there() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let document = std::fs::read_to_string(folder.join("options.md")).unwrap();
    let pictures: Vec<_> =
        document.split("](images/").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(pictures.len() > 30, "{}", pictures.len());
    for picture in pictures {
        assert!(folder.join("images").join(picture).is_file(), "{picture}");
    }
}

/// For each key values that it takes, and values that it does not.
const VALUES: &[(&str, &[&str], &[&str])] = &[
    ("width", &["0", "16384"], &["", "-1", "16385", "1.5", "800px", "1e3"]),
    ("height", &["0", "16384"], &["", "-1", "16385", "1.5", "tall"]),
    ("scale", &["0.01", "0.5", "8"], &["", "0", "0.009", "8.01", "half", "nan", "inf"]),
    ("fit", &["fill", "cover", "contain", "inside", "outside"], &["", "stretch", "Cover"]),
    (
        "gravity",
        &["northwest", "smart", "0,1", "0.25,0.5"],
        &["", "middle", "0.5", "1.1,0", "nan,0", "0,0,0"],
    ),
    ("enlarge", &["true", "false", "1", "0"], &["", "yes", "2"]),
    ("crop", &["0,0,1,1", "5,6,7,8"], &["", "1,2,3", "1,2,0,4", "-1,0,2,2", "1,2,3,4,5", "0.5,0,1,1"]),
    ("rotate", &["auto", "0", "90", "180", "270"], &["", "45", "-90", "360"]),
    ("flip", &["true", "false"], &["", "maybe"]),
    ("flop", &["true", "false"], &["", "maybe"]),
    (
        "kernel",
        &["lanczos3", "catmullrom", "mitchell", "bilinear", "box", "nearest"],
        &["", "lanczos", "cubic"],
    ),
    ("speed", &["normal", "fast"], &["", "slow"]),
    ("linear", &["true", "false"], &["", "on"]),
    ("background", &["%23102030", "%2310203040", "102030"], &["", "white", "%23123", "%2312345g"]),
    (
        "format",
        &["jpeg", "jpg", "png", "webp", "gif", "bmp", "tiff", "qoi", "avif", "source", "auto"],
        &["", "jxl", "pnm", "PNG"],
    ),
    ("quality", &["1", "100"], &["", "0", "101", "-5", "8x", "85.5"]),
    ("progressive", &["true", "false"], &["", "yes"]),
    ("subsampling", &["auto", "444", "422", "420"], &["", "411", "4:2:0"]),
    ("effort", &["fast", "balanced", "smallest"], &["", "9", "best"]),
    ("lossless", &["false"], &["", "near"]),
    ("dither", &["true", "false"], &["", "x"]),
    ("max_bytes", &["1", "200k", "1.5m"], &["", "0", "-1", "k", "1g", "200kb"]),
    ("allow_smaller", &["true", "false"], &["", "x"]),
    ("target", &["1", "70.5", "100"], &["", "0", "101", "high"]),
    ("passthrough", &["true", "false"], &["", "x"]),
    ("metadata", &["strip", "copyright", "keep"], &["", "all", "none"]),
    ("icc", &["srgb", "keep", "ignore"], &["", "p3"]),
    ("strict", &["true", "false"], &["", "x"]),
    ("frames", &["all", "first", "0", "7", "2-9", "3-3"], &["", "none", "-1", "9-2", "1-", "1.5", "1000000"]),
    (
        "ops",
        &[
            "grayscale",
            "blur:0.1",
            "edges",
            "edges:0:1000",
            "erode",
            "erode:50,dilate:1",
            "pixelate:2",
            "threshold:0",
        ],
        &[
            "",
            "cartoon",
            "grayscale:1",
            "grayscale,",
            "brightness",
            "brightness:256",
            "contrast:101",
            "saturation:-101",
            "hue:361",
            "gamma:0",
            "sepia:1",
            "threshold:256",
            "blur:0",
            "blur:101",
            "sharpen:nan",
            "median:0",
            "median:51",
            "denoise:0",
            "edges:180:90",
            "edges:90",
            "edges:90:1001",
            "corners:1",
            "sift:1",
            "erode:0",
            "dilate:51",
            "equalize:1",
            "pixelate:1",
            "pixelate:1001",
            "blur:2:3",
        ],
    ),
];

#[test]
fn every_key_takes_its_range_and_names_key_value_and_range_when_it_does_not() {
    let named: Vec<_> = VALUES.iter().map(|(name, ..)| *name).collect();
    assert_eq!(named, OPTIONS.iter().map(|key| key.name).collect::<Vec<_>>());
    for (key, (name, good, bad)) in OPTIONS.iter().zip(VALUES) {
        let parse = |value: &str| Options::parse(format!("{name}={value}").as_bytes(), &Spec::default());
        for value in *good {
            let spec = parse(value).unwrap_or_else(|error| panic!("{name}={value}: {error}")).spec;
            let again = Options::parse(spec.canonical().as_bytes(), &Spec::default()).unwrap().spec;
            assert_eq!(again, spec, "{name}={value}");
        }
        for value in *bad {
            let error = parse(value).unwrap_err();
            let shown = value.replace("%23", "#");
            let said = format!("option '{name}' is '{shown}', it accepts {}", key.accepts());
            assert_eq!(error.to_string(), said);
        }
    }
}
