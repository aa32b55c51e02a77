//! Sprig's functions on regular expressions.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use kpkg_gounicode::runes;

use regex::bytes::Regex;

use super::expressions::Pattern;
use super::{Answer, Function, Type, fixed, int, string, text};
use crate::error::Failure;
use crate::exec::Context;
use crate::quote::{backquote, quote};
use crate::text::Text;
use crate::value::{List, ListKind, Value};

use Type::{Int, String as Str};

type Call = fn(&mut Context, &[Value]) -> Answer;

const FIND_ALL: Call = |context, args| {
    let (pattern, source) = (pattern(context, &args[0]), text(&args[1]));
    let limit = limit(int(&args[2]));
    let (regex, subject) = (pattern.regex_for(source)?, Subject::new(source));
    let found: Vec<Text> = subject.found(regex).take(limit).map(|found| Text::from(&source[found])).collect();
    if found.is_empty() {
        return Ok(Value::List(List::new(ListKind::NilString, Vec::new())));
    }
    Ok(Value::strings(found))
};
const FIND: Call = |context, args| {
    let (pattern, source) = (pattern(context, &args[0]), text(&args[1]));
    let (regex, subject) = (pattern.regex_for(source)?, Subject::new(source));
    let found = subject.found(regex).next();
    Ok(found.map_or_else(|| "".into(), |found| Text::from(&source[found]).into()))
};
const REPLACE: Call = |context, args| replace(context, args, false);
const REPLACE_LITERAL: Call = |context, args| replace(context, args, true);
const SPLIT: Call = |context, args| {
    let (pattern, source) = (pattern(context, &args[0]), text(&args[1]));
    Ok(Value::strings(split(pattern.regex_for(source)?, text(&args[0]), source, int(&args[2]))))
};

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("regexMatch", &[Str, Str], |context, args| {
        let (pattern, source) = (pattern(context, &args[0]), text(&args[1]));
        Ok(Value::Bool(pattern.regex_for(source).is_ok_and(|regex| regex.is_match(Subject::new(source).bytes()))))
    }),
    fixed("mustRegexMatch", &[Str, Str], |context, args| {
        let (pattern, source) = (pattern(context, &args[0]), text(&args[1]));
        Ok(Value::Bool(pattern.regex_for(source)?.is_match(Subject::new(source).bytes())))
    }),
    fixed("regexFindAll", &[Str, Str, Int], |context, args| panicking(FIND_ALL, context, args)),
    fixed("mustRegexFindAll", &[Str, Str, Int], FIND_ALL),
    fixed("regexFind", &[Str, Str], |context, args| panicking(FIND, context, args)),
    fixed("mustRegexFind", &[Str, Str], FIND),
    fixed("regexReplaceAll", &[Str, Str, Str], |context, args| panicking(REPLACE, context, args)),
    fixed("mustRegexReplaceAll", &[Str, Str, Str], REPLACE),
    fixed("regexReplaceAllLiteral", &[Str, Str, Str], |context, args| panicking(REPLACE_LITERAL, context, args)),
    fixed("mustRegexReplaceAllLiteral", &[Str, Str, Str], REPLACE_LITERAL),
    fixed("regexSplit", &[Str, Str, Int], |context, args| panicking(SPLIT, context, args)),
    fixed("mustRegexSplit", &[Str, Str, Int], SPLIT),
    fixed("regexQuoteMeta", &[Str], |_, args| {
        let mut out = Vec::new();
        for byte in text(&args[0]) {
            if br"\.+*?()|[]{}^$".contains(byte) {
                out.push(b'\\');
            }
            out.push(*byte);
        }
        Ok(out.into())
    }),
];

/// The functions without `must` panic where an expression is wrong, in more words.
fn panicking(call: Call, context: &mut Context, args: &[Value]) -> Answer {
    call(context, args).map_err(|failure| match failure.0.text() {
        problem if problem.starts_with("error parsing regexp") => {
            let source = text(&args[0]);
            let shown = backquote(source).unwrap_or_else(|| quote(source));
            Failure::new(format!("regexp: Compile({shown}): {problem}"))
        }
        _ => failure,
    })
}

