//! `Facts`: the description of a file, read without decoding a pixel.

use crate::codec::bytes::Bytes;
use crate::codec::error::CodecError;
use crate::codec::jpeg::encode::{Basis, quantisation};
use crate::codec::jpeg::error::{JpegError, JpegKind};
use crate::codec::jpeg::header::{CodingProcess, FrameHeader, JpegHeader};
use crate::codec::metadata::Metadata;
use crate::codec::metadata::companions::{self, Companions};
use crate::codec::metadata::exif;
use crate::codec::metadata::ownership;
use crate::codec::probe::Probe;
use crate::codec::source::Source;
use crate::codec::transform::colour;
use crate::codec::transform::geometry::{Orientation, Size};
use crate::format::Format;
use crate::limits::Limits;
use crate::pixels::Channels;
use crate::spec::Quality;
use serde_json::{Value, json};

/// Longest profile name that is shown, in characters.
const MAX_NAME: usize = 100;

/// The description of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The format, told by content.
    pub format: Format,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Size as stored.
    pub stored: Size,
    /// Size when the picture stands upright.
    pub upright: Size,
    /// EXIF orientation, 1 to 8; 1 is upright.
    pub orientation: u16,
    /// The samples of a decoded pixel.
    pub channels: Channels,
    /// True if the samples are stored as inks.
    pub cmyk: bool,
    /// Bits of a stored sample.
    pub depth: u8,
    /// True if there is more than one picture in it.
    pub animated: bool,
    /// The colour profile, if one is embedded.
    pub profile: Option<Profile>,
    /// Metadata by class.
    pub metadata: Classes,
    /// Facts of a JPEG.
    pub jpeg: Option<JpegFacts>,
}

/// An embedded colour profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its own name.
    pub name: Option<String>,
    /// Its length in bytes.
    pub bytes: u64,
    /// True if its colours are those that are assumed without a profile.
    pub is_srgb: bool,
}

/// The classes of metadata that a file has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Classes {
    /// EXIF.
    pub exif: bool,
    /// The place where the picture was taken, in EXIF or XMP.
    pub gps: bool,
    /// A copyright or an artist, in EXIF, IPTC or XMP.
    pub ownership: bool,
    /// XMP.
    pub xmp: bool,
    /// IPTC, in Photoshop's resources.
    pub iptc: bool,
    /// Comments or blocks that are not read.
    pub other: bool,
}

/// Facts of a JPEG.
#[derive(Debug, Clone, PartialEq)]
pub struct JpegFacts {
    /// The coding process: `sequential`, `progressive`, `arithmetic`, `lossless`, ...
    pub process: &'static str,
    /// Chroma resolution such as `4:2:0`; `None` without chroma.
    pub subsampling: Option<String>,
    /// The quality it was probably encoded with.
    pub quality: Option<EstimatedQuality>,
    /// MCUs between restart markers; 0 for none.
    pub restart_interval: u16,
    /// Pictures in the file by its index (MPO); 1 without an index.
    pub pictures: u32,
    /// True if one of them is a gain map (Ultra HDR, ISO 21496-1).
    pub gain_map: bool,
    /// Bytes behind the end of the first picture.
    pub trailing_bytes: u64,
}

/// A quality on the scale of the Independent JPEG Group that comes nearest to the quantisation tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EstimatedQuality {
    /// 1 to 100.
    pub quality: u8,
    /// True if the tables are exactly those of this quality.
    pub exact: bool,
}

/// Reads the headers of `input`.
///
/// # Errors
/// As [`probe`](crate::codec::probe()).
pub fn inspect(input: &[u8], limits: &Limits) -> Result<Facts, CodecError> {
    let Source { probe, metadata, header, .. } = Source::open(input, limits)?;
    let Probe { format, stored, orientation, channels, cmyk, depth, animated, .. } = probe;
    Ok(Facts {
        format,
        bytes: input.len() as u64,
        stored,
        upright: probe.upright(),
        orientation: (1..=8).find(|n| Orientation::from_exif(*n) == Some(orientation)).unwrap_or(1),
        channels,
        cmyk,
        depth,
        animated,
        profile: metadata.icc.as_deref().map(profile),
        metadata: classes(&metadata),
        jpeg: (format == Format::Jpeg).then(|| jpeg(input, header.as_ref(), limits)).flatten(),
    })
}

fn profile(icc: &[u8]) -> Profile {
    Profile { name: profile_name(icc), bytes: icc.len() as u64, is_srgb: colour::is_srgb(icc) }
}

