//! `SegmentDecoder`: decodes one segment of a scan into memory.

use super::ScanLayout;
use super::segment::Segment;
use crate::codec::jpeg::decode::Flaws;
use crate::codec::jpeg::decode::block::{CoefficientBlock, Scale, ScaledIdctLayout};
use crate::codec::jpeg::decode::kernels::{KernelTask, Kernels};
use crate::codec::jpeg::decode::sequential::{BlockEnd, BlockPlace, PendingBlock, SequentialScan, Sink};
use crate::codec::jpeg::decode::window::{ScanReader, WindowBytes};
use crate::codec::jpeg::error::JpegError;
use crate::limits::{Cancel, OutOfMemory};

/// Number of recorded MCU starts. Photographs synchronise within 33.
const RECORDED: usize = 128;
/// Number of MCUs for which room is made at a time.
const ROOM: usize = 256;

/// Memory that a worker reuses from picture to picture. The alignment keeps two workers out of one cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(in crate::codec::jpeg::decode) struct SegmentMemory {
    window: Box<WindowBytes>,
    blocks: [SegmentBlocks; 4],
}

impl SegmentMemory {
    /// Bytes held.
    pub(in crate::codec::jpeg::decode) fn bytes(&self) -> usize {
        let blocks = self.blocks.iter();
        let held = blocks.map(|b| b.coefficients.capacity() * 2 + b.flat.capacity());
        size_of::<WindowBytes>() + held.sum::<usize>()
    }
}

/// Blocks of one component in the order of the data.
#[derive(Debug, Default)]
pub(super) struct SegmentBlocks {
    /// [`Scale::stored`] coefficients of each block, DC first.
    coefficients: Vec<i16>,
    /// True for each block with only DC. Empty unless [`Scale::fills_flat`].
    flat: Vec<bool>,
}

impl SegmentBlocks {
    fn clear(&mut self) {
        self.coefficients.clear();
        self.flat.clear();
    }

    /// Makes room for `more` blocks.
    fn make_room(&mut self, more: usize, scale: Scale) -> Result<(), OutOfMemory> {
        let refused = |_| OutOfMemory { bytes: (more * scale.stored() * 2) as u64 };
        self.flat.try_reserve(more).map_err(refused)?;
        self.coefficients.try_reserve(more * scale.stored()).map_err(refused)
    }

    /// Appends the block `ac` with `dc` in its first place.
    #[inline(always)]
    fn push(&mut self, dc: i16, ac: &mut CoefficientBlock, last: BlockEnd, scale: Scale) {
        ac.0[0] = dc;
        match scale.stored() {
            1 => self.coefficients.push(dc),
            8 => self.coefficients.extend_from_slice(&ac.0[..8]),
            16 => self.coefficients.extend_from_slice(&ac.0[..16]),
            _ => self.coefficients.extend_from_slice(&ac.0[..64]),
        }
        if scale.fills_flat() {
            self.flat.push(last.is_flat());
        }
    }

    /// Returns the DC coefficient of block number `at`; `None` if there is no such block.
    #[inline(always)]
    pub(super) fn dc(&self, at: usize, scale: Scale) -> Option<i16> {
        self.coefficients.get(at * scale.stored()).copied()
    }

    /// Copies the coefficients of block number `at` to `ac`, or zeros if there is no such block. DC is unspecified.
    #[inline(always)]
    pub(super) fn load(&self, at: usize, scale: Scale, ac: &mut CoefficientBlock) {
        let from = self.coefficients.get(at * scale.stored()..).unwrap_or_default();
        match scale.stored() {
            1 => {}
            8 => copy::<8>(from, ac),
            16 => copy::<16>(from, ac),
            _ => copy::<64>(from, ac),
        }
    }

    /// Returns true if block number `at` is to be filled.
    #[inline(always)]
    pub(super) fn is_flat(&self, at: usize, scale: Scale) -> bool {
        scale.fills_flat() && self.flat.get(at).is_none_or(|&flat| flat)
    }
}

#[inline(always)]
fn copy<const N: usize>(from: &[i16], to: &mut CoefficientBlock) {
    to.0[..N].copy_from_slice(from.first_chunk().unwrap_or(&[0; N]));
}

