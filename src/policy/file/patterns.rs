//! What is wrong with a pattern: what no host, bucket or key can match, and what fix is likely.

/// Marks of other pattern languages, which mean nothing here.
const OTHER_LANGUAGES: &[char] = &['?', '[', ']', '{', '}', '(', ')', '^', '$', '|', '\\', '+'];

/// Of hosts.
pub(super) fn host(text: &str) -> Option<String> {
    if let Some(scheme) = ["http://", "https://"].iter().find(|scheme| text.starts_with(**scheme)) {
        let rest = text[scheme.len()..].trim_end_matches('/');
        return Some(format!("{text:?} is a URL, no host; write {rest:?}"));
    }
    if let Some((host, _)) = text.split_once('/') {
        return Some(format!("{text:?} holds a path, and a host has none; write {host:?}"));
    }
    // An IPv6 address is in brackets (RFC 3986 §3.2.2).
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Some(format!("{text:?} is an IPv6 address without brackets; write \"[{text}]\""));
    }
    let after = text.rsplit_once(']').map_or(text, |(_, after)| after);
    if let Some((_, port)) = after.split_once(':')
        && !port.contains('*')
        && port.parse::<u16>().is_err()
    {
        return Some(format!("{text:?}: {port:?} is no port, so that this matches nothing"));
    }
    let name = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or_else(
        || text.to_owned(),
        |(address, port)| format!("{}{port}", address.replace(':', "")),
    );
    any(text, &name, "a host", |c| c.is_ascii_alphanumeric() || "-._:*".contains(c))
}

/// Of buckets. Capitals and underscores are in old names, and in stores' own.
pub(super) fn bucket(text: &str) -> Option<String> {
    if let Some(url) = text.strip_prefix("s3://") {
        let bucket = url.split('/').next().unwrap_or_default();
        return Some(format!("{text:?} is a URL, no bucket; write {bucket:?}"));
    }
    if let Some((bucket, _)) = text.split_once('/') {
        return Some(format!(
            "{text:?} holds a key, and rules are about whole buckets; write {bucket:?}"
        ));
    }
    any(text, text, "a bucket", |c| c.is_ascii_alphanumeric() || "-._:*".contains(c))
}

/// Of KMS keys: ids, aliases, ARNs.
pub(super) fn kms_key(text: &str) -> Option<String> {
    any(text, text, "a KMS key's id", |c| c.is_ascii_alphanumeric() || "-._:/*".contains(c))
}

fn any(text: &str, name: &str, what: &str, may_be: impl Fn(char) -> bool) -> Option<String> {
    if text.is_empty() {
        return Some(format!("an empty pattern matches nothing; \"*\" is {what} of any name"));
    }
    let odd = name.chars().find(|c| !may_be(*c))?;
    if OTHER_LANGUAGES.contains(&odd) {
        return Some(format!(
            "{text:?}: {odd:?} is no wildcard here; * stands for any text, and is the only one"
        ));
    }
    Some(format!("{text:?}: {odd:?} cannot be in {what}, so that this matches nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_match_is_taken() {
        for text in ["*", "a.example.com", "*.Example.com:9000", "127.0.0.1:*", "[::1]", "[::1]:90"]
        {
            assert_eq!(host(text), None, "{text}");
        }
        for text in ["vault-*", "Old_Bucket", "a.b"] {
            assert_eq!(bucket(text), None, "{text}");
        }
        for text in ["arn:aws:kms:*:111122223333:key/*", "alias/backup-*", "1234abcd-12ab"] {
            assert_eq!(kms_key(text), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_match_is_told_with_the_fix() {
        let wrong = |wrong: Option<String>| wrong.expect("it is wrong");
        assert!(wrong(host("https://a.example.com/")).ends_with("write \"a.example.com\""));
        assert!(wrong(host("a.example.com/x")).ends_with("write \"a.example.com\""));
        assert!(wrong(host("a?.example.com")).contains("no wildcard here"));
        assert!(wrong(host("a b")).contains("cannot be in a host"));
        assert!(wrong(host("")).contains("empty"));
        assert!(wrong(host("::1")).ends_with("write \"[::1]\""));
        for text in ["h:99999", "h:x", "*:x", "h:", "[::1]:x"] {
            assert!(wrong(host(text)).contains("is no port"), "{text}");
        }
        assert!(wrong(bucket("s3://b/k")).ends_with("write \"b\""));
        assert!(wrong(bucket("vault/logs/*")).ends_with("write \"vault\""));
        assert!(wrong(bucket("vault-[0-9]")).contains("no wildcard here"));
        assert!(wrong(kms_key("key 1")).contains("cannot be in a KMS key's id"));
    }
}
