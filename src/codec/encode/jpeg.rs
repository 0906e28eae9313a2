//! JPEG results of pixels, and what goes into every JPEG result beside the picture.

use crate::codec::error::CodecError;
use crate::codec::jpeg::colour;
use crate::codec::jpeg::encode::{Coding, Encoder, Options, Segments};
use crate::codec::jpeg::planes::Sampling;
use crate::codec::metadata::Metadata;
use crate::pixels::Pixels;
use crate::spec::{Quality, Spec, Subsampling};

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

/// Metadata in the form of JPEG segments.
pub(in crate::codec) struct JpegExtras<'a> {
    exif: Option<&'a [u8]>,
    icc: Option<&'a [u8]>,
    xmp: Option<Vec<u8>>,
    iptc: Option<Vec<u8>>,
}

impl<'a> JpegExtras<'a> {
    pub(in crate::codec) fn of(metadata: &'a Metadata<'_>) -> JpegExtras<'a> {
        let marked = |mark: &[u8], block: &[u8]| [mark, block].concat();
        JpegExtras {
            exif: metadata.exif.as_deref(),
            icc: metadata.icc.as_deref(),
            xmp: metadata.xmp.as_deref().map(|xmp| marked(b"http://ns.adobe.com/xap/1.0/\0", xmp)),
            iptc: metadata.iptc.as_deref().map(|iptc| marked(b"Photoshop 3.0\0", iptc)),
        }
    }

    /// The encoder's options with these segments, but for XMP and IPTC, which [`JpegExtras::other`] lists.
    pub(in crate::codec) fn options(&self, quality: Quality, spec: &Spec) -> Options<'_> {
        let segments = Segments { exif: self.exif, icc: self.icc, ..Segments::default() };
        Options { quality, coding: Coding::of(spec), segments, ..Options::default() }
    }

    /// XMP (APP1) and IPTC (APP13), each with its mark.
    pub(in crate::codec) fn other(&self) -> Vec<(u8, &[u8])> {
        let xmp = self.xmp.as_deref().map(|xmp| (0xE1, xmp));
        xmp.into_iter().chain(self.iptc.as_deref().map(|iptc| (0xED, iptc))).collect()
    }
}

/// Encodes opaque pixels.
pub(super) fn encode(
    pixels: &Pixels,
    quality: Quality,
    spec: &Spec,
    metadata: &Metadata<'_>,
) -> Result<Vec<u8>, CodecError> {
    let extras = JpegExtras::of(metadata);
    let other = extras.other();
    let mut options = extras.options(quality, spec);
    options.segments.other = &other;
    let mut planes = colour::from_pixels(pixels, sampling(quality, spec))?;
    for plane in planes.planes_mut() {
        plane.extend_edges(0..plane.height());
    }
    Ok(Encoder::default().encode(&planes, &options)?)
}
