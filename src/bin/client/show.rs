//! `--show`: a picture before and after, in the terminal: by its own graphics, else in coloured half blocks.

use super::processed::own_limits;
use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use image::{DynamicImage, GenericImage, ImageFormat, Rgba, RgbaImage};
use imgsrv::codec::{self, CodecError, Scratch};
use imgsrv::spec::Format;
use imgsrv::spec::{Fit, OutputFormat, Spec};
use std::fmt::Write as _;
use std::io;

/// Largest preview, in columns and rows of letters.
const LARGEST: (u32, u32) = (120, 24);
/// Assumed size of a terminal that does not report one.
const USUAL_COLUMNS: u32 = 80;
/// Pixels of a letter, about; terminals scale graphics to the letters that are asked for.
const LETTER: (u32, u32) = (10, 20);
/// Columns between the two pictures.
const GAP: u32 = 2;
/// Bytes of base64 that the kitty protocol allows in one piece.
const KITTY_PIECE: usize = 4096;

/// Drawing method of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    /// The kitty graphics protocol.
    Kitty,
    /// Inline images as iTerm2 has them.
    Iterm,
    /// Two pixels a letter, in 24-bit colours.
    Blocks,
    /// Two pixels a letter, in the 6 x 6 x 6 cube of the 256 colours.
    CoarseBlocks,
}

/// Draws both files side by side. Where there is no terminal or are no colours, one line says so.
///
/// # Errors
/// A picture that cannot be read, or an output that cannot be written.
pub(crate) fn show(before: &[u8], after: &[u8], mut out: impl RawStream) -> io::Result<()> {
    if AutoStream::choice(&out) == ColorChoice::Never {
        eprintln!("No preview: this is not a terminal, or colours are off (--color, NO_COLOR)");
        return Ok(());
    }
    let means = if out.is_terminal() { Means::of(|name| std::env::var(name).ok()) } else { Means::Blocks };
    let columns = terminal_size::terminal_size().map_or(USUAL_COLUMNS, |(width, _)| width.0.into());
    let rows = LARGEST.1;
    let half = (columns.min(LARGEST.0).saturating_sub(GAP) / 2).max(1);
    let (unit_x, unit_y) = means.pixels_a_letter();
    let small = |file| preview(file, half * unit_x, rows * unit_y).map_err(io::Error::other);
    let (before, after) = (small(before)?, small(after)?);
    let second = before.width().max("before".len() as u32 * unit_x).next_multiple_of(unit_x) + GAP * unit_x;
    writeln!(out, "{:<width$}after", "before", width = (second / unit_x) as usize)?;
    let sheet = side_by_side(&before, &after, second).map_err(io::Error::other)?;
    out.write_all(means.draw(&sheet).map_err(io::Error::other)?.as_bytes())?;
    out.flush()
}

/// The picture within a box, upright and in sRGB.
fn preview(file: &[u8], width: u32, height: u32) -> Result<RgbaImage, CodecError> {
    let format = OutputFormat::Fixed(Format::Qoi);
    let spec = Spec { width, height, fit: Fit::Inside, format, ..Spec::default() };
    let small = codec::process(file, &spec, &own_limits(), &mut Scratch::new())?;
    let read = image::load_from_memory_with_format(&small.bytes, ImageFormat::Qoi);
    read.map(DynamicImage::into_rgba8).map_err(|error| CodecError::Internal(error.to_string()))
}

fn side_by_side(left: &RgbaImage, right: &RgbaImage, second: u32) -> image::ImageResult<RgbaImage> {
    let mut sheet = RgbaImage::new(second + right.width(), left.height().max(right.height()));
    sheet.copy_from(left, 0, 0)?;
    sheet.copy_from(right, second, 0)?;
    Ok(sheet)
}

impl Means {
    /// The drawing method of the terminal that set these variables. A multiplexer takes only letters.
    fn of(variable: impl Fn(&str) -> Option<String>) -> Means {
        let is = |name: &str, words: &[&str]| variable(name).is_some_and(|value| words.contains(&&*value));
        let multiplexed = variable("TMUX").is_some() || variable("STY").is_some();
        match () {
            () if multiplexed => {}
            () if is("TERM", &["xterm-kitty", "xterm-ghostty"]) || variable("KITTY_WINDOW_ID").is_some() => {
                return Means::Kitty;
            }
            () if is("TERM_PROGRAM", &["iTerm.app", "WezTerm", "rio"]) || is("LC_TERMINAL", &["iTerm2"]) => {
                return Means::Iterm;
            }
            () => {}
        }
        if is("COLORTERM", &["truecolor", "24bit"]) { Means::Blocks } else { Means::CoarseBlocks }
    }

    fn pixels_a_letter(self) -> (u32, u32) {
        match self {
            Means::Kitty | Means::Iterm => LETTER,
            Means::Blocks | Means::CoarseBlocks => (1, 2),
        }
    }

    fn draw(self, sheet: &RgbaImage) -> Result<String, png::EncodingError> {
        let columns = sheet.width().div_ceil(LETTER.0);
        match self {
            Means::Kitty => Ok(kitty(&base64(&png(sheet)?), columns)),
            Means::Iterm => Ok(iterm(&base64(&png(sheet)?), columns)),
            Means::Blocks => Ok(blocks(sheet, |Rgba([r, g, b, _])| format!("2;{r};{g};{b}"))),
            Means::CoarseBlocks => Ok(blocks(sheet, |colour| format!("5;{}", in_cube(colour)))),
        }
    }
}

