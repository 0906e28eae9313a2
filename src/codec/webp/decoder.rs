//! `BandDecoder`: a key frame, reconstructed one row of macroblocks at a time.

use super::header::{FilterKind, FilterStrength, FrameSize, Header};
use super::loop_filter::{self, EdgeKind, EdgePosition};
use super::modes::{self, BlockMode, LumaMode, Modes, SubblockMode};
use super::predict::{self, Neighbours};
use super::tokens::{self, Block};
use super::{Vp8Error, simd, transform};
use crate::limits::{Cancel, OutOfMemory, try_vec};

/// Samples before the first column: the column to the left of the picture, at a place that keeps rows aligned.
const LEFT: usize = 16;

/// Samples behind the last column of macroblocks: four above right, and room for whole vectors.
const RIGHT: usize = 16;

/// Use of the loop filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopFilter {
    /// As the bitstream says.
    Apply,
    /// Left out: for results that are much smaller than the frame.
    Skip,
}

/// Rows of a frame: sixteen of luma, eight of each chroma plane, fewer at the end.
#[derive(Debug, Clone, Copy)]
pub struct Band<'a> {
    /// Luma, limited range (BT.601).
    pub y: Rows<'a>,
    /// Blue difference, half as wide and half as high.
    pub u: Rows<'a>,
    /// Red difference, half as wide and half as high.
    pub v: Rows<'a>,
}

/// Rows of one plane.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// Starts with the first sample of the first row. May go on behind the last row.
    pub samples: &'a [u8],
    /// Distance between rows.
    pub stride: usize,
    /// Columns that belong to the picture.
    pub width: usize,
    /// Rows that belong to the picture.
    pub height: usize,
}

/// One plane of a row of macroblocks with the row above it, unfiltered.
#[derive(Debug)]
struct Working {
    samples: Vec<u8>,
    stride: usize,
    /// Rows of a macroblock: 16 or 8.
    rows: usize,
}

/// The filtered rows of this and the last row of macroblocks.
#[derive(Debug)]
struct Filtered {
    samples: Vec<u8>,
    stride: usize,
}

/// State of one column of macroblocks that the next row needs.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    modes: [SubblockMode; 4],
    /// Which blocks of the lowest row have coefficients: luma, U, V, luma DC.
    coded: Coded,
}

#[derive(Debug, Clone, Copy, Default)]
struct Coded {
    luma: [u8; 4],
    u: [u8; 2],
    v: [u8; 2],
    luma_dc: u8,
}

/// Decodes a key frame (RFC 6386) into bands.
#[derive(Debug)]
pub struct BandDecoder<'a> {
    header: Header<'a>,
    filter: FilterKind,
    planes: [Working; 3],
    filtered: Option<[Filtered; 3]>,
    columns: Vec<Column>,
    modes: Vec<Modes>,
    /// Strength by macroblock, and whether the edges within it are filtered.
    strengths: Vec<(FilterStrength, bool)>,
    blocks: Box<[Block; 25]>,
    /// The next row of macroblocks to be decoded.
    next: usize,
    /// Bands handed out.
    given: usize,
}

impl<'a> BandDecoder<'a> {
    /// Reads the headers of `data`, the payload of a `VP8 ` chunk.
    ///
    /// # Errors
    /// [`Vp8Error::Damaged`], [`Vp8Error::Truncated`], [`Vp8Error::OutOfMemory`].
    pub fn new(data: &'a [u8], filter: LoopFilter) -> Result<BandDecoder<'a>, Vp8Error> {
        let header = Header::parse(data)?;
        let across = header.size.width.div_ceil(16);
        let filter = if filter == LoopFilter::Skip { FilterKind::Off } else { header.filter };
        let planes = [Working::new(across, 16)?, Working::new(across, 8)?, Working::new(across, 8)?];
        let filtered = match filter {
            FilterKind::Off => None,
            _ => Some([Filtered::new(across, 16)?, Filtered::new(across, 8)?, Filtered::new(across, 8)?]),
        };
        Ok(BandDecoder {
            filter,
            planes,
            filtered,
            columns: try_vec(across)?,
            modes: try_vec(across)?,
            strengths: try_vec(across)?,
            blocks: Box::new([[0; 16]; 25]),
            next: 0,
            given: 0,
            header,
        })
    }

    /// Width and height of the frame.
    pub fn size(&self) -> FrameSize {
        self.header.size
    }

    /// Decodes the next band, from top to bottom; `None` behind the last.
    ///
    /// # Errors
    /// [`Vp8Error::Truncated`] where the data ends; all bands before are sound. [`Vp8Error::Stopped`].
    pub fn next_band(&mut self, cancel: &Cancel) -> Result<Option<Band<'_>>, Vp8Error> {
        let down = self.header.size.height.div_ceil(16);
        if self.given == down {
            return Ok(None);
        }
        // The filter of a row changes the row above it, so that a filtered band is one row behind.
        let ahead = if self.filtered.is_some() { (self.given + 2).min(down) } else { self.given + 1 };
        while self.next < ahead {
            cancel.check()?;
            simd::run(
                #[inline(always)]
                || self.decode_row(),
            )?;
            self.next += 1;
        }
        self.given += 1;
        Ok(Some(self.band()))
    }

