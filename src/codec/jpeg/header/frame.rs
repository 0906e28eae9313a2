//! `FrameHeader`: size, coding process and components (T.81 B.2.2), and the colour model of the components.

use super::metadata::JpegMetadata;
use crate::codec::jpeg::error::{JpegError, JpegKind};
use crate::codec::jpeg::marker::Marker;
use crate::limits::{LimitKind, Limits, OverLimit};
use std::ops::RangeInclusive;

/// Coding processes of this decoder, all Huffman-coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodingProcess {
    /// Baseline or extended sequential (SOF0, SOF1).
    Sequential,
    /// Progressive (SOF2).
    Progressive,
}

/// One colour component of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameComponent {
    /// Identifier used by scan headers.
    pub id: u8,
    /// Horizontal sampling factor, 1 to 4.
    pub h: u8,
    /// Vertical sampling factor, 1 to 4.
    pub v: u8,
    /// Slot of its quantisation table, 0 to 3.
    pub quant: u8,
}

/// Size, coding process and components of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Sequential or progressive.
    pub coding: CodingProcess,
    /// Bits of a sample: 8, except for pictures that are reduced to 8.
    pub precision: u8,
    /// Width in pixels, at least 1.
    pub width: u16,
    /// Height in pixels, at least 1 in a parsed [`super::JpegHeader`].
    pub height: u16,
    components: [FrameComponent; 4],
    count: u8,
}

impl FrameHeader {
    /// Parses the body of a DCT frame segment of this precision. A height of 0 means that DNL carries it.
    pub(super) fn parse(marker: Marker, body: &[u8], precision: u8) -> Result<FrameHeader, JpegError> {
        let coding = match marker.0 {
            0xC0 | 0xC1 => CodingProcess::Sequential,
            0xC2 => CodingProcess::Progressive,
            0xC3 => return Err(JpegError::Unsupported(JpegKind::Lossless)),
            0xC9..=0xCB => return Err(JpegError::Unsupported(JpegKind::Arithmetic)),
            _ => return Err(JpegError::Unsupported(JpegKind::Hierarchical)),
        };
        FrameHeader::read(coding, body, precision..=precision)
    }

    /// Parses the body of a frame segment with any of these precisions.
    pub(in crate::codec::jpeg) fn read(
        coding: CodingProcess,
        body: &[u8],
        precisions: RangeInclusive<u8>,
    ) -> Result<FrameHeader, JpegError> {
        let (&[precision, h1, h0, w1, w0, count], list) =
            body.split_first_chunk::<6>().ok_or(JpegError::Damaged("the frame header is cut short"))?;
        match precision {
            _ if precisions.contains(&precision) => {}
            2..=16 => return Err(JpegError::Unsupported(JpegKind::HighPrecision)),
            _ => return Err(JpegError::Damaged("impossible sample precision")),
        }
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        if width == 0 || count == 0 {
            return Err(JpegError::Damaged("an empty picture"));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Err(JpegError::Unsupported(JpegKind::ComponentCount(count)));
        }
        let mut components = [FrameComponent::default(); 4];
        if list.len() < 3 * usize::from(count) {
            return Err(JpegError::Damaged("the frame header is cut short"));
        }
        for i in 0..usize::from(count) {
            let (id, sampling, quant) = (list[3 * i], list[3 * i + 1], list[3 * i + 2]);
            let component = FrameComponent { id, h: sampling >> 4, v: sampling & 15, quant };
            if !(1..=4).contains(&component.h) || !(1..=4).contains(&component.v) || quant > 3 {
                return Err(JpegError::Damaged("impossible component parameters"));
            }
            if components[..i].iter().any(|other| other.id == id) {
                return Err(JpegError::Damaged("two components with one name"));
            }
            components[i] = component;
        }
        if count == 1 {
            // A.2.2: the blocks of a lone component are in raster order, whatever its sampling factors.
            (components[0].h, components[0].v) = (1, 1);
        }
        Ok(FrameHeader { coding, precision, width, height, components, count })
    }

    pub(in crate::codec::jpeg) fn check_limits(&self, limits: &Limits) -> Result<(), JpegError> {
        let side = self.width.max(self.height);
        OverLimit::check(LimitKind::SourceSide, side.into(), limits.max_side.into())?;
        OverLimit::check(LimitKind::SourcePixels, self.pixels(), limits.max_pixels)?;
        Ok(())
    }

    /// The components: 1, 3 or 4.
    pub fn components(&self) -> &[FrameComponent] {
        &self.components[..usize::from(self.count)]
    }

    /// Width times height.
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// The largest horizontal sampling factor.
    pub fn h_max(&self) -> u8 {
        self.components().iter().map(|component| component.h).fold(1, u8::max)
    }

    /// The largest vertical sampling factor.
    pub fn v_max(&self) -> u8 {
        self.components().iter().map(|component| component.v).fold(1, u8::max)
    }
}

/// Colour model of the components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorModel {
    /// One component, luminance.
    Grey,
    /// Luminance and two colour differences, full range (JFIF, ITU-R BT.601).
    YCbCr,
    /// Red, green, blue.
    Rgb,
    /// Cyan, magenta, yellow, black, stored inverted: 255 is no ink.
    Cmyk,
    /// CMYK with its first three components transformed to YCbCr. Inverted as [`ColorModel::Cmyk`].
    Ycck,
}

impl ColorModel {
    /// Follows the decoder of the Independent JPEG Group, as other decoders do. For three components JFIF
    /// decides, then Adobe, then the component names `RGB`; for four, Adobe.
    pub(super) fn of(frame: &FrameHeader, metadata: &JpegMetadata<'_>) -> ColorModel {
        let transform = metadata.adobe.map(|adobe| adobe.transform);
        match frame.components() {
            [_] => ColorModel::Grey,
            [r, g, b] => match transform {
                _ if metadata.density.is_some() => ColorModel::YCbCr,
                Some(0) => ColorModel::Rgb,
                Some(_) => ColorModel::YCbCr,
                None if [r.id, g.id, b.id] == *b"RGB" => ColorModel::Rgb,
                None => ColorModel::YCbCr,
            },
            _ if transform == Some(2) => ColorModel::Ycck,
            _ => ColorModel::Cmyk,
        }
    }
}
