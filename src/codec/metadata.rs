//! What stands beside the pixels: EXIF, XMP, IPTC and the colour profile, and which of it may leave.

use super::exif;
use super::jpeg::header;
use crate::spec::{self, Icc, Spec};
use std::borrow::Cow;

/// Metadata blocks without the wrapping of their container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Metadata<'a> {
    /// A TIFF header and what follows, without `Exif\0\0`.
    pub(super) exif: Option<Cow<'a, [u8]>>,
    /// An XMP packet.
    pub(super) xmp: Option<Cow<'a, [u8]>>,
    /// Photoshop image resources, which hold IPTC, as in a JPEG APP13 after its signature.
    pub(super) iptc: Option<Cow<'a, [u8]>>,
    /// An ICC profile.
    pub(super) icc: Option<Cow<'a, [u8]>>,
    /// Whether the file says more, in comments or blocks that are not read: it never goes along.
    pub(super) other: bool,
}

impl Metadata<'_> {
    /// Largest block that is looked at, in bytes.
    pub(super) const MAX_BLOCK: usize = 4 << 20;

    /// What the application segments of a JPEG carry.
    pub(super) fn of_jpeg<'a>(found: &header::Metadata<'a>) -> Metadata<'a> {
        Metadata {
            exif: found.exif.map(Cow::Borrowed),
            xmp: found.xmp.map(Cow::Borrowed),
            iptc: found.iptc.map(Cow::Borrowed),
            icc: found.icc.profile(),
            other: found.other,
        }
    }

    /// Whether `spec` lets all of it stay. The profile is judged by who knows colours.
    pub(super) fn all_kept(&self, spec: &Spec) -> bool {
        match spec.metadata {
            spec::Metadata::Keep => true,
            spec::Metadata::Strip => {
                !self.other && self.exif.is_none() && self.xmp.is_none() && self.iptc.is_none()
            }
            spec::Metadata::Copyright => {
                let only_ownership =
                    self.exif.as_deref().is_none_or(|block| exif::ownership(block).as_deref() == Some(block));
                !self.other && only_ownership && self.xmp.is_none() && self.iptc.is_none()
            }
        }
    }

    /// What of it goes into the result.
    pub(super) fn kept(&self, spec: &Spec) -> Metadata<'_> {
        fn lent<'b>(block: &'b Option<Cow<'_, [u8]>>) -> Option<Cow<'b, [u8]>> {
            block.as_deref().map(Cow::Borrowed)
        }
        let icc = lent(&self.icc).filter(|_| spec.icc == Icc::Keep);
        match spec.metadata {
            spec::Metadata::Strip => Metadata { icc, ..Metadata::default() },
            spec::Metadata::Copyright => {
                let exif = self.exif.as_deref().and_then(exif::ownership).map(Cow::Owned);
                Metadata { exif, icc, ..Metadata::default() }
            }
            spec::Metadata::Keep => {
                let exif = self.exif.as_deref().map(|block| Cow::Owned(exif::made_upright(block)));
                Metadata { exif, xmp: lent(&self.xmp), iptc: lent(&self.iptc), icc, other: self.other }
            }
        }
    }
}