fn classes(metadata: &Metadata<'_>) -> Classes {
    let exif = metadata.exif.as_deref();
    let in_xmp =
        |word: &[u8]| metadata.xmp.as_deref().is_some_and(|xmp| memchr::memmem::find(xmp, word).is_some());
    Classes {
        exif: exif.is_some(),
        gps: exif.is_some_and(exif::locates) || in_xmp(b"GPSLatitude"),
        ownership: ownership::block(metadata).is_some(),
        xmp: metadata.xmp.is_some(),
        iptc: metadata.iptc.is_some(),
        other: metadata.other,
    }
}

/// Returns the facts of `header`, or, without one, the process that our own decoder leaves to others.
fn jpeg(input: &[u8], header: Option<&JpegHeader<'_>>, limits: &Limits) -> Option<JpegFacts> {
    let Companions { pictures, gain_map } = Companions::of_jpeg(input);
    let other = |process| JpegFacts {
        process,
        subsampling: None,
        quality: None,
        restart_interval: 0,
        pictures,
        gain_map,
        trailing_bytes: companions::bytes_behind(input),
    };
    if let Some(header) = header {
        return Some(JpegFacts {
            process: match header.frame.coding {
                CodingProcess::Sequential => "sequential",
                CodingProcess::Progressive => "progressive",
            },
            subsampling: subsampling(&header.frame),
            quality: quality(header),
            restart_interval: header.tables.restart_interval,
            ..other("")
        });
    }
    match JpegHeader::parse(input, limits) {
        Err(JpegError::Unsupported(kind)) => Some(other(match kind {
            JpegKind::Lossless => "lossless",
            JpegKind::Arithmetic => "arithmetic",
            JpegKind::Hierarchical => "hierarchical",
            JpegKind::HighPrecision => "high precision",
            _ => "unusual",
        })),
        _ => None,
    }
}

/// Returns the J:a:b notation where there is one, else the sampling factors of luma.
fn subsampling(frame: &FrameHeader) -> Option<String> {
    let [luma, chroma, ..] = frame.components() else { return None };
    let (across, down) = (luma.h.checked_div(chroma.h)?, luma.v.checked_div(chroma.v)?);
    Some(match (across, down) {
        (1, 1) => "4:4:4".into(),
        (2, 1) => "4:2:2".into(),
        (2, 2) => "4:2:0".into(),
        (1, 2) => "4:4:0".into(),
        (4, 1) => "4:1:1".into(),
        (4, 2) => "4:1:0".into(),
        _ => format!("{}x{}", luma.h, luma.v),
    })
}

/// Returns the quality whose tables have the smallest sum of differences from those of the file.
fn quality(header: &JpegHeader<'_>) -> Option<EstimatedQuality> {
    let tables: Vec<_> = header
        .frame
        .components()
        .iter()
        .take(2)
        .filter_map(|component| header.tables.quant.get(usize::from(component.quant))?.as_ref())
        .collect();
    if tables.is_empty() {
        return None;
    }
    let difference = |quality: Quality| -> u64 {
        let pairs = tables.iter().zip(quantisation(quality.into(), Basis::AnnexK));
        pairs
            .flat_map(|(table, ijg)| table.0.into_iter().zip(ijg.0))
            .map(|(a, b)| u64::from(a.abs_diff(b)))
            .sum()
    };
    let all = (1..=100).rev().filter_map(Quality::new);
    let (distance, quality) =
        all.map(|quality| (difference(quality), quality)).min_by_key(|(sum, _)| *sum)?;
    Some(EstimatedQuality { quality: quality.get(), exact: distance == 0 })
}

