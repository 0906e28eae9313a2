//! `OptionDef`: one row of a table of options. The table of a request ([`super::OPTIONS`]) and the server's settings
//! have the same rows, from which parsers, messages, command lines and documents are made.

use std::fmt;

/// One option of `T`: its name, the values that it takes, its purpose, and the field that holds it.
#[derive(Debug, Clone, Copy)]
pub struct OptionDef<T: 'static> {
    /// The word before the `=`.
    pub name: &'static str,
    /// Effect of the option, for a person.
    pub help: &'static str,
    /// ValueSet that are taken.
    pub(crate) values: fn() -> ValueSet,
    /// Text of the default where the field is empty until it is set.
    pub(crate) unset: &'static str,
    /// Writes a value into its field; `None` if the text is not accepted.
    pub(crate) set: fn(&mut T, &str) -> Option<()>,
    /// Text of the value that the field holds; empty for none.
    pub(crate) show: fn(&T) -> String,
}

impl<T> OptionDef<T> {
    /// The values that the option takes.
    pub fn values(&self) -> ValueSet {
        (self.values)()
    }

    /// The values that the option takes, in words.
    pub fn accepts(&self) -> String {
        self.values().to_string()
    }

    /// The command line flag of the option, without the dashes in front.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Writes a value into its field.
    ///
    /// # Errors
    /// [`BadValue`] names the option, the value and the values that are accepted.
    pub fn set(&self, holder: &mut T, value: &str) -> Result<(), BadValue> {
        (self.set)(holder, value).ok_or_else(|| self.bad(value))
    }

    /// The value that the field holds, as [`OptionDef::set`] takes it; empty for none.
    pub fn show(&self, holder: &T) -> String {
        (self.show)(holder)
    }

    /// The value that holds: that of the field, or the words for an empty field.
    pub fn effective(&self, holder: &T) -> String {
        let value = self.show(holder);
        if value.is_empty() { self.unset.to_owned() } else { value }
    }

    /// The error for a value that is not accepted.
    pub(crate) fn bad(&self, value: &str) -> BadValue {
        BadValue { name: self.name, value: clip(value), accepts: self.accepts() }
    }
}

/// The values that an option takes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ValueSet {
    /// One of these words.
    Words(Vec<&'static str>),
    /// A whole number from `min` to `max`.
    Integer {
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// A number from `min` to `max`.
    Number {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// A text that a regular expression (ECMA-262) describes to programs.
    Pattern {
        /// The expression for the whole text.
        pattern: String,
        /// The same for a person.
        accepts: String,
    },
    /// Several values: comma separated, or one by one under the same name.
    List {
        /// The values of each.
        item: Box<ValueSet>,
        /// Fewest values.
        min: usize,
        /// Most values.
        max: usize,
        /// The same for a person.
        accepts: String,
    },
    /// A text of the form that these words describe.
    Text(String),
}

impl ValueSet {
    /// Reads a whole number of the range.
    pub(crate) fn integer(&self, text: &str) -> Option<u64> {
        let ValueSet::Integer { min, max } = *self else { return None };
        text.parse().ok().filter(|n| (min..=max).contains(n))
    }

    /// Reads a finite number of the range.
    pub(crate) fn number(&self, text: &str) -> Option<f64> {
        let ValueSet::Number { min, max } = *self else { return None };
        text.parse().ok().filter(|n| (min..=max).contains(n))
    }
}

impl fmt::Display for ValueSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueSet::Words(words) => f.write_str(&either(words)),
            ValueSet::Integer { min, max } => write!(f, "{min} to {max}"),
            ValueSet::Number { min, max } => write!(f, "{min} to {max}"),
            ValueSet::Pattern { accepts, .. } | ValueSet::List { accepts, .. } => f.write_str(accepts),
            ValueSet::Text(text) => f.write_str(text),
        }
    }
}

/// Joins words for a sentence: `a, b or c`.
pub(crate) fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A value that an option does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is '{value}', it accepts {accepts}")]
pub struct BadValue {
    name: &'static str,
    value: String,
    accepts: String,
}

impl BadValue {
    /// Renames the option, if it is called `from`, to the name that the caller used.
    #[cfg(feature = "http")]
    pub(crate) fn rename(self, from: &str, to: &'static str) -> BadValue {
        if self.name == from { BadValue { name: to, ..self } } else { self }
    }
}

/// Shortens and escapes a text from outside for a message and a log line.
pub(crate) fn clip(text: &str) -> String {
    text.chars().take(100).flat_map(char::escape_debug).collect()
}

/// The name of `known` that is spelled most like `name`, if any is close to it.
pub(crate) fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let name = clip(name);
    let closest = known.map(|known| (strsim::damerau_levenshtein(known, &name), known)).min();
    closest.filter(|(distance, _)| *distance <= 3 && *distance < name.len()).map(|(_, known)| known)
}
