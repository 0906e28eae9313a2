//! Metadata: EXIF, XMP, IPTC and the colour profile, and the choice of what goes into a result.

pub(in crate::codec) mod companions; // further pictures in the file of a JPEG.
pub(in crate::codec) mod directory; // tags of TIFF files and EXIF blocks.
pub(in crate::codec) mod exif; // orientation, and what goes from file to file.
pub(in crate::codec) mod iptc; // ownership in Photoshop resources.
pub(in crate::codec) mod ownership; // artist and copyright, from whichever block has them.
pub(in crate::codec) mod xmp; // orientation and owner in XMP.

use crate::codec::jpeg::header;
use crate::codec::jpeg::marker::{Marker, MarkerSegments};
use crate::codec::metadata::exif::Thumbnail;
use crate::codec::transform::geometry::Size;
use crate::spec::{self, Icc, Spec};
use std::borrow::Cow;

/// Metadata blocks without the wrapping of their container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::codec) struct Metadata<'a> {
    /// A TIFF header and what follows, without `Exif\0\0`.
    pub(in crate::codec) exif: Option<Cow<'a, [u8]>>,
    /// An XMP packet.
    pub(in crate::codec) xmp: Option<Cow<'a, [u8]>>,
    /// Photoshop image resources, which hold IPTC, as in a JPEG APP13 after its signature.
    pub(in crate::codec) iptc: Option<Cow<'a, [u8]>>,
    /// An ICC profile.
    pub(in crate::codec) icc: Option<Cow<'a, [u8]>>,
    /// Pixel density of a JFIF segment.
    pub(in crate::codec) density: Option<header::Density>,
    /// True if the file has more, in comments or blocks that are not read: it never goes along.
    pub(in crate::codec) other: bool,
    /// The scans of a JPEG file, between and behind which there may be more.
    pub(in crate::codec) scans: Option<&'a [u8]>,
}

impl Metadata<'_> {
    /// Largest block that is looked at, in bytes.
    pub(in crate::codec) const MAX_BLOCK: usize = 4 << 20;

    /// Takes over the application segments of a JPEG, and the rest of the file from its first scan on.
    pub(in crate::codec) fn of_jpeg<'a>(
        found: &header::JpegMetadata<'a>,
        scans: Option<&'a [u8]>,
    ) -> Metadata<'a> {
        let icc = found.icc.profile();
        Metadata {
            exif: found.exif.map(Cow::Borrowed),
            xmp: found.xmp.map(Cow::Borrowed),
            iptc: found.iptc.map(Cow::Borrowed),
            density: found.density,
            other: found.other || (icc.is_none() && !found.icc.is_empty()),
            icc,
            scans,
        }
    }

    /// Returns true if `spec` lets all of it stay. The profile is judged elsewhere.
    pub(in crate::codec) fn all_kept(&self, spec: &Spec) -> bool {
        let exif_stays = match spec.metadata {
            spec::Metadata::Keep => return true,
            spec::Metadata::Strip => self.exif.is_none(),
            spec::Metadata::Copyright => {
                self.exif.is_none() || ownership::block(self).as_deref() == self.exif.as_deref()
            }
        };
        let nothing_else = !self.other && self.xmp.is_none() && self.iptc.is_none();
        exif_stays && nothing_else && self.scans.is_none_or(only_scans)
    }

    /// Returns what of it goes into a result of this size. A thumbnail goes along only while it shows the picture.
    pub(in crate::codec) fn kept(&self, spec: &Spec, result: Size, thumbnail: Thumbnail) -> Metadata<'_> {
        fn lent<'b>(block: &'b Option<Cow<'_, [u8]>>) -> Option<Cow<'b, [u8]>> {
            block.as_deref().map(Cow::Borrowed)
        }
        let icc = lent(&self.icc).filter(|_| spec.icc == Icc::Keep);
        match spec.metadata {
            spec::Metadata::Strip => Metadata { icc, ..Metadata::default() },
            spec::Metadata::Copyright => {
                let exif = ownership::block(self).map(Cow::Owned);
                Metadata { exif, icc, ..Metadata::default() }
            }
            spec::Metadata::Keep => {
                let exif =
                    self.exif.as_deref().map(|block| Cow::Owned(exif::of_result(block, result, thumbnail)));
                let xmp = self.xmp.as_deref().map(|packet| Cow::Owned(xmp::of_result(packet)));
                let (iptc, density) = (lent(&self.iptc), self.density);
                Metadata { exif, xmp, iptc, icc, density, ..Metadata::default() }
            }
        }
    }
}

/// Returns true if the rest of a JPEG file, from its first scan on, holds scans and their tables alone and ends there:
/// cameras put further pictures and notes behind.
fn only_scans(rest: &[u8]) -> bool {
    let mut segments = MarkerSegments::new(rest, 0);
    while let Some(Ok(segment)) = segments.next() {
        match segment.marker {
            Marker::EOI => return segment.end == rest.len(),
            Marker::SOS => segments.skip_entropy_coded(),
            Marker::DHT | Marker::DQT | Marker::DRI | Marker::DNL | Marker::DAC => {}
            _ => return false,
        }
    }
    false
}

/// Keeps the first block of a kind; another one of it is `other`, because only one goes along.
pub(in crate::codec) fn keep_first<'a>(slot: &mut Option<Cow<'a, [u8]>>, block: &'a [u8], other: &mut bool) {
    match slot {
        None if block.len() <= Metadata::MAX_BLOCK => *slot = Some(Cow::Borrowed(block)),
        _ => *other = true,
    }
}