    fn band(&self) -> Band<'_> {
        let FrameSize { width, height } = self.header.size;
        let top = 16 * (self.given - 1);
        let rows = |plane: usize| {
            let (width, height, top, mcu) = match plane {
                0 => (width, height, top, 16),
                _ => (width.div_ceil(2), height.div_ceil(2), top / 2, 8),
            };
            let (samples, stride) = match &self.filtered {
                // The lower half, when the band is of the row that was decoded last.
                Some(filtered) => {
                    let Filtered { samples, stride } = &filtered[plane];
                    let from = if self.given == self.next { mcu * stride } else { 0 };
                    (&samples[from..], *stride)
                }
                None => {
                    let Working { samples, stride, .. } = &self.planes[plane];
                    (&samples[stride + LEFT..], *stride)
                }
            };
            Rows { samples, stride, width, height: mcu.min(height - top) }
        };
        Band { y: rows(0), u: rows(1), v: rows(2) }
    }

    #[inline(always)]
    fn decode_row(&mut self) -> Result<(), Vp8Error> {
        self.read_modes()?;
        self.planes.iter_mut().for_each(|plane| plane.begin_row(self.next == 0));
        self.reconstruct()?;
        if self.filtered.is_some() {
            self.filter_row();
        }
        Ok(())
    }

    #[inline(always)]
    fn read_modes(&mut self) -> Result<(), Vp8Error> {
        let Header { segment_tree, skip, .. } = self.header;
        let mut decoder = self.header.modes;
        let mut left = [SubblockMode::Dc; 4];
        for (column, modes) in self.columns.iter_mut().zip(&mut self.modes) {
            *modes = modes::read(&mut decoder, segment_tree, skip, &mut column.modes, &mut left);
        }
        self.header.modes = decoder;
        if decoder.is_exhausted() { Err(Vp8Error::Truncated) } else { Ok(()) }
    }

    #[inline(always)]
    fn reconstruct(&mut self) -> Result<(), Vp8Error> {
        let row = self.next;
        let partition = row & (self.header.partitions.len() - 1);
        let mut decoder = self.header.partitions[partition];
        let mut left = Coded::default();
        let blocks = &mut *self.blocks;
        let [luma, u, v] = &mut self.planes;
        for (x, modes) in self.modes.iter().enumerate() {
            let segment = &self.header.segments[usize::from(modes.segment) & 3];
            let above = &mut self.columns[x].coded;
            let is_4x4 = matches!(modes.luma, LumaMode::Subblocks(_));
            let mut kinds = [BlockKind::Empty; 24];
            if modes.is_skipped {
                let (luma_dc_above, luma_dc_left) = (above.luma_dc, left.luma_dc);
                (*above, left) = (Coded::default(), Coded::default());
                if is_4x4 {
                    (above.luma_dc, left.luma_dc) = (luma_dc_above, luma_dc_left);
                }
            } else {
                let probabilities = &*self.header.probabilities;
                let (kind, first) = if is_4x4 {
                    (3, 0)
                } else {
                    let mut dc = [0; 16];
                    let context = usize::from(above.luma_dc + left.luma_dc);
                    let end = tokens::read(
                        &mut decoder,
                        &probabilities[1],
                        context,
                        segment.steps.luma_dc,
                        0,
                        &mut dc,
                    );
                    (above.luma_dc, left.luma_dc) = (u8::from(end > 0), u8::from(end > 0));
                    if end > 0 {
                        transform::inverse_walsh_hadamard(&dc, &mut blocks[..16]);
                    }
                    (0, 1)
                };
                for y in 0..4 {
                    for x in 0..4 {
                        let block = &mut blocks[4 * y + x];
                        let context = usize::from(above.luma[x] + left.luma[y]);
                        let steps = segment.steps.luma;
                        let end =
                            tokens::read(&mut decoder, &probabilities[kind], context, steps, first, block);
                        (above.luma[x], left.luma[y]) = (u8::from(end > first), u8::from(end > first));
                        kinds[4 * y + x] = BlockKind::of(end, block);
                    }
                }
                for (from, above, left) in [(16, &mut above.u, &mut left.u), (20, &mut above.v, &mut left.v)]
                {
                    for (y, left) in left.iter_mut().enumerate() {
                        for (x, above) in above.iter_mut().enumerate() {
                            let index = from + 2 * y + x;
                            let context = usize::from(*above + *left);
                            let steps = segment.steps.chroma;
                            let block = &mut blocks[index];
                            let end = tokens::read(&mut decoder, &probabilities[2], context, steps, 0, block);
                            (*above, *left) = (u8::from(end > 0), u8::from(end > 0));
                            kinds[index] = BlockKind::of(end, block);
                        }
                    }
                }
            }
            let is_coded = kinds.iter().any(|kind| *kind != BlockKind::Empty);
            self.strengths[x] = (segment.filter[usize::from(is_4x4)], is_4x4 || is_coded);
            let neighbours = Neighbours { above: row > 0, left: x > 0 };
            let (luma_blocks, chroma_blocks) = blocks.split_at_mut(16);
            let (luma_kinds, chroma_kinds) = kinds.split_at(16);
            luma.reconstruct_luma(x, &modes.luma, neighbours, luma_blocks, luma_kinds);
            let (u_blocks, v_blocks) = chroma_blocks.split_at(4);
            u.reconstruct_chroma(x, modes.chroma, neighbours, u_blocks, &chroma_kinds[..4]);
            v.reconstruct_chroma(x, modes.chroma, neighbours, v_blocks, &chroma_kinds[4..]);
            if is_coded {
                *blocks = [[0; 16]; 25];
            }
            if decoder.is_exhausted() {
                return Err(Vp8Error::Truncated);
            }
        }
        self.header.partitions[partition] = decoder;
        Ok(())
    }

    /// Copies the row behind the last one and filters its macroblocks, from left to right.
    #[inline(always)]
    fn filter_row(&mut self) {
        let Some(filtered) = &mut self.filtered else { return };
        for (filtered, working) in filtered.iter_mut().zip(&self.planes) {
            filtered.append(working);
        }
        let [y, u, v] = filtered;
        let is_first_row = self.next == 0;
        for (x, (strength, inner)) in self.strengths.iter().enumerate() {
            if strength.limit == 0 {
                continue;
            }
            match self.filter {
                FilterKind::Off => {}
                FilterKind::Simple => y.filter_simple(x, *strength, *inner, is_first_row),
                FilterKind::Normal => {
                    y.filter_normal::<16>(x, *strength, *inner, is_first_row);
                    u.filter_normal::<8>(x, *strength, *inner, is_first_row);
                    v.filter_normal::<8>(x, *strength, *inner, is_first_row);
                }
            }
        }
    }
}

