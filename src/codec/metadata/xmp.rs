//! XMP, of which three things matter: the artist and the owner, the orientation, which a packet may repeat that has been
//! applied, and gain maps, which do not go along (XMP specification part 2, section 3.1; Dublin Core in part 1, section 8.3).
//!
//! Packets are searched and not parsed: no nesting, no entities but the five and numbers, nothing outside the packet.

use crate::codec::metadata::ownership::{MAX_NAMES, Ownership, shown};
use memchr::memmem::find;

/// Most bytes of a property that are looked at.
const MAX_PROPERTY: usize = 16 << 10;

/// Returns `dc:creator`, its names joined, and `dc:rights` in its first language.
pub(in crate::codec) fn owner(xmp: &[u8]) -> Ownership {
    let texts =
        |name: &str, most: usize| property(xmp, name).map(|found| items(found, most)).unwrap_or_default();
    Ownership::new(&texts("dc:creator", MAX_NAMES), texts("dc:rights", 1).pop())
}

/// Returns the content between the first start tag of `name` and its end tag.
fn property<'a>(xmp: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let open = format!("<{name}");
    let mut rest = xmp;
    loop {
        rest = &rest[find(rest, open.as_bytes())? + open.len()..];
        // Not the beginning of a longer name.
        if matches!(rest.first(), Some(b'>' | b' ' | b'\t' | b'\r' | b'\n')) {
            break;
        }
    }
    let content = &rest[find(rest, b">")? + 1..];
    let content = &content[..content.len().min(MAX_PROPERTY)];
    Some(&content[..find(content, format!("</{name}").as_bytes())?])
}

/// Returns the texts of the first `most` items of an array, or, without items, the text itself.
fn items(property: &[u8], most: usize) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = property;
    while texts.len() < most
        && let Some(at) = find(rest, b"<rdf:li")
        && let Some(end) = find(&rest[at..], b">")
    {
        rest = &rest[at + end + 1..];
        texts.extend(text(rest));
    }
    if find(property, b"<").is_none() {
        texts.extend(text(property));
    }
    texts
}

/// Returns the text in front of the next tag, if there is any.
fn text(xmp: &[u8]) -> Option<String> {
    let end = find(xmp, b"<").unwrap_or(xmp.len());
    let raw = str::from_utf8(&xmp[..end]).ok()?;
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, reference)) = rest.split_once('&') {
        let (name, after) = reference.split_once(';')?;
        text.push_str(before);
        text.push(character(name)?);
        rest = after;
    }
    text.push_str(rest);
    shown(&text)
}

/// Returns the character of the reference `&name;`.
fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

/// Returns true if the packet describes a gain map, by which the picture becomes HDR (Ultra HDR image format 1.1).
pub(in crate::codec) fn has_gain_map(xmp: &[u8]) -> bool {
    find(xmp, b"hdrgm:Version").is_some()
}

/// Returns the packet as it is true of a result: upright, and without a word of a gain map, which never goes along.
pub(in crate::codec) fn of_result(xmp: &[u8]) -> Vec<u8> {
    let upright = made_upright(xmp);
    if has_gain_map(&upright) {
        let without = without_names(&upright, b"hdrgm:");
        // The directory lists the gain map as a further picture of the file.
        without_names(&without, b"Container:Directory")
    } else {
        upright
    }
}

/// Removes the attributes and the elements whose names begin with `prefix`.
fn without_names(xmp: &[u8], prefix: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(xmp.len());
    let mut rest = xmp;
    while let Some(at) = find(rest, prefix) {
        let (before, found) = rest.split_at(at);
        let name = found.iter().position(|byte| !is_name(*byte)).unwrap_or(found.len());
        let len = match before.last() {
            Some(b'<') => element_len(found, &found[..name]),
            Some(b' ' | b'\t' | b'\r' | b'\n') => attribute_len(found, name),
            _ => None,
        };
        match len {
            Some(len) => {
                // The bracket of an element goes with it.
                kept.extend_from_slice(before.strip_suffix(b"<").unwrap_or(before));
                rest = &found[len..];
            }
            None => {
                kept.extend_from_slice(&rest[..at + name.max(1)]);
                rest = &found[name.max(1)..];
            }
        }
    }
    kept.extend_from_slice(rest);
    kept
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-' | b'.')
}

/// Returns the bytes of an attribute whose name has `name` bytes.
fn attribute_len(found: &[u8], name: usize) -> Option<usize> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let mut at = name + found[name..].iter().position(|byte| !blank(byte))?;
    if found[at] != b'=' {
        return None;
    }
    at += 1;
    at += found[at..].iter().position(|byte| !blank(byte))?;
    let quote = *found.get(at).filter(|byte| matches!(byte, b'"' | b'\''))?;
    Some(at + 1 + found[at + 1..].iter().position(|byte| *byte == quote)? + 1)
}

/// Returns the bytes of an element from its name to the end of its end tag.
fn element_len(found: &[u8], name: &[u8]) -> Option<usize> {
    let end_of_start = find(found, b">")?;
    if found[..end_of_start].ends_with(b"/") {
        return Some(end_of_start + 1);
    }
    let end_tag = [b"</", name, b">"].concat();
    Some(find(found, &end_tag)? + end_tag.len())
}