fn png(sheet: &RgbaImage) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, sheet.width(), sheet.height());
    encoder.set_color(png::ColorType::Rgba);
    encoder.write_header()?.write_image_data(sheet)?;
    Ok(file)
}

/// `a=T` transmits and shows, `f=100` is PNG, `q=2` wants no answer, `m=1` says that more follows.
fn kitty(data: &str, columns: u32) -> String {
    let mut text = String::new();
    let mut keys = format!("a=T,f=100,q=2,c={columns},");
    let mut rest = data;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(KITTY_PIECE));
        let more = u8::from(!after.is_empty());
        let _ = write!(text, "\x1b_G{keys}m={more};{piece}\x1b\\"); // a String takes everything
        keys.clear();
        rest = after;
    }
    text + "\n"
}

fn iterm(data: &str, columns: u32) -> String {
    format!("\x1b]1337;File=inline=1;width={columns};preserveAspectRatio=1:{data}\x07\n")
}

/// The upper half of each letter in the foreground's colour, the lower one in the background's.
fn blocks(sheet: &RgbaImage, colour: impl Fn(Rgba<u8>) -> String) -> String {
    let mut text = String::new();
    let pixel = |x, y| sheet.get_pixel_checked(x, y).copied().filter(|pixel| pixel[3] >= 128);
    for y in (0..sheet.height()).step_by(2) {
        for x in 0..sheet.width() {
            let _ = match (pixel(x, y), pixel(x, y + 1)) {
                (Some(upper), Some(lower)) => {
                    write!(text, "\x1b[38;{}m\x1b[48;{}m▀", colour(upper), colour(lower))
                }
                (Some(upper), None) => write!(text, "\x1b[0m\x1b[38;{}m▀", colour(upper)),
                (None, Some(lower)) => write!(text, "\x1b[0m\x1b[38;{}m▄", colour(lower)),
                (None, None) => write!(text, "\x1b[0m "),
            };
        }
        text.push_str("\x1b[0m\n");
    }
    text
}

/// The nearest of the 216 colours that xterm numbers from 16.
fn in_cube(Rgba([r, g, b, _]): Rgba<u8>) -> u8 {
    // Its levels are 0, 95, 135, 175, 215, 255.
    let level = |value: u8| if value < 48 { 0 } else { (value.max(75) - 35) / 40 };
    16 + 36 * level(r) + 6 * level(g) + level(b)
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |i: usize| u32::from(group.get(i).copied().unwrap_or(0)) << (16 - 8 * i);
        let bits = at(0) | at(1) | at(2);
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(variables: &[(&str, &str)]) -> Means {
        Means::of(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn terminals_are_told_by_their_variables() {
        assert_eq!(means(&[("TERM", "xterm-kitty"), ("COLORTERM", "truecolor")]), Means::Kitty);
        assert_eq!(means(&[("KITTY_WINDOW_ID", "1")]), Means::Kitty);
        assert_eq!(means(&[("TERM_PROGRAM", "iTerm.app")]), Means::Iterm);
        assert_eq!(means(&[("TERM", "xterm-kitty"), ("TMUX", "x"), ("COLORTERM", "24bit")]), Means::Blocks);
        assert_eq!(means(&[("TERM", "xterm-256color")]), Means::CoarseBlocks);
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn graphics_carry_the_picture_whole_in_pieces_that_terminals_take() {
        let data = base64(&[7; 10_000]);
        let text = kitty(&data, 40);
        let pieces: Vec<&str> = text.trim_end().split("\x1b_G").skip(1).collect();
        assert!(pieces[0].starts_with("a=T,f=100,q=2,c=40,m=1;") && pieces[3].starts_with("m=0;"));
        let payload = |piece: &str| piece.split_once(';').unwrap().1.trim_end_matches("\x1b\\").to_owned();
        assert!(pieces.iter().all(|piece| payload(piece).len() <= KITTY_PIECE));
        assert_eq!(pieces.into_iter().map(payload).collect::<String>(), data);
        assert!(iterm(&data, 40).ends_with(&format!("width=40;preserveAspectRatio=1:{data}\x07\n")));
    }

    #[test]
    fn a_letter_holds_two_pixels_and_transparency_shows_the_background() {
        let (red, clear) = (Rgba([255, 0, 0, 255]), Rgba([0, 0, 0, 0]));
        let sheet = RgbaImage::from_fn(2, 3, |x, y| if x == 0 && y != 1 { red } else { clear });
        let text = blocks(&sheet, |_| "C".into());
        assert_eq!(text, "\x1b[0m\x1b[38;Cm▀\x1b[0m \x1b[0m\n\x1b[0m\x1b[38;Cm▀\x1b[0m \x1b[0m\n");
    }

    #[test]
    fn the_cube_has_black_white_and_its_own_levels() {
        for (level, colour) in [(0, 16), (95, 16 + 43), (135, 16 + 86), (255, 231)] {
            assert_eq!(in_cube(Rgba([level, level, level, 255])), colour);
        }
    }
}
