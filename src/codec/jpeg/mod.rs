//! Our own JPEG codec (ITU-T T.81): decode at k/8 scale into planes, resample planes, encode planes.

pub mod colour; // planes to pixels and back.
pub mod decode; // Decoder: a file to planes at k/8 scale.
pub mod encode; // Encoder: planes or coefficients to a file.
pub mod error; // JpegError: why a file cannot be decoded here.
pub mod header; // Header: what a file says before its first scan.
pub mod huffman; // HuffmanSpec: a table as the file carries it.
pub mod lossless; // Rearrangement: a file to another, coefficients only.
pub mod marker; // Marker, Segments: the walk over a file.
pub mod pipeline; // Resize: a file to a smaller one.
pub mod planes; // Planes: luma and chroma, each at its resolution.
pub mod quant; // QuantTable.
pub mod resample; // PlaneResizer: rows of one plane in, rows of another size out.
mod simd; // proofs that an instruction set is there.
pub mod zigzag; // the coefficient order.

#[cfg(test)]
mod golden;
