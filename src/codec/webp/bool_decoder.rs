//! `BoolDecoder`: the boolean entropy decoder of RFC 6386 section 7.

/// A decoder of binary decisions with given probabilities. Behind the end of its data it reads zeros.
#[derive(Debug, Clone, Copy)]
pub(super) struct BoolDecoder<'a> {
    source: Source<'a>,
    state: State,
}

/// The bytes of a partition, and how many of them are in the window. The position may lie behind the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    data: &'a [u8],
    position: usize,
}

/// The registers of the decoder. Hot loops hold a copy, so that they stay in the processor's registers.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    /// Upcoming bits, most significant first. The top eight are compared with the split.
    window: u64,
    /// Valid bits of the window behind the top eight.
    bits: i32,
    /// The range, 1 to 255. It is normalised to 128 and above when the next decision is made: the multiplication then starts
    /// before the shift is known.
    range: u32,
}

impl<'a> BoolDecoder<'a> {
    /// A decoder at the start of `data`.
    pub(super) fn new(data: &'a [u8]) -> BoolDecoder<'a> {
        let mut source = Source { data, position: 0 };
        let mut state = State { window: 0, bits: -8, range: 255 };
        state.refill(&mut source);
        BoolDecoder { source, state }
    }

    /// Decodes a decision that is false with a probability of `probability` / 256.
    #[inline(always)]
    pub(super) fn bit(&mut self, probability: u8) -> bool {
        self.state.ensure(7, &mut self.source);
        self.state.bit(probability)
    }

    /// Decodes an even decision.
    #[inline(always)]
    pub(super) fn flag(&mut self) -> bool {
        self.bit(128)
    }

    /// Decodes an unsigned number of `bits` bits, most significant first.
    pub(super) fn literal(&mut self, bits: u32) -> u32 {
        (0..bits).fold(0, |value, _| value << 1 | u32::from(self.flag()))
    }

    /// Decodes a flag and, when it is set, a magnitude of `bits` bits and a sign; otherwise returns `None`.
    pub(super) fn optional_signed(&mut self, bits: u32) -> Option<i32> {
        self.flag().then(|| {
            let magnitude = self.literal(bits) as i32;
            if self.flag() { -magnitude } else { magnitude }
        })
    }

    /// Returns true if a decision was made by bits that lie behind the end of the data.
    pub(super) fn is_exhausted(&self) -> bool {
        let behind = self.source.position as i64 - self.source.data.len() as i64;
        8 * behind > i64::from(self.state.bits)
    }

    /// The registers and the source, for a loop that writes them back with [`BoolDecoder::restore`].
    #[inline(always)]
    pub(super) fn parts(&mut self) -> (State, &mut Source<'a>) {
        (self.state, &mut self.source)
    }

    /// Writes the registers back.
    #[inline(always)]
    pub(super) fn restore(&mut self, state: State) {
        self.state = state;
    }
}

impl State {
    /// Refills the window unless `bits` more bits can be consumed. A decision consumes at most seven.
    #[inline(always)]
    pub(super) fn ensure(&mut self, bits: i32, source: &mut Source<'_>) {
        if self.bits < bits {
            self.refill(source);
        }
    }

    #[inline(always)]
    fn refill(&mut self, source: &mut Source<'_>) {
        let valid = self.bits + 8; // 0 to 56
        match source.data.get(source.position..).and_then(|rest| rest.first_chunk()) {
            Some(bytes) => {
                // Bits of a byte that does not fit whole are set as well. The next refill sets them to the same values.
                self.window |= u64::from_be_bytes(*bytes) >> valid;
                let count = (64 - valid) / 8;
                source.position += count as usize;
                self.bits += 8 * count;
            }
            None => *self = self.refilled_at_end(source),
        }
    }

    #[cold]
    #[inline(never)]
    fn refilled_at_end(mut self, source: &mut Source<'_>) -> State {
        while self.bits < 40 {
            let byte = source.data.get(source.position).copied().unwrap_or(0);
            source.position += 1;
            self.window |= u64::from(byte) << (56 - (self.bits + 8));
            self.bits += 8;
        }
        self
    }

    /// Decodes a decision. The window must have seven bits, see [`State::ensure`].
    #[inline(always)]
    pub(super) fn bit(&mut self, probability: u8) -> bool {
        let probability = u32::from(probability);
        let shift = self.range.leading_zeros() - 24;
        let split = (((self.range * probability) << shift) + 256 - probability) >> 8;
        let range = self.range << shift;
        self.window <<= shift;
        self.bits -= shift as i32;
        let threshold = u64::from(split) << 56;
        if self.window >= threshold {
            self.window -= threshold;
            self.range = range - split;
            true
        } else {
            self.range = split;
            false
        }
    }

    /// Gives `value` the sign that an even decision says, without a branch: signs cannot be predicted.
    #[inline(always)]
    pub(super) fn signed(&mut self, value: i32) -> i32 {
        let shift = self.range.leading_zeros() - 24;
        let range = self.range << shift;
        self.window <<= shift;
        self.bits -= shift as i32;
        let split = (range + 1) >> 1;
        let threshold = u64::from(split) << 56;
        let mask = u64::from(self.window >= threshold).wrapping_neg();
        self.window -= threshold & mask;
        self.range = split - (range & 1 & mask as u32);
        (value ^ mask as i32) - mask as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The decoder of RFC 6386 section 7.3, bit by bit.
    struct Reference<'a> {
        data: &'a [u8],
        position: usize,
        value: u32,
        range: u32,
        count: u32,
    }

    impl<'a> Reference<'a> {
        fn new(data: &'a [u8]) -> Reference<'a> {
            let byte = |i: usize| u32::from(data.get(i).copied().unwrap_or(0));
            Reference { data, position: 2, value: byte(0) << 8 | byte(1), range: 255, count: 0 }
        }

        fn bit(&mut self, probability: u8) -> bool {
            let split = 1 + (((self.range - 1) * u32::from(probability)) >> 8);
            let is_set = self.value >= split << 8;
            if is_set {
                self.range -= split;
                self.value -= split << 8;
            } else {
                self.range = split;
            }
            while self.range < 128 {
                self.value <<= 1;
                self.range <<= 1;
                self.count += 1;
                if self.count == 8 {
                    self.count = 0;
                    self.value |= u32::from(self.data.get(self.position).copied().unwrap_or(0));
                    self.position += 1;
                }
            }
            is_set
        }
    }

    proptest! {
        #[test]
        fn decisions_are_those_of_the_rfc(data: Vec<u8>, probabilities in prop::collection::vec(1_u8.., 0..600)) {
            // No encoder writes a value as large as the range.
            prop_assume!(data.first() != Some(&255));
            let (mut fast, mut slow) = (BoolDecoder::new(&data), Reference::new(&data));
            for (i, probability) in probabilities.into_iter().enumerate() {
                if i % 3 == 2 {
                    fast.state.ensure(7, &mut fast.source);
                    prop_assert_eq!(fast.state.signed(1) < 0, slow.bit(128));
                } else {
                    prop_assert_eq!(fast.bit(probability), slow.bit(probability));
                }
            }
        }
    }

    #[test]
    fn data_is_exhausted_once_more_than_all_its_bits_are_used() {
        let data = [0x5A; 30];
        let mut decoder = BoolDecoder::new(&data);
        // An even decision takes a bit. The window holds eight beyond those that were taken.
        for taken in 0..29 * 8 {
            assert!(!decoder.is_exhausted(), "after {taken}");
            decoder.flag();
        }
        for _ in 0..9 {
            decoder.flag();
        }
        assert!(decoder.is_exhausted());
    }
}
