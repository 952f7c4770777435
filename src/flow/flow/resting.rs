//! A connection of which nothing is under way, folded up until more of it comes.

use super::{BOTH, Context, Flow};
use crate::flow::Consumer;
use crate::flow::fold::{Folding, Unfolding};
use crate::flow::stream::{Holdings, Stream};
use crate::net::Timestamp;

impl<T> Flow<T> {
    /// Folds up all that there is of it, if it rests: if it carried data, and nothing is held or
    /// waited for. Else nothing has changed.
    pub(in crate::flow) fn fold<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        to: &mut Folding,
    ) -> bool {
        let rests = self.carried_data
            && self.fresh_syn.is_none()
            && self.stall.is_none()
            && self.stray.is_none()
            && self.accounted == Holdings::default()
            && self.streams.iter().all(|stream| stream.held.is_empty());
        if !rests {
            return false;
        }
        to.begin(self.streams.each_ref().map(|stream| stream.next.unwrap_or_default()));
        to.flags([self.connection.is_some(), self.ended_at.is_some()]);
        if let Some(connection) = self.connection.as_mut()
            && !cx.consumer.fold(connection, to)
        {
            return false;
        }
        if let Some(ended_at) = self.ended_at {
            to.number(ended_at.as_nanos() as u64);
        }
        for (stream, direction) in self.streams.iter().zip(BOTH) {
            stream.fold(direction, to);
        }
        true
    }

    /// The same again, of which the last packet was at `last`.
    pub(in crate::flow) fn unfold<C: Consumer<Connection = T>>(
        consumer: &mut C,
        bytes: &[u8],
        last: Timestamp,
    ) -> Self {
        let mut from = Unfolding::new(bytes);
        let [is_open, has_ended] = from.flags();
        let connection = is_open.then(|| Box::new(consumer.unfold(&mut from)));
        let ended_at = has_ended.then(|| Timestamp::from_nanos(from.number() as i64));
        let streams = BOTH.map(|direction| Stream::unfold(direction, &mut from));
        Self {
            streams,
            connection,
            last,
            ended_at,
            fresh_syn: None,
            stall: None,
            stray: None,
            held: Holdings::default(),
            accounted: Holdings::default(),
            carried_data: true,
        }
    }
}
