//! `Token`: one step of entropy coding, before its number of bits is known.
//!
//! A picture first becomes a sequence of 16-bit tokens. Their statistics give the optimal Huffman tables
//! (T.81 K.2). A table from tokens to bits then writes them without a branch. A token below [`RAW`] is an
//! index of that table:
//!
//! ```text
//! class << 12 |    0 + run << 7 | value + 64    AC coefficient of -64..64 after `run` zeros (F.1.2.2)
//!             |                                 value 0: the symbol run << 4, which is EOB, EOBn or ZRL
//!             | 2048 + difference + 512         DC difference of -512..512 (F.1.2.1)
//!             | 3072 + symbol                   AC symbol alone; its bits follow raw
//!             | 3328 + symbol                   DC symbol alone; its bits follow raw
//! RAW         | length << 11 | bits             up to 11 bits as they are; length 0 is a restart marker
//! ```

use super::dct::{DctBlock, SCAN};

/// A token; see the module documentation.
pub(super) type EntropyToken = u16;

/// Offset of the tokens of the second table pair.
pub(super) const CLASS: EntropyToken = 1 << 12;
/// Flag of a token of raw bits.
pub(super) const RAW: EntropyToken = 1 << 15;
/// Restart marker (F.1.1.5.2).
pub(super) const RESTART: EntropyToken = RAW;
/// End of block.
pub(super) const END_OF_BLOCK: EntropyToken = 64;
/// Sixteen zeros (ZRL).
pub(super) const ZERO_RUN: EntropyToken = 15 << 7 | END_OF_BLOCK;
/// Upper bound of tokens that are indices.
pub(super) const INDICES: usize = 2 * CLASS as usize;
/// Most tokens of one block in a sequential scan: a symbol and raw bits for each coefficient.
pub(super) const PER_BLOCK: usize = 128;

/// AC coefficients with tokens of their own are -64 to 63.
pub(super) const AC_SPAN: i32 = 64;
/// DC differences with tokens of their own are -512 to 511.
pub(super) const DC_SPAN: i32 = 512;
/// First token of the DC differences.
pub(super) const DC: EntropyToken = 2048;
/// First token of the AC symbols that stand alone.
pub(super) const AC_SYMBOL: EntropyToken = 3072;
/// First token of the DC symbols that stand alone.
pub(super) const DC_SYMBOL: EntropyToken = 3328;

/// Makes a token of `length` raw bits, at most 11.
pub(super) fn raw(bits: u32, length: u32) -> EntropyToken {
    RAW | (length as EntropyToken) << 11 | bits as EntropyToken
}

/// Returns the length and the bits of a raw token.
#[inline]
pub(super) fn raw_parts(token: EntropyToken) -> (u32, u32) {
    (u32::from(token >> 11 & 15), u32::from(token & 0x7FF))
}

/// Returns the size category of a value and its extra bits (F.1.2.1.1, table F.1).
#[inline]
pub(super) fn magnitude(value: i32) -> (u32, u32) {
    let size = 32 - value.unsigned_abs().leading_zeros();
    (size, ((value + (value >> 31)) as u32) & ((1 << size) - 1))
}

/// Writes `token` at `n`. A block has at most [`PER_BLOCK`] tokens, so the remainder has no effect but to
/// spare a bounds check.
#[inline(always)]
fn put(out: &mut [EntropyToken; PER_BLOCK], n: usize, token: EntropyToken) -> usize {
    out[n % PER_BLOCK] = token;
    n + 1
}

/// Writes the tokens of an AC coefficient with a long run or a large value at `n`. Returns their end.
#[cold]
fn put_rare(
    out: &mut [EntropyToken; PER_BLOCK],
    mut n: usize,
    class: EntropyToken,
    mut run: u32,
    value: i32,
) -> usize {
    while run >= 16 {
        n = put(out, n, class + ZERO_RUN);
        run -= 16;
    }
    if (-AC_SPAN..AC_SPAN).contains(&value) {
        return put(out, n, class + ac(run, value));
    }
    let (size, bits) = magnitude(value);
    let n = put(out, n, class + AC_SYMBOL + (run << 4 | size) as EntropyToken);
    put(out, n, raw(bits, size))
}

/// Makes the tokens of a DC difference.
pub(super) fn dc(class: EntropyToken, value: i32) -> [Option<EntropyToken>; 2] {
    if (-DC_SPAN..DC_SPAN).contains(&value) {
        return [Some(class + DC + (value + DC_SPAN) as EntropyToken), None];
    }
    let (size, bits) = magnitude(value);
    [Some(class + DC_SYMBOL + size as EntropyToken), Some(raw(bits, size))]
}

/// Makes the token of an AC coefficient of -64 to 63 after at most 15 zeros.
#[inline]
pub(super) fn ac(run: u32, value: i32) -> EntropyToken {
    (run << 7) as EntropyToken + (value + AC_SPAN) as EntropyToken
}

/// Writes the tokens of a block in a sequential scan (F.1.2) and returns their number. `mask` holds the
/// non-zero coefficients. `prediction` is the previous DC coefficient, and becomes this one.
#[inline]
pub(super) fn sequential(
    block: &DctBlock,
    mask: u64,
    class: EntropyToken,
    prediction: &mut i16,
    out: &mut [EntropyToken; PER_BLOCK],
) -> usize {
    let mut n = 0;
    for token in dc(class, i32::from(block.0[0]) - i32::from(*prediction)).into_iter().flatten() {
        n = put(out, n, token);
    }
    *prediction = block.0[0];
    let mut rest = mask & !1;
    let mut before = 0;
    while rest != 0 {
        let z = rest.trailing_zeros();
        rest &= rest - 1;
        let run = z - before - 1;
        before = z;
        let value = i32::from(block.0[usize::from(SCAN[(z % 64) as usize] % 64)]);
        n = if run < 16 && (-AC_SPAN..AC_SPAN).contains(&value) {
            put(out, n, class + ac(run, value))
        } else {
            put_rare(out, n, class, run, value)
        };
    }
    if before == 63 { n } else { put(out, n, class + END_OF_BLOCK) }
}
