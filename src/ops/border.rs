//! What neighbourhoods see beyond the edge of a picture.

/// The index that stands for `index` in a line of `len` samples mirrored at its ends, which are not repeated:
/// `dcb|abcd|cba`, OpenCV's `BORDER_REFLECT_101`. As far beyond as one likes.
pub(super) fn reflect101(index: isize, len: usize) -> usize {
    if len == 1 {
        return 0;
    }
    let period = 2 * (len - 1);
    let offset = index.rem_euclid(period as isize) as usize;
    offset.min(period - offset)
}

/// The index that stands for `index` in a line of `len` samples whose ends go on for ever: `aaa|abcd|ddd`,
/// OpenCV's `BORDER_REPLICATE`.
pub(super) fn replicate(index: isize, len: usize) -> usize {
    index.clamp(0, len as isize - 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_does_not_repeat_the_end_and_reaches_any_distance() {
        let seen: Vec<usize> = (-5..8).map(|i| reflect101(i, 4)).collect();
        assert_eq!(seen, [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]);
        assert_eq!(reflect101(-9, 1), 0);
    }

    #[test]
    fn a_replicated_end_goes_on() {
        let seen: Vec<usize> = (-2..5).map(|i| replicate(i, 3)).collect();
        assert_eq!(seen, [0, 0, 0, 1, 2, 2, 2]);
    }
}
