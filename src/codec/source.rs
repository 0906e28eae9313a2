//! `Source`: a file whose headers have been read, once for all who need them.

use crate::codec::error::CodecError;
use crate::codec::format;
use crate::codec::jpeg::header::JpegHeader;
use crate::codec::metadata::Metadata;
use crate::codec::metadata::companions::Companions;
use crate::codec::probe::{self, Probe, jpeg_header};
use crate::codec::sniff::sniff;
use crate::codec::transform::planar::{self, PlanarSource};
use crate::format::Format;
use crate::limits::Limits;
use crate::spec::{Icc, Spec};

/// A file and what its headers say.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) input: &'a [u8],
    pub(super) probe: Probe,
    pub(super) metadata: Metadata<'a>,
    /// Of a JPEG that our own decoder reads.
    pub(super) header: Option<JpegHeader<'a>>,
    /// Of a WebP that our own decoder reads.
    pub(super) key_frame: Option<&'a [u8]>,
}

impl<'a> Source<'a> {
    /// Reads the headers of `input`.
    ///
    /// # Errors
    /// As [`probe::probe`].
    pub(super) fn open(input: &'a [u8], limits: &Limits) -> Result<Source<'a>, CodecError> {
        let format = sniff(input)?;
        let header = jpeg_header(format, input, limits)?;
        let probe = probe::of(format, input, header.as_ref(), limits)?;
        Ok(Source::of(input, probe, header))
    }

    /// The same for a file that was probed before, by [`Source::open`] or [`probe::probe`].
    ///
    /// # Errors
    /// As [`probe::probe`].
    pub(super) fn reopen(input: &'a [u8], probe: Probe, limits: &Limits) -> Result<Source<'a>, CodecError> {
        let header = if probe.planar { jpeg_header(probe.format, input, limits)? } else { None };
        Ok(Source::of(input, probe, header))
    }

    /// Returns true if a further picture of the file is the gain map of the one that is read.
    pub(super) fn has_gain_map(&self) -> bool {
        self.probe.format == Format::Jpeg && Companions::of_jpeg(self.input).gain_map
    }

    /// Returns the profile by which the inks of the file become RGB, unless `spec` ignores it.
    pub(super) fn ink_profile(&self, spec: &Spec) -> Option<&[u8]> {
        self.metadata.icc.as_deref().filter(|_| self.probe.cmyk && spec.icc != Icc::Ignore)
    }

    /// Returns the source if one of our own decoders serves `spec`. They have no linear light and know no ink but the naive
    /// one.
    pub(super) fn planar(&'a self, spec: &Spec) -> Option<PlanarSource<'a>> {
        PlanarSource::of(self).filter(|_| planar::decodes(spec) && self.ink_profile(spec).is_none())
    }

    fn of(input: &'a [u8], probe: Probe, header: Option<JpegHeader<'a>>) -> Source<'a> {
        let metadata = match &header {
            Some(header) => Metadata::of_jpeg(&header.metadata, input.get(header.scans..)),
            None => format::metadata(probe.format, input),
        };
        let key_frame = if probe.planar { format::key_frame(probe.format, input) } else { None };
        Source { input, probe, metadata, header, key_frame }
    }
}