/// What a block adds to its prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlockKind {
    Empty,
    /// A DC coefficient alone.
    Dc,
    Full,
}

impl BlockKind {
    #[inline(always)]
    fn of(end: usize, block: &Block) -> BlockKind {
        match (end, block[0]) {
            (2.., _) => BlockKind::Full,
            (_, 0) => BlockKind::Empty,
            _ => BlockKind::Dc,
        }
    }
}

impl Working {
    fn new(across: usize, rows: usize) -> Result<Working, OutOfMemory> {
        let stride = LEFT + across * rows + RIGHT;
        let mut samples = try_vec(stride * (rows + 1))?;
        samples.fill(127);
        Ok(Working { samples, stride, rows })
    }

    /// Moves the last row above the first and sets the column left of the picture.
    #[inline(always)]
    fn begin_row(&mut self, is_first: bool) {
        let Working { samples, stride, rows } = self;
        let (stride, rows) = (*stride, *rows);
        if !is_first {
            samples.copy_within(rows * stride.., 0);
            // Above right of the last macroblock: its last sample above, repeated.
            let end = stride - RIGHT;
            let last = samples[end - 1];
            samples[end..end + 4].fill(last);
        }
        samples[LEFT - 1] = if is_first { 127 } else { 129 };
        for row in 1..=rows {
            samples[row * stride + LEFT - 1] = 129;
        }
    }

