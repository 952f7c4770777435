//! What the words mean, and who stands for them.

use super::words::{key, meaning};
use crate::s3::Mode;
use maud::{Markup, html};

/// Words, and what they mean here.
const WORDS: [(&str, &str); 10] = [
    ("Asked", "Requests by the mode that they ask for, of operations that can ask for one."),
    (
        "Applied",
        "Successful answers by the mode that they name, of operations whose answer can name one. \
         It is what the store says, not what it did.",
    ),
    (
        "None",
        "No header was seen. In a request it means that the client leaves the choice to the store; in \
         an answer, that the store did not say. It does not mean “unencrypted”: a store may encrypt by \
         default, or below, and say nothing of it.",
    ),
    (
        "Mismatch",
        "A request asked for a mode, was answered with success, and got another, or no word of any.",
    ),
    ("Finding", "Something odd about an exchange, each kind counted once per exchange."),
    (
        "Violated",
        "Something was seen that the rule does not allow, or an answer did not say what it had to.",
    ),
    ("Met", "All that the rule asks for was seen."),
    (
        "Undecided",
        "What would decide it was not seen, as a message is missing in the capture. It counts for neither side.",
    ),
    (
        "Exempt",
        "The rule asks nothing of the exchange: it was refused, its messages cannot carry what is asked \
         for, or the rule exempts it.",
    ),
    (
        "Gap, lost, blind",
        "Bytes that were sent and are not in the capture; bytes passed over until the next sure message; \
         bytes that are encrypted, or HTTP/2.",
    ),
];

pub(super) fn section() -> Markup {
    html! {
        section #words aria-labelledby="words-title" {
            h2 #words-title { "Words" }
            dl.words {
                @for (word, meaning) in WORDS { div { dt { (word) } dd { (meaning) } } }
            }
            h3 { "Modes" }
            dl.words {
                @for mode in Mode::ALL {
                    div { dt { span.(key(mode)) { (mode) } } dd { (meaning(mode)) } }
                }
            }
        }
    }
}

/// Lines to be written on.
pub(super) fn signature() -> Markup {
    let lines =
        ["Name and role", "Date and place", "SHA-256 of this file (sha256sum)", "Signature"];
    html! {
        section #signature aria-labelledby="signature-title" {
            h2 #signature-title { "Signature" }
            p { "I have read this report, and what limits it." }
            ul.lines-to-fill { @for line in lines { li { (line) } } }
        }
    }
}
