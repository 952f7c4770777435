//! What a segment carries, written down so that a person can read it.
//!
//! ```text
//! payload = term { "+" term }
//! term    = atom [ "*" times ]
//! atom    = "text"                      its bytes
//!         | `line | line`               a message head: CRLF after each line, and an empty line
//!         | hex:0a0b                    bytes
//!         | ( payload )
//! ```
//!
//! In both kinds of quotes, `\r`, `\n`, `\t`, `\0`, `\xNN`, `\\`, `\"` and `` \` `` stand for one
//! byte. White space between the parts does not matter.

/// The payload with which `text` begins, and what follows it; `None` where it begins with none.
///
/// # Errors
///
/// What is wrong with it.
pub fn payload(text: &str) -> Result<Option<(Vec<u8>, &str)>, String> {
    let Some((mut bytes, mut rest)) = term(text)? else { return Ok(None) };
    while let Some(after) = rest.trim_start().strip_prefix('+') {
        let (more, after) = term(after)?.ok_or("nothing that can be sent follows +")?;
        bytes.extend(more);
        rest = after;
    }
    Ok(Some((bytes, rest)))
}

fn term(text: &str) -> Result<Option<(Vec<u8>, &str)>, String> {
    let Some((bytes, rest)) = atom(text.trim_start())? else { return Ok(None) };
    let Some(after) = rest.trim_start().strip_prefix('*') else { return Ok(Some((bytes, rest))) };
    let after = after.trim_start();
    let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let times: usize = after[..digits].parse().map_err(|_| "no number follows *")?;
    Ok(Some((bytes.repeat(times), &after[digits..])))
}

fn atom(text: &str) -> Result<Option<(Vec<u8>, &str)>, String> {
    if let Some(rest) = text.strip_prefix('"') {
        return quoted(rest, '"').map(|(inner, rest)| Some((unescape(inner), rest)));
    }
    if let Some(rest) = text.strip_prefix('`') {
        let (inner, rest) = quoted(rest, '`')?;
        let lines = inner.split(" | ").flat_map(|line| [unescape(line), b"\r\n".to_vec()].concat());
        return Ok(Some((lines.chain(*b"\r\n").collect(), rest)));
    }
    if let Some(rest) = text.strip_prefix("hex:") {
        let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        return Ok(Some((hex(&rest[..end])?, &rest[end..])));
    }
    if let Some(rest) = text.strip_prefix('(') {
        let (bytes, rest) = payload(rest)?.ok_or("nothing that can be sent follows (")?;
        let rest = rest.trim_start().strip_prefix(')').ok_or("a ( is not closed")?;
        return Ok(Some((bytes, rest)));
    }
    Ok(None)
}

/// What stands before the closing quote, and what follows it.
fn quoted(text: &str, quote: char) -> Result<(&str, &str), String> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Ok((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    Err(format!("a {quote} is not closed"))
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next().expect("a quote never ends in the middle of an escape") {
                b'r' => b'\r',
                b'n' => b'\n',
                b't' => b'\t',
                b'0' => 0,
                b'x' => {
                    let digits = [rest.next(), rest.next()].map(|digit| digit.unwrap_or(b'?'));
                    let digits = String::from_utf8_lossy(&digits).into_owned();
                    u8::from_str_radix(&digits, 16).expect("two hexadecimal digits follow \\x")
                }
                other => other,
            },
            other => other,
        });
    }
    bytes
}

/// The bytes that hexadecimal digits stand for.
///
/// # Errors
///
/// What is wrong with them.
pub fn hex(digits: &str) -> Result<Vec<u8>, String> {
    let odd = || format!("{digits} is no even number of hexadecimal digits");
    let byte = |at: usize| {
        let pair = digits.get(at..at + 2).ok_or_else(odd)?;
        u8::from_str_radix(pair, 16).map_err(|_| odd())
    };
    (0..digits.len()).step_by(2).map(byte).collect()
}
