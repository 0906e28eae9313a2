//! PNG: reader and writer.

mod adam7;
pub(in crate::codec) mod decode;
pub(in crate::codec) mod encode;