/// Returns the text of the tag `desc`: ASCII in version 2 (ICC.1:2001 section 6.5.17), a table of languages in version 4
/// (ICC.1:2010 section 10.13), of which the first is taken.
fn profile_name(icc: &[u8]) -> Option<String> {
    let mut table = Bytes(icc.get(128..)?);
    let count = table.be32()?.min(100);
    let tag = (0..count).find_map(|_| {
        let (signature, at, len) = (table.array::<4>()?, table.be32()?, table.be32()?);
        (&signature == b"desc").then(|| icc.get(at as usize..)?.get(..len as usize)).flatten()
    })?;
    let mut bytes = Bytes(tag);
    let text = match &bytes.array::<4>()? {
        b"desc" => {
            bytes.skip(4)?;
            let len = bytes.be32()?;
            String::from_utf8_lossy(bytes.take(len as usize)?).into_owned()
        }
        b"mluc" => {
            bytes.skip(4 + 4 + 4 + 4)?;
            let (len, at) = (bytes.be32()?, bytes.be32()?);
            let units = tag.get(at as usize..)?.get(..len as usize)?;
            char::decode_utf16(units.as_chunks().0.iter().map(|unit| u16::from_be_bytes(*unit)))
                .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
        _ => return None,
    };
    let shown: String = text.chars().filter(|letter| !letter.is_control()).take(MAX_NAME).collect();
    (!shown.is_empty()).then_some(shown)
}

impl Facts {
    /// Returns a JSON object; unknown facts are null.
    pub fn to_json(&self) -> Value {
        let Classes { exif, gps, ownership, xmp, iptc, other } = self.metadata;
        json!({
            "format": self.format.name(),
            "mime": self.format.mime(),
            "bytes": self.bytes,
            "width": self.upright.width,
            "height": self.upright.height,
            "stored_width": self.stored.width,
            "stored_height": self.stored.height,
            "orientation": self.orientation,
            "channels": self.channels.count(),
            "alpha": self.channels.has_alpha(),
            "cmyk": self.cmyk,
            "depth": self.depth,
            "animated": self.animated,
            "profile": self.profile.as_ref().map(|profile| json!({
                "name": profile.name,
                "bytes": profile.bytes,
                "srgb": profile.is_srgb,
            })),
            "metadata": {
                "exif": exif, "gps": gps, "ownership": ownership, "xmp": xmp, "iptc": iptc, "other": other,
            },
            "jpeg": self.jpeg.as_ref().map(|jpeg| json!({
                "process": jpeg.process,
                "progressive": jpeg.process == "progressive",
                "subsampling": jpeg.subsampling,
                "quality": jpeg.quality.map(|estimate| estimate.quality),
                "quality_exact": jpeg.quality.map(|estimate| estimate.exact),
                "restart_interval": jpeg.restart_interval,
                "pictures": jpeg.pictures,
                "gain_map": jpeg.gain_map,
                "trailing_bytes": jpeg.trailing_bytes,
            })),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{Scratch, process};
    use crate::spec::{Options, Spec};
    use image::{ImageFormat, Rgb, RgbImage};
    use std::io::Cursor;

    fn jpeg_with(options: &str) -> Vec<u8> {
        let picture = RgbImage::from_fn(64, 48, |x, y| Rgb([x as u8 * 3, y as u8 * 5, 90]));
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).unwrap();
        let spec = Options::parse(options.as_bytes(), &Spec::default()).unwrap().spec;
        process(png.get_ref(), &spec, &Limits::default(), &mut Scratch::new()).unwrap().bytes
    }

    fn facts(input: &[u8]) -> Facts {
        inspect(input, &Limits::default()).unwrap()
    }

    #[test]
    fn the_quality_is_read_back_from_the_tables() {
        for quality in [10, 50, 75, 85, 95, 100] {
            let jpeg = facts(&jpeg_with(&format!("quality={quality}"))).jpeg.unwrap();
            assert_eq!(jpeg.quality, Some(EstimatedQuality { quality, exact: true }));
        }
    }

    #[test]
    fn a_jpeg_says_how_it_is_coded() {
        let jpeg = facts(&jpeg_with("subsampling=422&progressive=true")).jpeg.unwrap();
        assert_eq!((jpeg.process, jpeg.subsampling.as_deref()), ("progressive", Some("4:2:2")));
        let gray = facts(&jpeg_with("ops=grayscale&quality=60"));
        assert_eq!(gray.upright, Size { width: 64, height: 48 });
    }

    #[test]
    fn metadata_is_told_by_class() {
        let mut tiff = b"MM\0*\0\0\0\x08\0\x02".to_vec();
        tiff.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0]);
        tiff.extend([0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 38]);
        tiff.extend([0; 4]);
        let segment =
            [&[0xFF, 0xE1][..], &(tiff.len() as u16 + 8).to_be_bytes(), b"Exif\0\0", &tiff].concat();
        let mut jpeg = jpeg_with("");
        jpeg.splice(2..2, segment);
        let facts = facts(&jpeg);
        assert_eq!(facts.metadata, Classes { exif: true, gps: true, ..Classes::default() });
        assert_eq!((facts.orientation, facts.upright), (6, Size { width: 48, height: 64 }));
        assert_eq!(facts.to_json()["metadata"]["gps"], true);
    }

    #[test]
    fn a_damaged_profile_has_no_name_and_does_no_harm() {
        let mut icc = vec![0; 128];
        icc.extend([0, 0, 0, 1]);
        icc.extend(b"desc\0\0\0\x90\0\0\0\x14");
        icc.extend(b"desc\0\0\0\0\0\0\0\x05sRGB\0\0\0\0");
        assert_eq!(profile_name(&icc).as_deref(), Some("sRGB"));
        for cut in 0..icc.len() {
            profile_name(&icc[..cut]);
        }
    }
}