/// Decoder of one segment, in cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct SegmentDecoder<'a> {
    input: &'a [u8],
    pub(super) segment: Segment,
    pub(super) scan: SequentialScan<'a>,
    pub(super) blocks: &'a mut [SegmentBlocks; 4],
    scales: Vec<Scale>,
    /// Number of decoded MCUs.
    pub(super) mcus: usize,
    /// Starts of the first MCUs.
    pub(super) starts: Vec<McuStart>,
    /// Numbers of the MCUs with invalid codes.
    pub(super) damaged: Vec<usize>,
    /// Number of the first valid MCU, and its place in the picture, behind the streamed ones.
    pub(super) first: usize,
    pub(super) place: usize,
    /// Flaws of the streamed MCUs.
    pub(super) streamed: Flaws,
    /// Corrections of the DC coefficients of each component.
    pub(super) offsets: [i32; 4],
    pub(super) outcome: Result<(), JpegError>,
}

/// McuStart of an MCU: bits since the start of the segment, and the DC predictions.
#[derive(Debug, Clone, Copy)]
pub(super) struct McuStart {
    position: usize,
    pub(super) predictions: [i32; 4],
}

/// End of the decoding of a segment.
pub(super) enum Goal<'t> {
    /// The end of the segment.
    Segment,
    /// An MCU start of the next segment, or the end of the data.
    Meet(&'t [McuStart]),
}

pub(super) struct DecodeSegment<'t, 'a> {
    pub(super) decoder: &'t mut SegmentDecoder<'a>,
    pub(super) goal: Goal<'t>,
    pub(super) cancel: &'t Cancel,
}

impl KernelTask for DecodeSegment<'_, '_> {
    type Output = Result<(), JpegError>;

    #[inline(always)]
    fn run<K: Kernels>(self, kernels: K) -> Self::Output {
        match self.decoder.segment {
            Segment::Bytes { .. } => self.decoder.decode(kernels, self.goal, self.cancel),
            Segment::Mcus { first, count, last, .. } => {
                let streamed = self.decoder.place - first;
                self.decoder.decode_mcus(kernels, count - streamed, last, self.cancel)
            }
        }
    }
}

