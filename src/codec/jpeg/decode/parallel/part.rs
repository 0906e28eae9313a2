//! `Part`: one share of a scan, which a worker decodes into memory.

use super::Layout;
use super::pace::Pace;
use super::share::Share;
use crate::codec::jpeg::decode::Flaws;
use crate::codec::jpeg::decode::block::{Block, Corner, Scale};
use crate::codec::jpeg::decode::kernels::{Kernels, Task};
use crate::codec::jpeg::decode::sequential::{Last, Pending, Place, SequentialScan, Sink};
use crate::codec::jpeg::decode::window::{Reader, WindowBytes};
use crate::codec::jpeg::error::JpegError;
use crate::limits::{Cancel, OutOfMemory};

/// How many MCU starts a worker notes. Synchronisation later than after 33 has not been seen in photographs.
const NOTED: usize = 128;
/// For how many MCUs room is made at a time.
const ROOM: usize = 256;

/// What a worker keeps from one picture to the next. No two workers may write to one line of the cache.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(in crate::codec::jpeg::decode) struct PartMemory {
    window: Box<WindowBytes>,
    blocks: [Blocks; 4],
}

impl PartMemory {
    /// Bytes held.
    pub(in crate::codec::jpeg::decode) fn bytes(&self) -> usize {
        let blocks = self.blocks.iter();
        let held = blocks.map(|b| b.corners.capacity() * 2 + b.flat.capacity());
        size_of::<WindowBytes>() + held.sum::<usize>()
    }
}

/// The blocks of one component in the order of the data.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// [`Scale::stored`] coefficients of each block, DC first.
    corners: Vec<i16>,
    /// Which blocks have nothing but DC, if [`Scale::fills_flat`].
    flat: Vec<bool>,
}

impl Blocks {
    fn clear(&mut self) {
        self.corners.clear();
        self.flat.clear();
    }

    /// Makes room for `more` blocks.
    fn make_room(&mut self, more: usize, scale: Scale) -> Result<(), OutOfMemory> {
        let refused = |_| OutOfMemory { bytes: (more * scale.stored() * 2) as u64 };
        self.flat.try_reserve(more).map_err(refused)?;
        self.corners.try_reserve(more * scale.stored()).map_err(refused)
    }

    /// Appends the block `ac`, whose place for DC takes that.
    #[inline(always)]
    fn push(&mut self, dc: i16, ac: &mut Block, last: Last, scale: Scale) {
        ac.0[0] = dc;
        match scale.stored() {
            1 => self.corners.push(dc),
            8 => self.corners.extend_from_slice(&ac.0[..8]),
            16 => self.corners.extend_from_slice(&ac.0[..16]),
            _ => self.corners.extend_from_slice(&ac.0[..64]),
        }
        if scale.fills_flat() {
            self.flat.push(last.is_flat());
        }
    }

    /// DC of block number `at`, if there is such a block.
    #[inline(always)]
    pub(super) fn dc(&self, at: usize, scale: Scale) -> Option<i16> {
        self.corners.get(at * scale.stored()).copied()
    }

    /// Writes the coefficients of block number `at` to `ac`, with anything as DC; zeros if there is no such block.
    #[inline(always)]
    pub(super) fn load(&self, at: usize, scale: Scale, ac: &mut Block) {
        let from = self.corners.get(at * scale.stored()..).unwrap_or_default();
        match scale.stored() {
            1 => {}
            8 => copy::<8>(from, ac),
            16 => copy::<16>(from, ac),
            _ => copy::<64>(from, ac),
        }
    }

    /// Whether block number `at` is one to fill.
    #[inline(always)]
    pub(super) fn is_flat(&self, at: usize, scale: Scale) -> bool {
        scale.fills_flat() && self.flat.get(at).is_none_or(|&flat| flat)
    }
}

#[inline(always)]
fn copy<const N: usize>(from: &[i16], to: &mut Block) {
    to.0[..N].copy_from_slice(from.first_chunk().unwrap_or(&[0; N]));
}

/// One share, apart from others in the cache, too.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Part<'a> {
    input: &'a [u8],
    pub(super) share: Share,
    pub(super) scan: SequentialScan<'a>,
    pub(super) blocks: &'a mut [Blocks; 4],
    scales: Vec<Scale>,
    /// Blocks of an MCU.
    pub(super) in_mcu: usize,
    /// MCUs decoded.
    pub(super) mcus: usize,
    /// Where the first ones start.
    pub(super) starts: Vec<Start>,
    /// MCUs with codes that make no sense.
    pub(super) damaged: Vec<usize>,
    /// Which of the MCUs is the first that counts, and which one of the picture that is: behind those that were streamed.
    pub(super) first: usize,
    pub(super) place: usize,
    /// What was wrong with those.
    pub(super) streamed: Flaws,
    /// Whether the part before has taken over the share.
    pub(super) is_absorbed: bool,
    /// What to add to the DC coefficients of each lane.
    pub(super) offsets: [i32; 4],
    pub(super) outcome: Result<(), JpegError>,
    pub(super) pace: Pace,
}

/// Where an MCU starts: bits since the start of the share, and the DC predictions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    position: usize,
    pub(super) predictions: [i32; 4],
}

/// How far a part is decoded.
pub(super) enum Goal<'t> {
    /// To the end of its share.
    Share,
    /// To an MCU where the next part has one, or to the end.
    Meet(&'t [Start]),
}

pub(super) struct DecodePart<'t, 'a> {
    pub(super) part: &'t mut Part<'a>,
    pub(super) goal: Goal<'t>,
    pub(super) cancel: &'t Cancel,
}

