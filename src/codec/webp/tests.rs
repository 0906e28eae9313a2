//! The samples of key frames beside those of libwebp, which also makes the files.
#![expect(unsafe_code, reason = "libwebp is the reference")]

use super::*;
use crate::limits::Cancel;
use libwebp_sys as webp;
use proptest::prelude::*;
use std::ptr;

/// Y, U and V without margins.
type Frame = [Vec<u8>; 3];

/// A file of libwebp's encoder with noise, edges and flat parts in it.
fn encoded(width: usize, height: usize, seed: u32, tune: impl FnOnce(&mut webp::WebPConfig)) -> Vec<u8> {
    let mut state = seed | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let mut rgb = Vec::new();
    let noise = random() % 80 + 1;
    for y in 0..height {
        for x in 0..width {
            let edge = if (x / 13 + y / 17) % 3 == 0 { 90 } else { 0 };
            let grain = if (x / 32 + y / 32) % 2 == 0 { random() % noise } else { 0 };
            let level = edge + grain + (x * 60 / width) as u32;
            rgb.extend([level as u8, (level + (y * 20 / height) as u32) as u8, (255 - level) as u8]);
        }
    }
    let mut config = webp::WebPConfig::new().unwrap();
    tune(&mut config);
    let mut picture = webp::WebPPicture::new().unwrap();
    (picture.width, picture.height) = (width as i32, height as i32);
    let mut writer = std::mem::MaybeUninit::<webp::WebPMemoryWriter>::uninit();
    // SAFETY: the picture is initialised, `rgb` has `height` rows of `3 * width` bytes, and the writer is initialised before
    // it is used, outlives the call and is cleared once.
    unsafe {
        webp::WebPMemoryWriterInit(writer.as_mut_ptr());
        let mut writer = writer.assume_init();
        assert_ne!(webp::WebPPictureImportRGB(&mut picture, rgb.as_ptr(), 3 * width as i32), 0);
        picture.writer = Some(webp::WebPMemoryWrite);
        picture.custom_ptr = ptr::from_mut(&mut writer).cast();
        assert_ne!(webp::WebPEncode(&config, &mut picture), 0, "{:?}", picture.error_code);
        let file = std::slice::from_raw_parts(writer.mem, writer.size).to_vec();
        webp::WebPPictureFree(&mut picture);
        webp::WebPMemoryWriterClear(&mut writer);
        file
    }
}

fn reference(file: &[u8], filter: LoopFilter) -> Frame {
    let mut config = std::mem::MaybeUninit::<webp::WebPDecoderConfig>::uninit();
    // SAFETY: the configuration is initialised before it is used; the planes that libwebp describes are read while they live
    // and freed once.
    unsafe {
        assert!(webp::WebPInitDecoderConfig(config.as_mut_ptr()));
        let mut config = config.assume_init();
        config.options.bypass_filtering = i32::from(filter == LoopFilter::Skip);
        config.output.colorspace = webp::WEBP_CSP_MODE::MODE_YUV;
        let status = webp::WebPDecode(file.as_ptr(), file.len(), &mut config);
        assert_eq!(status, webp::VP8StatusCode::VP8_STATUS_OK);
        let (width, height) = (config.output.width as usize, config.output.height as usize);
        let planes = config.output.u.YUVA;
        let plane = |data: *const u8, stride: i32, width: usize, height: usize| {
            (0..height)
                .flat_map(|y| std::slice::from_raw_parts(data.add(y * stride as usize), width).to_vec())
                .collect()
        };
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        let frame = [
            plane(planes.y, planes.y_stride, width, height),
            plane(planes.u, planes.u_stride, half_width, half_height),
            plane(planes.v, planes.v_stride, half_width, half_height),
        ];
        webp::WebPFreeDecBuffer(&mut config.output);
        frame
    }
}

/// The payload of the `VP8 ` chunk of a simple file.
fn chunk(file: &[u8]) -> &[u8] {
    assert_eq!(&file[12..16], b"VP8 ");
    let len = u32::from_le_bytes(*file[16..].first_chunk().unwrap()) as usize;
    &file[20..20 + len]
}