/// Returns the packet with every `tiff:Orientation` at 1, because the pixels have been turned.
fn made_upright(xmp: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    let mut upright = xmp.to_vec();
    let mut at = 0;
    while let Some(found) = find(&upright[at..], NAME) {
        at += found + NAME.len();
        // An attribute, `="6"`, or an element, `>6<`; both may have blanks.
        let digit = upright[at..]
            .iter()
            .position(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'=' | b'"' | b'\'' | b'>'));
        if let Some(byte) =
            digit.and_then(|offset| upright.get_mut(at + offset)).filter(|byte| byte.is_ascii_digit())
        {
            *byte = b'1';
        }
    }
    upright
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_orientation_is_reset_as_attribute_and_as_element_and_nothing_else_is_touched() {
        let packet =
            br#"<x tiff:Orientation="6" tiff:XResolution="72"><tiff:Orientation>8</tiff:Orientation></x>"#;
        let upright =
            br#"<x tiff:Orientation="1" tiff:XResolution="72"><tiff:Orientation>1</tiff:Orientation></x>"#;
        assert_eq!(made_upright(packet), upright);
        for odd in [&b"tiff:Orientation"[..], b"tiff:Orientation=\"x\"", b""] {
            assert_eq!(made_upright(odd), odd);
        }
    }

    #[test]
    fn no_word_of_a_gain_map_is_left() {
        let packet = br#"<x xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" dc:format = 'a'
            hdrgm:GainMapMax = '2.5'><hdrgm:Gamma><rdf:Seq><rdf:li>1</rdf:li></rdf:Seq></hdrgm:Gamma><hdrgm:Odd/>
            <Container:Directory><Item:Semantic>GainMap</Item:Semantic></Container:Directory><dc:rights>me</dc:rights></x>"#;
        let left = String::from_utf8(of_result(packet)).unwrap();
        for gone in ["hdrgm:Version", "hdrgm:Gamma", "GainMapMax", "hdrgm:Odd", "Item:Semantic", "rdf:Seq"] {
            assert!(!left.contains(gone), "{gone}: {left}");
        }
        assert!(left.contains("<dc:rights>me</dc:rights>") && left.contains("dc:format = 'a'"), "{left}");
        for odd in [&b"<hdrgm:Version"[..], b" hdrgm:Version=", b"hdrgm:Version=\"1\"", b" hdrgm:Version = '"]
        {
            assert_eq!(of_result(odd), odd);
        }
    }

    #[test]
    fn creators_and_the_first_rights_are_read() {
        let packet = "<rdf:Description dc:rightsx='no'><dc:rightsOwner>no</dc:rightsOwner>\
            <dc:creator>\n <rdf:Seq>\n <rdf:li>Ada &amp; Co</rdf:li><rdf:li> Zo&#xEB; </rdf:li><rdf:li/></rdf:Seq></dc:creator>\
            <dc:rights><rdf:Alt><rdf:li xml:lang=\"x-default\">&#169; Agency</rdf:li><rdf:li xml:lang=\"de\">alle</rdf:li>\
            </rdf:Alt></dc:rights><exif:GPSLatitude>SECRET</exif:GPSLatitude>";
        let owner = owner(packet.as_bytes());
        assert_eq!(owner.artist.as_deref(), Some("Ada & Co; Zo\u{eb}"));
        assert_eq!(owner.copyright.as_deref(), Some("\u{a9} Agency"));
    }

    #[test]
    fn a_text_without_an_array_is_taken_as_it_is() {
        let plain = owner(b"<dc:rights>mine</dc:rights>");
        assert_eq!(plain, Ownership { artist: None, copyright: Some("mine".into()) });
    }

    #[test]
    fn what_is_no_text_or_has_no_end_is_left_out() {
        for odd in [
            &b"<dc:rights>"[..],
            b"<dc:rights",
            b"<dc:rights><rdf:li>no end",
            b"<dc:rights></dc:rights>",
            b"<dc:rights><rdf:li>&bomb;</rdf:li></dc:rights>",
            b"<dc:rights><rdf:li>&#x110000;</rdf:li></dc:rights>",
            b"<dc:rights><rdf:li>\xFF\xFE</rdf:li></dc:rights>",
            b"<dc:rights><rdf:li><dc:rights><rdf:li></dc:rights>",
        ] {
            assert_eq!(owner(odd), Ownership::default(), "{}", String::from_utf8_lossy(odd));
        }
        let long = format!("<dc:rights>{}</dc:rights>", "x".repeat(MAX_PROPERTY));
        assert_eq!(owner(long.as_bytes()), Ownership::default());
        let many = format!("<dc:creator>{}</dc:creator>", "<rdf:li>A</rdf:li>".repeat(100));
        assert_eq!(owner(many.as_bytes()).artist.unwrap().matches('A').count(), MAX_NAMES);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_harm(junk in "[<>/&;#x0-9a-d: rflic]{0,80}") {
            owner(junk.as_bytes());
            owner(format!("<dc:rights>{junk}</dc:rights>").as_bytes());
            owner(format!("<dc:creator><rdf:li>{junk}").as_bytes());
            of_result(format!("hdrgm:Version<hdrgm:A{junk} hdrgm:B{junk}</hdrgm:A>").as_bytes());
        }
    }
}
