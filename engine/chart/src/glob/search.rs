//! Compares a name with matchers.
//!
//! A tree asks its matcher for one place at a time, and gets that place with all the lengths that match there. Helm's library
//! repeats the work for the same places, in time that can double with each star; here answers of trees are remembered, and
//! there is an end to the steps.

use std::collections::HashMap;

use kpkg_gounicode::{rune_count, runes};
use memchr::{memchr, memmem, memrchr};

use super::Stop;
use super::matcher::{Matcher, Tree};

/// The place where a matcher matches, and the lengths of what it matches there, in rising order. Lengths may exceed the text.
type Found = Option<(usize, Vec<usize>)>;

/// Steps for one name, which bound what is remembered; Helm itself would take a good part of a second.
const MAX_STEPS: usize = 5_000_000;

pub(super) struct Search {
    /// What trees said, by their address and that of the text; both stay where they are during a search.
    said: HashMap<(usize, usize, usize), bool>,
    steps: usize,
    /// Whether the order of steps can be seen, because one may fail.
    ordered: bool,
}

impl Search {
    pub(super) fn new(ordered: bool) -> Self {
        Self { said: HashMap::new(), steps: 0, ordered }
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps as u64
    }

    fn spend(&mut self, steps: usize) -> Result<(), Stop> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_STEPS { Err(Stop::TooSlow) } else { Ok(()) }
    }

    /// Whether all of the text matches.
    pub(super) fn matches(&mut self, matcher: &Matcher, text: &[u8]) -> Result<bool, Stop> {
        self.spend(1)?;
        Ok(match matcher {
            Matcher::Nothing => text.is_empty(),
            Matcher::Text { text: wanted, .. } => text == wanted.as_bytes(),
            Matcher::Any => self.no_slash(text)?,
            Matcher::Super => true,
            Matcher::Single | Matcher::List { .. } | Matcher::Range { .. } => is_one(matcher, text),
            Matcher::Row { matchers, len } => {
                self.spend(text.len())?;
                rune_count(text) == *len && self.matches_row(matchers, text)?
            }
            Matcher::Tree(tree) => self.matches_tree(tree, text)?,
            Matcher::AnyOf(matchers) => self.matches_any(matchers, text)?,
            Matcher::EveryOf(matchers) => self.matches_every(matchers, text)?,
            Matcher::Contains { needle, negated } => {
                self.spend(text.len() / 8)?;
                memmem::find(text, needle.as_bytes()).is_some() != *negated
            }
            Matcher::Prefix(prefix) => text.starts_with(prefix.as_bytes()),
            Matcher::Suffix(suffix) => text.ends_with(suffix.as_bytes()),
            // They may overlap.
            Matcher::PrefixSuffix(prefix, suffix) => {
                text.starts_with(prefix.as_bytes()) && text.ends_with(suffix.as_bytes())
            }
            Matcher::PrefixAny(prefix) => match text.strip_prefix(prefix.as_bytes()) {
                Some(rest) => self.no_slash(rest)?,
                None => false,
            },
            Matcher::SuffixAny(suffix) => match text.strip_suffix(suffix.as_bytes()) {
                Some(rest) => self.no_slash(rest)?,
                None => false,
            },
            Matcher::Min(least) => runes(text).take(*least).count() == *least,
            Matcher::Max(most) => runes(text).take(*most + 1).count() <= *most,
        })
    }

    fn no_slash(&mut self, text: &[u8]) -> Result<bool, Stop> {
        self.spend(text.len() / 16)?;
        Ok(memchr(b'/', text).is_none())
    }

    fn matches_any(&mut self, matchers: &[Matcher], text: &[u8]) -> Result<bool, Stop> {
        for matcher in matchers {
            if self.matches(matcher, text)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn matches_every(&mut self, matchers: &[Matcher], text: &[u8]) -> Result<bool, Stop> {
        for matcher in matchers {
            if !self.matches(matcher, text)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Each matcher gets as many characters as it is long, but of the last of them only the first byte. One of no length gets
    /// all the rest, and fails if there is none.
    fn matches_row(&mut self, matchers: &[Matcher], text: &[u8]) -> Result<bool, Stop> {
        let mut from = 0;
        for matcher in matchers {
            let len = matcher.len().unwrap_or(0);
            let (mut count, mut last) = (0, 0);
            let mut at = 0;
            for (_, bytes) in runes(&text[from..]) {
                (count, last) = (count + 1, at);
                at += bytes.len();
                if count == len {
                    break;
                }
            }
            self.spend(count)?;
            let to = from + last + 1;
            if count < len {
                return Ok(false);
            }
            let part = text.get(from..to).ok_or(Stop::OutOfRange { end: to, length: text.len() })?;
            if !self.matches(matcher, part)? {
                return Ok(false);
            }
            from = to;
        }
        Ok(true)
    }

    fn matches_tree(&mut self, tree: &Tree, text: &[u8]) -> Result<bool, Stop> {
        let key = (std::ptr::from_ref(tree).addr(), text.as_ptr().addr(), text.len());
        if let Some(said) = self.said.get(&key) {
            return Ok(*said);
        }
        let said = self.search_tree(tree, text)?;
        self.said.insert(key, said);
        Ok(said)
    }

    /// The ends of the text that the sides need are left out of the search; they count characters, and cut bytes.
    fn search_tree(&mut self, tree: &Tree, text: &[u8]) -> Result<bool, Stop> {
        let needed = |side: &Option<Matcher>| side.as_ref().and_then(Matcher::len).unwrap_or(0);
        let mut from = needed(&tree.left);
        let limit = text.len().saturating_sub(needed(&tree.right));
        while from < limit {
            let Some((index, lengths)) = self.find(&tree.value, &text[from..limit])? else { return Ok(false) };
            from += index;
            let ends = || lengths.iter().rev().map(|length| (from + length).min(text.len()));
            // Not looking to the left in vain saves most of the time, but skips what may fail there.
            let hopeless = !self.ordered && tree.right.is_none() && ends().all(|end| end < text.len());
            if !hopeless && self.matches_side(tree.left.as_ref(), &text[..from])? {
                for end in ends() {
                    if self.matches_side(tree.right.as_ref(), &text[end..])? {
                        return Ok(true);
                    }
                }
            }
            from += runes(&text[from..]).next().map_or(0, |(_, bytes)| bytes.len());
        }
        Ok(false)
    }

    fn matches_side(&mut self, side: Option<&Matcher>, text: &[u8]) -> Result<bool, Stop> {
        side.map_or(Ok(text.is_empty()), |matcher| self.matches(matcher, text))
    }

    /// The first place where the matcher matches some of the text.
    fn find(&mut self, matcher: &Matcher, text: &[u8]) -> Result<Found, Stop> {
        let found = match matcher {
            Matcher::Row { matchers, len } => self.find_row(matchers, *len, text)?,
            // The library does not look for trees, and so finds none.
            Matcher::Tree(_) => None,
            Matcher::AnyOf(matchers) => self.find_any(matchers, text)?,
            Matcher::EveryOf(matchers) => self.find_every(matchers, text)?,
            simple => find_simple(simple, text),
        };
        let read = found.as_ref().map_or(text.len(), |(index, lengths)| index + lengths.len());
        self.spend(1 + read)?;
        Ok(found)
    }

    fn find_row(&mut self, matchers: &[Matcher], len: usize, text: &[u8]) -> Result<Found, Stop> {
        let mut index = 0;
        for (_, bytes) in runes(text) {
            if text.len() - index < len {
                break;
            }
            if self.matches_row(matchers, &text[index..])? {
                return Ok(Some((index, vec![len])));
            }
            index += bytes.len();
        }
        Ok(None)
    }

    /// The first place of all, with all the lengths there.
    fn find_any(&mut self, matchers: &[Matcher], text: &[u8]) -> Result<Found, Stop> {
        let mut first: Found = None;
        for matcher in matchers {
            let Some((index, lengths)) = self.find(matcher, text)? else { continue };
            match &mut first {
                Some((old, all)) if *old == index => all.extend(lengths),
                Some((old, _)) if *old < index => {}
                _ => first = Some((index, lengths)),
            }
        }
        if let Some((_, lengths)) = &mut first {
            lengths.sort_unstable();
            lengths.dedup();
        }
        Ok(first)
    }

    /// Matchers of which there must be all find something at the start, or nothing.
    fn find_every(&mut self, matchers: &[Matcher], text: &[u8]) -> Result<Found, Stop> {
        let mut all: Option<Vec<usize>> = None;
        for matcher in matchers {
            let Some((_, mut lengths)) = self.find(matcher, text)? else { return Ok(None) };
            // Bytes that are no characters bring them out of order.
            lengths.sort_unstable();
            let both = match all {
                None => lengths,
                Some(mut old) => {
                    old.retain(|length| lengths.binary_search(length).is_ok());
                    old
                }
            };
            if both.is_empty() {
                return Ok(None);
            }
            all = Some(both);
        }
        Ok(all.map(|lengths| (0, lengths)))
    }
}

// === Matchers without others in them ===

fn find_simple(matcher: &Matcher, text: &[u8]) -> Found {
    match matcher {
        Matcher::Nothing => Some((0, vec![0])),
        Matcher::Text { text: wanted, .. } => Some((memmem::find(text, wanted.as_bytes())?, vec![wanted.len()])),
        Matcher::Any => Some((0, starts(before_slash(text), 0))),
        Matcher::Super => Some((0, starts(text, 0))),
        Matcher::Single | Matcher::List { .. } | Matcher::Range { .. } => find_one(matcher, text),
        Matcher::Contains { needle, negated } => find_contains(needle.as_bytes(), *negated, text),
        Matcher::Prefix(prefix) => {
            let index = memmem::find(text, prefix.as_bytes())?;
            Some((index, ends(&text[index + prefix.len()..], prefix.len())))
        }
        Matcher::PrefixAny(prefix) => {
            let index = memmem::find(text, prefix.as_bytes())?;
            Some((index, ends(before_slash(&text[index + prefix.len()..]), prefix.len())))
        }
        Matcher::Suffix(suffix) => Some((0, vec![memmem::find(text, suffix.as_bytes())? + suffix.len()])),
        Matcher::SuffixAny(suffix) => {
            let end = memmem::find(text, suffix.as_bytes())?;
            let start = memrchr(b'/', &text[..end]).map_or(0, |slash| slash + 1);
            Some((start, vec![end + suffix.len() - start]))
        }
        Matcher::PrefixSuffix(prefix, suffix) => find_between(prefix.as_bytes(), suffix.as_bytes(), text),
        Matcher::Min(least) => {
            let mut lengths = ends(text, 0);
            // The first is the empty text.
            let lengths = lengths.split_off((*least).min(lengths.len()));
            (!lengths.is_empty()).then_some((0, lengths))
        }
        Matcher::Max(most) => {
            let mut lengths = ends(text, 0);
            lengths.truncate(most + 1);
            Some((0, lengths))
        }
        Matcher::Row { .. } | Matcher::Tree(_) | Matcher::AnyOf(_) | Matcher::EveryOf(_) => None,
    }
}

fn before_slash(text: &[u8]) -> &[u8] {
    &text[..memchr(b'/', text).unwrap_or(text.len())]
}

/// Where characters start, and where the text ends.
fn starts(text: &[u8], add: usize) -> Vec<usize> {
    let mut at = add;
    let mut lengths = Vec::with_capacity(text.len() + 1);
    for (_, bytes) in runes(text) {
        lengths.push(at);
        at += bytes.len();
    }
    lengths.push(at);
    lengths
}

/// The empty text, and where characters end, going by how long they are when written: a byte that is no character counts as
/// three.
fn ends(text: &[u8], add: usize) -> Vec<usize> {
    let mut at = add;
    let mut lengths = vec![add];
    for (character, bytes) in runes(text) {
        lengths.push(at + character.len_utf8());
        at += bytes.len();
    }
    lengths
}

fn find_one(matcher: &Matcher, text: &[u8]) -> Found {
    let mut index = 0;
    for (character, bytes) in runes(text) {
        if accepts(matcher, character) {
            return Some((index, vec![character.len_utf8()]));
        }
        index += bytes.len();
    }
    None
}

/// The empty text passes for the character that stands for none.
fn is_one(matcher: &Matcher, text: &[u8]) -> bool {
    let (character, bytes) = runes(text).next().unwrap_or((char::REPLACEMENT_CHARACTER, &[]));
    text.len() == bytes.len() && accepts(matcher, character)
}

fn accepts(matcher: &Matcher, character: char) -> bool {
    match matcher {
        Matcher::Single => character != '/',
        Matcher::List { negated, characters } => characters.contains(&character) != *negated,
        Matcher::Range { negated, low, high } => (*low..=*high).contains(&character) != *negated,
        _ => false,
    }
}

fn find_contains(needle: &[u8], negated: bool, text: &[u8]) -> Found {
    let found = memmem::find(text, needle);
    if negated {
        return Some((0, starts(&text[..found.unwrap_or(text.len())], 0)));
    }
    let end = found? + needle.len();
    Some((0, starts(&text[end..], end)))
}

/// The first prefix, with each suffix from there on.
fn find_between(prefix: &[u8], suffix: &[u8], text: &[u8]) -> Found {
    let index = memmem::find(text, prefix)?;
    let mut rest = &text[index..];
    let mut lengths = Vec::new();
    while let Some(at) = memmem::rfind(rest, suffix) {
        lengths.push(at + suffix.len());
        rest = &rest[..at];
    }
    lengths.reverse();
    (!lengths.is_empty()).then_some((index, lengths))
}
