//! Writes the first corpus: small pictures of our own making in every format that we write, requests, options.

use imgsrv::codec::{Scratch, process};
use imgsrv::limits::Limits;
use imgsrv::spec::{Options, Spec};
use imgsrv::wire::{Form, Header};
use std::fs;
use std::path::Path;

const OPTIONS: [&str; 14] = [
    "format=png",
    "format=png&progressive=true",
    "format=gif",
    "format=bmp",
    "format=tiff",
    "format=qoi",
    "format=webp&lossless=true",
    "format=webp",
    "format=jpeg&quality=30",
    "format=jpeg&progressive=true&effort=smallest",
    "format=jpeg&subsampling=444&effort=fast",
    "format=jpeg&subsampling=422&ops=grayscale",
    "width=9&height=20&fit=contain&background=%2300ff0080&format=png",
    "width=8&fit=cover&gravity=0.2,0.8&rotate=90&kernel=mitchell&linear=true",
];

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in ["header", "options", "probe", "decode", "jpeg_paths", "metadata", "process"] {
        fs::create_dir_all(root.join(target))?;
    }
    let ppm: Vec<u8> =
        [b"P6 24 17 255\n".to_vec(), (0..24 * 17 * 3).map(|n: u32| (n * n / 7) as u8).collect()].concat();
    for (n, text) in OPTIONS.into_iter().enumerate() {
        let name = format!("seed-{n}");
        fs::write(root.join("options").join(&name), text)?;
        let Ok(options) = Options::parse(text.as_bytes(), &Spec::default()) else { continue };
        let Ok(made) = process(&ppm, &options.spec, &Limits::default(), &mut Scratch::new()) else { continue };
        for target in ["probe", "decode"] {
            fs::write(root.join(target).join(&name), &made.bytes)?;
        }
        if text.contains("jpeg") {
            fs::write(root.join("jpeg_paths").join(&name), &made.bytes)?;
        }
        fs::write(root.join("process").join(&name), [text.as_bytes(), &[0], &made.bytes].concat())?;
        let header = Header { form: Form::Extended, body_len: made.bytes.len() as u32, width: 0, height: 0 };
        let options_len = (text.len() as u32).to_be_bytes();
        let request = [&header.encode()[..], &options_len, text.as_bytes(), &made.bytes].concat();
        fs::write(root.join("header").join(&name), request)?;
    }
    fs::write(root.join("decode/ppm"), &ppm)?;
    // EXIF with one orientation entry; the first bytes of a profile.
    let exif = b"\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    fs::write(root.join("metadata/exif"), exif)?;
    fs::write(root.join("metadata/icc"), [&[1][..], &[0; 36], b"acsp", &[0; 92]].concat())
}