fn decode(data: &[u8], filter: LoopFilter) -> (Frame, Result<(), Vp8Error>) {
    let mut frame = Frame::default();
    let mut decoder = match BandDecoder::new(data, filter) {
        Ok(decoder) => decoder,
        Err(error) => return (frame, Err(error)),
    };
    loop {
        match decoder.next_band(&Cancel::never()) {
            Ok(Some(band)) => {
                for (plane, rows) in frame.iter_mut().zip([band.y, band.u, band.v]) {
                    for row in rows.samples.chunks(rows.stride).take(rows.height) {
                        plane.extend_from_slice(&row[..rows.width]);
                    }
                }
            }
            Ok(None) => return (frame, Ok(())),
            Err(error) => return (frame, Err(error)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn samples_are_those_of_libwebp(
        width in 1_usize..90,
        height in 1_usize..90,
        seed: u32,
        quality in 0_u8..=100,
        method in 0..=6,
        (strength, sharpness, is_simple) in (0..=100, 0..=7, any::<bool>()),
        (segments, partitions) in (1..=4, 0..=3),
    ) {
        let file = encoded(width, height, seed, |config| {
            config.quality = quality.into();
            config.method = method;
            (config.filter_strength, config.filter_sharpness) = (strength, sharpness);
            config.filter_type = i32::from(!is_simple);
            (config.segments, config.partitions) = (segments, partitions);
        });
        for filter in [LoopFilter::Apply, LoopFilter::Skip] {
            let (frame, outcome) = decode(chunk(&file), filter);
            prop_assert_eq!(outcome, Ok(()));
            prop_assert!(frame == reference(&file, filter), "{:?}", filter);
        }
    }

    #[test]
    fn damaged_data_ends_in_an_error_or_a_frame(
        cut in 0.0..1.0_f64, flips in prop::collection::vec((0.0..1.0_f64, 0..8_u8), 0..6), seed: u32,
    ) {
        let file = encoded(70, 50, seed, |config| config.partitions = (seed % 4) as i32);
        let mut data = chunk(&file).to_vec();
        for (at, bit) in flips {
            let at = (at * data.len() as f64) as usize;
            data[at] ^= 1 << bit;
        }
        data.truncate((data.len() as f64 * (1.0 - cut * cut)) as usize);
        // A size that was flipped may be large.
        prop_assume!(frame_size(&data).is_ok_and(|size| size.width * size.height < 1 << 22));
        for filter in [LoopFilter::Apply, LoopFilter::Skip] {
            let _ = decode(&data, filter);
        }
    }
}

#[test]
fn truncated_data_gives_the_rows_before_the_cut_and_says_so() {
    let file = encoded(200, 160, 7, |config| config.quality = 90.0);
    let data = chunk(&file);
    for filter in [LoopFilter::Apply, LoopFilter::Skip] {
        let (whole, _) = decode(data, filter);
        let (part, outcome) = decode(&data[..data.len() * 2 / 3], filter);
        assert_eq!(outcome, Err(Vp8Error::Truncated));
        assert!(part[0].len() > whole[0].len() / 4 && part[0].len() < whole[0].len());
        for (part, whole) in part.iter().zip(&whole) {
            assert!(whole.starts_with(part), "{filter:?}");
        }
    }
}

#[test]
fn a_cancelled_decoder_stops_within_a_row() {
    let file = encoded(64, 64, 7, |_| {});
    let mut decoder = BandDecoder::new(chunk(&file), LoopFilter::Skip).unwrap();
    let cancel = Cancel::after(2);
    assert!(decoder.next_band(&cancel).is_ok());
    assert!(decoder.next_band(&cancel).is_ok());
    assert!(matches!(decoder.next_band(&cancel), Err(Vp8Error::Stopped(_))));
}

/// Compares all simple lossy files of the corpus, where it is there.
#[test]
fn odd_files_are_decoded_as_by_libwebp() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/odd/webp");
    if !folder.exists() {
        assert!(std::env::var_os("CI").is_none(), "{} is missing", folder.display());
        return;
    }
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = std::fs::read(&path).unwrap();
        if file.get(12..16) != Some(b"VP8 ") {
            continue;
        }
        let (frame, outcome) = decode(chunk(&file), LoopFilter::Apply);
        assert_eq!(outcome, Ok(()), "{}", path.display());
        let reference = reference(&file, LoopFilter::Apply);
        for (plane, (ours, theirs)) in frame.iter().zip(&reference).enumerate() {
            let first = ours.iter().zip(theirs).position(|(a, b)| a != b);
            assert!(
                first.is_none() && ours.len() == theirs.len(),
                "{}: plane {plane} at {first:?}",
                path.display()
            );
        }
        compared += 1;
    }
    assert!(compared > 10, "{compared}");
}
