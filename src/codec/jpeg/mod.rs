//! Our own JPEG codec (ITU-T T.81): decode at k/8 scale into planes, resample planes, encode planes.

pub mod colour; // planes to pixels and back.
pub mod decode; // Decoder: a file to planes at k/8 scale.
pub mod encode; // Encoder: planes or coefficients to a file.
pub mod error; // JpegError: reasons why a file cannot be decoded.
pub mod header; // JpegHeader: the contents of a file before its first scan.
pub mod huffman; // HuffmanSpec: a table in the form of a file.
pub mod lossless; // Rearrangement: lossless transcoding by coefficients.
pub mod marker; // Marker, MarkerSegments: iteration over a file.
pub mod pipeline; // Resize: a file to a smaller one.
pub mod planes; // Planes: luma and chroma, each at its resolution.
pub mod quant; // QuantTable.
pub mod reduce; // eight_bit_file: 12-bit files as 8-bit ones.
pub mod resample; // PlaneResizer: rows of one plane in, rows of another size out.
mod simd; // proof tokens of instruction sets.
pub mod zigzag; // the coefficient order.

#[cfg(test)]
mod golden;

#[cfg(test)]
mod imports {
    use std::path::Path;

    /// Collects the modules of this crate imported below `folder`.
    fn imported(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                imported(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<String>();
            found.extend(code.split(concat!("crate", "::")).skip(1).map(|rest| {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
                format!("{} in {}", &rest[..end.unwrap_or(rest.len())], path.display())
            }));
        }
    }

    #[test]
    fn the_codec_imports_nothing_but_pixels_and_limits() {
        let mut found = Vec::new();
        imported(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/codec/jpeg"), &mut found);
        let allowed = ["pixels", "limits", concat!("codec::", "jpeg")];
        found.retain(|import| !allowed.iter().any(|allowed| import.starts_with(allowed)));
        assert!(found.is_empty(), "{found:#?}");
    }
}
