//! JPEG: decoder and encoder around our own codec in `codec/jpeg`.

pub(in crate::codec) mod convert;
pub(in crate::codec) mod decode;
pub(in crate::codec) mod encode;

#[cfg(test)]
mod tests;
