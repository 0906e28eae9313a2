//! Faults that were reported from practice, each on an input made here and on the file of the report where
//! `../shared/reports` has it: through the programs, with the result that was promised.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "http_support/mod.rs"]
mod http_support;
mod report_inputs;
mod support;

use http_support::{Answer, ask, posted};
use image::{DynamicImage, GenericImageView, RgbImage};
use report_inputs as inputs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Server, extended, png, read_extended, send};

/// A run of `imgcli --local`: exit code, all that it printed, the result.
#[derive(Debug)]
struct Run {
    code: i32,
    printed: String,
    result: Vec<u8>,
}

impl Run {
    fn picture(&self) -> DynamicImage {
        assert_eq!(self.code, 0, "{}", self.printed);
        match self.result.starts_with(&[0xFF, 0xD8]) {
            true => DynamicImage::ImageRgb8(jpeg_pixels(&self.result)),
            false => image::load_from_memory(&self.result).unwrap(),
        }
    }

    fn jpeg(&self) -> &[u8] {
        assert_eq!(self.code, 0, "{}", self.printed);
        &self.result
    }
}

/// Converts one file as the reports do.
fn convert(input: &[u8], options: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::write(&from, input).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_imgcli"));
    command.env_remove("IMGSRV_SERVER").args(["--local", "--force"]).arg(&from).arg("-o").arg(&to);
    let output = command.args(options.split(' ')).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    Run {
        code: output.status.code().unwrap(),
        printed: String::from_utf8_lossy(&printed).into_owned(),
        result: std::fs::read(to).unwrap_or_default(),
    }
}

/// The input made here, and the file of the report.
fn both(made: Vec<u8>, name: &str) -> Vec<Vec<u8>> {
    let reported = support::shared("reports").map(|folder| std::fs::read(folder.join(name)).unwrap());
    [Some(made), reported].into_iter().flatten().collect()
}

/// The pixels of a JPEG in a decoder that is not ours.
fn jpeg_pixels(jpeg: &[u8]) -> RgbImage {
    let mut decoder = jpeg_decoder::Decoder::new(jpeg);
    let samples = decoder.decode().expect("a JPEG that another decoder reads");
    let info = decoder.info().unwrap();
    let rgb = match info.pixel_format {
        jpeg_decoder::PixelFormat::RGB24 => samples,
        jpeg_decoder::PixelFormat::L8 => samples.iter().flat_map(|&grey| [grey; 3]).collect(),
        other => panic!("a JPEG of {other:?}"),
    };
    RgbImage::from_raw(info.width.into(), info.height.into(), rgb).unwrap()
}

/// Returns true if a JPEG has this marker before its first scan.
fn has_marker(jpeg: &[u8], wanted: u8) -> bool {
    inputs::segments(jpeg).iter().any(|(marker, _)| *marker == wanted)
}

/// Mean difference of two pictures of one size, in levels.
fn difference(a: &DynamicImage, b: &DynamicImage) -> f64 {
    let (a, b) = (a.to_rgb8(), b.to_rgb8());
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}

fn is_refused_as_damaged(run: &Run) -> bool {
    run.code == 65 && run.printed.contains("damaged") && !run.printed.contains("failed to fill whole buffer")
}

fn has_warning(run: &Run) -> bool {
    run.code == 0 && (run.printed.contains("truncated") || run.printed.contains("damaged"))
}

// A. Nothing is returned unread.

#[test]
fn garbage_behind_a_png_header_is_refused() {
    for input in both(inputs::png_with_garbage(), "q1_garbage_idat.png") {
        let run = convert(&input, "--width 800 --height 600 --fit inside --format source");
        assert!(is_refused_as_damaged(&run), "{run:?}");
    }
}

#[test]
fn html_in_the_scan_of_a_jpeg_is_no_picture() {
    for input in both(inputs::jpeg_with_html(), "q3c_html.jpg") {
        let run = convert(&input, "--width 800 --height 600 --fit inside --format jpeg");
        assert!(has_warning(&run) || run.code == 65, "{run:?}");
        assert!(run.result != input, "the source came back");
    }
}

