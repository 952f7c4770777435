//! Who may ask: users and passwords (HTTP Basic, RFC 7617), the latter as bcrypt hashes.
//!
//! Takes the users of a web configuration and a request's `Authorization`. Gives whether it is
//! admitted. Promises that a hash is computed off the reactor, one at a time, and after a wrong
//! password not again for as long as it took, so that guessing takes at most half of one processor;
//! that a password that was right is known again without that work; and that a user who is not
//! there takes as long as one who is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use ring::hmac;
use ring::rand::SystemRandom;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio::task;

/// Names, and the bcrypt hashes of their passwords. Without any, everybody is admitted.
pub(super) type Users = BTreeMap<String, String>;

/// Admits those who know a password.
pub(super) struct Gate {
    /// Of this process: what is kept of passwords says nothing without it.
    key: hmac::Key,
    known: Mutex<HashMap<String, Known>>,
    one: Arc<Semaphore>,
}

/// A password that was right.
struct Known {
    /// The hash that it was right for.
    hash: String,
    /// The user and the password, under the key.
    tag: hmac::Tag,
}

impl Gate {
    pub(super) fn new() -> io::Result<Arc<Self>> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let key = key.map_err(|_| io::Error::other("the system gives no random numbers"))?;
        Ok(Arc::new(Self { key, known: Mutex::default(), one: Arc::new(Semaphore::new(1)) }))
    }

    /// Whether a request with that `Authorization` is one of `users`.
    pub(super) async fn admits(
        self: &Arc<Self>,
        users: &Users,
        authorization: Option<&HeaderValue>,
    ) -> bool {
        let Some((_, some_hash)) = users.first_key_value() else { return true };
        let Some(Login { user, password }) = authorization.and_then(Login::read) else {
            return false;
        };
        let hash = users.get(&user);
        if hash.is_some_and(|hash| self.knows(&user, &password, hash)) {
            return true;
        }
        let (is_user, hash) = (hash.is_some(), hash.unwrap_or(some_hash).clone());
        let Ok(permit) = self.one.clone().acquire_owned().await else { return false };
        let gate = self.clone();
        // Goes on, and keeps its place, when whoever asks does not wait for the answer.
        let compared = task::spawn(async move {
            let begun = Instant::now();
            let right = task::spawn_blocking(move || gate.compare(user, &password, hash, is_user));
            let right = right.await.unwrap_or(false);
            let took = begun.elapsed();
            task::spawn(async move {
                if !right {
                    tokio::time::sleep(took).await;
                }
                drop(permit);
            });
            right
        });
        compared.await.unwrap_or(false)
    }

    /// Whether it is a password that was right before, for the same hash.
    fn knows(&self, user: &str, password: &[u8], hash: &str) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |known: &Known| {
            let tag = hmac::verify(&self.key, &message(user, password), known.tag.as_ref());
            known.hash == hash && tag.is_ok()
        };
        known.get(user).is_some_and(is_same)
    }

    /// The slow comparison.
    fn compare(&self, user: String, password: &[u8], hash: String, is_user: bool) -> bool {
        // A hash that cannot be read was refused with its file.
        let right = bcrypt::verify(password, &hash).unwrap_or(false) && is_user;
        if right {
            let tag = hmac::sign(&self.key, &message(&user, password));
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(user, Known { hash, tag });
        }
        right
    }
}

/// A user and a password in one: a name holds no colon.
fn message(user: &str, password: &[u8]) -> Vec<u8> {
    [user.as_bytes(), b":", password].concat()
}

struct Login {
    user: String,
    password: Vec<u8>,
}

impl Login {
    fn read(header: &HeaderValue) -> Option<Self> {
        let (scheme, credentials) = header.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let bytes = STANDARD.decode(credentials.trim()).ok()?;
        let colon = bytes.iter().position(|byte| *byte == b':')?;
        let user = String::from_utf8(bytes[..colon].to_vec()).ok()?;
        Some(Self { user, password: bytes[colon + 1..].to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `secret`, at the least cost.
    const HASH: &str = "$2y$04$ABCDEFGHIJKLMNOPQRSTUuJ0lFKFxGOBQlAxEOTTHVf5zmWAaIzBO";

    fn basic(text: &str) -> HeaderValue {
        let header = format!("Basic {}", STANDARD.encode(text));
        header.parse().expect("it is a header's value")
    }

    #[test]
    fn credentials_are_read_as_the_rfc_writes_them() {
        let read = |header: &HeaderValue| Login::read(header).map(|l| (l.user, l.password));
        let read_of = |text: &str| read(&basic(text));
        assert_eq!(read_of("a:b:c"), Some(("a".to_owned(), b"b:c".to_vec())));
        assert_eq!(read_of(":"), Some((String::new(), vec![])));
        assert_eq!(read_of("nothing"), None);
        for text in ["Bearer YTpi", "Basic", "Basic !", "", "basic YTpi="] {
            assert_eq!(read(&HeaderValue::from_static(text)), None, "{text}");
        }
        assert!(read(&HeaderValue::from_static("bASIC YTpi")).is_some());
    }

    #[test]
    fn a_right_password_is_admitted_and_known_again_until_its_hash_changes() {
        let hash = bcrypt::hash_with_salt("secret", 4, [7; 16]).expect("it can be hashed");
        let hash = hash.format_for_version(bcrypt::Version::TwoY);
        let users = Users::from([("u".to_owned(), hash.clone())]);
        let gate = Gate::new().expect("there are random numbers");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let admits = |users: &Users, text: &str| {
            let runtime = runtime.as_ref().expect("there is a runtime");
            runtime.block_on(gate.admits(users, Some(&basic(text))))
        };
        for wrong in ["u:Secret", "u:", "v:secret", ":secret", "u:secret "] {
            assert!(!admits(&users, wrong), "{wrong}");
        }
        assert!(!gate.knows("u", b"secret", &hash));
        assert!(admits(&users, "u:secret"));
        assert!(gate.knows("u", b"secret", &hash) && !gate.knows("u", b"secre", &hash));
        assert!(admits(&users, "u:secret"));
        let changed = Users::from([("u".to_owned(), HASH.to_owned())]);
        assert!(!admits(&changed, "u:secret"));
        assert!(admits(&Users::new(), "u:whatever"));
    }
}
