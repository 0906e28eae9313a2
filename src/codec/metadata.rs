//! What stands beside the pixels: EXIF, XMP, IPTC and the colour profile, and which of it may leave.

use super::exif;
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
}

impl<'a> Metadata<'a> {
    /// Largest block that is looked at, in bytes.
    pub(super) const MAX_BLOCK: usize = 4 << 20;

    /// What of it goes into the result.
    pub(super) fn kept(self, spec: &Spec) -> Metadata<'a> {
        let icc = self.icc.filter(|_| spec.icc == Icc::Keep);
        match spec.metadata {
            spec::Metadata::Strip => Metadata { icc, ..Metadata::default() },
            spec::Metadata::Copyright => {
                let exif = self.exif.and_then(|block| exif::ownership(&block)).map(Cow::Owned);
                Metadata { exif, icc, ..Metadata::default() }
            }
            spec::Metadata::Keep => {
                let exif = self.exif.map(|block| Cow::Owned(exif::made_upright(&block)));
                Metadata { exif, icc, ..self }
            }
        }
    }
}
