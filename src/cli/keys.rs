//! The options on KMS keys.

use crate::s3::Inventory;
use crate::tally::{KeyForm, KeyLimits};
use clap::ValueEnum;
use std::num::NonZeroUsize;

#[derive(clap::Args)]
pub(super) struct Keys {
    /// Count which KMS keys hosts are asked for and name: by the last part of their ids, or by
    /// all of them
    #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, require_equals = true,
        default_missing_value = "short")]
    kms_keys: Option<Form>,

    /// With --kms-keys: of encryption contexts, show only the names, or also their values
    #[arg(long, value_enum, default_value_t = Contexts::Names, value_name = "WHAT",
        requires = "kms_keys")]
    kms_contexts: Contexts,

    /// With --kms-keys: count at most so many pairs of host and key by name
    #[arg(long, value_name = "PAIRS", default_value = "1024", help_heading = "Bounds")]
    max_kms_keys: NonZeroUsize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// What follows the last / or :, and alias/ before the name of an alias
    Short,
    /// As the wire has them
    Full,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Contexts {
    /// The names in them
    Names,
    /// Names and values
    Values,
}

impl Keys {
    /// What is to be observed.
    pub(super) fn inventory(&self) -> Inventory {
        match (self.kms_keys, self.kms_contexts) {
            (None, _) => Inventory::Off,
            (Some(_), Contexts::Names) => Inventory::Names,
            (Some(_), Contexts::Values) => Inventory::Values,
        }
    }

    /// How it is to be counted.
    pub(super) fn limits(&self) -> Option<KeyLimits> {
        let form = match self.kms_keys? {
            Form::Short => KeyForm::Short,
            Form::Full => KeyForm::Full,
        };
        Some(KeyLimits { form, max_keys: self.max_kms_keys.get() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, Command, FromArgMatches};

    fn parsed(words: &[&str]) -> Result<(Inventory, Option<KeyLimits>), clap::Error> {
        let command = Keys::augment_args(Command::new("test")).no_binary_name(true);
        let keys = Keys::from_arg_matches(&command.try_get_matches_from(words)?)?;
        Ok((keys.inventory(), keys.limits()))
    }

    #[test]
    fn keys_are_counted_only_where_that_is_asked_for() {
        let limits = |form, max_keys| Some(KeyLimits { form, max_keys });
        for (words, inventory, expected) in [
            (&[][..], Inventory::Off, None),
            (&["--max-kms-keys", "5"], Inventory::Off, None),
            (&["--kms-keys"], Inventory::Names, limits(KeyForm::Short, 1024)),
            (&["--kms-keys=short"], Inventory::Names, limits(KeyForm::Short, 1024)),
            (&["--kms-keys=full"], Inventory::Names, limits(KeyForm::Full, 1024)),
            (
                &["--kms-keys", "--kms-contexts=values", "--max-kms-keys=5"],
                Inventory::Values,
                limits(KeyForm::Short, 5),
            ),
        ] {
            assert_eq!(parsed(words).unwrap(), (inventory, expected), "{words:?}");
        }
        for wrong in [
            &["--kms-contexts=values"][..],
            &["--kms-keys=long"],
            &["--kms-keys", "full"],
            &["--kms-keys", "--max-kms-keys=0"],
        ] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }
}
