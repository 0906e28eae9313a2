//! `PredictivePicture`: pictures of the lossless process, which codes samples by prediction (SOF3, T.81 Annex H).

use super::Flaws;
use crate::codec::jpeg::error::JpegError;
use crate::codec::jpeg::header::{CodingProcess, DecodingTables, FrameHeader, JpegMetadata, ScanHeader};
use crate::codec::jpeg::huffman::HuffmanRef;
use crate::codec::jpeg::marker::{Marker, MarkerSegments};
use crate::limits::{Limits, try_vec};

/// Samples of a picture of the lossless process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictivePicture {
    /// Size, precision and components. All components have the full resolution.
    pub frame: FrameHeader,
    /// True if the components are luma and two colour differences.
    pub is_ycc: bool,
    /// Interleaved samples of [`FrameHeader::precision`] bits, row after row.
    pub samples: Vec<u16>,
    /// Flaws of the data. Missing samples repeat their prediction.
    pub flaws: Flaws,
}

impl PredictivePicture {
    /// Decodes `input`.
    ///
    /// # Errors
    /// [`JpegError::Damaged`] if there is no readable scan, or for subsampled components; [`JpegError::TooLarge`],
    /// [`JpegError::OutOfMemory`], [`JpegError::Stopped`].
    pub fn decode(input: &[u8], limits: &Limits) -> Result<PredictivePicture, JpegError> {
        let (mut tables, mut metadata) = (DecodingTables::default(), JpegMetadata::default());
        let mut picture: Option<PredictivePicture> = None;
        let mut flaws = Flaws { truncated: true, damaged: false };
        let mut scanned = false;
        let mut segments = MarkerSegments::new(input, 2);
        while let Some(Ok(segment)) = segments.next() {
            match segment.marker {
                Marker::SOF3 if picture.is_none() => {
                    let frame = FrameHeader::read(CodingProcess::Sequential, segment.body, 2..=16)?;
                    frame.check_limits(limits)?;
                    if frame.components().iter().any(|c| (c.h, c.v) != (frame.h_max(), frame.v_max())) {
                        return Err(JpegError::Damaged("lossless JPEG with subsampled components"));
                    }
                    let samples = try_vec(frame.pixels() as usize * frame.components().len())?;
                    picture = Some(PredictivePicture { frame, is_ycc: false, samples, flaws });
                }
                Marker::SOS => {
                    let picture =
                        picture.as_mut().ok_or(JpegError::Damaged("a scan before the frame header"))?;
                    let scan = PredictiveScan::parse(segment.body, &picture.frame, &tables)?;
                    flaws.add(scan.decode(&input[segment.end..], picture, limits)?);
                    scanned = true;
                    segments.skip_entropy_coded();
                }
                Marker::EOI => {
                    flaws.truncated = false;
                    break;
                }
                _ => {
                    tables.read(&segment)?;
                    metadata.read(&segment);
                }
            }
        }
        let mut picture = picture.filter(|_| scanned).ok_or(JpegError::Damaged("there is no scan"))?;
        picture.flaws = flaws;
        // As libjpeg-turbo: without JFIF and Adobe segments, the lossless process stores RGB.
        picture.is_ycc = picture.frame.components().len() == 3
            && (metadata.density.is_some() || metadata.adobe.is_some_and(|adobe| adobe.transform != 0));
        Ok(picture)
    }
}

/// A scan of the lossless process.
struct PredictiveScan {
    /// Index in the frame and Huffman codes of each component.
    components: Vec<(usize, Vec<(u8, u8)>)>,
    /// Predictor, 1 to 7 (table H.1).
    predictor: u8,
    /// Point transform (Pt).
    low: u8,
    restart_interval: usize,
}

impl PredictiveScan {
    fn parse(
        body: &[u8],
        frame: &FrameHeader,
        tables: &DecodingTables<'_>,
    ) -> Result<PredictiveScan, JpegError> {
        let header = ScanHeader::parse(body, frame).map_err(JpegError::Damaged)?;
        let parameters = body.get(1 + 2 * header.components().len()..).and_then(<[u8]>::first_chunk);
        let Some(&[predictor, _, low]) = parameters else {
            return Err(JpegError::Damaged("the scan header is cut short"));
        };
        let low = low & 15;
        if !(1..=7).contains(&predictor) || low >= frame.precision {
            return Err(JpegError::Damaged("impossible prediction"));
        }
        let mut components = Vec::new();
        for selector in header.components() {
            let table = tables.dc[selector.dc].ok_or(JpegError::Damaged("a Huffman table is missing"))?;
            components.push((selector.index, codes_by_prefix(table)?));
        }
        let restart_interval = tables.restart_interval.into();
        Ok(PredictiveScan { components, predictor, low, restart_interval })
    }

