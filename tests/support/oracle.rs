//! Holds what was heard against what was said.

use super::conversation::{Conversation, Packet, is_whole};
use super::listener::Heard;
use std::collections::BTreeSet;

/// Every pair is a true one, and nothing is heard twice. What was said is known by numbers below
/// `exchanges`; what a body imitates has others.
///
/// # Errors
///
/// What is wrong.
pub fn check_precision(exchanges: usize, heard: &[Heard]) -> Result<(), String> {
    let mut requests = BTreeSet::new();
    let mut answers = BTreeSet::new();
    for one in heard {
        let asked = one.target.as_ref().map(|target| target.trim_start_matches('/').to_owned());
        for id in [&asked, &one.answer].into_iter().flatten() {
            if !id.parse().is_ok_and(|id: usize| id < exchanges) {
                return Err(format!("invented: {one:?}"));
            }
        }
        if asked.as_ref().zip(one.answer.as_ref()).is_some_and(|(asked, answer)| asked != answer) {
            return Err(format!("mispaired: {one:?}"));
        }
        let new = asked.is_none_or(|asked| requests.insert(asked))
            && one.answer.clone().is_none_or(|answer| answers.insert(answer));
        if !new {
            return Err(format!("heard twice: {one:?}"));
        }
    }
    Ok(())
}

/// The exchanges whose two heads are whole, and those among them that were heard as one.
pub fn recall(
    conversation: &Conversation,
    packets: &[Packet],
    heard: &[Heard],
) -> (BTreeSet<usize>, BTreeSet<usize>) {
    let whole = conversation.truth.iter().filter(|truth| {
        is_whole(conversation, packets, true, truth.request_head)
            && is_whole(conversation, packets, false, truth.response_head)
    });
    let paired = heard.iter().filter(|one| one.target.is_some() && one.answer.is_some());
    let id = |one: &Heard| one.answer.as_ref().and_then(|id| id.parse().ok());
    (whole.map(|truth| truth.id).collect(), paired.filter_map(id).collect())
}