/// A text as expressions see it: what is not UTF-8 is one U+FFFD for each byte, as in Go.
struct Subject<'a> {
    text: Cow<'a, [u8]>,
    /// Where the characters begin, in the text and in the source; empty where these are the same.
    places: Vec<(usize, usize)>,
}

impl<'a> Subject<'a> {
    fn new(source: &'a [u8]) -> Self {
        if std::str::from_utf8(source).is_ok() {
            return Self { text: source.into(), places: Vec::new() };
        }
        let (mut text, mut places, mut at) = (String::new(), Vec::new(), 0);
        for (character, bytes) in runes(source) {
            places.push((text.len(), at));
            text.push(character);
            at += bytes.len();
        }
        places.push((text.len(), at));
        Self { text: text.into_bytes().into(), places }
    }

    fn bytes(&self) -> &[u8] {
        &self.text
    }

    /// What is found, as places in the source.
    fn found<'s>(&'s self, regex: &'s Regex) -> impl Iterator<Item = Range<usize>> + 's {
        regex.find_iter(&self.text).map(|found| self.place(found.range()))
    }

    fn place(&self, found: Range<usize>) -> Range<usize> {
        let place = |at: usize| {
            let index = self.places.binary_search_by_key(&at, |(in_text, _)| *in_text);
            index.map_or(at, |index| self.places[index].1)
        };
        place(found.start)..place(found.end)
    }
}

/// Go's `n`: negative means all.
fn limit(count: i64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The expression of a pattern, which is compiled once: charts ask for the same ones again and again.
fn pattern(context: &Context, source: &Value) -> Rc<Pattern> {
    let mut known = context.patterns.borrow_mut();
    if let Some(pattern) = known.get(text(source)) {
        return pattern.clone();
    }
    let pattern = Rc::new(Pattern::new(string(source).into_owned()));
    known.insert(text(source).into(), pattern.clone());
    pattern
}

fn replace(context: &mut Context, args: &[Value], literal: bool) -> Answer {
    let (pattern, source, template) = (pattern(context, &args[0]), text(&args[1]), text(&args[2]));
    let (regex, subject) = (pattern.regex_for(source)?, Subject::new(source));
    let mut out = Vec::with_capacity(source.len());
    let mut last = 0;
    // Without a dollar nothing of what was found is needed but where it is.
    if literal || !template.contains(&b'$') {
        for found in subject.found(regex) {
            out.extend_from_slice(&source[last..found.start]);
            out.extend_from_slice(template);
            context.spend(template.len() + found.start - last)?;
            last = found.end;
        }
        out.extend_from_slice(&source[last..]);
        return Ok(out.into());
    }
    for captures in regex.captures_iter(subject.bytes()) {
        let Some(whole) = captures.get(0).map(|whole| subject.place(whole.range())) else { continue };
        out.extend_from_slice(&source[last..whole.start]);
        captures.expand(template, &mut out);
        context.spend(template.len() + whole.start - last)?;
        last = whole.end;
    }
    out.extend_from_slice(&source[last..]);
    Ok(out.into())
}

/// Go's `Split`.
fn split(regex: &Regex, pattern: &[u8], source: &[u8], count: i64) -> Vec<Text> {
    if count == 0 {
        return Vec::new();
    }
    if !pattern.is_empty() && source.is_empty() {
        return vec!["".into()];
    }
    let most = limit(count);
    let (mut parts, mut begin, mut end) = (Vec::new(), 0, 0);
    let subject = Subject::new(source);
    for found in subject.found(regex).take(most) {
        if count > 0 && parts.len() + 1 == most {
            break;
        }
        end = found.start;
        if found.end != 0 {
            parts.push(Text::from(&source[begin..end]));
        }
        begin = found.end;
    }
    if end != source.len() {
        parts.push(Text::from(&source[begin..]));
    }
    parts
}