#[test]
fn a_truncated_gif_is_not_passed_through() {
    for input in both(inputs::truncated_gif(), "q5_trunc.gif") {
        let run = convert(&input, "--width 0 --height 0 --format source");
        assert!(run.code == 65 || has_warning(&run) && run.result != input, "{run:?}");
    }
}

#[test]
fn the_upper_part_of_a_truncated_gif_is_shown() {
    for input in both(inputs::truncated_gif(), "q5_trunc.gif") {
        let run = convert(&input, "--width 100 --height 0 --format png");
        assert!(has_warning(&run), "{run:?}");
        assert_eq!(run.picture().width(), 100);
    }
    let whole = convert(&inputs::gif(), "--width 0 --height 0 --format png").picture();
    let part = convert(&inputs::truncated_gif(), "--width 0 --height 0 --format png").picture();
    let (width, height) = whole.dimensions();
    let upper = |picture: &DynamicImage| picture.crop_imm(0, 0, width, height / 4);
    assert!(difference(&upper(&whole), &upper(&part)) < 0.01);
}

#[test]
fn a_bmp_without_its_last_padding_is_whole() {
    let whole = convert(&inputs::bmp(), "--width 0 --height 0 --format png").picture();
    let run = convert(&inputs::bmp_without_last_padding(), "--width 0 --height 0 --format png");
    assert!(difference(&run.picture(), &whole) == 0.0, "{run:?}");
    for input in both(inputs::bmp_without_last_padding(), "b11_lastpad_missing.bmp") {
        let run = convert(&input, "--width 0 --height 0 --format png");
        assert!(run.picture().width() > 0 && !has_warning(&run), "{run:?}");
    }
}

#[test]
fn a_height_in_dnl_becomes_one_that_others_read() {
    for input in both(inputs::jpeg_with_dnl(), "j13_dnl.jpg") {
        let run = convert(&input, "--width 0 --height 0 --format jpeg");
        assert!(jpeg_pixels(run.jpeg()).height() > 0);
        assert!(!run.jpeg().windows(2).any(|pair| pair == [0xFF, 0xDC]), "a DNL segment is left");
    }
    let run = convert(&inputs::jpeg_with_dnl(), "--width 0 --height 0 --format jpeg");
    assert_eq!(jpeg_pixels(run.jpeg()), jpeg_pixels(&inputs::jpeg()), "the rewriting is lossless");
}

#[test]
fn missing_huffman_tables_are_added() {
    for input in both(inputs::jpeg_without_tables(), "j7_nodht.jpg") {
        let run = convert(&input, "--width 0 --height 0 --format jpeg --metadata strip");
        assert!(has_marker(run.jpeg(), 0xC4), "no DHT");
        jpeg_pixels(run.jpeg());
    }
}

#[test]
fn progressive_is_obeyed_where_it_saves_nothing() {
    for input in both(inputs::jpeg(), "baseline_optimised.jpg") {
        let run = convert(&input, "--width 0 --height 0 --format jpeg --progressive true");
        assert!(has_marker(run.jpeg(), 0xC2), "{}", run.printed);
    }
}

// B. Colour.

#[test]
fn a_grey_profile_does_not_apply_to_rgb() {
    let made = inputs::jpeg_with_profile(&inputs::jpeg(), &inputs::grey_profile(*b"XYZ ", Some(4.0)));
    for input in both(made, "c5b_gray_icc_in_rgb.jpg") {
        let run = convert(&input, "--width 0 --height 0 --format png");
        let plain = convert(&input, "--width 0 --height 0 --format png --icc ignore");
        assert!(run.printed.contains("profile_dropped"), "{}", run.printed);
        assert!(difference(&run.picture(), &plain.picture()) == 0.0);
    }
}

