//! The image formats: names, MIME types, file extensions, and which are read or written.

use std::fmt;

/// An image format that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG (ITU-T T.81), read and written.
    Jpeg,
    /// PNG, read and written.
    Png,
    /// WebP, read and written.
    WebP,
    /// GIF, read (first frame) and written.
    Gif,
    /// Windows bitmap, read and written.
    Bmp,
    /// TIFF, read (first image) and written.
    Tiff,
    /// Quite OK Image, read and written.
    Qoi,
    /// AVIF, written only, with the cargo feature `avif`.
    Avif,
    /// Netpbm (PBM, PGM, PPM, PAM), read only.
    Pnm,
    /// Windows icon, read only.
    Ico,
    /// Truevision TGA, read only.
    Tga,
}

impl Format {
    /// Every format, in the order of the documentation.
    pub const ALL: [Format; 11] = [
        Format::Jpeg,
        Format::Png,
        Format::WebP,
        Format::Gif,
        Format::Bmp,
        Format::Tiff,
        Format::Qoi,
        Format::Avif,
        Format::Pnm,
        Format::Ico,
        Format::Tga,
    ];

    /// The format's name in options, reports and logs.
    pub fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "jpeg",
            Format::Png => "png",
            Format::WebP => "webp",
            Format::Gif => "gif",
            Format::Bmp => "bmp",
            Format::Tiff => "tiff",
            Format::Qoi => "qoi",
            Format::Avif => "avif",
            Format::Pnm => "pnm",
            Format::Ico => "ico",
            Format::Tga => "tga",
        }
    }

    /// Returns the format of that name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The usual file extension, without the dot.
    pub fn extension(self) -> &'static str {
        self.extensions()[0]
    }

    /// Every file extension of the format, the usual one first.
    fn extensions(self) -> &'static [&'static str] {
        match self {
            Format::Jpeg => &["jpg", "jpeg", "jpe", "jfif"],
            Format::Png => &["png"],
            Format::WebP => &["webp"],
            Format::Gif => &["gif"],
            Format::Bmp => &["bmp", "dib"],
            Format::Tiff => &["tiff", "tif"],
            Format::Qoi => &["qoi"],
            Format::Avif => &["avif"],
            Format::Pnm => &["pnm", "pbm", "pgm", "ppm", "pam"],
            Format::Ico => &["ico"],
            Format::Tga => &["tga"],
        }
    }

    /// The format that files of this extension have, in upper or lower case.
    pub fn from_extension(extension: &str) -> Option<Format> {
        let extension = extension.to_ascii_lowercase();
        Format::ALL.into_iter().find(|format| format.extensions().contains(&extension.as_str()))
    }

    /// Returns true if images of this format can be read.
    pub fn is_readable(self) -> bool {
        self != Format::Avif
    }

    /// The MIME type for a Content-Type header.
    pub fn mime(self) -> &'static str {
        match self {
            Format::Jpeg => "image/jpeg",
            Format::Png => "image/png",
            Format::WebP => "image/webp",
            Format::Gif => "image/gif",
            Format::Bmp => "image/bmp",
            Format::Tiff => "image/tiff",
            Format::Qoi => "image/qoi",
            Format::Avif => "image/avif",
            Format::Pnm => "image/x-portable-anymap",
            Format::Ico => "image/x-icon",
            Format::Tga => "image/x-tga",
        }
    }

    /// Returns true if some build of the program writes this format.
    pub fn is_writable(self) -> bool {
        !matches!(self, Format::Pnm | Format::Ico | Format::Tga)
    }

    /// Returns true if the format carries transparency.
    pub fn has_alpha(self) -> bool {
        !matches!(self, Format::Jpeg | Format::Pnm)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_names_one_format() {
        for format in Format::ALL {
            for extension in format.extensions() {
                assert_eq!(Format::from_extension(extension), Some(format));
            }
        }
        assert_eq!(Format::from_extension("JPG"), Some(Format::Jpeg));
        assert_eq!(Format::from_extension("txt"), None);
    }
}
