//! Names of results: a template with fields, filled with text that is safe on every file system.

use super::super::print::is_bidi_control;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

/// Longest name of a file or folder that common file systems take, in bytes.
const MAX_NAME: usize = 255;

/// Device names of Windows, which are taken with any extension.
const DEVICES: &[&str] = &["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// A field of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// Folders of the source below the folder that was named.
    Dir,
    /// Name of the source without its extension.
    Stem,
    /// Name of the source.
    Name,
    /// Width of the result in pixels.
    Width,
    /// Height of the result in pixels.
    Height,
    /// The entry of `--sizes`.
    Size,
    /// Eight hexadecimal digits that stand for the path of the source.
    Hash,
    /// Extension that the result's format has.
    Ext,
}

const FIELDS: [(&str, Field); 8] = [
    ("dir", Field::Dir),
    ("stem", Field::Stem),
    ("name", Field::Name),
    ("width", Field::Width),
    ("height", Field::Height),
    ("size", Field::Size),
    ("hash", Field::Hash),
    ("ext", Field::Ext),
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Field(Field),
}

/// A name with fields, such as `{dir}/{stem}-{width}.{ext}`. Always relative, never upwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<TemplatePart>);

/// The text of each field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) source: &'a Path,
    pub(crate) dir: &'a Path,
    pub(crate) width: &'a str,
    pub(crate) height: &'a str,
    pub(crate) size: &'a str,
    pub(crate) ext: &'a str,
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (word, after) = after.split_once('}').ok_or("a { without its }")?;
            let field = FIELDS.iter().find(|(name, _)| *name == word).map(|(_, field)| *field);
            let known = FIELDS.map(|(name, _)| format!("{{{name}}}")).join(" ");
            parts.push(TemplatePart::Text(before.to_owned()));
            parts.push(TemplatePart::Field(field.ok_or(format!("no field {{{word}}}; there are {known}"))?));
            rest = after;
        }
        parts.push(TemplatePart::Text(rest.to_owned()));
        parts.retain(|part| *part != TemplatePart::Text(String::new()));
        let template = Template(parts);
        let sample = Fields {
            source: Path::new("a.b"),
            dir: Path::new("d"),
            width: "1",
            height: "1",
            size: "1",
            ext: "jpg",
        };
        let shape = PathBuf::from(template.fill(&sample));
        if text.ends_with('/') || text.is_empty() {
            return Err("a name must not end in a folder".into());
        }
        if text.starts_with('/')
            || shape.components().any(|part| !matches!(part, Component::Normal(_)))
            || text.contains(['\\', '\0'])
        {
            return Err("a name must stay below --out: no leading /, no .. and no \\".into());
        }
        Ok(template)
    }
}

impl Template {
    /// Returns true if the template has the field.
    pub(crate) fn mentions(&self, field: Field) -> bool {
        self.0.contains(&TemplatePart::Field(field))
    }

    /// The name as a relative path of ordinary parts, each at most 255 bytes long.
    pub(crate) fn render(&self, fields: &Fields<'_>) -> PathBuf {
        let text = self.fill(fields);
        text.split('/').filter(|part| !part.is_empty()).map(fitting).collect()
    }

    fn fill(&self, fields: &Fields<'_>) -> String {
        let plain = |text: Option<&std::ffi::OsStr>| harmless(&text.unwrap_or_default().to_string_lossy());
        let text = |part: &TemplatePart| match part {
            TemplatePart::Text(text) => text.clone(),
            TemplatePart::Field(Field::Dir) => {
                let normal = fields.dir.components().filter_map(|part| match part {
                    Component::Normal(part) => Some(plain(Some(part))),
                    _ => None,
                });
                normal.collect::<Vec<_>>().join("/")
            }
            TemplatePart::Field(Field::Stem) => plain(fields.source.file_stem()),
            TemplatePart::Field(Field::Name) => plain(fields.source.file_name()),
            TemplatePart::Field(Field::Width) => fields.width.to_owned(),
            TemplatePart::Field(Field::Height) => fields.height.to_owned(),
            TemplatePart::Field(Field::Size) => fields.size.to_owned(),
            TemplatePart::Field(Field::Hash) => {
                let path = std::path::absolute(fields.source).unwrap_or_else(|_| fields.source.to_owned());
                short_hash(path.as_os_str().as_encoded_bytes())
            }
            TemplatePart::Field(Field::Ext) => fields.ext.to_owned(),
        };
        let name: String = self.0.iter().map(text).collect();
        // An empty {dir} leaves no leading slash behind.
        name.trim_start_matches('/').to_owned()
    }
}