    #[inline(always)]
    fn reconstruct_luma(
        &mut self,
        x: usize,
        mode: &LumaMode,
        neighbours: Neighbours,
        blocks: &[Block],
        kinds: &[BlockKind],
    ) {
        let (plane, stride) = (&mut self.samples[..], self.stride);
        let at = stride + LEFT + 16 * x;
        let place = |i: usize| at + i / 4 * 4 * stride + i % 4 * 4;
        match mode {
            LumaMode::Whole(mode) => {
                predict::block::<16>(plane, at, stride, *mode, neighbours);
                for (i, (block, kind)) in blocks.iter().zip(kinds).enumerate() {
                    add(block, *kind, plane, place(i), stride);
                }
            }
            LumaMode::Subblocks(modes) => {
                // All blocks of the last column take the samples above the macroblock to the right.
                let outer: [u8; 4] = plane[LEFT + 16 * x + 16..].first_chunk().copied().unwrap_or_default();
                for (i, ((block, kind), mode)) in blocks.iter().zip(kinds).zip(modes).enumerate() {
                    let at = place(i);
                    let above_right = match i % 4 {
                        3 => outer,
                        _ => plane[at - stride + 4..].first_chunk().copied().unwrap_or_default(),
                    };
                    predict::subblock(plane, at, stride, *mode, above_right);
                    add(block, *kind, plane, at, stride);
                }
            }
        }
    }

    #[inline(always)]
    fn reconstruct_chroma(
        &mut self,
        x: usize,
        mode: BlockMode,
        neighbours: Neighbours,
        blocks: &[Block],
        kinds: &[BlockKind],
    ) {
        let (plane, stride) = (&mut self.samples[..], self.stride);
        let at = stride + LEFT + 8 * x;
        predict::block::<8>(plane, at, stride, mode, neighbours);
        for (i, (block, kind)) in blocks.iter().zip(kinds).enumerate() {
            add(block, *kind, plane, at + i / 2 * 4 * stride + i % 2 * 4, stride);
        }
    }
}

#[inline(always)]
fn add(block: &Block, kind: BlockKind, plane: &mut [u8], at: usize, stride: usize) {
    match kind {
        BlockKind::Empty => {}
        BlockKind::Dc => transform::add_dc(block[0], plane, at, stride),
        BlockKind::Full => transform::add(block, plane, at, stride),
    }
}

impl Filtered {
    fn new(across: usize, rows: usize) -> Result<Filtered, OutOfMemory> {
        let stride = across * rows;
        Ok(Filtered { samples: try_vec(stride * 2 * rows)?, stride })
    }

    /// Moves the lower row of macroblocks up and copies the unfiltered next one below it.
    #[inline(always)]
    fn append(&mut self, working: &Working) {
        let half = self.samples.len() / 2;
        self.samples.copy_within(half.., 0);
        let rows = working.samples[working.stride..].chunks_exact(working.stride);
        for (target, source) in self.samples[half..].chunks_exact_mut(self.stride).zip(rows) {
            target.copy_from_slice(&source[LEFT..][..target.len()]);
        }
    }

    /// Edges of a macroblock of `N` rows in the order of the filter: left, vertical ones within, top, horizontal ones within.
    #[inline(always)]
    fn edges<const N: usize>(
        &self,
        x: usize,
        inner: bool,
        is_first_row: bool,
    ) -> impl Iterator<Item = (EdgeKind, EdgePosition)> + use<N> {
        let stride = self.stride;
        let at = N * stride + N * x;
        let steps = move |is_coded: bool| (1..N / 4).filter(move |_| is_coded);
        let vertical = move |at| EdgePosition { at, across: 1, along: stride };
        let horizontal = move |at| EdgePosition { at, across: stride, along: 1 };
        (x > 0)
            .then(|| (EdgeKind::Macroblock, vertical(at)))
            .into_iter()
            .chain(steps(inner).map(move |i| (EdgeKind::Subblock, vertical(at + 4 * i))))
            .chain((!is_first_row).then(|| (EdgeKind::Macroblock, horizontal(at))))
            .chain(steps(inner).map(move |i| (EdgeKind::Subblock, horizontal(at + 4 * i * stride))))
    }

    #[inline(always)]
    fn filter_simple(&mut self, x: usize, strength: FilterStrength, inner: bool, is_first_row: bool) {
        for (kind, edge) in self.edges::<16>(x, inner, is_first_row) {
            let more = if kind == EdgeKind::Macroblock { 4 } else { 0 };
            for half in edge.halves() {
                loop_filter::simple(&mut self.samples, half, strength.limit + more);
            }
        }
    }

    #[inline(always)]
    fn filter_normal<const N: usize>(
        &mut self,
        x: usize,
        strength: FilterStrength,
        inner: bool,
        is_first_row: bool,
    ) {
        for (kind, edge) in self.edges::<N>(x, inner, is_first_row) {
            for part in edge.halves().into_iter().take(N / 8) {
                loop_filter::normal(&mut self.samples, part, kind, strength);
            }
        }
    }
}
