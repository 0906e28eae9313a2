//! `Source`: a file whose headers have been read, once for all who need them.

use crate::codec::error::CodecError;
use crate::codec::format;
use crate::codec::jpeg::header::JpegHeader;
use crate::codec::metadata::Metadata;
use crate::codec::probe::{self, Probe, jpeg_header};
use crate::codec::sniff::sniff;
use crate::limits::Limits;

/// A file and what its headers say.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) input: &'a [u8],
    pub(super) probe: Probe,
    pub(super) metadata: Metadata<'a>,
    /// Of a JPEG that our own decoder reads.
    pub(super) header: Option<JpegHeader<'a>>,
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

    fn of(input: &'a [u8], probe: Probe, header: Option<JpegHeader<'a>>) -> Source<'a> {
        let metadata = match &header {
            Some(header) => Metadata::of_jpeg(&header.metadata, input.get(header.scans..)),
            None => format::metadata(probe.format, input),
        };
        Source { input, probe, metadata, header }
    }
}
