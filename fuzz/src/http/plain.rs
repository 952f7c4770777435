//! Holds the short way of reading heads to `httparse`.

use httparse::Status;
use sealwatch::http::plain::{self, Plain, RequestLine, StatusLine};
use sealwatch::http::{Field, Room};

/// As many as there is room for.
const MAX_FIELDS: usize = 64;

/// What the short way reads at the beginning of bytes, `httparse` reads the same.
pub(super) fn check(bytes: &[u8]) {
    let mut room = Room::default();
    if let Some(Plain { line, length }) = plain::request(bytes, MAX_FIELDS, &mut room) {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        assert_eq!(request.parse(bytes), Ok(Status::Complete(length)), "{line:?}");
        let RequestLine { method, target, minor_version } = line;
        let expected = (request.method, request.path, request.version);
        assert_eq!((Some(method), Some(target), Some(minor_version)), expected);
        check_fields(&room, request.headers);
    }
    let mut room = Room::default();
    if let Some(Plain { line, length }) = plain::response(bytes, MAX_FIELDS, &mut room) {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        assert_eq!(response.parse(bytes), Ok(Status::Complete(length)), "{line:?}");
        let StatusLine { minor_version, status } = line;
        assert_eq!((Some(minor_version), Some(status)), (response.version, response.code));
        check_fields(&room, response.headers);
    }
}

fn check_fields(room: &Room<'_>, expected: &[httparse::Header<'_>]) {
    let read = room.headers().iter().map(|field| (field.name(), field.value()));
    let expected = expected.iter().map(|field| (field.name.as_bytes(), field.value));
    assert!(read.eq(expected), "{:?}", room.headers().iter().collect::<Vec<&Field<'_>>>());
}
