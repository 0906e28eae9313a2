//! The parameter names of imaginary, and of the first clients of `/upload`, as options.

use crate::service::RequestError;
use crate::service::policy::RequestPolicy;
use crate::spec::{Options, SpecError};

/// Name of `scale` in the first clients of `/upload`.
const SCALE_FACTOR: &str = "scale_factor";

/// Parses options of either vocabulary. Errors name the option as the caller did.
///
/// # Errors
/// [`RequestError::Options`], and [`RequestError::Malformed`] for parameters without a counterpart.
pub(super) fn parse(policy: &RequestPolicy, pairs: Vec<(String, String)>) -> Result<Options, RequestError> {
    let has_scale_factor = pairs.iter().any(|(name, _)| name == SCALE_FACTOR);
    let options = policy.parse_pairs(translate(pairs)?);
    Ok(options.map_err(|error| if has_scale_factor { name_scale_factor(error) } else { error })?)
}

fn name_scale_factor(error: SpecError) -> SpecError {
    match error {
        SpecError::BadValue(error) => SpecError::BadValue(error.rename("scale", SCALE_FACTOR)),
        SpecError::Contradiction(message) => {
            SpecError::Contradiction(message.replace("'scale'", "'scale_factor'"))
        }
        SpecError::Repeated(name) if name == "scale" => SpecError::Repeated(SCALE_FACTOR.into()),
        other => other,
    }
}

/// Replaces the names of imaginary by ours. Other names stay.
///
/// # Errors
/// [`RequestError::Malformed`] for a parameter without a counterpart.
pub(super) fn translate(pairs: Vec<(String, String)>) -> Result<Vec<(String, String)>, RequestError> {
    let mut own = Vec::with_capacity(pairs.len());
    let (mut listed, mut operations) = (Vec::new(), Vec::new());
    let mut area = [None, None, None, None];
    let (mut shape, mut border) = (None, None);
    for (name, value) in pairs {
        let yes = matches!(value.as_str(), "true" | "1" | "");
        let mut put = |name: &str, value: &str| own.push((name.to_owned(), value.to_owned()));
        match name.as_str() {
            SCALE_FACTOR => put("scale", &value),
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
            "extend" => border = border_colour(&value)?,
            "aspectratio" => shape = Some(value),
            // The image of a form is found without its name, and a palette only makes a PNG smaller.
            "field" | "palette" => {}
            "sigma" => operations.push(format!("blur:{value}")),
            "colorspace" if value == "bw" => operations.push("grayscale".to_owned()),
            "colorspace" if value == "srgb" => {}
            "colorspace" => return Err(bad("colorspace", &value, "srgb or bw")),
            "left" => area[0] = Some(value),
            "top" => area[1] = Some(value),
            "areawidth" => area[2] = Some(value),
            "areaheight" => area[3] = Some(value),
            "ops" => listed.push(value),
            "file" | "url" => {
                let message = "images are not fetched from addresses: send the image in the body";
                return Err(RequestError::Malformed(message.into()));
            }
            _ => own.push((name, value)),
        }
    }
    listed.append(&mut operations);
    if !listed.is_empty() {
        own.push(("ops".to_owned(), listed.join(",")));
    }
    match area {
        [None, None, None, None] => {}
        [x, y, Some(width), Some(height)] => {
            let or_zero = |side: Option<String>| side.unwrap_or_else(|| "0".to_owned());
            own.push(("crop".to_owned(), format!("{},{},{width},{height}", or_zero(x), or_zero(y))));
        }
        _ => return Err(RequestError::Malformed("an area needs both 'areawidth' and 'areaheight'".into())),
    }
    let has = |own: &[(String, String)], key: &str| own.iter().any(|(name, _)| name == key);
    if let Some(colour) = border
        && !has(&own, "background")
    {
        own.push(("background".to_owned(), colour.to_owned()));
    }
    if let Some(shape) = shape
        && let Some((side, length)) = other_side(&own, &shape)?
    {
        own.retain(|(name, _)| name != side); // 0 is none
        own.push((side.to_owned(), length));
    }
    Ok(own)
}

/// The side that follows from the other one and a shape such as `16:9`; `None` if both are named, or neither.
fn other_side(own: &[(String, String)], shape: &str) -> Result<Option<(&'static str, String)>, RequestError> {
    let number = |text: &str| text.trim().parse::<u32>().ok().filter(|n| *n > 0);
    let parts = shape.split_once(':').and_then(|(w, h)| Some((number(w)?, number(h)?)));
    let (w, h) = parts.ok_or_else(|| bad("aspectratio", shape, "two numbers such as 16:9"))?;
    let side = |key: &str| own.iter().find(|(name, _)| name == key).and_then(|(_, value)| number(value));
    let scaled =
        |side: u32, by: u32, of: u32| (u64::from(side) * u64::from(by) / u64::from(of)).max(1).to_string();
    Ok(match (side("width"), side("height")) {
        (Some(width), None) => Some(("height", scaled(width, h, w))),
        (None, Some(height)) => Some(("width", scaled(height, w, h))),
        _ => None,
    })
}

