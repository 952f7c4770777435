//! From TOML to arguments, and to where and why there are none.

use crate::toml_text::{Document, Mistake, Place, kind};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};
use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key, and what it stands for on the command line.
pub(super) struct Setting {
    /// clap's id of the option.
    pub(super) id: String,
    /// The option's long name.
    pub(super) key: String,
    /// The value, as TOML on one line.
    pub(super) value: String,
    /// The same as arguments.
    pub(super) words: Vec<OsString>,
    place: Place,
    value_place: Place,
}

impl Setting {
    /// That the value is wrong.
    pub(super) fn wrong(&self, text: String) -> Mistake {
        Mistake { place: Some(self.value_place), ..self.mistake(text) }
    }

    /// That there is something wrong with having it.
    pub(super) fn mistake(&self, text: String) -> Mistake {
        Mistake { place: Some(self.place), key: Some(self.key.clone()), text }
    }
}

/// All settings in `text` whose types are right, and all mistakes, both in the order of the text.
/// `command` is built.
pub(super) fn read(text: &str, command: &Command) -> (Vec<Setting>, Vec<Mistake>) {
    let document = Document::parse(text);
    let mut reader =
        Reader { document: &document, command, settings: Vec::new(), mistakes: Vec::new() };
    reader.table("", document.table());
    let Reader { mut settings, mistakes, .. } = reader;
    settings.retain(|setting| document.is_whole(Some(setting.place)));
    settings.sort_by_key(|setting| setting.place);
    (settings, document.all_wrong(mistakes))
}

struct Reader<'r> {
    document: &'r Document<'r>,
    command: &'r Command,
    settings: Vec<Setting>,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    /// Reads a table; the keys in it go on from `prefix`.
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (part, value) in table {
            let key = format!("{prefix}{}", part.get_ref());
            let argument = self.command.get_arguments().find(|a| a.get_long() == Some(&key));
            match (argument, value.get_ref()) {
                (Some(argument), _) => self.setting(key, argument, part.span(), value),
                (None, DeValue::Table(inner)) if !inner.is_empty() || self.is_prefix(&key) => {
                    self.table(&format!("{key}."), inner);
                }
                (None, _) => {
                    let text = self.unknown(&key);
                    self.mistake(part.span(), key, text);
                }
            }
        }
    }

    /// Whether there are settings in a table of that name.
    fn is_prefix(&self, table: &str) -> bool {
        let mut keys = self.command.get_arguments().filter_map(Arg::get_long);
        keys.any(|key| key.strip_prefix(table).is_some_and(|rest| rest.starts_with('.')))
    }

    fn mistake(&mut self, span: Range<usize>, key: String, text: String) {
        let place = Some(self.document.place(&span));
        self.mistakes.push(Mistake { place, key: Some(key), text });
    }

    fn setting(
        &mut self,
        key: String,
        argument: &Arg,
        span: Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) {
        if !is_settable(argument) {
            let text = "cannot be set in a file; take it out".to_owned();
            return self.mistake(span, key, text);
        }
        // A table and a quoted key with a dot in it can be the same.
        if self.settings.iter().any(|setting| setting.key == key) {
            return self.mistake(span, key, "is set twice; leave one".to_owned());
        }
        let at = value.span();
        match words(&key, argument, value) {
            Ok((words, value)) => {
                let place = self.document.place(&span);
                let id = argument.get_id().to_string();
                let value_place = self.document.place(&at);
                self.settings.push(Setting { id, key, value, words, place, value_place });
            }
            Err((span, text)) => self.mistake(span, key, text),
        }
    }

    fn unknown(&self, key: &str) -> String {
        let unknown = format!("is not a setting of {}", self.command.get_name());
        match self.near(key) {
            Some(near) => format!("{unknown}; did you mean {near}?"),
            None => format!("{unknown}; its options are the settings (--help lists them)"),
        }
    }

    /// The setting that may be meant.
    fn near(&self, key: &str) -> Option<String> {
        let arguments = || self.command.get_arguments().filter(|argument| is_settable(argument));
        let mut letters = key.chars();
        if let (Some(letter), None) = (letters.next(), letters.next())
            && let Some(argument) = arguments().find(|a| a.get_short() == Some(letter))
        {
            return argument.get_long().map(str::to_owned);
        }
        let word = format!("--{}=", key.to_lowercase().replace('_', "-"));
        let parsed = self.command.clone().try_get_matches_from([&word]);
        let near = match parsed {
            Ok(_) => word.trim_matches(['-', '=']).to_owned(),
            Err(error) => match error.get(ContextKind::SuggestedArg) {
                Some(ContextValue::String(near)) => near.trim_start_matches('-').to_owned(),
                // It is known but for its case and underscores.
                _ => word.trim_matches(['-', '=']).to_owned(),
            },
        };
        arguments().any(|argument| argument.get_long() == Some(&near)).then_some(near)
    }
}

