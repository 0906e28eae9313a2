//! Compares the samples of a JPEG by our decoder and by another one, wherever T.81 defines them.
//!
//! Decoders may differ where data are damaged, scans send a coefficient twice or bits of it before
//! others, tables change while they are in use, symbols mean nothing, or a block leaves the range of samples so far
//! that intermediate results overflow. Enlarged chroma may be any mean of its neighbours.

use imgsrv::internals::codec::jpeg::decode::{
    DecodeScratch, DecodedCoefficients, Decoder, Flaws, PlaneRows, Scale, Soundness, soundness,
};
use imgsrv::internals::codec::jpeg::header::{
    CodingProcess, FrameComponent, FrameHeader, JpegHeader, ScanHeader,
};
use imgsrv::internals::codec::jpeg::huffman::{TableClass, huffman_tables};
use imgsrv::internals::codec::jpeg::marker::{Marker, MarkerSegments};
use imgsrv::limits::Limits;
use std::sync::LazyLock;

/// Asserts that both decoders read the same samples, or one level off. Returns false, and compares nothing, unless both
/// read `bytes` without flaws and T.81 defines their samples.
pub(crate) fn compare(bytes: &[u8], limits: &Limits) -> bool {
    let Ok(header) = JpegHeader::parse(bytes, limits) else { return false };
    let (Some(ours), Some(theirs)) = (ours(bytes, &header, limits), theirs(bytes)) else { return false };
    let frame = &header.frame;
    assert_eq!(theirs.len() as u64, frame.pixels() * ours.len() as u64, "samples of the other decoder");
    if !samplings_are_usual(frame) || !scans_are_sound(bytes, &header) || !in_range(bytes, &header, limits) {
        return false;
    }
    let width = usize::from(frame.width);
    for (i, pixel) in theirs.chunks_exact(ours.len()).enumerate() {
        for (index, (plane, sample)) in ours.iter().zip(pixel).enumerate() {
            let [x, y] = [i % width, i / width];
            let [least, most] = plane.around(x, y);
            let near = least.saturating_sub(1)..=most.saturating_add(1);
            assert!(
                near.contains(sample),
                "component {index} at {x}, {y}: {least} to {most}, theirs {sample}"
            );
        }
    }
    true
}

/// The samples of a component, and how many pixels each covers.
struct Plane {
    width: usize,
    height: usize,
    samples: Vec<u8>,
    across: usize,
    down: usize,
}

impl Plane {
    /// Returns the least and the largest sample that a decoder may show at pixel `x`, `y`: the sample there, and where it covers more
    /// pixels its neighbours, since decoders interpolate.
    fn around(&self, x: usize, y: usize) -> [u8; 2] {
        let span = |at: usize, pixels: usize, len: usize| match pixels {
            1 => at..=at,
            _ => (at / pixels).saturating_sub(1)..=(at / pixels + 1).min(len - 1),
        };
        let rows = span(y, self.down, self.height).map(|y| &self.samples[y * self.width..][..self.width]);
        let columns = span(x, self.across, self.width);
        let samples = rows.flat_map(|row| &row[columns.clone()]);
        samples.fold([255, 0], |[least, most], &sample| [least.min(sample), most.max(sample)])
    }
}

/// Decodes the planes by our decoder. Returns `None` for flawed data.
fn ours(bytes: &[u8], header: &JpegHeader<'_>, limits: &Limits) -> Option<Vec<Plane>> {
    let frame = &header.frame;
    let mut scratch = DecodeScratch::default();
    let scales = vec![Scale::FULL; frame.components().len()];
    let mut decoder = Decoder::new(bytes, header, &scales, limits, &mut scratch).ok()?;
    let layouts = decoder.layouts().to_vec();
    let mut planes: Vec<_> = frame
        .components()
        .iter()
        .zip(&layouts)
        .map(|(component, layout)| Plane {
            width: layout.width,
            height: layout.height,
            samples: Vec::new(),
            across: usize::from(frame.h_max() / component.h),
            down: usize::from(frame.v_max() / component.v),
        })
        .collect();
    let mut strips: Vec<_> =
        layouts.iter().map(|layout| vec![0; layout.strip_len(layout.min_stride)]).collect();
    loop {
        let rows = strips.iter_mut().zip(&layouts);
        let mut rows: Vec<_> =
            rows.map(|(strip, layout)| PlaneRows { samples: strip, stride: layout.min_stride }).collect();
        if !decoder.next_mcu_row(&mut rows).ok()? {
            break;
        }
        for ((strip, layout), plane) in strips.iter().zip(&layouts).zip(&mut planes) {
            for row in strip.chunks_exact(layout.min_stride) {
                plane.samples.extend_from_slice(&row[..layout.width]);
            }
        }
    }
    let flaws = decoder.flaws();
    // The walk without samples finds the flaws of the decode.
    let walked = soundness(bytes, header, limits, &mut DecodeScratch::default()).ok()?;
    match walked {
        Soundness::Unsound(found) => assert_eq!(found, flaws),
        Soundness::Sound | Soundness::Unusual => assert_eq!(flaws, Flaws::default()),
    }
    (flaws == Flaws::default()).then_some(planes)
}

