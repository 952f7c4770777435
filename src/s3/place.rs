//! Which operation a request is, as far as that can be known.
//!
//! Behind a name that says nothing, a path of one component is a bucket in path style and a key
//! in virtual-host style. What settles it: a query key that only one of the two has, an
//! encryption header, or an `ETag` on a 2xx to GET, HEAD or PUT. The connection keeps the
//! reading for the host.

use super::address::{Host, Pointer, Style, bucket_name, pointer};
use super::known::Known;
use super::operation::{Operation, Place, Signature};
use std::sync::Arc;

/// What a connection showed about a host whose name says nothing.
#[derive(Clone, Debug)]
pub(super) struct Learned {
    pub(super) host: Arc<str>,
    pub(super) path_style: bool,
}

/// Which operation a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Settled {
        /// `None` where the API has none.
        operation: Option<Operation>,
        bucket: Option<Arc<str>>,
        /// What it is if the answer shows that the path is a key after all.
        if_key: Option<Operation>,
    },
    /// A bucket's, or an object's: this one, if the path is a key.
    Either { if_key: Option<Operation> },
}

/// Buckets as they are counted, by what paths and hosts call them.
pub(super) type Buckets = Known<Arc<str>>;

/// Settles what host, path and query can settle.
pub(super) fn read(
    buckets: &mut Buckets,
    learned: &mut Option<Learned>,
    host: &Host,
    path: &str,
    signature: &Signature<'_>,
) -> Reading {
    let style = match (host.style(), &*learned) {
        (Style::Unknown, Some(known)) if known.host == host.name => {
            if known.path_style {
                Style::Path
            } else {
                Style::Virtual("")
            }
        }
        (style, _) => style,
    };
    let at = pointer(style, path);
    let Some(in_virtual) = at.or else { return settled(buckets, &at, at.place, signature) };
    let by_path = signature.named(at.place).is_some();
    let by_host = signature.named(in_virtual).is_some();
    let plain = signature.subresource.is_none()
        && matches!(signature.method, "GET" | "HEAD" | "PUT" | "DELETE");
    let (path_style, place) = match (by_path, by_host) {
        (true, false) => (true, at.place),
        (false, true) => (false, in_virtual),
        (true, true) => return Reading::Either { if_key: None },
        (false, false) if plain => return Reading::Either { if_key: if_key(&at, signature) },
        (false, false) => match (signature.on(at.place), signature.on(in_virtual)) {
            (Some(_), None) => (true, at.place),
            (None, Some(_)) => (false, in_virtual),
            _ => return settled(buckets, &at, at.place, signature),
        },
    };
    *learned = Some(Learned { host: host.name.clone(), path_style });
    let bucket = if path_style { at.bucket } else { None };
    settled(buckets, &Pointer { bucket, ..at }, place, signature)
}

fn settled(
    buckets: &mut Buckets,
    at: &Pointer<'_>,
    place: Place,
    signature: &Signature<'_>,
) -> Reading {
    let operation = signature.on(place);
    let if_key = if place == Place::Object { None } else { if_key(at, signature) };
    let name = |raw: &str| buckets.of(raw.as_bytes(), || bucket_name(raw));
    Reading::Settled { operation, bucket: at.bucket.and_then(name), if_key }
}

/// The operation if the path is a key: only where the query names none, and an empty path can
/// only be read (an index document).
fn if_key(at: &Pointer<'_>, signature: &Signature<'_>) -> Option<Operation> {
    let possible = match signature.method {
        "GET" | "HEAD" => true,
        "PUT" => at.place != Place::Service,
        _ => false,
    };
    let operation = (possible && signature.subresource.is_none())
        .then(|| signature.on(Place::Object))
        .flatten();
    operation.filter(|operation| operation.carries().mode())
}

impl Reading {
    /// Something shows that the path is a key, where nothing else said what it is.
    pub(super) fn path_is_key(&mut self, learned: &mut Option<Learned>, host: &Arc<str>) {
        if let Self::Either { if_key: if_key @ Some(_) } = *self {
            *self = Self::Settled { operation: if_key, bucket: None, if_key: None };
            *learned = Some(Learned { host: host.clone(), path_style: false });
        }
    }

    /// The answer carries a mode, as only an answer about an object can.
    pub(super) fn answer_is_about_object(&mut self) {
        if let Self::Settled { operation, if_key: if_key @ Some(_), .. } = self {
            *operation = if_key.take();
        }
    }

    /// The operation and the bucket; `None` while it is undecided.
    pub(super) fn settled(&self) -> Option<(Option<Operation>, Option<&Arc<str>>)> {
        match self {
            Self::Settled { operation, bucket, .. } => Some((*operation, bucket.as_ref())),
            Self::Either { .. } => None,
        }
    }
}
