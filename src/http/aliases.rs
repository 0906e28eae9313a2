//! The parameter names of imaginary, as the options that they mean here.

use super::Failure;

/// Puts our names for theirs; what is not theirs stays.
///
/// # Errors
/// [`Failure::BadRequest`] for what has no counterpart.
pub(super) fn translated(pairs: Vec<(String, String)>) -> Result<Vec<(String, String)>, Failure> {
    let mut own = Vec::with_capacity(pairs.len());
    let (mut operations, mut has_list) = (Vec::new(), false);
    let mut area = [None, None, None, None];
    for (name, value) in pairs {
        let yes = matches!(value.as_str(), "true" | "1" | "");
        let mut put = |name: &str, value: &str| own.push((name.to_owned(), value.to_owned()));
        match name.as_str() {
            "scale_factor" => put("scale", &value), // the first clients of /upload
            "type" => put("format", if value == "jpg" { "jpeg" } else { &value }),
            "nocrop" => put("fit", if yes { "contain" } else { "cover" }),
            "force" if yes => put("fit", "fill"),
            "embed" if yes => put("fit", "contain"),
            "force" | "embed" => {}
            "gravity" if value == "centre" => put("gravity", "center"),
            "norotation" => put("rotate", if yes { "0" } else { "auto" }),
            "stripmeta" => put("metadata", if yes { "strip" } else { "keep" }),
            "noprofile" => put("icc", if yes { "srgb" } else { "keep" }),
            "interlace" => put("progressive", if yes { "true" } else { "false" }),
            "compression" => put("effort", effort(&value)?),
            "background" if value.contains(',') => put("background", &colour(&value)?),
            "sigma" => operations.push(format!("blur:{value}")),
            "colorspace" if value == "bw" => operations.push("grayscale".to_owned()),
            "colorspace" if value == "srgb" => {}
            "colorspace" => return Err(bad("colorspace", &value, "srgb or bw")),
            "left" => area[0] = Some(value),
            "top" => area[1] = Some(value),
            "areawidth" => area[2] = Some(value),
            "areaheight" => area[3] = Some(value),
            // A second list is left for the parser to refuse.
            "ops" if !has_list => {
                has_list = true;
                operations.insert(0, value);
            }
            "file" | "url" => {
                let message = "pictures are not fetched from addresses: send the image in the body";
                return Err(Failure::BadRequest(message.into()));
            }
            _ => own.push((name, value)),
        }
    }
    if !operations.is_empty() {
        own.push(("ops".to_owned(), operations.join(",")));
    }
    match area {
        [None, None, None, None] => {}
        [x, y, Some(width), Some(height)] => {
            let from = |side: Option<String>| side.unwrap_or_else(|| "0".to_owned());
            own.push(("crop".to_owned(), format!("{},{},{width},{height}", from(x), from(y))));
        }
        _ => return Err(Failure::BadRequest("an area needs both 'areawidth' and 'areaheight'".into())),
    }
    Ok(own)
}

fn bad(key: &str, value: &str, accepts: &str) -> Failure {
    let value: String = value.chars().take(100).flat_map(char::escape_debug).collect();
    Failure::BadRequest(format!("option '{key}' is '{value}', it accepts {accepts}"))
}

/// PNG's levels, as far as they have a counterpart.
fn effort(level: &str) -> Result<&'static str, Failure> {
    match level.parse::<u8>() {
        Ok(0..=3) => Ok("fast"),
        Ok(4..=7) => Ok("balanced"),
        Ok(8 | 9) => Ok("smallest"),
        _ => Err(bad("compression", level, "0 to 9")),
    }
}

/// `255,200,150` as `#ffc896`.
fn colour(decimal: &str) -> Result<String, Failure> {
    let parts: Option<Vec<u8>> = decimal.split(',').map(|part| part.trim().parse().ok()).collect();
    match parts.as_deref() {
        Some([r, g, b]) => Ok(format!("#{r:02x}{g:02x}{b:02x}")),
        _ => Err(bad("background", decimal, "#rrggbb or three numbers up to 255")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Offer, decode_pairs};

    fn canonical(query: &str) -> String {
        let pairs = translated(decode_pairs(query.as_bytes()).unwrap()).unwrap();
        Offer::default().of_pairs(pairs).unwrap().spec.canonical()
    }

    #[test]
    fn their_names_mean_our_options() {
        for (theirs, ours) in [
            ("type=jpg&width=300&nocrop=true", "width=300&fit=contain"),
            ("type=webp&nocrop=false&gravity=north", "fit=cover&gravity=north&format=webp"),
            ("width=3&height=4&force=true&embed=false", "width=3&height=4"),
            ("gravity=centre&norotation=true&interlace=true", "rotate=0&progressive=true"),
            ("stripmeta=true&noprofile=false&compression=9", "effort=smallest&metadata=strip&icc=keep"),
            ("background=255,200,150", "background=%23ffc896"),
            ("sigma=2.5&colorspace=bw", "ops=blur:2.5,grayscale"),
            ("top=10&left=20&areawidth=30&areaheight=40", "crop=20,10,30,40"),
            ("width=5&quality=60&ops=invert", "width=5&quality=60&ops=invert"),
        ] {
            assert_eq!(canonical(theirs), ours, "{theirs}");
        }
    }

    #[test]
    fn a_second_list_of_operations_is_refused() {
        let pairs = translated(decode_pairs(b"ops=blur:2&ops=sepia").unwrap()).unwrap();
        assert!(Offer::default().of_pairs(pairs).is_err());
    }

    #[test]
    fn what_has_no_counterpart_is_refused() {
        for query in
            ["url=http://a/b.jpg", "colorspace=cmyk", "compression=10", "background=1,2", "areawidth=9"]
        {
            assert!(translated(decode_pairs(query.as_bytes()).unwrap()).is_err(), "{query}");
        }
    }
}
