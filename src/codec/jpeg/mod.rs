//! Our own JPEG codec (ITU-T T.81): decode at k/8 scale into planes, resample planes, encode planes.

pub mod huffman; // HuffmanSpec: a table as the file carries it.
pub mod quant; // QuantTable.
pub mod zigzag; // the coefficient order.