#[test]
fn the_curve_of_a_grey_profile_with_lab_is_lightness() {
    // The sRGB level of a lightness (CIE 1976, IEC 61966-2-1).
    let level = |stored: u8| {
        let lightness = f64::from(stored) / 2.55;
        let y = if lightness > 8.0 { ((lightness + 16.0) / 116.0).powi(3) } else { lightness / 903.3 };
        255.0 * if y > 0.003_130_8 { 1.055 * y.powf(1.0 / 2.4) - 0.055 } else { 12.92 * y }
    };
    let input = inputs::jpeg_with_profile(&inputs::grey_jpeg(), &inputs::grey_profile(*b"Lab ", None));
    let grey = |input: &[u8], options: &str| convert(input, options).picture().to_luma8();
    let shown = grey(&input, "--width 0 --height 0 --format png");
    let stored = grey(&input, "--width 0 --height 0 --format png --icc ignore");
    for (shown, stored) in shown.iter().zip(stored.iter()) {
        assert!((f64::from(*shown) - level(*stored)).abs() <= 2.0, "{stored} became {shown}");
    }
    if let Some(folder) = support::shared("reports") {
        let file = std::fs::read(folder.join("c3_Gray-CIE.jpg")).unwrap();
        let shown = grey(&file, "--width 0 --height 0 --format png");
        let stored = grey(&file, "--width 0 --height 0 --format png --icc ignore");
        let worst = shown.iter().zip(stored.iter()).map(|(shown, stored)| shown.abs_diff(*stored)).max();
        // lcms is 9 levels from the stored values at most, too.
        assert!(worst.unwrap() <= 9, "{worst:?} levels from the stored values");
    }
}

