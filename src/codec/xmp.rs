//! XMP, of which one thing matters when it is kept: it may repeat the orientation that has been applied
//! (XMP specification part 2, section 3.1).

/// The same packet with every `tiff:Orientation` at 1, because the pixels have been turned.
pub(super) fn made_upright(xmp: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    let mut upright = xmp.to_vec();
    let mut at = 0;
    while let Some(found) = upright[at..].windows(NAME.len()).position(|window| window == NAME) {
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
    use super::made_upright;

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
}