impl<'a> SegmentDecoder<'a> {
    /// Makes a decoder for a segment of `input`. Open it before decoding.
    pub(super) fn new(
        input: &'a [u8],
        segment: Segment,
        layout: &ScanLayout,
        idcts: &[ScaledIdctLayout],
        memory: &'a mut SegmentMemory,
    ) -> SegmentDecoder<'a> {
        let SegmentMemory { window, blocks } = memory;
        for blocks in &mut *blocks {
            blocks.clear();
        }
        let components = layout.components.clone();
        let in_mcu = components.iter().map(|component| component.h * component.v).sum();
        let reader = ScanReader::closed(input, in_mcu, window);
        let (restarts, flaws) = (segment.restarts(layout.restart_interval), Flaws::default());
        SegmentDecoder {
            input,
            segment,
            scan: SequentialScan { reader, components, columns: layout.columns, restarts, flaws },
            blocks,
            scales: idcts.iter().map(|idct| idct.scale).collect(),
            mcus: 0,
            starts: Vec::with_capacity(RECORDED),
            damaged: Vec::new(),
            first: 0,
            place: segment.place(),
            streamed: Flaws::default(),
            offsets: [0; 4],
            outcome: Ok(()),
        }
    }

    /// Moves to the start of the segment.
    pub(super) fn open(&mut self) {
        self.scan.reader.open_at(self.segment.start(), self.segment.end(self.input));
    }

    /// Returns true if the MCU numbers are known from the start.
    pub(super) fn is_placed(&self) -> bool {
        matches!(self.segment, Segment::Mcus { .. })
    }

    /// Decodes `count` MCUs. Passes the restart marker behind them unless they are the `last`.
    #[inline(always)]
    fn decode_mcus<K: Kernels>(
        &mut self,
        kernels: K,
        count: usize,
        last: bool,
        cancel: &Cancel,
    ) -> Result<(), JpegError> {
        while self.mcus < count {
            cancel.check()?;
            self.make_room()?;
            self.scan.columns = ROOM.min(count - self.mcus);
            let mut sink = SegmentSink { blocks: self.blocks, scales: &self.scales };
            self.scan.decode_row::<false, _, _>(kernels, &mut sink);
            self.mcus += self.scan.columns;
        }
        // Data between the last MCU and the marker counts as a flaw, as it does for one worker.
        if !last {
            self.scan.restart(kernels);
        }
        Ok(())
    }

    /// Decodes to `goal`. Records the starts of the first MCUs.
    #[inline(always)]
    fn decode<K: Kernels>(&mut self, kernels: K, goal: Goal<'_>, cancel: &Cancel) -> Result<(), JpegError> {
        loop {
            cancel.check()?;
            self.make_room()?;
            if self.decode_some(kernels, &goal) {
                return Ok(());
            }
        }
    }

    /// Decodes the MCUs for which [`SegmentDecoder::make_room`] has made room. Returns true at the goal.
    #[inline(always)]
    fn decode_some<K: Kernels>(&mut self, kernels: K, goal: &Goal<'_>) -> bool {
        let mut sink = SegmentSink { blocks: self.blocks, scales: &self.scales };
        let mut pending = PendingBlock::default();
        // Copy, so that the buffer stays in registers.
        let mut bits = self.scan.reader.bits;
        let mut is_there = false;
        for _ in 0..ROOM {
            is_there = self.scan.reader.is_low(&bits) && !self.scan.reader.more(&mut bits, kernels);
            if is_there {
                break;
            }
            let position = self.scan.reader.bits_done(&bits);
            if self.starts.len() < RECORDED && self.starts.len() == self.mcus {
                self.starts.push(McuStart { position, predictions: predictions(&self.scan) });
            }
            is_there = match (self.scan.reader.bits_to_mark(), goal) {
                (Some(mark), Goal::Segment) => position >= mark,
                (Some(mark), Goal::Meet(starts)) => {
                    position >= mark && find(starts, position - mark).is_some()
                }
                (None, _) => false,
            };
            if is_there {
                break;
            }
            self.scan.decode_mcu(&mut bits, kernels, &mut sink, 0, &mut pending);
            if std::mem::take(&mut self.scan.flaws.damaged) {
                self.damaged.push(self.mcus);
            }
            self.mcus += 1;
        }
        pending.flush(kernels, &mut sink);
        self.scan.reader.bits = bits;
        is_there
    }

    fn make_room(&mut self) -> Result<(), OutOfMemory> {
        for ((blocks, component), scale) in
            self.blocks.iter_mut().zip(&self.scan.components).zip(&self.scales)
        {
            blocks.make_room(ROOM * component.h * component.v, *scale)?;
        }
        Ok(())
    }

    /// Returns the index of the MCU start of the next segment at the decode position, if there is one.
    pub(super) fn meeting(&self, starts: &[McuStart]) -> Option<usize> {
        let position = self.scan.reader.bits_done(&self.scan.reader.bits);
        find(starts, position.checked_sub(self.scan.reader.bits_to_mark()?)?)
    }
}

/// DC predictions of the next MCU, by component.
fn predictions(scan: &SequentialScan<'_>) -> [i32; 4] {
    std::array::from_fn(|i| scan.components.get(i).map_or(0, |component| component.prediction))
}

fn find(starts: &[McuStart], position: usize) -> Option<usize> {
    starts.binary_search_by_key(&position, |start| start.position).ok()
}

/// Stores blocks in the order of the data.
struct SegmentSink<'t> {
    blocks: &'t mut [SegmentBlocks; 4],
    scales: &'t [Scale],
}

impl Sink for SegmentSink<'_> {
    #[inline(always)]
    fn block<K: Kernels>(
        &mut self,
        _kernels: K,
        place: BlockPlace,
        dc: i16,
        ac: &mut CoefficientBlock,
        last: BlockEnd,
    ) {
        let (Some(blocks), Some(&scale)) =
            (self.blocks.get_mut(place.component), self.scales.get(place.component))
        else {
            return;
        };
        blocks.push(dc, ac, last, scale);
        ac.clear(scale);
    }
}
