//! A slow and simple JPEG writer for tests: any sampling, restart interval and scan script, from
//! coefficients. Independent of the encoder of this crate, and of all tables and shortcuts of the decoder.

mod slow;

pub(super) use slow::{Slow, random_table};

use crate::codec::jpeg::huffman::HuffmanSpec;
use crate::codec::jpeg::zigzag::NATURAL;

/// A small deterministic generator (xorshift64*), for pictures and mutations.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// One scan of a script.
#[derive(Debug, Clone)]
pub(crate) struct TestScan {
    pub(crate) components: Vec<usize>,
    pub(crate) first: usize,
    pub(crate) last: usize,
    pub(crate) high: u32,
    pub(crate) low: u32,
}

pub(crate) fn scan(components: &[usize], first: usize, last: usize, high: u32, low: u32) -> TestScan {
    TestScan { components: components.to_vec(), first, last, high, low }
}

/// Huffman codes of a test file. Both variants hold all 256 symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codes {
    /// All of 8 or 9 bits.
    Flat,
    /// A few short ones, all others of 16 bits.
    Skewed,
}

impl Codes {
    fn spec(self) -> HuffmanSpec {
        let frequent = [0x00, 0x01, 0x11, 0x02, 0x21, 0x10, 0x03, 0xF0, 0x04];
        let mut symbols = frequent.to_vec();
        symbols.extend((0..=255).filter(|symbol| !frequent.contains(symbol)));
        let mut counts = [0; 16];
        match self {
            Codes::Flat => (counts[7], counts[8]) = (255, 1),
            Codes::Skewed => {
                counts[1..10].fill(1);
                counts[15] = 247;
            }
        }
        HuffmanSpec::new(counts, &symbols).unwrap()
    }
}

/// A picture as coefficients, and the form of its file.
#[derive(Debug, Clone)]
pub(crate) struct TestPicture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) sampling: Vec<(usize, usize)>,
    /// Blocks by component, in raster order of whole MCUs; coefficients in zig-zag order.
    pub(crate) blocks: Vec<Vec<[i16; 64]>>,
    pub(crate) restart_interval: usize,
    pub(crate) codes: Codes,
    pub(crate) progressive: bool,
    pub(crate) scans: Vec<TestScan>,
    /// True if a DNL segment behind the first scan carries the height.
    pub(crate) late_height: bool,
}

/// Quantisation steps of all test pictures, in zig-zag order.
pub(crate) fn steps() -> [u8; 64] {
    std::array::from_fn(|z| 3 + z as u8 / 4)
}

impl TestPicture {
    /// Makes a picture like a photograph: smooth, with `detail` coefficients a block on average, in one
    /// sequential scan.
    pub(crate) fn new(
        width: usize,
        height: usize,
        sampling: &[(usize, usize)],
        detail: u64,
        seed: u64,
    ) -> Self {
        let mut random = Random(seed | 1);
        let mut picture = TestPicture {
            width,
            height,
            sampling: sampling.to_vec(),
            blocks: Vec::new(),
            restart_interval: 0,
            codes: Codes::Flat,
            progressive: false,
            scans: vec![scan(&(0..sampling.len()).collect::<Vec<_>>(), 0, 63, 0, 0)],
            late_height: false,
        };
        for component in 0..sampling.len() {
            let (columns, rows) = picture.padded(component);
            let mut dc = 0_i64;
            let blocks = (0..columns * rows).map(|_| {
                dc = (dc + random.below(121) as i64 - 60).clamp(-250, 250);
                let mut block = [0; 64];
                block[0] = dc as i16;
                for _ in 0..random.below(2 * detail + 1) {
                    let z = 1 + (random.below(63) * random.below(64) / 64) as usize;
                    let most = 1 + 60 / (z as u64 + 2);
                    let size = 1 + random.below(most) as i16;
                    block[z] = if random.below(2) == 0 { size } else { -size };
                }
                block
            });
            let blocks = blocks.collect();
            picture.blocks.push(blocks);
        }
        picture
    }

    fn max(&self) -> (usize, usize) {
        let h = self.sampling.iter().map(|s| s.0).max().unwrap();
        (h, self.sampling.iter().map(|s| s.1).max().unwrap())
    }

    /// Columns and rows of whole MCUs.
    fn mcus(&self) -> (usize, usize) {
        let (h, v) = self.max();
        (self.width.div_ceil(8 * h), self.height.div_ceil(8 * v))
    }

    /// Columns and rows of blocks of a component, in whole MCUs.
    pub(crate) fn padded(&self, component: usize) -> (usize, usize) {
        let (columns, rows) = self.mcus();
        (columns * self.sampling[component].0, rows * self.sampling[component].1)
    }