/// A part of a name without what is special somewhere: separators, Windows' reserved letters and devices,
/// control characters, orders to turn the reading direction, dots and blanks at the ends.
fn harmless(text: &str) -> String {
    let replaced: String = text
        .chars()
        .map(|letter| match letter {
            '/' | '\\' | '<' | '>' | ':' | '"' | '|' | '?' | '*' | char::REPLACEMENT_CHARACTER => '_',
            letter if letter.is_control() || is_bidi_control(letter) => '_',
            letter => letter,
        })
        .collect();
    let trimmed = replaced.trim_end_matches(['.', ' ']).trim_start_matches(' ');
    let before_dot = trimmed.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |word: &str| {
        let digit = before_dot.strip_prefix(word);
        digit.is_some_and(|rest| {
            matches!(rest, "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
        })
    };
    if trimmed.is_empty() || DEVICES.contains(&before_dot.as_str()) || numbered("COM") || numbered("LPT") {
        format!("_{trimmed}")
    } else {
        trimmed.to_owned()
    }
}

/// Eight hexadecimal digits that stand for some bytes, the same with every build.
fn short_hash(bytes: &[u8]) -> String {
    format!("{:08x}", twox_hash::XxHash3_128::oneshot(bytes) as u32)
}

/// The name itself, or its beginning, a hash of all of it, and its extension.
pub(crate) fn fitting(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let extension = if extension.len() <= 16 { extension } else { "" };
    let tail = format!("~{}.{extension}", short_hash(name.as_bytes()));
    let mut end = MAX_NAME - tail.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(template: &str, source: &str, dir: &str) -> String {
        let fields = Fields {
            source: Path::new(source),
            dir: Path::new(dir),
            width: "800",
            height: "600",
            size: "",
            ext: "jpg",
        };
        let path = template.parse::<Template>().unwrap().render(&fields);
        assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{path:?}");
        path.into_os_string().into_string().unwrap()
    }

    #[test]
    fn fields_are_filled_in() {
        assert_eq!(
            name("{dir}/{stem}-{width}x{height}.{ext}", "x/photo.png", "trip/day"),
            "trip/day/photo-800x600.jpg"
        );
        assert_eq!(name("{dir}/{name}.{ext}", "photo.png", ""), "photo.png.jpg");
    }

    #[test]
    fn a_template_cannot_leave_its_folder() {
        for bad in ["../{stem}", "/tmp/{stem}", "a/../../{stem}", "{stem", "{colour}", "x/", "", "..\\{stem}"]
        {
            assert!(bad.parse::<Template>().is_err(), "{bad}");
        }
    }

    #[test]
    fn hostile_names_become_ordinary_ones() {
        for (source, want) in [
            ("..", "_.jpg"),
            ("a\\b:c.png", "a_b_c.jpg"),
            ("CON.png", "_CON.jpg"),
            ("com1", "_com1.jpg"),
            ("LPT².x", "_LPT².jpg"),
            ("photo\u{202e}gpj.exe", "photo_gpj.jpg"),
            ("line\nbreak\u{1b}[31m.png", "line_break_[31m.jpg"),
            ("ends. . .png", "ends.jpg"),
            ("שלום.png", "שלום.jpg"),
        ] {
            assert_eq!(name("{stem}.{ext}", source, ""), want);
        }
        assert_eq!(name("{dir}/{stem}.{ext}", "x.png", "../../etc/NUL"), "etc/_NUL/x.jpg");
    }

    #[test]
    fn long_names_are_cut_between_letters_and_stay_different() {
        let long = |last: char| format!("{}{last}.png", "ü".repeat(200));
        let (a, b) = (name("{stem}.{ext}", &long('a'), ""), name("{stem}.{ext}", &long('b'), ""));
        assert!(a.len() <= MAX_NAME && a.ends_with(".jpg") && a != b, "{a} {b}");
    }
}
