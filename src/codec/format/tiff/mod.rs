//! TIFF: reader and writer.

mod chunk;
mod fax;
mod layout;
mod samples;
pub(in crate::codec) mod decode;
pub(in crate::codec) mod encode;