#[test]
fn cmyk_without_an_adobe_marker_is_inverted() {
    // Hardly any ink as Adobe stores it.
    let light = convert(&inputs::cmyk_jpeg([230; 4]), "--width 0 --height 0 --format png").picture();
    assert!(light.to_luma8().iter().all(|&grey| grey > 170), "{:?}", light.get_pixel(0, 0));
    let dark =
        convert(&inputs::cmyk_jpeg([230, 230, 230, 20]), "--width 0 --height 0 --format png").picture();
    assert!(dark.to_luma8().iter().all(|&grey| grey < 60), "{:?}", dark.get_pixel(0, 0));
    if let Some(folder) = support::shared("reports") {
        let file = std::fs::read(folder.join("c5r_adobe_cmyk_app14_stripped.jpg")).unwrap();
        let run = convert(&file, "--width 0 --height 0 --format png");
        let with_marker = [&file[..2], b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0", &file[2..]].concat();
        let expected = convert(&with_marker, "--width 0 --height 0 --format png");
        assert!(difference(&run.picture(), &expected.picture()) < 2.0);
    }
}

#[test]
fn a_soft_shadow_in_gif_is_no_black_slab() {
    for input in both(inputs::shadow_png(), "gif_shadow.png") {
        let run = convert(&input, "--width 0 --height 0 --format gif");
        let (source, result) =
            (image::load_from_memory(&input).unwrap().to_rgba8(), run.picture().to_rgba8());
        for (before, after) in source.pixels().zip(result.pixels()) {
            let faint = before[3] < 128;
            assert!(!faint || after[3] == 0 || after[0] > 100, "{before:?} became {after:?}");
        }
    }
}

// C. Metadata.

#[test]
fn a_dropped_gain_map_is_told_and_its_xmp_goes() {
    for input in both(inputs::ultra_hdr_jpeg(), "uhdr.jpg") {
        let run = convert(&input, "--width 150 --height 0 --metadata keep --format jpeg");
        let says_version = run.jpeg().windows(13).any(|word| word == b"hdrgm:Version");
        assert!(!says_version, "the result still announces a gain map");
        assert!(run.printed.contains("gain_map_dropped"), "{}", run.printed);
    }
}

#[test]
fn an_orientation_of_another_type_and_count_counts() {
    for input in both(inputs::jpeg_with_long_orientation(), "e2_long6.jpg") {
        let stored = jpeg_pixels(&input).dimensions();
        let run = convert(&input, "--width 0 --height 0 --format png");
        assert_eq!(run.picture().dimensions(), (stored.1, stored.0), "turned by orientation 6");
    }
}

#[test]
fn the_density_of_jfif_is_kept() {
    for input in both(inputs::jpeg_of_300_dpi(), "dpi.jpg") {
        let run = convert(&input, "--width 200 --height 0 --format jpeg --metadata keep");
        let density = inputs::segments(run.jpeg())
            .into_iter()
            .find(|(marker, body)| *marker == 0xE0 && body.starts_with(b"JFIF\0"))
            .map(|(_, body)| body[7..12].to_vec());
        assert_eq!(density, Some(vec![1, 1, 44, 1, 44]), "units, 300, 300");
    }
}

// D. Decoders as forgiving as those of browsers.

#[test]
fn twelve_bits_are_decoded_or_named() {
    let server = Server::start(&["--request-timeout", "60s"]);
    for input in both(inputs::twelve_bit_jpeg(), "j15_12bit.jpg") {
        let mut socket = server.connect();
        send(&mut socket, &extended(&input, 0, 0, "format=png"));
        let (failed, report, payload) = read_extended(&mut socket);
        let message = String::from_utf8_lossy(&payload).into_owned();
        assert!(
            !failed || report.starts_with("status=unsupported") && message.contains("12"),
            "{report} {message}"
        );
    }
}

#[test]
fn a_gif_with_an_empty_screen_has_the_size_of_its_frame() {
    for input in both(inputs::gif_with_empty_screen(), "a4_zero_screen.gif") {
        assert_eq!(convert(&input, "--width 0 --height 0 --format png").picture().dimensions(), (20, 20));
    }
}

#[test]
fn around_the_first_frame_of_a_webp_animation_it_is_clear() {
    for input in both(inputs::webp_with_offset_frame(), "w7_anim_offset.webp") {
        let run = convert(&input, "--width 0 --height 0 --format png --passthrough false");
        let picture = run.picture().to_rgba8();
        let (width, height) = picture.dimensions();
        let corners = [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)];
        let clear = corners.iter().filter(|&&(x, y)| picture.get_pixel(x, y)[3] == 0).count();
        assert!(clear >= 3, "{clear} corners are clear");
    }
}

#[test]
fn a_png_of_apple_is_decoded_or_named() {
    let server = Server::start(&[]);
    for input in both(inputs::cgbi_png(), "p10_cgbi.png") {
        let mut socket = server.connect();
        send(&mut socket, &extended(&input, 0, 0, "format=png"));
        let (failed, report, payload) = read_extended(&mut socket);
        let message = String::from_utf8_lossy(&payload).into_owned();
        assert!(
            !failed || report.starts_with("status=unsupported") && message.contains("CgBI"),
            "{report} {message}"
        );
    }
}

#[test]
fn float_samples_up_to_255_are_scaled() {
    for input in both(inputs::float_tiff(), "t6c_float_255.tif") {
        let picture = convert(&input, "--width 0 --height 0 --format png --passthrough false").picture();
        let grey = picture.to_luma8();
        let (least, most) = (grey.iter().min().unwrap(), grey.iter().max().unwrap());
        assert!(*least < 60 && *most > 190, "{least} to {most}");
    }
}

// E. Forms and negotiation over HTTP.

fn form(server: &Server, body: &[u8]) -> Answer {
    let kind = "Connection: close\r\nContent-Type: multipart/form-data; boundary=XXBOUNDXX\r\n";
    ask(server, &posted("/resize?width=30", kind, body))
}

