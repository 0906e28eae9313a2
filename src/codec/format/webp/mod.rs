//! WebP: reader and writer.

pub(in crate::codec) mod decode;
pub(in crate::codec) mod encode;
#[cfg(feature = "webp")]
mod lossy;
