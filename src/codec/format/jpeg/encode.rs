//! JPEG results of pixels, and the options and segments of every JPEG result.

use crate::codec::error::CodecError;
use crate::codec::format::encode::Output;
use crate::codec::format::jpeg::convert::{coding, sampling};
use crate::codec::jpeg::colour;
use crate::codec::jpeg::encode::{AppSegments, EncodeOptions, Encoder};
use crate::codec::metadata::Metadata;
use crate::pixels::Pixels;
use crate::spec::{Effort, Quality};

impl Output<'_> {
    /// Calls `write` with the options of the JPEG encoder: quality, form of the file, application segments.
    pub(in crate::codec) fn jpeg<T>(
        &self,
        quality: Quality,
        write: impl FnOnce(&EncodeOptions<'_>) -> T,
    ) -> T {
        let Metadata { exif, icc, xmp, iptc, density, .. } = self.metadata;
        let marked = |mark: &[u8], block: &[u8]| [mark, block].concat();
        let xmp = xmp.as_deref().map(|xmp| (0xE1, marked(b"http://ns.adobe.com/xap/1.0/\0", xmp)));
        let iptc = iptc.as_deref().map(|iptc| (0xED, marked(b"Photoshop 3.0\0", iptc)));
        let other: Vec<(u8, &[u8])> =
            xmp.iter().chain(&iptc).map(|(marker, block)| (*marker, block.as_slice())).collect();
        let segments = AppSegments {
            density: *density,
            exif: exif.as_deref(),
            icc: icc.as_deref(),
            other: &other,
            ..AppSegments::default()
        };
        let (quality, coding) = (quality.into(), coding(self.spec));
        let cancel = Some(&self.limits.cancel);
        write(&EncodeOptions { quality, coding, segments, cancel, ..EncodeOptions::default() })
    }
}

/// Encodes opaque pixels.
pub(in crate::codec) fn encode(
    pixels: &Pixels,
    quality: Quality,
    output: &Output<'_>,
) -> Result<Vec<u8>, CodecError> {
    let mut planes = colour::from_pixels(pixels, sampling(quality, output.spec))?;
    if output.spec.effort == Effort::Smallest {
        colour::chroma::sharpen(&mut planes, pixels)?;
    }
    output.jpeg(quality, |options| Ok(Encoder::default().encode(&planes, options)?))
}
