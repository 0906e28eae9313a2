//! `JpegMetadata`: contents of the application segments of a file, as slices of the file.

use crate::codec::jpeg::marker::{Marker, MarkerSegment};
use std::borrow::Cow;

/// Contents of the application segments of a file. Holds the first segment of each kind.
#[derive(Debug, Clone, Default)]
pub struct JpegMetadata<'a> {
    /// Pixel density of the JFIF segment (APP0, T.871); `None` without a JFIF segment.
    pub density: Option<Density>,
    /// The Adobe segment (APP14).
    pub adobe: Option<Adobe>,
    /// EXIF as a TIFF structure, without the `Exif` mark (APP1).
    pub exif: Option<&'a [u8]>,
    /// An XMP packet (APP1).
    pub xmp: Option<&'a [u8]>,
    /// Photoshop image resources, among them IPTC (APP13).
    pub iptc: Option<&'a [u8]>,
    /// The ICC profile in pieces (APP2).
    pub icc: IccChunks<'a>,
    /// True if there is more: comments, thumbnails, repeated or unknown segments.
    pub other: bool,
}

/// Pixel density of a JFIF segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Density {
    /// Unit. 0: only the ratio of `x` and `y` counts; 1: pixels per inch; 2: pixels per centimetre.
    pub unit: u8,
    /// Horizontal density.
    pub x: u16,
    /// Vertical density.
    pub y: u16,
}

/// An Adobe segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adobe {
    /// Colour transform. 0: RGB or CMYK; 1: YCbCr; 2: YCCK.
    pub transform: u8,
}

impl<'a> JpegMetadata<'a> {
    /// Takes the contents of an application segment or a comment. Ignores other segments.
    pub fn read(&mut self, segment: &MarkerSegment<'a>) {
        const EXIF: &[u8] = b"Exif\0";
        const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
        const ICC: &[u8] = b"ICC_PROFILE\0";
        const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
        let MarkerSegment { marker, body, .. } = *segment;
        let after = |mark: &[u8]| body.strip_prefix(mark);
        if marker == Marker::app(0)
            && let Some(jfif) = after(b"JFIF\0")
        {
            if let Some(&[_, _, unit, x1, x0, y1, y0]) = jfif.first_chunk() {
                let density =
                    Density { unit, x: u16::from_be_bytes([x1, x0]), y: u16::from_be_bytes([y1, y0]) };
                self.density.get_or_insert(density);
            }
            self.other |= jfif.len() > 9; // a thumbnail
        } else if marker == Marker::app(1)
            && let Some(exif) = after(EXIF)
        {
            self.first(|found| &mut found.exif, exif.get(1..));
        } else if marker == Marker::app(1)
            && let Some(xmp) = after(XMP)
        {
            self.first(|found| &mut found.xmp, Some(xmp));
        } else if marker == Marker::app(2)
            && let Some(chunk) = after(ICC)
        {
            self.icc.push(chunk);
        } else if marker == Marker::app(13)
            && let Some(iptc) = after(PHOTOSHOP)
        {
            self.first(|found| &mut found.iptc, Some(iptc));
        } else if marker == Marker::app(14)
            && let Some(adobe) = after(b"Adobe")
        {
            if let Some(&transform) = adobe.get(6) {
                self.adobe.get_or_insert(Adobe { transform });
            }
            self.other |= adobe.len() > 7;
        } else if marker == Marker::COM || marker.is_application() {
            self.other = true;
        }
    }

    /// Keeps the first block of a kind. A second one counts as `other`.
    fn first(&mut self, slot: impl Fn(&mut Self) -> &mut Option<&'a [u8]>, block: Option<&'a [u8]>) {
        match slot(self) {
            Some(_) => self.other = true,
            empty => *empty = block,
        }
    }
}

/// The pieces of an ICC profile in the order of the file (ICC.1, annex B.4).
#[derive(Debug, Clone, Default)]
pub struct IccChunks<'a> {
    /// Number, count and data of each piece; never more than 255.
    chunks: Vec<(u8, u8, &'a [u8])>,
}

impl<'a> IccChunks<'a> {
    /// Largest profile that is joined, in bytes.
    pub const MAX_BYTES: usize = 4 << 20;

    fn push(&mut self, chunk: &'a [u8]) {
        if let Some((&[number, count], data)) = chunk.split_first_chunk()
            && self.chunks.len() < 255
        {
            self.chunks.push((number, count, data));
        }
    }

    /// Returns true if the file has no piece of a profile.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Joins the profile. Returns `None` if there is none, a piece is missing or repeated, or it exceeds
    /// [`IccChunks::MAX_BYTES`].
    pub fn profile(&self) -> Option<Cow<'a, [u8]>> {
        let total: usize = self.chunks.iter().map(|(_, _, data)| data.len()).sum();
        let count = self.chunks.first()?.1;
        if total > Self::MAX_BYTES || self.chunks.len() != usize::from(count) {
            return None;
        }
        if let [(1, 1, data)] = *self.chunks {
            return Some(Cow::Borrowed(data));
        }
        let mut sorted = self.chunks.clone();
        sorted.sort_by_key(|&(number, _, _)| number);
        let complete = (1..=count).zip(&sorted).all(|(n, &(number, of, _))| number == n && of == count);
        complete.then(|| Cow::Owned(sorted.iter().flat_map(|&(_, _, data)| data).copied().collect()))
    }
}