    /// Columns and rows of blocks of a component that show a part of the picture.
    fn shown(&self, component: usize) -> (usize, usize) {
        let (h, v) = self.sampling[component];
        let (h_max, v_max) = self.max();
        ((self.width * h).div_ceil(h_max).div_ceil(8), (self.height * v).div_ceil(v_max).div_ceil(8))
    }

    /// Sets the script of most progressive files, for one or three components.
    pub(crate) fn make_progressive(mut self) -> Self {
        let all: Vec<_> = (0..self.sampling.len()).collect();
        self.progressive = true;
        self.scans = vec![scan(&all, 0, 0, 0, 1)];
        self.scans.extend(all.iter().map(|&c| scan(&[c], 1, 5, 0, 2)));
        self.scans.extend(all.iter().map(|&c| scan(&[c], 6, 63, 0, 2)));
        self.scans.extend(all.iter().map(|&c| scan(&[c], 1, 63, 2, 1)));
        self.scans.push(scan(&all, 0, 0, 1, 0));
        self.scans.extend(all.iter().map(|&c| scan(&[c], 1, 63, 1, 0)));
        self
    }

    /// Writes the file.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = vec![0xFF, 0xD8];
        segment(&mut out, 0xDB, &[&[0][..], &steps()].concat());
        let height = if self.late_height { 0 } else { self.height as u16 };
        let mut frame = vec![8];
        frame.extend(height.to_be_bytes());
        frame.extend((self.width as u16).to_be_bytes());
        frame.push(self.sampling.len() as u8);
        for (i, (h, v)) in self.sampling.iter().enumerate() {
            frame.extend([i as u8 + 1, (h << 4 | v) as u8, 0]);
        }
        segment(&mut out, if self.progressive { 0xC2 } else { 0xC1 }, &frame);
        let spec = self.codes.spec();
        // DC codes are those of the sizes 0 to 15.
        let dc =
            [&[0x00][..], &[0, 0, 0, 15, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &(0..16).collect::<Vec<_>>()];
        let ac = [&[0x10][..], spec.counts(), spec.symbols()];
        segment(&mut out, 0xC4, &[dc.concat(), ac.concat()].concat());
        segment(&mut out, 0xDD, &(self.restart_interval as u16).to_be_bytes());
        for (i, scan) in self.scans.iter().enumerate() {
            let mut header = vec![scan.components.len() as u8];
            header.extend(scan.components.iter().flat_map(|&c| [c as u8 + 1, 0]));
            header.extend([scan.first as u8, scan.last as u8, (scan.high << 4 | scan.low) as u8]);
            segment(&mut out, 0xDA, &header);
            ScanWriter {
                picture: self,
                scan,
                spec: &spec,
                bits: TestBits::default(),
                run: 0,
                pending: Vec::new(),
            }
            .write(&mut out);
            if i == 0 && self.late_height {
                segment(&mut out, 0xDC, &(self.height as u16).to_be_bytes());
            }
        }
        out.extend([0xFF, 0xD9]);
        out
    }
}

fn segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    out.extend([0xFF, marker]);
    out.extend((body.len() as u16 + 2).to_be_bytes());
    out.extend(body);
}

/// Bits, padded with ones to whole bytes and stuffed when taken.
#[derive(Debug, Default)]
struct TestBits(Vec<bool>);

impl TestBits {
    fn put(&mut self, value: u32, count: u32) {
        self.0.extend((0..count).rev().map(|i| value >> i & 1 != 0));
    }

    fn take(&mut self) -> Vec<u8> {
        let byte = |bits: &[bool]| (0..8).fold(0, |b, i| b << 1 | u8::from(*bits.get(i).unwrap_or(&true)));
        let bytes: Vec<u8> = std::mem::take(&mut self.0).chunks(8).map(byte).collect();
        bytes.into_iter().flat_map(|b| if b == 0xFF { vec![0xFF, 0] } else { vec![b] }).collect()
    }
}

struct ScanWriter<'a> {
    picture: &'a TestPicture,
    scan: &'a TestScan,
    spec: &'a HuffmanSpec,
    bits: TestBits,
    /// Blocks of a pending end-of-band run, and the correction bits that follow it.
    run: u32,
    pending: Vec<bool>,
}