impl Task for DecodePart<'_, '_> {
    type Output = Result<(), JpegError>;

    #[inline(always)]
    fn run<K: Kernels>(self, kernels: K) -> Self::Output {
        match self.part.share {
            Share::Bytes { .. } => self.part.decode(kernels, self.goal, self.cancel),
            Share::Mcus { first, count, last, .. } => {
                let streamed = self.part.place - first;
                self.part.decode_mcus(kernels, count - streamed, last, self.cancel)
            }
        }
    }
}

impl<'a> Part<'a> {
    /// A part of `input`, to be opened before it is decoded.
    pub(super) fn new(
        input: &'a [u8],
        share: Share,
        layout: &Layout,
        corners: &[Corner],
        memory: &'a mut PartMemory,
    ) -> Part<'a> {
        let PartMemory { window, blocks } = memory;
        for blocks in &mut *blocks {
            blocks.clear();
        }
        let lanes = layout.lanes.clone();
        let in_mcu = lanes.iter().map(|lane| lane.h * lane.v).sum();
        let reader = Reader::closed(input, in_mcu, window);
        let (restarts, flaws) = (share.restarts(layout.restart_interval), Flaws::default());
        Part {
            input,
            share,
            scan: SequentialScan { reader, lanes, columns: layout.columns, restarts, flaws },
            blocks,
            scales: corners.iter().map(|corner| corner.scale).collect(),
            in_mcu,
            mcus: 0,
            starts: Vec::with_capacity(NOTED),
            damaged: Vec::new(),
            first: 0,
            place: share.place(),
            streamed: Flaws::default(),
            is_absorbed: false,
            offsets: [0; 4],
            outcome: Ok(()),
            pace: Pace::default(),
        }
    }

    /// Goes to the start of the share.
    pub(super) fn open(&mut self) {
        self.scan.reader.open_at(self.share.start(), self.share.end(self.input));
    }

    /// Bytes between the start of the share and where decoding stands.
    pub(super) fn bytes(&self) -> usize {
        self.scan.reader.offset().saturating_sub(self.share.start())
    }

    /// Takes over the share of the `next` part, which has not been opened. False, and nothing done, if this part has read
    /// beyond it.
    pub(super) fn absorb(&mut self, next: &mut Part<'a>) -> bool {
        let share = self.share.with(next.share);
        next.is_absorbed = self.scan.reader.move_mark(share.end(self.input));
        if next.is_absorbed {
            self.share = share;
        }
        next.is_absorbed
    }

    /// Whether which MCUs these are has been known from the start.
    pub(super) fn is_placed(&self) -> bool {
        matches!(self.share, Share::Mcus { .. })
    }

    /// Decodes `count` MCUs, and passes the restart marker behind them unless they are the `last`.
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
            let mut sink = PartSink { blocks: self.blocks, scales: &self.scales };
            self.scan.decode_row::<false, _, _>(kernels, &mut sink);
            self.mcus += self.scan.columns;
        }
        // What lies between the last MCU and the marker counts as it does for one worker.
        if !last {
            self.scan.restart(kernels);
        }
        Ok(())
    }

    /// Decodes to `goal`, noting where MCUs start.
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

    /// Decodes as many MCUs as [`Part::make_room`] has made room for. True if it came to the goal.
    #[inline(always)]
    fn decode_some<K: Kernels>(&mut self, kernels: K, goal: &Goal<'_>) -> bool {
        let mut sink = PartSink { blocks: self.blocks, scales: &self.scales };
        let mut pending = Pending::default();
        // A copy, so that it stays in registers.
        let mut bits = self.scan.reader.bits;
        let mut is_there = false;
        for _ in 0..ROOM {
            is_there = self.scan.reader.is_low(&bits) && !self.scan.reader.more(&mut bits, kernels);
            if is_there {
                break;
            }
            let position = self.scan.reader.bits_done(&bits);
            if self.starts.len() < NOTED && self.starts.len() == self.mcus {
                self.starts.push(Start { position, predictions: predictions(&self.scan) });
            }
            is_there = match (self.scan.reader.bits_to_mark(), goal) {
                (Some(mark), Goal::Share) => position >= mark,
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
        for ((blocks, lane), scale) in self.blocks.iter_mut().zip(&self.scan.lanes).zip(&self.scales) {
            blocks.make_room(ROOM * lane.h * lane.v, *scale)?;
        }
        Ok(())
    }

    /// Which of the next part's starts this part stands at.
    pub(super) fn meeting(&self, starts: &[Start]) -> Option<usize> {
        let position = self.scan.reader.bits_done(&self.scan.reader.bits);
        find(starts, position.checked_sub(self.scan.reader.bits_to_mark()?)?)
    }
}

/// What the DC differences of the next MCU are added to, by lane.
fn predictions(scan: &SequentialScan<'_>) -> [i32; 4] {
    std::array::from_fn(|i| scan.lanes.get(i).map_or(0, |lane| lane.prediction))
}

fn find(starts: &[Start], position: usize) -> Option<usize> {
    starts.binary_search_by_key(&position, |start| start.position).ok()
}

/// Keeps blocks in the order of the data.
struct PartSink<'t> {
    blocks: &'t mut [Blocks; 4],
    scales: &'t [Scale],
}

impl Sink for PartSink<'_> {
    #[inline(always)]
    fn block<K: Kernels>(&mut self, _kernels: K, place: Place, dc: i16, ac: &mut Block, last: Last) {
        let (Some(blocks), Some(&scale)) = (self.blocks.get_mut(place.lane), self.scales.get(place.lane))
        else {
            return;
        };
        blocks.push(dc, ac, last, scale);
        ac.clear(scale);
    }
}
