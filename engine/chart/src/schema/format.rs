//! The `format` keyword, which the drafts up to 7 assert.

/// Checks a text against a named format; unknown names accept everything.
pub(super) fn check(name: &str, text: &str) -> Result<(), String> {
    match name {
        "regex" => kpkg_template::go_regex(text).map(|_| ()),
        "ipv4" => ipv4(text),
        "ipv6" => ipv6(text),
        "hostname" => hostname(text),
        "email" => email(text),
        "date" => date(text),
        "time" => time(text),
        "date-time" => date_time(text),
        "uuid" => uuid(text),
        "uri" => uri(text, true),
        "uri-reference" | "iri-reference" => uri(text, false),
        "iri" => uri(text, true),
        "json-pointer" => json_pointer(text),
        "duration" => duration(text),
        _ => Ok(()),
    }
}

fn fail(problem: &str) -> Result<(), String> {
    Err(problem.to_owned())
}

fn ipv4(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() != 4 {
        return fail("expected four decimals");
    }
    for part in parts {
        if part.len() > 1 && part.starts_with('0') {
            return fail("leading zeros");
        }
        match part.parse::<u32>() {
            Ok(number) if number <= 255 => {}
            Ok(_) => return fail("decimal must be between 0 and 255"),
            Err(_) => return Err(format!("strconv.Atoi: parsing {part:?}: invalid syntax")),
        }
    }
    Ok(())
}

fn ipv6(text: &str) -> Result<(), String> {
    if !text.contains(':') {
        return fail("missing colon");
    }
    text.parse::<std::net::Ipv6Addr>().map(|_| ()).map_err(|_| "unable to parse IP".to_owned())
}

fn hostname(text: &str) -> Result<(), String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return fail("more than 253 characters long");
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > 63 {
            return fail("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return fail("label starts with hyphen");
        }
        if label.ends_with('-') {
            return fail("label ends with hyphen");
        }
        if let Some(bad) = label.chars().find(|character| !character.is_ascii_alphanumeric() && *character != '-') {
            return Err(format!("invalid character {:?}", bad.to_string()));
        }
    }
    Ok(())
}

fn email(text: &str) -> Result<(), String> {
    if text.len() > 254 {
        return fail("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else { return fail("missing @") };
    if local.len() > 64 {
        return fail("local part more than 64 characters long");
    }
    if local.len() > 1 && local.starts_with('"') && local.ends_with('"') {
        return Ok(());
    }
    if local.starts_with('.') {
        return fail("starts with dot");
    }
    if local.ends_with('.') {
        return fail("ends with dot");
    }
    if local.contains("..") {
        return fail("consecutive dots");
    }
    if domain.starts_with('[') && domain.ends_with(']') {
        return Ok(());
    }
    hostname(domain).map_err(|problem| format!("invalid domain: {problem}"))
}

fn date(text: &str) -> Result<(), String> {
    kpkg_template::parse_time("2006-01-02", text)
}

fn time(text: &str) -> Result<(), String> {
    if text.len() < 9 {
        return fail("less than 9 characters long");
    }
    let bytes = text.as_bytes();
    if bytes[2] != b':' || bytes[5] != b':' {
        return fail("missing colon in correct place");
    }
    let number = |range: std::ops::Range<usize>, most: u32| {
        text.get(range).and_then(|part| part.parse::<u32>().ok()).is_some_and(|number| number <= most)
    };
    if !(number(0..2, 23) && number(3..5, 59) && number(6..8, 60)) {
        return fail("hour, min, sec out of range");
    }
    let rest = text.get(8..).unwrap_or_default();
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return fail("no digits in second fraction");
            }
            &fraction[digits..]
        }
        None => rest,
    };
    if rest.eq_ignore_ascii_case("z") {
        return Ok(());
    }
    let offset = rest.as_bytes();
    if offset.len() != 6 || !matches!(offset[0], b'+' | b'-') || offset[3] != b':' {
        return fail("offset must begin with plus/minus");
    }
    Ok(())
}

fn date_time(text: &str) -> Result<(), String> {
    if text.len() < 20 {
        return fail("less than 20 characters long");
    }
    if !matches!(text.as_bytes()[10], b'T' | b't') {
        return fail("11th character must be t or T");
    }
    date(text.get(..10).unwrap_or_default()).map_err(|problem| format!("invalid date element: {problem}"))?;
    time(text.get(11..).unwrap_or_default()).map_err(|problem| format!("invalid time element: {problem}"))
}

fn uuid(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split('-').collect();
    if parts.len() != 5 {
        return fail("must have 5 elements");
    }
    for (index, (part, length)) in parts.iter().zip([8, 4, 4, 4, 12]).enumerate() {
        if part.len() != length {
            return Err(format!("element {} must be {length} characters long", index + 1));
        }
        if !part.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("non-hex character in element {}", index + 1));
        }
    }
    Ok(())
}

fn uri(text: &str, absolute: bool) -> Result<(), String> {
    if text.contains('\\') {
        return fail("contains \\");
    }
    let scheme = text.split_once(':').filter(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    });
    if absolute && scheme.is_none() {
        return fail("relative url");
    }
    if text.contains([' ', '<', '>', '"', '{', '}', '|', '^', '`']) {
        return Err(format!("parse {text:?}: invalid character in URL"));
    }
    Ok(())
}

fn json_pointer(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    if !text.starts_with('/') {
        return fail("not starting with /");
    }
    let bad = text.match_indices('~').any(|(at, _)| !matches!(text.as_bytes().get(at + 1), Some(b'0' | b'1')));
    if bad { fail("~ must be followed by 0 or 1") } else { Ok(()) }
}

fn duration(text: &str) -> Result<(), String> {
    let Some(rest) = text.strip_prefix('P') else { return fail("must start with P") };
    if rest.is_empty() {
        return fail("nothing after P");
    }
    let (date, time) = rest.split_once('T').map_or((rest, None), |(date, time)| (date, Some(time)));
    let units = |part: &str, allowed: &str| {
        let mut order = allowed.chars();
        let mut rest = part;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let Some(unit) = rest[digits..].chars().next().filter(|_| digits > 0) else { return false };
            if !order.any(|known| known == unit) {
                return false;
            }
            rest = &rest[digits + 1..];
        }
        true
    };
    if time == Some("") {
        return fail("no time elements");
    }
    if units(date, "YMWD") && units(time.unwrap_or_default(), "HMS") { Ok(()) } else { fail("invalid units") }
}
