//! The first corpus: small pictures of our own making in every format that we write, requests, options.

use imgsrv::codec::{Scratch, process};
use imgsrv::limits::Limits;
use imgsrv::spec::{Options, Spec};
use imgsrv::wire::{Form, Header};

const OPTIONS: [&str; 16] = [
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
    "max_bytes=900&format=jpeg",
    "ops=blur:1.5,edges:90:180,median:1&format=qoi",
];

/// An input for a target: its name, a file name, the bytes.
pub(crate) type Seed = (&'static str, String, Vec<u8>);

/// All seeds, the same at every call.
pub(crate) fn seeds() -> Vec<Seed> {
    let ppm: Vec<u8> =
        [b"P6 24 17 255\n".to_vec(), (0..24 * 17 * 3).map(|n: u32| (n * n / 7) as u8).collect()].concat();
    let mut seeds = vec![("decode", "ppm".to_owned(), ppm.clone())];
    for (n, text) in OPTIONS.into_iter().enumerate() {
        let mut add = |target, bytes| seeds.push((target, format!("seed-{n}"), bytes));
        add("options", text.into());
        let Ok(options) = Options::parse(text.as_bytes(), &Spec::default()) else { continue };
        let Ok(made) = process(&ppm, &options.spec, &Limits::default(), &mut Scratch::new()) else {
            continue;
        };
        add("probe", made.bytes.clone());
        add("decode", made.bytes.clone());
        if text.contains("jpeg") {
            add("jpeg_paths", made.bytes.clone());
        }
        add("whole", [text.as_bytes(), &[0], &made.bytes].concat());
        let header = Header { form: Form::Extended, body_len: made.bytes.len() as u32, width: 0, height: 0 };
        let options_len = (text.len() as u32).to_be_bytes();
        add("header", [&header.encode()[..], &options_len, text.as_bytes(), &made.bytes].concat());
    }
    // EXIF with one orientation entry; the first bytes of a profile.
    let exif = b"\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    seeds.push(("metadata", "exif".into(), exif.to_vec()));
    seeds.push(("metadata", "icc".into(), [&[1][..], &[0; 36], b"acsp", &[0; 92]].concat()));
    // Found by the fuzzer: sides whose working memory is more than 64 bits can say.
    let sides = b"\xFF\0\0\0\xD8\xFF\xE0\0";
    let header = [&b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR"[..], sides, &[16, 2, 0, 0, 1, 0, 0, 0, 0]].concat();
    seeds.push(("probe", "huge-interlaced-png".into(), header));
    seeds
}
