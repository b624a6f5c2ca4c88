//! Passwords in addresses.

/// The same text, as long, with asterisks for the passwords of addresses such as `postgresql://USER:PASSWORD@HOST`.
pub fn hide_passwords(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`')).unwrap_or(after.len());
        let host = after[..end].rfind('@');
        let password = host.and_then(|host| after[..host].find(':').map(|colon| (colon, host)));
        rest = match password {
            Some((colon, host)) => {
                out.push_str(&after[..=colon]);
                out.extend(std::iter::repeat_n('*', host - colon - 1));
                &after[host..]
            }
            None => after,
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_become_asterisks_and_nothing_moves() {
        let hidden = hide_passwords("a: {sql: \"postgresql://ada:s3cr3t@h:1/d\", url: http://h:80/p} # ada@h");
        assert_eq!(hidden, "a: {sql: \"postgresql://ada:******@h:1/d\", url: http://h:80/p} # ada@h");
        for same in ["postgres://ada@h/d", "postgres://ada:{{ env.PW }}@h", "://", "x"] {
            assert_eq!(hide_passwords(same), same);
        }
        assert_eq!(hide_passwords("m://a:ö@h"), "m://a:**@h");
    }
}
