//! policy: from exchanges to verdicts.
//!
//! Takes a file of rules ([`Policy::load`]) and the [`Record`]s of exchanges. Gives, for each exchange,
//! the first rule that is about it, and whether the rule is kept ([`Judgement`]). Promises that a
//! file in which anything is wrong, in the smallest way, is not a policy, and says where and why;
//! that what was not seen is [`Outcome::Undecided`], never kept or broken; and that an exchange is
//! judged by itself, so that its order does not matter. Knows nothing of who counts.
//!
//! Where the rules are: [`mod@file`] reads the file, [`rule`] says what a rule is about and what it asks
//! for, [`strength`] holds the order of modes, [`judge`] compares an exchange with a rule,
//! [`example`] tries a policy on the examples in its file, [`explain`] puts it into words.

mod example;
mod explain;
mod file;
mod judge;
mod rule;
mod strength;

pub use judge::{Judgement, Outcome, Reason, Reasons};

use crate::s3::Record;
use crate::toml_text;
use rule::Rule;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The name under which exchanges are counted that no rule is about.
pub const DEFAULT: &str = "default";

/// Rules, in the order in which they are asked.
#[derive(Debug)]
pub struct Policy {
    name: Box<str>,
    description: Option<Box<str>>,
    /// The file's SHA-256, in hexadecimal.
    digest: Box<str>,
    rules: Vec<Rule>,
    strength: strength::Order,
    /// Whether what no rule is about breaks the policy.
    forbids_the_rest: bool,
    /// [`DEFAULT`], to be shared.
    default: Arc<str>,
    /// How many examples there are; all of them hold.
    examples: usize,
}

/// Why there is no policy. Displays as what is wrong, one line each.
#[derive(Debug)]
pub struct PolicyError {
    /// Whether the file could not be read, rather than made no sense.
    pub is_unreadable: bool,
    lines: Vec<String>,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for PolicyError {}

impl Policy {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// It cannot be read; or all that is wrong with it, each with its line; examples in it that do
    /// not come out as they say are wrong, too.
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let unreadable = |error| PolicyError {
            is_unreadable: true,
            lines: vec![format!("cannot read {}: {error}", path.display())],
        };
        let text = toml_text::read(path).map_err(unreadable)?;
        text.map_err(|mistake| vec![mistake]).and_then(|text| file::read(&text)).map_err(
            |mistakes| PolicyError {
                is_unreadable: false,
                lines: mistakes.iter().map(|m| format!("{}{m}", path.display())).collect(),
            },
        )
    }

    /// What the file calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says of itself.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The SHA-256 of the file, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The names of the rules, in their order, and what each asks for in words; the default is the
    /// last.
    pub fn rules(&self) -> impl Iterator<Item = (&Arc<str>, String)> {
        let rules = self.rules.iter().map(|rule| (&rule.name, explain::requirement(rule)));
        rules.chain([(&self.default, explain::default(self.forbids_the_rest).to_owned())])
    }

    /// The policy in words, for whoever wrote it.
    pub fn explain(&self) -> String {
        explain::policy(self)
    }

    /// What becomes of an exchange; `None` where it is not one with an object store.
    pub fn judge(&self, record: &Record) -> Option<Judgement> {
        record.object_store.then(|| judge::judge(self, record))
    }
}

/// A policy that can be replaced while exchanges are judged by it.
#[derive(Clone, Debug)]
pub struct Current {
    path: Arc<Path>,
    policy: Arc<Mutex<Arc<Policy>>>,
}

impl Current {
    /// Reads a file, as [`Policy::load`] does.
    ///
    /// # Errors
    ///
    /// Those of [`Policy::load`].
    pub fn load(path: &Path) -> Result<Self, PolicyError> {
        let policy = Arc::new(Mutex::new(Arc::new(Policy::load(path)?)));
        Ok(Self { path: path.into(), policy })
    }

    /// Reads the file again. Exchanges that are over from now on are judged by what it says.
    ///
    /// # Errors
    ///
    /// Those of [`Policy::load`]; the policy is then what it was.
    pub fn reload(&self) -> Result<(), PolicyError> {
        let policy = Arc::new(Policy::load(&self.path)?);
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = policy;
        Ok(())
    }

    /// The policy as it is now.
    pub fn get(&self) -> Arc<Policy> {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests;
