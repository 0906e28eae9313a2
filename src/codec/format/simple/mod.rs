//! BMP, QOI, PNM and TGA: reader and writer.

pub(in crate::codec) mod decode;
pub(in crate::codec) mod encode;