/// The border colour of an `extend`; `None` for that of `background`.
fn border_colour(extend: &str) -> Result<Option<&'static str>, RequestError> {
    match extend {
        "white" => Ok(Some("#ffffff")),
        "black" => Ok(Some("#000000")),
        "background" => Ok(None),
        _ => Err(bad("extend", extend, "white, black or background")),
    }
}

fn bad(key: &str, value: &str, accepts: &str) -> RequestError {
    let value: String = value.chars().take(100).flat_map(char::escape_debug).collect();
    RequestError::Malformed(format!("option '{key}' is '{value}', it accepts {accepts}"))
}

/// The effort for a compression level of PNG.
fn effort(level: &str) -> Result<&'static str, RequestError> {
    match level.parse::<u8>() {
        Ok(0..=3) => Ok("fast"),
        Ok(4..=7) => Ok("balanced"),
        Ok(8 | 9) => Ok("smallest"),
        _ => Err(bad("compression", level, "0 to 9")),
    }
}

/// `255,200,150` as `#ffc896`.
fn colour(decimal: &str) -> Result<String, RequestError> {
    let parts: Option<Vec<u8>> = decimal.split(',').map(|part| part.trim().parse().ok()).collect();
    match parts.as_deref() {
        Some([r, g, b]) => Ok(format!("#{r:02x}{g:02x}{b:02x}")),
        _ => Err(bad("background", decimal, "#rrggbb or three numbers up to 255")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::policy::RequestPolicy;
    use crate::spec::decode_pairs;

    fn canonical(query: &str) -> String {
        let pairs = translate(decode_pairs(query.as_bytes()).unwrap()).unwrap();
        RequestPolicy::default().parse_pairs(pairs).unwrap().spec.canonical()
    }

    #[test]
    fn names_of_imaginary_mean_our_options() {
        for (theirs, ours) in [
            ("type=jpg&width=300&nocrop=true", "width=300&fit=contain"),
            ("type=webp&nocrop=false&gravity=north", "fit=cover&gravity=north&format=webp"),
            ("width=3&height=4&force=true&embed=false", "width=3&height=4"),
            ("gravity=centre&norotation=true&interlace=true", "rotate=0&progressive=true"),
            ("stripmeta=true&noprofile=false&compression=9", "effort=smallest&metadata=strip&icc=keep"),
            ("background=255,200,150", "background=%23ffc896"),
            ("sigma=2.5&colorspace=bw", "ops=blur:2.5,grayscale"),
            ("top=10&left=20&areawidth=30&areaheight=40", "crop=20,10,30,40"),
            ("embed=true&extend=black&width=9&height=9", "width=9&height=9&fit=contain&background=%23000000"),
            ("extend=white&background=1,2,3&field=photo&palette=true", "background=%23010203"),
            ("width=160&aspectratio=16:9", "width=160&height=90"),
            ("height=90&aspectratio=16:9&width=0", "width=160&height=90"),
            ("width=5&height=4&aspectratio=16:9", "width=5&height=4"),
            ("width=5&quality=60&ops=invert", "width=5&quality=60&ops=invert"),
        ] {
            assert_eq!(canonical(theirs), ours, "{theirs}");
        }
    }

    #[test]
    fn operations_keep_their_order_with_those_of_imaginary_last() {
        assert_eq!(canonical("ops=blur:2&sigma=3&ops=sepia"), canonical("ops=blur:2,sepia,blur:3"));
    }

    #[test]
    fn errors_of_scale_factor_name_it() {
        for (query, message) in [
            ("scale_factor=x", "option 'scale_factor' is 'x'"),
            ("scale_factor=0.5&width=3", "option 'scale_factor' does not go with"),
            ("scale_factor=0.5&scale_factor=0.5", "option 'scale_factor' is given more than once"),
            ("scale=x", "option 'scale' is 'x'"),
        ] {
            let pairs = decode_pairs(query.as_bytes()).unwrap();
            let error = parse(&RequestPolicy::default(), pairs).unwrap_err().to_string();
            assert!(error.starts_with(message), "{query}: {error}");
        }
    }

    #[test]
    fn a_parameter_without_a_counterpart_is_refused() {
        for query in [
            "url=http://a/b.jpg",
            "extend=mirror",
            "aspectratio=16x9",
            "width=1&aspectratio=0:1",
            "colorspace=cmyk",
            "compression=10",
            "background=1,2",
            "areawidth=9",
        ] {
            assert!(translate(decode_pairs(query.as_bytes()).unwrap()).is_err(), "{query}");
        }
    }
}
