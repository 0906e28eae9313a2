//! `QuantTable`: the 64 quantisation steps of a component (T.81 B.2.4.1).

/// Quantisation steps in natural (row-major) order, each 1 to 65,535.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuantTable(pub [u16; 64]);