impl ScanWriter<'_> {
    fn write(mut self, out: &mut Vec<u8>) {
        let lone = self.scan.components.len() == 1;
        let (columns, rows) =
            if lone { self.picture.shown(self.scan.components[0]) } else { self.picture.mcus() };
        let mut predictions = vec![0_i32; self.picture.sampling.len()];
        let interval = self.picture.restart_interval;
        for mcu in 0..columns * rows {
            if interval > 0 && mcu > 0 && mcu % interval == 0 {
                self.end_run();
                out.extend(self.bits.take());
                out.extend([0xFF, 0xD0 + ((mcu / interval - 1) % 8) as u8]);
                predictions.fill(0);
            }
            for &component in &self.scan.components {
                let (h, v) = if lone { (1, 1) } else { self.picture.sampling[component] };
                let stride = self.picture.padded(component).0;
                for i in 0..h * v {
                    let (column, row) = (mcu % columns * h + i % h, mcu / columns * v + i / h);
                    let block = self.picture.blocks[component][row * stride + column];
                    self.block(&block, &mut predictions[component]);
                }
            }
        }
        self.end_run();
        out.extend(self.bits.take());
    }

    fn block(&mut self, block: &[i16; 64], prediction: &mut i32) {
        let (progressive, low) = (self.picture.progressive, self.scan.low);
        match (self.scan.first, self.scan.high) {
            (0, 0) => {
                let dc = i32::from(block[0]) >> low;
                let difference = dc - *prediction;
                *prediction = dc;
                let size = size(difference);
                // 15 codes of 4 bits, then one of 5.
                self.bits.put(if size < 15 { size } else { 0b11110 }, if size < 15 { 4 } else { 5 });
                self.value(difference, size);
                if !progressive {
                    self.coarse_band(block, 1);
                }
            }
            (0, _) => self.bits.put((i32::from(block[0]) >> low) as u32 & 1, 1),
            (first, 0) => self.coarse_band(block, first),
            (first, _) => self.refine_band(block, first),
        }
    }

    fn coarse_band(&mut self, block: &[i16; 64], first: usize) {
        let mut zeros = 0;
        for &coefficient in &block[first..=self.scan.last] {
            let value = i32::from(coefficient.signum()) * (i32::from(coefficient.abs()) >> self.scan.low);
            if value == 0 {
                zeros += 1;
                continue;
            }
            self.end_run();
            for _ in 0..zeros / 16 {
                self.symbol(0xF0);
            }
            let size = size(value);
            self.symbol(((zeros % 16) << 4) as u8 | size as u8);
            self.value(value, size);
            zeros = 0;
        }
        if zeros > 0 {
            self.extend_run();
        }
    }

    fn refine_band(&mut self, block: &[i16; 64], first: usize) {
        let low = self.scan.low;
        let size = |coefficient: i16| coefficient.unsigned_abs() >> low;
        let band = &block[..=self.scan.last];
        let last_new = band.iter().rposition(|&coefficient| size(coefficient) == 1).unwrap_or(0);
        let mut zeros = 0;
        let mut corrections = Vec::new();
        for (z, &coefficient) in band.iter().enumerate().skip(first) {
            if size(coefficient) == 0 {
                zeros += 1;
                continue;
            }
            while zeros > 15 && z <= last_new {
                self.end_run();
                self.symbol(0xF0);
                self.bits.0.append(&mut corrections);
                zeros -= 16;
            }
            if size(coefficient) > 1 {
                corrections.push(size(coefficient) & 1 != 0);
                continue;
            }
            self.end_run();
            self.symbol((zeros << 4) as u8 | 1);
            self.bits.put(u32::from(coefficient > 0), 1);
            self.bits.0.append(&mut corrections);
            zeros = 0;
        }
        if zeros > 0 || !corrections.is_empty() {
            self.pending.append(&mut corrections);
            self.extend_run();
        }
    }

    fn extend_run(&mut self) {
        self.run += 1;
        if !self.picture.progressive || self.run == 0x7FFF {
            self.end_run();
        }
    }

    fn end_run(&mut self) {
        if self.run > 0 {
            let bits = self.run.ilog2();
            self.symbol((bits << 4) as u8);
            self.bits.put(self.run - (1 << bits), bits);
            self.run = 0;
        }
        self.bits.0.append(&mut self.pending);
    }

    fn symbol(&mut self, symbol: u8) {
        let (_, code, length) = self.spec.codes().find(|&(s, _, _)| s == symbol).unwrap();
        self.bits.put(code.into(), length.into());
    }

    fn value(&mut self, value: i32, size: u32) {
        self.bits.put((if value < 0 { value - 1 } else { value }) as u32, size);
    }
}

fn size(value: i32) -> u32 {
    32 - value.unsigned_abs().leading_zeros()
}

/// Reorders coefficients from zig-zag to natural order.
pub(crate) fn natural(block: &[i16; 64]) -> [i16; 64] {
    let mut natural = [0; 64];
    for (z, &place) in NATURAL.iter().enumerate() {
        natural[usize::from(place)] = block[z];
    }
    natural
}
