//! `Cutter`: where the heads and bodies of HTTP/1.1 end in what a peer sends. Hyper is given no byte of the next part
//! before it has taken up the last one, so that a body nobody wants can be read past without it.

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A head. So many have ended that hyper has not yet taken up.
    Head { line: Line, ended: u32 },
    /// A body, of which so many bytes are to come.
    Body { left: u64 },
    /// It is not known; nothing is cut.
    Any,
}

/// What stands last in a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// None of the others.
    Begun,
    Feed,
    FeedAndReturn,
    /// The empty line at its end.
    Empty,
}

const HEAD: Part = Part::Head { line: Line::Begun, ended: 0 };

/// What the peer of one connection sends, part by part.
#[derive(Debug)]
pub(super) struct Cutter(Part);

impl Cutter {
    /// Before the first head.
    pub(super) fn new() -> Cutter {
        Cutter(HEAD)
    }

    /// Cuts nothing from here on.
    pub(super) fn give_up(&mut self) {
        self.0 = Part::Any;
    }

    /// Whether a head is on its way, whose end has to be looked for.
    pub(super) fn is_in_head(&self) -> bool {
        matches!(self.0, Part::Head { .. })
    }

    /// How many bytes may be handed over unseen.
    pub(super) fn left(&self) -> u64 {
        match self.0 {
            Part::Head { .. } => 0,
            Part::Body { left } => left,
            Part::Any => u64::MAX,
        }
    }

    /// Notes bytes that came, and how many of them belong to this part.
    pub(super) fn took(&mut self, bytes: &[u8]) -> usize {
        let Part::Head { line, ended } = &mut self.0 else {
            return self.passed(bytes.len() as u64) as usize;
        };
        for (n, byte) in bytes.iter().enumerate() {
            *line = match (byte, *line) {
                (b'\n', Line::Feed | Line::FeedAndReturn) => {
                    (*line, *ended) = (Line::Empty, ended.saturating_add(1));
                    return n + 1;
                }
                (b'\n', _) => Line::Feed,
                (b'\r', Line::Feed) => Line::FeedAndReturn,
                _ => Line::Begun,
            };
        }
        bytes.len()
    }

    /// Notes that so many bytes of a body came. How many of them belong to it.
    pub(super) fn passed(&mut self, bytes: u64) -> u64 {
        let Part::Body { left } = &mut self.0 else { return bytes };
        let taken = bytes.min(*left);
        *left -= taken;
        if *left == 0 {
            self.0 = HEAD;
        }
        taken
    }

    /// Hyper has taken up a head that has a body of `length` bytes, or of some length. Whether there is a body, it is
    /// known where it ends, and none of it was handed over.
    pub(super) fn take_up(&mut self, length: Option<u64>) -> bool {
        // Where two heads have ended, as after empty lines or between requests that do not wait for answers, this may be
        // the first or the second.
        self.0 = match (self.0, length) {
            (Part::Head { line: Line::Empty, ended: 1 }, Some(0)) => HEAD,
            (Part::Head { line: Line::Empty, ended: 1 }, Some(left)) => Part::Body { left },
            _ => Part::Any,
        };
        matches!(self.0, Part::Body { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is handed over of `sent` in one piece, when it comes in pieces of `size`.
    fn heads(sent: &[u8], size: usize) -> Vec<u8> {
        let mut cutter = Cutter::new();
        let mut taken = Vec::new();
        for piece in sent.chunks(size) {
            let n = cutter.took(piece);
            taken.extend_from_slice(&piece[..n]);
            if cutter.0 == (Part::Head { line: Line::Empty, ended: 1 }) {
                break;
            }
        }
        taken
    }

    #[test]
    fn a_head_ends_with_its_empty_line_however_it_is_cut_into_segments() {
        for end in ["\r\n\r\n", "\n\n", "\n\r\n", "\r\n\n"] {
            let head = format!("POST / HTTP/1.1\r\nHost: a{end}");
            let sent = format!("{head}body\r\n\r\nmore");
            for size in 1..sent.len() {
                assert_eq!(heads(sent.as_bytes(), size), head.as_bytes(), "in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_body_ends_after_its_length_and_a_head_follows() {
        let mut cutter = Cutter::new();
        assert_eq!(cutter.took(b"a\n\nbody"), 3);
        assert!(cutter.take_up(Some(4)));
        assert_eq!((cutter.left(), cutter.took(b"bo")), (4, 2));
        assert_eq!((cutter.left(), cutter.took(b"dyb\n\nc")), (2, 2));
        assert_eq!(cutter.took(b"b\n\nc"), 3);
        assert!(!cutter.take_up(Some(0)) && cutter.is_in_head());
    }

    #[test]
    fn a_length_that_is_not_told_or_not_sure_cuts_nothing() {
        let mut cutter = Cutter::new();
        cutter.took(b"a\n\n");
        assert!(!cutter.take_up(None));
        assert_eq!(cutter.took(b"a\n\nb"), 4);
        let mut cutter = Cutter::new();
        cutter.took(b"a\n\n");
        cutter.took(b"b\n\n");
        assert!(!cutter.take_up(Some(4)), "two heads, and one was taken up");
        let mut cutter = Cutter::new();
        cutter.took(b"a\n\n");
        cutter.took(b"b");
        assert!(!cutter.take_up(Some(4)), "something was handed over after the head");
    }
}
