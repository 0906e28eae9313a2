//! Golden hashes: each path of the codec gives the same bytes as ever, on every machine and instruction set.

use super::colour;
use super::decode::testing::TestPicture;
use super::decode::{self, Decoder, PlaneRows, Scale};
use super::encode::{Coding, EncodeOptions, Encoder};
use super::header::JpegHeader;
use super::pipeline::{DecodeSpeed, Resize, ResizeScratch};
use super::planes::{Planes, Sampling};
use super::resample::ResampleKernel;
use crate::limits::Limits;
use crate::pixels::{Canvas, Geometry, Orientation, Region};

const CODINGS: [Coding; 4] = [Coding::Fixed, Coding::Optimised, Coding::Progressive, Coding::Smallest];
const SAMPLINGS: [Sampling; 4] = [Sampling::Gray, Sampling::S444, Sampling::S422, Sampling::S420];
const YCC_420: [(usize, usize); 3] = [(2, 2), (1, 1), (1, 1)];

/// FNV-1a of 64 bits.
struct Hash(u64);

impl Hash {
    fn new() -> Hash {
        Hash(0xCBF2_9CE4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}

/// Sequential, with restarts, progressive, and large enough for several workers.
fn sources() -> [Vec<u8>; 4] {
    let picture = TestPicture::new(330, 250, &YCC_420, 9, 5);
    let restarts = TestPicture { restart_interval: 7, ..picture.clone() };
    let large = TestPicture::new(1100, 900, &[(2, 1), (1, 1), (1, 1)], 25, 3);
    [picture.write(), restarts.write(), picture.make_progressive().write(), large.write()]
}

/// A plain resize of `file`, changed by `change`.
fn with_resize<T>(
    file: &[u8],
    size: (u32, u32),
    limits: &Limits,
    change: impl FnOnce(&mut Geometry),
    run: impl FnOnce(&Resize<'_>) -> T,
) -> T {
    let header = JpegHeader::parse(file, limits).unwrap();
    let (width, height) = (header.frame.width.into(), header.frame.height.into());
    let mut geometry = Geometry {
        orientation: Orientation::default(),
        region: Region { x: 0.0, y: 0.0, width, height },
        width: size.0,
        height: size.1,
        canvas: None,
    };
    change(&mut geometry);
    run(&Resize {
        input: file,
        header: &header,
        geometry: &geometry,
        kernel: ResampleKernel::Lanczos3,
        speed: DecodeSpeed::Normal,
        background: [250, 20, 30],
        limits,
    })
}

#[test]
fn samples_at_every_scale_are_the_same_as_ever() {
    let mut hash = Hash::new();
    for file in sources() {
        for scale in Scale::ALL {
            let limits = Limits::default();
            let header = JpegHeader::parse(&file, &limits).unwrap();
            let mut scratch = decode::DecodeScratch::default();
            let scales = vec![scale; header.frame.components().len()];
            let mut decoder = Decoder::new(&file, &header, &scales, &limits, &mut scratch).unwrap();
            let layouts = decoder.layouts().to_vec();
            let mut strips: Vec<_> = layouts.iter().map(|l| vec![0; l.strip_len(l.min_stride)]).collect();
            loop {
                let rows = strips.iter_mut().zip(&layouts);
                let mut rows: Vec<_> =
                    rows.map(|(samples, l)| PlaneRows { samples, stride: l.min_stride }).collect();
                if !decoder.next_mcu_row(&mut rows).unwrap() {
                    break;
                }
                for (strip, layout) in strips.iter().zip(&layouts) {
                    strip.chunks(layout.min_stride).for_each(|row| hash.add(&row[..layout.width]));
                }
            }
        }
    }
    assert_eq!(hash.0, 0xf235_bc31_08f2_ceda, "{:#018x}", hash.0);
}

#[test]
fn encoded_planes_are_the_same_as_ever() {
    let mut hash = Hash::new();
    for sampling in SAMPLINGS {
        let mut planes = Planes::new(203, 131, sampling).unwrap();
        for (index, plane) in planes.planes_mut().iter_mut().enumerate() {
            let stride = plane.stride();
            for (i, sample) in plane.samples_mut().iter_mut().enumerate() {
                let (x, y) = (i % stride, i / stride);
                *sample =
                    (x * (2 + index) / 3 + y + ((x * y) >> 5 & 15) + ((i * 2_654_435_761) >> 9 & 7)) as u8;
            }
            plane.extend_edges(0..plane.height());
        }
        for coding in CODINGS {
            for restart_interval in [0, 5] {
                let options = EncodeOptions { coding, restart_interval, ..EncodeOptions::default() };
                hash.add(&Encoder::default().encode(&planes, &options).unwrap());
            }
        }
    }
    assert_eq!(hash.0, 0xba0b_14ae_232e_6630, "{:#018x}", hash.0);
}

#[test]
fn resized_files_are_the_same_as_ever_by_any_number_of_workers() {
    for spare_workers in [0, 1, 3] {
        let limits = Limits { spare_workers, ..Limits::default() };
        let mut hash = Hash::new();
        let mut scratch = ResizeScratch::default();
        for (n, file) in sources().into_iter().enumerate() {
            for (m, size) in [(160, 120), (97, 201), (330, 250), (20, 15)].into_iter().enumerate() {
                let options = EncodeOptions { coding: CODINGS[(n + m) % 4], ..EncodeOptions::default() };
                let sampling = SAMPLINGS[(n + 3 * m) % 4];
                with_resize(
                    &file,
                    size,
                    &limits,
                    |_| {},
                    |resize| {
                        hash.add(&resize.transcode(sampling, &options, &mut scratch).unwrap().value);
                    },
                );
            }
        }
        assert_eq!(hash.0, 0xb2ac_452d_3657_6f31, "{spare_workers} spare workers");
    }
}

#[test]
fn turned_cropped_and_padded_pictures_are_the_same_as_ever() {
    let mut hash = Hash::new();
    let limits = Limits::default();
    let mut scratch = ResizeScratch::default();
    for file in sources() {
        for exif in 1..=8 {
            let change = |geometry: &mut Geometry| {
                geometry.orientation = Orientation::from_exif(exif).unwrap();
                geometry.region = Region { x: 20.0, y: 31.0, width: 200.0, height: 180.5 };
                geometry.canvas = (exif % 2 == 0).then_some(Canvas { width: 101, height: 90, x: 3, y: 5 });
            };
            with_resize(&file, (77, 65), &limits, change, |resize| {
                let pixels = resize.pixels(&mut scratch).unwrap().value;
                hash.add(pixels.data());
                let planes = resize.planes(Sampling::S420, &mut scratch).unwrap().value;
                planes.planes().iter().flat_map(|plane| plane.rows()).for_each(|row| hash.add(row));
                let again = colour::from_pixels(&pixels, Sampling::S422).unwrap();
                again.planes().iter().for_each(|plane| hash.add(plane.samples()));
            });
        }
    }
    assert_eq!(hash.0, 0x39b2_656f_94f5_1f77, "{:#018x}", hash.0);
}
