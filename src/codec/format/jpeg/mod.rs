//! JPEG: reader and writer.

pub(in crate::codec) mod decode;
pub(in crate::codec) mod encode;