    /// Decodes the entropy-coded `data` into `picture`.
    fn decode(
        &self,
        data: &[u8],
        picture: &mut PredictivePicture,
        limits: &Limits,
    ) -> Result<Flaws, JpegError> {
        let (width, height) = (usize::from(picture.frame.width), usize::from(picture.frame.height));
        let stride = picture.frame.components().len();
        let middle = 1_u16 << (picture.frame.precision - self.low - 1);
        let mut bits = PredictiveBits { data, at: 0, buffer: 0, count: 0, overdrawn: false };
        let mut flaws = Flaws::default();
        // The row and column at which the prediction began anew, and the MCUs until it does so again.
        let (mut origin, mut left) = ((0, 0), self.restart_interval);
        for y in 0..height {
            limits.cancel.check()?;
            for x in 0..width {
                if self.restart_interval > 0 {
                    if left == 0 {
                        flaws.damaged |= !bits.restart();
                        (origin, left) = ((y, x), self.restart_interval);
                    }
                    left -= 1;
                }
                for (component, codes) in &self.components {
                    let place = |x: usize, y: usize| (y * width + x) * stride + component;
                    let before = |x: usize, y: usize| picture.samples[place(x, y)] >> self.low;
                    let prediction = match (x, y) {
                        at if at == (origin.1, origin.0) => middle,
                        (0, _) => before(0, y - 1),
                        _ if y == origin.0 => before(x - 1, y),
                        _ => {
                            let (a, b, c) = (before(x - 1, y), before(x, y - 1), before(x - 1, y - 1));
                            predict(self.predictor, a.into(), b.into(), c.into())
                        }
                    };
                    let difference = bits.difference(codes, &mut flaws);
                    let value = i32::from(prediction).wrapping_add(difference) as u16;
                    picture.samples[place(x, y)] = value << self.low;
                }
            }
        }
        flaws.truncated |= bits.overdrawn;
        Ok(flaws)
    }
}

/// Predicts a sample from those to the left, above, and above left (table H.1).
fn predict(predictor: u8, a: i32, b: i32, c: i32) -> u16 {
    (match predictor {
        1 => a,
        2 => b,
        3 => c,
        4 => a + b - c,
        5 => a + ((b - c) >> 1),
        6 => b + ((a - c) >> 1),
        _ => (a + b) >> 1,
    }) as u16
}

/// Returns the length and symbol of each code, by the next 16 bits. Length 0 where there is no code.
fn codes_by_prefix(table: HuffmanRef<'_>) -> Result<Vec<(u8, u8)>, JpegError> {
    let mut codes = try_vec(1 << 16)?;
    for (symbol, code, length) in table.codes() {
        let start = usize::from(code) << (16 - length);
        codes[start..start + (1 << (16 - length))].fill((length, symbol));
    }
    Ok(codes)
}

/// Bits of entropy-coded data, without its byte stuffing. Zeros follow the end.
struct PredictiveBits<'a> {
    data: &'a [u8],
    at: usize,
    /// Pending bits, left-aligned, and their number.
    buffer: u64,
    count: u32,
    /// True once more bits were taken than there were.
    overdrawn: bool,
}