/// Decodes the components of each pixel by jpeg-decoder. Returns `None` if it refuses the file.
fn theirs(bytes: &[u8]) -> Option<Vec<u8>> {
    use jpeg_decoder::{ColorTransform, PixelFormat};
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    decoder.read_info().ok()?;
    let format = decoder.info()?.pixel_format;
    // The transforms that change nothing, or only the sign: `None` is for planes of one size.
    decoder.set_color_transform(match format {
        PixelFormat::L8 | PixelFormat::L16 => ColorTransform::Grayscale,
        PixelFormat::RGB24 => ColorTransform::RGB,
        PixelFormat::CMYK32 => ColorTransform::CMYK,
    });
    let mut samples = decoder.decode().ok()?;
    if format == PixelFormat::CMYK32 {
        samples.iter_mut().for_each(|sample| *sample = 255 - *sample);
    }
    Some(samples)
}

/// Returns true if a sample of each component covers a whole number of pixels and stands for one or for all that an MCU can
/// have: between these the other decoder counts the blocks of a scan of one component wrongly.
fn samplings_are_usual(frame: &FrameHeader) -> bool {
    let usual = |factor: u8, max: u8| factor == 1 || factor == max;
    frame.components().iter().all(|c| usual(c.h, frame.h_max()) && usual(c.v, frame.v_max()))
}

/// Returns true if each bit of each coefficient is sent once, the high ones first and DC before the others (T.81 G.1.1.1), with
/// one quantisation table throughout and Huffman symbols that stand for something (F.1.2, G.1.2).
fn scans_are_sound(bytes: &[u8], header: &JpegHeader<'_>) -> bool {
    let frame = &header.frame;
    // By component and coefficient: how many low bits are still missing.
    let mut missing = [[None; 64]; 4];
    let mut scanned = false;
    let mut segments = MarkerSegments::new(bytes, 2);
    while let Some(Ok(segment)) = segments.next() {
        match segment.marker {
            Marker::EOI => break,
            Marker::DQT if scanned => return false,
            Marker::DHT => {
                let known = |symbol: u8, class| match (class, symbol >> 4, symbol & 15) {
                    (TableClass::Dc, run, size) => run == 0 && size <= 11,
                    (TableClass::Ac, run, 0) => {
                        run == 0 || run == 15 || frame.coding == CodingProcess::Progressive
                    }
                    (TableClass::Ac, _, size) => size <= 10,
                };
                let mut tables = huffman_tables(segment.body).flatten();
                if !tables.all(|t| t.table.symbols().iter().all(|&symbol| known(symbol, t.class))) {
                    return false;
                }
            }
            Marker::SOS => {
                let Ok(scan) = ScanHeader::parse(segment.body, frame) else { return false };
                scanned = true;
                for component in scan.components() {
                    let missing = &mut missing[component.index];
                    if scan.first > 0 && missing[0].is_none() {
                        return false;
                    }
                    let refined = (scan.high > 0).then_some(scan.high);
                    for bits in &mut missing[scan.first.into()..=scan.last.into()] {
                        if bits.replace(scan.low) != refined {
                            return false;
                        }
                    }
                }
                segments.skip_entropy_coded();
            }
            _ => {}
        }
    }
    let components: &[FrameComponent] = frame.components();
    missing[..components.len()].iter().all(|bits| bits[0].is_some())
}

/// Levels by which the samples of a block may leave 0 to 255 before they are clamped.
const MARGIN: f64 = 64.0;

/// Returns true if all blocks hold coefficients that pictures of 8 bits have after quantisation.
fn in_range(bytes: &[u8], header: &JpegHeader<'_>, limits: &Limits) -> bool {
    let mut scratch = DecodeScratch::default();
    let Ok(coefficients) = DecodedCoefficients::decode(bytes, header, limits, &mut scratch) else {
        return false;
    };
    coefficients.quant_tables().iter().enumerate().all(|(index, steps)| {
        let (columns, rows) = coefficients.blocks(index);
        (0..columns * rows).all(|at| {
            let block = coefficients.block(index, at % columns, at / columns);
            let dequantised = std::array::from_fn(|i| f64::from(block[i]) * f64::from(steps.0[i]));
            inverse_dct(&dequantised).iter().all(|level| level.abs() <= 128.0 + MARGIN)
        })
    })
}

/// T.81 A.3.3.
fn inverse_dct(block: &[f64; 64]) -> [f64; 64] {
    /// The weight of coefficient `i % 8` in sample `i / 8`.
    static WEIGHTS: LazyLock<[f64; 64]> = LazyLock::new(|| {
        std::array::from_fn(|i| {
            let (sample, frequency) = ((i / 8) as f64, (i % 8) as f64);
            let norm = if i % 8 == 0 { 0.125_f64.sqrt() } else { 0.5 };
            norm * ((2.0 * sample + 1.0) * frequency * std::f64::consts::PI / 16.0).cos()
        })
    });
    let rows: [f64; 64] =
        std::array::from_fn(|i| (0..8).map(|u| WEIGHTS[i % 8 * 8 + u] * block[i / 8 * 8 + u]).sum());
    std::array::from_fn(|i| (0..8).map(|v| WEIGHTS[i / 8 * 8 + v] * rows[v * 8 + i % 8]).sum())
}
