//! A configuration as text: the effective one with its origins, and the commented example file. Both are TOML that
//! reads back as the same configuration.

use super::{Config, Effective, Machine, SETTINGS};
use crate::spec::decode_pairs;
use std::fmt;

/// The output of `--print-config`.
impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (setting, origin) in SETTINGS.iter().zip(&self.origins) {
            let value = literal(&setting.show(&self.config));
            writeln!(f, "{:<40} # {origin}", format!("{} = {value}", setting.name))?;
        }
        for (name, origin) in &self.preset_origins {
            writeln!(f, "\n{:<40} # {origin}", format!("[preset.{name}]"))?;
            let canonical = self.policy.presets.get(name).map(|spec| spec.canonical()).unwrap_or_default();
            for (key, value) in decode_pairs(canonical.as_bytes()).unwrap_or_default() {
                writeln!(f, "{key} = {}", literal(&value))?;
            }
        }
        Ok(())
    }
}

/// The commented file of all defaults. Values that depend on the machine or are not set are comments.
pub fn example() -> String {
    let small = Config::defaults(Machine { cores: 2, memory: 4 << 30 });
    let large = Config::defaults(Machine { cores: 64, memory: 256 << 30 });
    let mut text = String::from(
        "# imgsrv's settings and their defaults. Read with `imgsrv --config FILE`.\n\
         # A flag (--max-body) overrides a variable (IMGSRV_MAX_BODY), a variable overrides this file.\n\
         # `imgsrv --print-config` shows each value and its origin.\n",
    );
    for setting in SETTINGS {
        let value = setting.show(&small);
        let off = if value.is_empty() || value != setting.show(&large) { "# " } else { "" };
        let varies = if value != setting.show(&large) { " (default: by the machine)" } else { "" };
        text.push_str(&format!(
            "\n# {}: {}{varies}\n{off}{} = {}\n",
            setting.help,
            setting.accepts(),
            setting.name,
            literal(&value)
        ));
    }
    text.push_str(
        "\n# Options by name, for `preset=thumb` in a request: any option of a picture.\n\
         # [preset.thumb]\n# width = 200\n# height = 200\n# fit = \"cover\"\n",
    );
    text
}

/// A value as TOML: numbers and truth values bare, everything else a string.
fn literal(value: &str) -> String {
    if value.parse::<i64>().is_ok() || value.parse::<bool>().is_ok() {
        value.to_owned()
    } else {
        toml::Value::from(value).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: Machine = Machine { cores: 4, memory: 64 << 30 };

    fn read(text: &str) -> Effective {
        Effective::resolve(MACHINE, Some(("a.toml", text)), |_| None).unwrap()
    }

    #[test]
    fn the_example_file_is_the_defaults_and_has_every_setting() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/imgsrv.example.toml");
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text, example(), "write it anew with `imgsrv --print-example > imgsrv.example.toml`");
        assert_eq!(read(&text).config, Config::defaults(MACHINE));
        for setting in SETTINGS {
            assert!(text.contains(&format!("{} = ", setting.name)), "{}", setting.name);
        }
    }

    #[test]
    fn a_printed_configuration_reads_back_as_itself() {
        let made = read("quality = 70\nbind = \"a\\\"b\"\n[preset.thumb]\nwidth = 200\nops = \"blur:2\"\n");
        let again = read(&made.to_string());
        assert_eq!((again.config, again.policy), (made.config, made.policy));
    }
}