impl PredictiveBits<'_> {
    /// Refills the buffer to at least 48 bits, unless the data ends.
    fn refill(&mut self) {
        while self.count <= 48 {
            let (byte, step) = match (self.data.get(self.at), self.data.get(self.at + 1)) {
                (Some(0xFF), Some(0)) => (0xFF, 2),
                (Some(0xFF), _) | (None, _) => return,
                (Some(&byte), _) => (byte, 1),
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            (self.at, self.count) = (self.at + step, self.count + 8);
        }
    }

    fn take(&mut self, count: u32) -> u32 {
        self.overdrawn |= count > self.count;
        let bits = (self.buffer >> 1 >> (63 - count)) as u32;
        self.buffer <<= count;
        self.count = self.count.saturating_sub(count);
        bits
    }

    /// Decodes a difference (H.1.2.2): a category of 0 to 16 and its bits.
    fn difference(&mut self, codes: &[(u8, u8)], flaws: &mut Flaws) -> i32 {
        self.refill();
        let (length, category) = codes[(self.buffer >> 48) as usize];
        if length == 0 || category > 16 {
            flaws.damaged |= self.count > 0;
            self.take(16);
            return 0;
        }
        self.take(length.into());
        match u32::from(category) {
            0 => 0,
            16 => 32_768,
            size => {
                let bits = self.take(size) as i32;
                if bits < 1 << (size - 1) { bits - (1 << size) + 1 } else { bits }
            }
        }
    }

    /// Moves behind the next restart marker. Returns false if there is none at the position.
    fn restart(&mut self) -> bool {
        (self.buffer, self.count) = (0, 0);
        let found = self.data.get(self.at..).and_then(<[u8]>::first_chunk);
        let is_restart = matches!(found, Some(&[0xFF, 0xD0..=0xD7]));
        self.at += if is_restart { 2 } else { 0 };
        is_restart
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::jpeg::error::JpegKind;
    use crate::codec::jpeg::header::JpegHeader;

    /// Writes a file with codes of 5 bits: category n is code n.
    fn write(
        (width, height): (usize, usize),
        samples: &[u16],
        (precision, predictor, low, interval): (u8, u8, u8, usize),
        head: &[u8],
    ) -> Vec<u8> {
        let count = samples.len() / (width * height);
        let mut file = [&[0xFF, 0xD8][..], head].concat();
        let mut segment = |marker: u8, body: &[u8]| {
            file.extend([0xFF, marker]);
            file.extend((body.len() as u16 + 2).to_be_bytes());
            file.extend(body);
        };
        let mut frame = vec![precision, 0, height as u8, 0, width as u8, count as u8];
        (0..count).for_each(|i| frame.extend([i as u8 + 1, 0x11, 0]));
        segment(0xC3, &frame);
        let mut table = vec![0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        table.extend(0..17);
        segment(0xC4, &table);
        segment(0xDD, &(interval as u16).to_be_bytes());
        let mut scan = vec![count as u8];
        (0..count).for_each(|i| scan.extend([i as u8 + 1, 0]));
        scan.extend([predictor, 0, low]);
        segment(0xDA, &scan);
        let (mut bits, mut marker) = (Vec::new(), 0);
        let flush = |bits: &mut Vec<bool>, file: &mut Vec<u8>| {
            for byte in bits.chunks(8) {
                let byte = (0..8).fold(0, |sum, i| sum << 1 | u8::from(*byte.get(i).unwrap_or(&true)));
                file.push(byte);
                if byte == 0xFF {
                    file.push(0);
                }
            }
            bits.clear();
        };
        let mut origin = (0, 0);
        for mcu in 0..width * height {
            let (x, y) = (mcu % width, mcu / width);
            if interval > 0 && mcu > 0 && mcu % interval == 0 {
                flush(&mut bits, &mut file);
                file.extend([0xFF, 0xD0 + marker]);
                marker = (marker + 1) % 8;
                origin = (x, y);
            }
            for c in 0..count {
                let at = |x: usize, y: usize| i32::from(samples[(y * width + x) * count + c] >> low);
                let prediction = if (x, y) == origin {
                    1 << (precision - low - 1)
                } else if x == 0 {
                    at(0, y - 1)
                } else if y == origin.1 {
                    at(x - 1, y)
                } else {
                    predict(predictor, at(x - 1, y), at(x, y - 1), at(x - 1, y - 1)).into()
                };
                let difference = i32::from((at(x, y) - prediction) as i16);
                let size = 32 - difference.unsigned_abs().leading_zeros();
                let mut put = |value: i32, n: u32| bits.extend((0..n).rev().map(|i| value >> i & 1 == 1));
                put(size as i32, 5);
                if size < 16 {
                    put(if difference < 0 { difference - 1 } else { difference }, size);
                }
            }
        }
        flush(&mut bits, &mut file);
        file.extend([0xFF, 0xD9]);
        file
    }

    fn noise(len: usize, precision: u8, low: u8) -> Vec<u16> {
        let mut state = 7_u32;
        let sample = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 9) as u16 & ((1_u32 << precision) - 1) as u16) >> low << low
        };
        (0..len).map(sample).collect()
    }

    #[test]
    fn every_predictor_and_precision_gives_what_went_in() {
        for predictor in 1..=7 {
            for (precision, low, interval) in [(8, 0, 0), (8, 1, 0), (12, 0, 13), (16, 0, 26), (2, 0, 0)] {
                for count in [1, 3, 4] {
                    let samples = noise(13 * 9 * count, precision, low);
                    let file = write((13, 9), &samples, (precision, predictor, low, interval), &[]);
                    let picture = PredictivePicture::decode(&file, &Limits::default()).unwrap();
                    assert_eq!(picture.flaws, Flaws::default(), "{predictor} {precision} {count}");
                    assert!(picture.samples == samples, "{predictor} {precision} {low} {interval} {count}");
                }
            }
        }
    }

    #[test]
    fn three_components_are_rgb_unless_a_segment_tells_otherwise() {
        let jfif = b"\xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
        let adobe = |transform: u8| [&b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0"[..], &[transform]].concat();
        let samples = noise(4 * 4 * 3, 8, 0);
        for (head, is_ycc) in [(vec![], false), (jfif.to_vec(), true), (adobe(0), false), (adobe(1), true)] {
            let file = write((4, 4), &samples, (8, 1, 0, 0), &head);
            assert_eq!(PredictivePicture::decode(&file, &Limits::default()).unwrap().is_ycc, is_ycc);
            let other = JpegHeader::parse(&file, &Limits::default()).unwrap_err();
            assert_eq!(other, JpegError::Unsupported(JpegKind::Lossless));
        }
    }

    #[test]
    fn truncated_and_damaged_files_end_well() {
        let samples = noise(20 * 20 * 3, 8, 0);
        let file = write((20, 20), &samples, (8, 4, 0, 20), &[]);
        let half = PredictivePicture::decode(&file[..file.len() / 2], &Limits::default()).unwrap();
        assert!(half.flaws.truncated);
        assert_eq!(half.samples[..20 * 3 * 8], samples[..20 * 3 * 8]);
        for at in 2..file.len() {
            let mut broken = file.clone();
            broken[at] ^= 0x55;
            let _ = PredictivePicture::decode(&broken, &Limits::default());
            let _ = PredictivePicture::decode(&file[..at], &Limits::default());
        }
    }
}
