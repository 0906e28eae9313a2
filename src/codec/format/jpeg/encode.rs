//! JPEG results of pixels, and what goes into every JPEG result beside the picture.

use crate::codec::error::CodecError;
use crate::codec::format::encode::Output;
use crate::codec::jpeg::colour;
use crate::codec::jpeg::encode::{Coding, Encoder, Options, Segments};
use crate::codec::jpeg::planes::Sampling;
use crate::codec::metadata::Metadata;
use crate::pixels::Pixels;
use crate::spec::{Effort, Quality, Spec, Subsampling};

/// The chroma resolution that `spec` asks for at `quality`.
pub(in crate::codec) fn sampling(quality: Quality, spec: &Spec) -> Sampling {
    match spec.subsampling {
        Subsampling::S444 => Sampling::S444,
        Subsampling::S422 => Sampling::S422,
        Subsampling::S420 => Sampling::S420,
        Subsampling::Auto if quality.get() >= 90 => Sampling::S444,
        Subsampling::Auto => Sampling::S420,
    }
}

impl Output<'_> {
    /// Calls `write` with what the JPEG encoder is told: the quality, the kind of file, and what goes along.
    pub(in crate::codec) fn jpeg<T>(&self, quality: Quality, write: impl FnOnce(&Options<'_>) -> T) -> T {
        let Metadata { exif, icc, xmp, iptc, .. } = self.metadata;
        let marked = |mark: &[u8], block: &[u8]| [mark, block].concat();
        let xmp = xmp.as_deref().map(|xmp| (0xE1, marked(b"http://ns.adobe.com/xap/1.0/\0", xmp)));
        let iptc = iptc.as_deref().map(|iptc| (0xED, marked(b"Photoshop 3.0\0", iptc)));
        let other: Vec<(u8, &[u8])> =
            xmp.iter().chain(&iptc).map(|(marker, block)| (*marker, block.as_slice())).collect();
        let segments =
            Segments { exif: exif.as_deref(), icc: icc.as_deref(), other: &other, ..Segments::default() };
        write(&Options { quality, coding: Coding::of(self.spec), segments, ..Options::default() })
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