/// Whether an option of that kind means something in a file.
pub(super) fn is_settable(argument: &Arg) -> bool {
    let is_read = matches!(
        argument.get_action(),
        ArgAction::Set | ArgAction::Append | ArgAction::SetTrue | ArgAction::SetFalse
    );
    is_read && argument.get_id() != super::OPTION && argument.get_long().is_some()
}

/// What is wrong with a value, and where.
type Wrong = (Range<usize>, String);

/// A value as arguments, and as TOML on one line.
fn words(
    key: &str,
    argument: &Arg,
    value: &Spanned<DeValue<'_>>,
) -> Result<(Vec<OsString>, String), Wrong> {
    let wrong = |text: String| Err((value.span(), text));
    let is_list = matches!(argument.get_action(), ArgAction::Append);
    match (argument.get_action(), value.get_ref()) {
        (ArgAction::SetTrue | ArgAction::SetFalse, DeValue::Boolean(on)) => {
            let words = on.then(|| OsString::from(format!("--{key}")));
            Ok((words.into_iter().collect(), on.to_string()))
        }
        (ArgAction::SetTrue | ArgAction::SetFalse, other) => {
            wrong(format!("must be true or false, not {}", kind(other)))
        }
        (_, DeValue::Array(values)) if is_list => {
            let texts = values.iter().map(|value| Scalar::of(argument, value));
            let texts = texts.collect::<Result<Vec<_>, _>>()?;
            let toml: Vec<_> = texts.iter().map(|text| text.toml.as_str()).collect();
            let toml = format!("[{}]", toml.join(", "));
            Ok((texts.iter().map(|text| text.word(key)).collect(), toml))
        }
        (_, DeValue::Array(_)) => wrong("takes one value, not a list".to_owned()),
        _ => {
            let text = Scalar::of(argument, value)?;
            Ok((vec![text.word(key)], text.toml))
        }
    }
}

/// One value: its text, and how TOML writes it.
struct Scalar {
    text: String,
    toml: String,
}

impl Scalar {
    /// The value, if its type is one of which the option's may be made.
    fn of(argument: &Arg, value: &Spanned<DeValue<'_>>) -> Result<Self, Wrong> {
        let is_of = |types: &[TypeId]| {
            types.iter().any(|wanted| argument.get_value_parser().type_id() == *wanted)
        };
        let wrong = |text: String| Err((value.span(), text));
        let (is_number, is_text) = (is_of(&numbers()), is_of(&texts()));
        let plain = |text: String| Ok(Self { toml: text.clone(), text });
        match value.get_ref() {
            DeValue::String(text) if is_number => {
                let bare = text.parse::<i128>().is_ok();
                let fix = if bare { format!("; write {text}, without quotes") } else { "".into() };
                wrong(format!("must be an integer, not a string{fix}"))
            }
            DeValue::String(text) => {
                // JSON's escapes are among TOML's; TOML wants one for DEL, too.
                let toml = serde_json::Value::from(&**text).to_string().replace('\x7f', "\\u007F");
                Ok(Self { text: text.to_string(), toml })
            }
            other @ (DeValue::Array(_) | DeValue::Table(_)) => {
                wrong(format!("takes no {} here", kind(other).trim_start_matches("a ")))
            }
            other if is_text => wrong(format!("must be a string, in quotes, not {}", kind(other))),
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix())
            {
                Ok(number) => plain(number.to_string()),
                Err(_) => wrong(format!("{number} is too large")),
            },
            other if is_number => wrong(format!("must be an integer, not {}", kind(other))),
            DeValue::Float(number) => plain(number.to_string()),
            DeValue::Boolean(on) => plain(on.to_string()),
            DeValue::Datetime(time) => plain(time.to_string()),
        }
    }

    fn word(&self, key: &str) -> OsString {
        // With =, a value may begin with a hyphen.
        [OsStr::new("--"), OsStr::new(key), OsStr::new("="), OsStr::new(&self.text)]
            .into_iter()
            .collect()
    }
}

/// Types that are made of integers and nothing else.
fn numbers() -> [TypeId; 14] {
    [
        TypeId::of::<u8>(),
        TypeId::of::<u16>(),
        TypeId::of::<u32>(),
        TypeId::of::<u64>(),
        TypeId::of::<usize>(),
        TypeId::of::<i8>(),
        TypeId::of::<i16>(),
        TypeId::of::<i32>(),
        TypeId::of::<i64>(),
        TypeId::of::<isize>(),
        TypeId::of::<NonZeroU16>(),
        TypeId::of::<NonZeroU32>(),
        TypeId::of::<NonZeroU64>(),
        TypeId::of::<NonZeroUsize>(),
    ]
}

/// Types of which any text is one, so that an integer would be read as a name.
fn texts() -> [TypeId; 3] {
    [TypeId::of::<String>(), TypeId::of::<PathBuf>(), TypeId::of::<OsString>()]
}
