//! `BitBuffer`: the bit buffer of the entropy decoder (NEXTBIT and RECEIVE of T.81 F.2.2.5 and F.2.2.4).

use super::window::WindowBytes;

/// Up to 63 bits of the data, left-aligned, and the position of the next byte.
///
/// Refilling has no branch: it always reads eight bytes and advances over those that fitted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BitBuffer {
    /// The next bits, first bit highest. The bits behind the valid ones come from the data, too.
    pub(super) buffer: u64,
    /// Number of valid bits, modulo 64. Only the low six bits count, so that [`BitBuffer::consume`] needs no
    /// mask.
    valid: u32,
    /// Position of the next byte in the window.
    next: usize,
}

impl BitBuffer {
    /// Refills the buffer to at least 56 valid bits.
    #[inline(always)]
    pub(super) fn refill(&mut self, bytes: &WindowBytes) {
        self.buffer |= bytes.load(self.next) >> (self.valid & 63);
        self.next += (!self.valid >> 3 & 7) as usize;
        self.valid |= 56;
    }

    /// Drops the number of bits in the low six bits of `entry`.
    #[inline(always)]
    pub(super) fn consume(&mut self, entry: u32) {
        self.buffer <<= entry & 63;
        self.valid = self.valid.wrapping_sub(entry);
    }

    /// Takes the next `count` bits, 0 to 32.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        let bits = (self.buffer >> 1 >> ((63 - count) & 63)) as u32;
        self.consume(count);
        bits
    }

    /// Returns the next `COUNT` bits without dropping them.
    #[inline(always)]
    pub(super) fn peek<const COUNT: u32>(&self) -> usize {
        (self.buffer >> (64 - COUNT)) as usize
    }

    /// Number of bits of the window dropped so far.
    pub(super) fn position(&self) -> usize {
        self.position_behind(0)
    }

    /// Number of bits dropped so far, counted from `bytes` before the window.
    #[inline(always)]
    pub(super) fn position_behind(&self, bytes: usize) -> usize {
        ((bytes + self.next) * 8).saturating_sub((self.valid & 63) as usize)
    }

    /// Position of the byte that the next refill reads first.
    #[inline(always)]
    pub(super) fn next_byte(&self) -> usize {
        self.next
    }

    /// Follows the window when its bytes move `by` bytes to the front.
    pub(super) fn moved_back(&mut self, by: usize) {
        self.next -= by;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_out_in_order_whatever_the_portions() {
        let mut bytes = WindowBytes::default();
        for i in 0..200 {
            bytes.bytes_mut()[i] = (i * 37 + 11) as u8;
        }
        let expected: Vec<u32> =
            (0..1600).map(|i| u32::from(bytes.bytes_mut()[i / 8] >> (7 - i % 8) & 1)).collect();
        for portion in 1..=26 {
            let mut bits = BitBuffer::default();
            let mut at = 0;
            while at + portion as usize <= 1500 {
                bits.refill(&bytes);
                let value = bits.take(portion);
                let wanted = expected[at..][..portion as usize].iter().fold(0, |v, bit| v << 1 | bit);
                assert_eq!(value, wanted, "{portion} bits at {at}");
                at += portion as usize;
                assert_eq!(bits.position(), at);
            }
        }
    }
}
