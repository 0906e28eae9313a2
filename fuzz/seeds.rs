//! The initial corpus: small pictures in every format that the program writes, requests, options.

use imgsrv::codec::{Scratch, process};
use imgsrv::internals::codec::jpeg::colour::from_pixels;
use imgsrv::internals::codec::jpeg::encode::{Coding, EncodeOptions, Encoder};
use imgsrv::internals::codec::jpeg::planes::Sampling;
use imgsrv::internals::pixels::{Channels, Pixels};
use imgsrv::internals::wire::{Form, Header};
use imgsrv::limits::Limits;
use imgsrv::spec::{Options, Spec};

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

/// An input: target, file name, bytes.
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
    seeds.extend(with_restarts());
    // EXIF with one orientation entry; the first bytes of a profile.
    let exif = b"\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    seeds.push(("metadata", "exif".into(), exif.to_vec()));
    seeds.push(("metadata", "icc".into(), [&[1][..], &[0; 36], b"acsp", &[0; 92]].concat()));
    // Found by the fuzzer: sides whose working memory exceeds 64 bits.
    let sides = b"\xFF\0\0\0\xD8\xFF\xE0\0";
    let header = [&b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR"[..], sides, &[16, 2, 0, 0, 1, 0, 0, 0, 0]].concat();
    seeds.push(("probe", "huge-interlaced-png".into(), header));
    #[cfg(feature = "http")]
    seeds.extend(http(&ppm));
    seeds
}

/// JPEGs with restart markers, which no option writes.
fn with_restarts() -> impl Iterator<Item = Seed> {
    let samples = (0..40 * 30 * 3).map(|n: u32| (n * n / 11) as u8).collect();
    let pixels = Pixels::new(40, 30, Channels::Rgb, samples);
    [(Sampling::S420, Coding::Fixed), (Sampling::S422, Coding::Progressive)].into_iter().filter_map(
        move |(sampling, coding)| {
            let planes = from_pixels(pixels.as_ref()?, sampling).ok()?;
            let options = EncodeOptions { coding, restart_interval: 2, ..EncodeOptions::default() };
            let file = Encoder::default().encode(&planes, &options).ok()?;
            Some(("jpeg_paths", format!("restarts-{coding:?}"), file))
        },
    )
}

/// WebSocket frames, forms, XML-RPC calls, and stored tasks.
#[cfg(feature = "http")]
fn http(image: &[u8]) -> Vec<Seed> {
    /// A masked frame as clients send it; the mask is `1234`.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let length = match payload.len() {
            length @ ..126 => vec![0x80 | length as u8],
            length => [&[0x80 | 126][..], &(length as u16).to_be_bytes()].concat(),
        };
        let masked: Vec<u8> = payload.iter().zip(b"1234".iter().cycle()).map(|(a, b)| a ^ b).collect();
        [&[first][..], &length, b"1234", &masked].concat()
    }
    let text = |text: &str| frame(0x81, text.as_bytes());
    let (start, end) = image.split_at(image.len() / 2);
    let frames = [
        ("options", [text("width=9&id=a&mode=sequential"), frame(0x82, image), text("cancel=a")].concat()),
        ("json", [text(r#"{"ops": ["grayscale", "blur:2"], "progress": true}"#), text("done")].concat()),
        ("fragments", [frame(0x02, start), frame(0x89, b"there?"), frame(0x80, end)].concat()),
        ("goodbye", [text("data:image/png;base64,iVBORw0KGgo="), frame(0x88, b"\x03\xE8bye")].concat()),
    ];
    let mut seeds: Vec<Seed> =
        frames.map(|(name, frames)| ("websocket", name.into(), [&[1, 7, 3, 0][..], &frames].concat())).into();

    let fields = "Content-Disposition: form-data; name=\"width\"\r\n\r\n9\r\n--b\r\nContent-Disposition: \
        form-data; name=image; filename=\"a;\\\"b.ppm\"\r\nContent-Type: image/x-portable-pixmap\r\n\r\n";
    let form = [format!("multipart/form-data; boundary=\"b\"\0--b\r\n{fields}").as_bytes(), image].concat();
    seeds.push(("multipart", "form".into(), [&form[..], b"\r\n--b--\r\n"].concat()));

    #[cfg(feature = "legacy")]
    let options = "<struct><member><name>width</name><value><i4>9</i4></value></member><member><name>ops</name>\
        <value><array><data><value>grayscale</value></data></array></value></member></struct>";
    #[cfg(feature = "legacy")]
    for (name, method, second) in [
        ("gray", "preto_branco", ""),
        ("process", "process", options),
        ("text", "process", "<string>width=9&amp;linear=tr&#117;e</string>"),
        ("odd", "process", "<![CDATA[quality=5]]><!-- --><nil/>"),
    ] {
        let second = format!("<param><value>{second}</value></param>");
        let call = format!(
            "<?xml version='1.0'?>\n<methodCall><methodName>{method}</methodName><params><param><value>\
             <base64>UDYgMSAx\nIDI1NQo=</base64></value></param>{second}</params></methodCall>"
        );
        seeds.push(("xmlrpc", name.into(), call.into()));
    }

    let id = "owner=web&number=7&submitted=1700000000123&source_bytes=5";
    for (name, more) in [
        ("task", "&spec=width%3D9%26format%3Dpng"),
        ("done", "&finished=1700000000456&report=status%3Dok%26width%3D9%26warnings%3Dupscaled"),
        ("failed", "&finished=1700000000456&failed=damaged&message=50%25+%3D+broken"),
    ] {
        let head = format!("{id}{more}");
        let head_len = (head.len() as u16).to_be_bytes();
        seeds.push(("task_file", name.into(), [&head_len[..], head.as_bytes(), b"image"].concat()));
    }
    seeds
}
