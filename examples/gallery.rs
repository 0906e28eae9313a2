//! Shows what every visual option does to one photo: a small JPEG for each, a contact sheet, a page with captions.
//!
//! `cargo run --release --example gallery -- [PHOTO] [FOLDER]` (default: docs/photo.png, docs/images)

use image::RgbImage;
use imgsrv::codec::{Scratch, process};
use imgsrv::limits::Limits;
use imgsrv::spec::{Options, Spec};
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Name of the picture, and the options that make it.
const PICTURES: &[(&str, &str)] = &[
    ("fit-fill", "width=240&height=240&fit=fill"),
    ("fit-cover", "width=240&height=240&fit=cover"),
    ("fit-contain", "width=240&height=240&fit=contain&background=%23203040"),
    ("fit-inside", "width=240&height=240&fit=inside"),
    ("fit-outside", "width=240&height=240&fit=outside"),
    ("gravity-west", "width=120&height=240&fit=cover&gravity=west"),
    ("gravity-smart", "width=120&height=240&fit=cover&gravity=smart"),
    ("gravity-point", "width=120&height=240&fit=cover&gravity=0.68,0.3"),
    ("scale", "scale=0.1"),
    ("enlarge", "crop=1166,320,24,18&width=240&fit=inside&enlarge=true"),
    ("crop", "crop=900,200,400,300&width=240"),
    ("rotate-90", "rotate=90&height=240"),
    ("flip", "flip=true&width=240"),
    ("flop", "flop=true&width=240"),
    ("kernel-lanczos3", "crop=1166,320,24,18&width=240&kernel=lanczos3"),
    ("kernel-catmullrom", "crop=1166,320,24,18&width=240&kernel=catmullrom"),
    ("kernel-mitchell", "crop=1166,320,24,18&width=240&kernel=mitchell"),
    ("kernel-bilinear", "crop=1166,320,24,18&width=240&kernel=bilinear"),
    ("kernel-box", "crop=1166,320,24,18&width=240&kernel=box"),
    ("kernel-nearest", "crop=1166,320,24,18&width=240&kernel=nearest"),
    ("linear", "width=240&linear=true"),
    ("quality-90", "crop=1000,270,240,180&quality=90"),
    ("quality-10", "crop=1000,270,240,180&quality=10"),
    ("grayscale", "width=240&ops=grayscale"),
    ("invert", "width=240&ops=invert"),
    ("brightness", "width=240&ops=brightness:40"),
    ("contrast", "width=240&ops=contrast:60"),
    ("saturation", "width=240&ops=saturation:80"),
    ("hue", "width=240&ops=hue:120"),
    ("gamma", "width=240&ops=gamma:2.2"),
    ("sepia", "width=240&ops=sepia"),
    ("threshold", "width=240&ops=threshold:128"),
    ("blur", "width=240&ops=blur:3"),
    ("sharpen", "width=240&ops=sharpen:2"),
    ("median", "width=240&ops=median:3"),
    ("denoise", "width=240&ops=denoise:10"),
    ("edges", "width=240&ops=edges:90:180"),
    ("corners", "width=240&ops=corners"),
    ("sift", "width=240&ops=sift"),
    ("erode", "width=240&ops=erode:3"),
    ("dilate", "width=240&ops=dilate:3"),
    ("equalize", "width=240&ops=equalize"),
    ("pixelate", "width=240&ops=pixelate:12"),
];

/// Pictures in a row of the contact sheet, and the room that each gets: `fit=outside` is the widest.
const COLUMNS: u32 = 6;
const CELL: [u32; 2] = [330, 250];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let photo = fs::read(arguments.next().unwrap_or_else(|| "docs/photo.png".into()))?;
    let folder = arguments.next().unwrap_or_else(|| "docs/images".into());
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;

    let rows = (PICTURES.len() as u32).div_ceil(COLUMNS);
    let [across, down] = CELL;
    let mut sheet = RgbImage::from_pixel(COLUMNS * across, rows * down, image::Rgb([24, 24, 28]));
    let mut page = String::from("<!doctype html><meta charset=utf-8><title>imgsrv: every option</title>\n");
    for (place, (name, options)) in (0..).zip(PICTURES) {
        let jpeg = make(&photo, options)?;
        fs::write(folder.join(format!("{name}.jpg")), &jpeg)?;
        let shown = image::load_from_memory(&make(&jpeg, "format=png")?)?.to_rgb8();
        let centre = |room: u32, side: u32| i64::from(room.saturating_sub(side) / 2);
        let x = i64::from(place % COLUMNS * across) + centre(across, shown.width());
        let y = i64::from(place / COLUMNS * down) + centre(down, shown.height());
        image::imageops::overlay(&mut sheet, &shown, x, y);
        writeln!(page, "<figure><img src={name}.jpg><figcaption>{options}</figcaption></figure>")?;
    }
    let mut png = std::io::Cursor::new(Vec::new());
    sheet.write_to(&mut png, image::ImageFormat::Png)?;
    fs::write(folder.join("sheet.jpg"), make(png.get_ref(), "quality=80")?)?;
    fs::write(folder.join("index.html"), page)?;
    println!("{} pictures, sheet.jpg and index.html in {}", PICTURES.len(), folder.display());
    Ok(())
}

fn make(photo: &[u8], options: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let spec = Options::parse(options.as_bytes(), &Spec { passthrough: false, ..Spec::default() })?.spec;
    Ok(process(photo, &spec, &Limits::default(), &mut Scratch::default())?.bytes)
}
