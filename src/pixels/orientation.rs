//! `Orientation`: turns and mirrors of a picture.

use super::{Region, Size};

/// Map from stored pixels to the upright picture: one of the eight symmetries of the rectangle.
/// Applied in the order transpose, mirror in x, mirror in y.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orientation {
    /// Rows become columns (reflection in the main diagonal).
    pub transpose: bool,
    /// Mirror left to right, after the transposition.
    pub mirror_x: bool,
    /// Mirror top to bottom, after the transposition.
    pub mirror_y: bool,
}

impl Orientation {
    /// Half a turn.
    pub const HALF_TURN: Orientation = Orientation { transpose: false, mirror_x: true, mirror_y: true };
    /// A quarter turn clockwise.
    pub const QUARTER_TURN: Orientation = Orientation { transpose: true, mirror_x: true, mirror_y: false };
    /// Three quarter turns clockwise.
    pub const THREE_QUARTER_TURN: Orientation =
        Orientation { transpose: true, mirror_x: false, mirror_y: true };
    /// Left and right exchanged.
    pub const MIRROR_X: Orientation = Orientation { transpose: false, mirror_x: true, mirror_y: false };
    /// Top and bottom exchanged.
    pub const MIRROR_Y: Orientation = Orientation { transpose: false, mirror_x: false, mirror_y: true };

    /// Returns the turn that makes a picture with this EXIF orientation upright; `None` outside 1..=8.
    pub fn from_exif(value: u16) -> Option<Orientation> {
        let (transpose, mirror_x, mirror_y) = match value {
            1 => (false, false, false),
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => return None,
        };
        Some(Orientation { transpose, mirror_x, mirror_y })
    }

    /// Returns true if no pixel moves.
    pub fn is_identity(self) -> bool {
        self == Orientation::default()
    }

    /// Combines this orientation with a following one.
    pub fn then(self, next: Orientation) -> Orientation {
        let (x, y) =
            if next.transpose { (self.mirror_y, self.mirror_x) } else { (self.mirror_x, self.mirror_y) };
        Orientation {
            transpose: self.transpose != next.transpose,
            mirror_x: x != next.mirror_x,
            mirror_y: y != next.mirror_y,
        }
    }

    /// Returns the size of a picture of `size` after the turn, or before it.
    pub fn turned(self, size: Size) -> Size {
        if self.transpose { size.transposed() } else { size }
    }

    /// Maps `region` of the upright picture of size `upright` to the stored pixels.
    pub fn stored_region(self, region: Region, upright: Size) -> Region {
        let Region { mut x, mut y, width, height } = region;
        if self.mirror_y {
            y = f64::from(upright.height) - y - height;
        }
        if self.mirror_x {
            x = f64::from(upright.width) - x - width;
        }
        if self.transpose {
            Region { x: y, y: x, width: height, height: width }
        } else {
            Region { x, y, width, height }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orientations_form_the_group_of_the_rectangle() {
        let quarter = Orientation::QUARTER_TURN;
        assert_eq!(quarter.then(quarter), Orientation::HALF_TURN);
        assert_eq!(quarter.then(quarter).then(quarter), Orientation::THREE_QUARTER_TURN);
        assert!(quarter.then(Orientation::THREE_QUARTER_TURN).is_identity());
        assert_eq!(quarter.then(Orientation::MIRROR_Y), Orientation::from_exif(7).unwrap());
    }

    #[test]
    fn a_turned_region_is_found_among_the_stored_pixels() {
        // 4 x 2 stored, a quarter turn makes it 2 x 4: its top left pixel was stored bottom left.
        let top_left = Region { x: 0.0, y: 0.0, width: 1.0, height: 1.0 };
        let stored = Orientation::QUARTER_TURN.stored_region(top_left, Size { width: 2, height: 4 });
        assert_eq!(stored, Region { x: 0.0, y: 1.0, width: 1.0, height: 1.0 });
    }
}