#[test]
fn forms_are_read_as_people_fill_them_in() {
    let server = Server::start_http(&[]);
    let image = png(64, 48);
    for body in both(inputs::form(&[("image", b"p\xE9.png", &image)]), "form_filename_latin1.bin") {
        let answer = form(&server, &body);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }
    for body in
        both(inputs::form(&[("height", b"", b""), ("image", b"p.png", &image)]), "form_empty_field.bin")
    {
        let answer = form(&server, &body);
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }
    let two = inputs::form(&[("image", b"a.png", &image), ("image", b"b.png", &image)]);
    for body in both(two, "form_two_pictures.bin") {
        let answer = form(&server, &body);
        assert_eq!(answer.status, 400);
        let message = answer.json()["message"].as_str().unwrap().to_lowercase();
        assert!(
            message.contains("two") || message.contains("more than one") || message.contains("second"),
            "{message}"
        );
    }
}

#[test]
fn auto_gives_webp_only_where_accept_takes_it() {
    let server = Server::start_http(&[]);
    for (accept, format) in
        [("", "image/jpeg"), ("Accept: */*\r\n", "image/jpeg"), ("Accept: image/webp;q=0\r\n", "image/jpeg")]
    {
        let headers = format!("Connection: close\r\n{accept}");
        let answer = ask(&server, &posted("/resize?width=300&format=auto", &headers, &inputs::jpeg()));
        assert_eq!((answer.status, answer.header("content-type")), (200, format), "{accept}");
    }
}

#[test]
fn imaginary_interlaces() {
    let server = Server::start_http(&[]);
    for input in both(inputs::jpeg(), "baseline_optimised.jpg") {
        let answer =
            ask(&server, &posted("/convert?type=jpeg&interlace=true", "Connection: close\r\n", &input));
        assert_eq!(answer.status, 200);
        assert!(has_marker(&answer.body, 0xC2), "not progressive");
    }
}

#[test]
#[ignore = "open: fractions, empty values and unknown keys are refused"]
fn imaginary_takes_what_its_clients_send() {
    let server = Server::start_http(&[]);
    for target in ["/resize?width=333.33&height=", "/convert?type=png&speed=8", "/resize?width=10&_=1"] {
        let answer = ask(&server, &posted(target, "Connection: close\r\n", &inputs::jpeg()));
        assert_eq!(answer.status, 200, "{target}: {}", String::from_utf8_lossy(&answer.body));
    }
}

// F. The command line.

#[test]
fn the_height_of_one_file_follows_its_width() {
    let (width, height) = convert(&png(200, 120), "--width 50").picture().dimensions();
    assert_eq!((width, height), (50, 30));
}

#[test]
fn the_client_on_the_http_port_is_told_so() {
    let server = Server::start_http(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.png");
    std::fs::write(&file, png(64, 48)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_imgcli"));
    let output = command.args(["--server", &server.http().to_string()]).arg(&file).output().unwrap();
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success() && printed.contains("HTTP"), "{printed}");
}

#[test]
fn names_that_differ_in_case_alone_are_both_kept_or_the_hint_helps() {
    let folder = tempfile::tempdir().unwrap();
    let (from, out): (PathBuf, PathBuf) = (folder.path().join("from"), folder.path().join("out"));
    std::fs::create_dir(&from).unwrap();
    std::fs::write(from.join("a.jpg"), inputs::jpeg()).unwrap();
    std::fs::write(from.join("A.JPG"), inputs::jpeg()).unwrap();
    let run = |name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgcli"));
        command.arg("--local").arg(&from).arg("--out").arg(&out).args(["--name", name, "--width", "50"]);
        command.output().unwrap()
    };
    let results = |out: &Path| {
        std::fs::read_dir(out).map_or(0, |entries| {
            entries.flatten().filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).count()
        })
    };
    let output = run("{dir}/{name}");
    if results(&out) < 2 {
        let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(printed.contains("use {hash} in --name"), "{printed}");
        std::fs::remove_dir_all(&out).unwrap();
        assert!(run("{dir}/{stem}-{hash}.{ext}").status.success());
        assert_eq!(results(&out), 2);
    }
}
