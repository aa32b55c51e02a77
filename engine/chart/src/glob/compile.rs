//! Makes a tree of matchers of a pattern's parts.
//!
//! Each step decides what a pattern finds, not only how fast: a row has a fixed length, a tree searches for one of its matchers
//! and then on both sides, and each overlooks names of its own. So rows are joined and trees are split in the library's order.

use super::Stop;
use super::matcher::{Matcher, Tree};
use super::parse::Part;

pub(super) fn compile(parts: &[Part]) -> Result<Matcher, Stop> {
    if parts.is_empty() {
        return Ok(Matcher::Nothing);
    }
    let matchers = parts.iter().map(|part| compile_part(part).map(simplify)).collect::<Result<Vec<_>, _>>()?;
    Ok(simplify(tree(join_runs(matchers)?)))
}

fn compile_part(part: &Part) -> Result<Matcher, Stop> {
    Ok(match part {
        Part::Nothing => Matcher::Nothing,
        Part::Text(text) => Matcher::text(text),
        Part::Any => Matcher::Any,
        Part::Super => Matcher::Super,
        Part::Single => Matcher::Single,
        Part::List { negated, characters } => {
            Matcher::List { negated: *negated, characters: characters.chars().collect() }
        }
        Part::Range { negated, low, high } => Matcher::Range { negated: *negated, low: *low, high: *high },
        Part::Row(parts) => compile(parts)?,
        Part::Choice(alternatives) => match factor(alternatives) {
            Some(parts) => compile(&parts)?,
            None => Matcher::AnyOf(
                alternatives.iter().map(|part| compile_part(part).map(simplify)).collect::<Result<Vec<_>, _>>()?,
            ),
        },
    })
}

// === What alternatives share ===

/// `{abc,adc}` as `a{b,d}c`; none, if nothing is shared.
fn factor(alternatives: &[Part]) -> Option<Vec<Part>> {
    let rows: Option<Vec<&[Part]>> =
        alternatives.iter().map(|part| if let Part::Row(row) = part { Some(&row[..]) } else { None }).collect();
    let rows = rows?;
    let (left, right) = shared(&rows);
    if left == 0 && right == 0 {
        return None;
    }
    let mut middles = Vec::new();
    for row in &rows {
        let middle = match &row[left..row.len() - right] {
            [] => Part::Nothing,
            middle => Part::Row(middle.to_vec()),
        };
        if !middles.contains(&middle) {
            middles.push(middle);
        }
    }
    let mut parts = Vec::new();
    if left > 0 {
        parts.push(Part::Row(rows[0][..left].to_vec()));
    }
    match middles.as_slice() {
        [Part::Nothing] => {}
        [_] => parts.append(&mut middles),
        _ => parts.push(Part::Choice(middles)),
    }
    if right > 0 {
        parts.push(Part::Row(rows[0][rows[0].len() - right..].to_vec()));
    }
    Some(parts)
}

/// How many parts all rows begin and end with. Both ends are looked at in turn, so that they do not overlap in the shortest row.
fn shared(rows: &[&[Part]]) -> (usize, usize) {
    let shortest = match rows {
        [] | [_] => 0,
        _ => rows.iter().map(|row| row.len()).min().unwrap_or(0),
    };
    let (mut left, mut right) = (0, 0);
    let (mut left_ends, mut right_ends) = (false, false);
    for index in 0..shortest {
        if left + right >= shortest || (left_ends && right_ends) {
            break;
        }
        let back = shortest - 1 - index;
        left_ends |= rows.iter().any(|row| row[index] != rows[0][index]);
        right_ends |= !left_ends && back <= index;
        right_ends |= rows.iter().any(|row| row[row.len() - 1 - index] != rows[0][rows[0].len() - 1 - index]);
        left += usize::from(!left_ends);
        right += usize::from(!right_ends);
    }
    (left, right)
}

// === Rows ===

/// What neighbours become when they are joined.
enum Joined {
    Row(usize),
    Every { least: usize, most: bool, without: Option<String> },
    Any,
    Super,
}

impl Joined {
    fn len(&self) -> Option<usize> {
        if let Self::Row(len) = self { Some(*len) } else { None }
    }

    fn of(self, matchers: Vec<Matcher>) -> Matcher {
        match self {
            Self::Row(len) => Matcher::Row { matchers, len },
            Self::Any => Matcher::Any,
            Self::Super => Matcher::Super,
            Self::Every { least, most, without } => {
                let mut every = Vec::new();
                if least > 0 {
                    every.push(Matcher::Min(least));
                }
                if least > 0 && most {
                    every.push(Matcher::Max(least));
                }
                every.extend(without.map(|needle| Matcher::Contains { needle, negated: true }));
                Matcher::EveryOf(every)
            }
        }
    }
}

/// Joins the longest run of neighbours that can be, until none can.
fn join_runs(mut matchers: Vec<Matcher>) -> Result<Vec<Matcher>, Stop> {
    while let Some((from, to, joined)) = best_run(&matchers) {
        let run: Vec<Matcher> = matchers.splice(from..to, []).collect();
        matchers.insert(from, joined.of(run));
    }
    Ok(matchers)
}

/// A run is better than one before it if it has more matchers, or if both have a fixed length and its own is greater.
fn best_run(matchers: &[Matcher]) -> Option<(usize, usize, Joined)> {
    let mut best: Option<(usize, usize, Joined)> = None;
    for from in 0..matchers.len() {
        for to in (from + 2..=matchers.len()).rev() {
            let Some(joined) = join(&matchers[from..to]) else { continue };
            let better = best.as_ref().is_none_or(|(start, end, old)| {
                let longer = matches!((old.len(), joined.len()), (Some(old), Some(new)) if new > old);
                longer || end - start < to - from
            });
            if better {
                best = Some((from, to, joined));
            }
        }
    }
    best
}

fn join(matchers: &[Matcher]) -> Option<Joined> {
    if matchers.len() < 2 {
        return None;
    }
    join_as_every(matchers).or_else(|| matchers.iter().map(Matcher::len).sum::<Option<usize>>().map(Joined::Row))
}

/// Neighbours that refuse the same characters, as one check of the length and one of the characters. The library looks for
/// those characters as a word, so that `[!ab][!ab]` refuses `ab` alone.
fn join_as_every(matchers: &[Matcher]) -> Option<Joined> {
    let refused = refused(&matchers[0])?;
    let (mut any, mut least) = (false, 0);
    for matcher in matchers {
        if self::refused(matcher)? != refused {
            return None;
        }
        match matcher {
            Matcher::Super | Matcher::Any => any = true,
            _ => least += 1,
        }
    }
    Some(match (refused.is_empty(), least) {
        // Nothing but `**` refuses nothing, so there is nothing else among them.
        (true, _) => Joined::Super,
        (false, 0) => Joined::Any,
        (false, _) => Joined::Every { least, most: !any, without: Some(refused.iter().collect()) },
    })
}

fn refused(matcher: &Matcher) -> Option<&[char]> {
    match matcher {
        Matcher::Super => Some(&[]),
        Matcher::Any | Matcher::Single => Some(&['/']),
        Matcher::List { negated: true, characters } => Some(characters),
        _ => None,
    }
}

// === Trees ===

/// Splits at the last of the longest matchers of fixed length, or else at the first.
fn tree(mut matchers: Vec<Matcher>) -> Matcher {
    if let Some(joined) = join(&matchers) {
        return joined.of(matchers);
    }
    let longest = matchers.iter().enumerate().filter_map(|(index, matcher)| Some((matcher.len()?, index))).max();
    let right = matchers.split_off(longest.map_or(0, |(_, index)| index) + 1);
    // The split is behind one of the matchers.
    let value = matchers.pop().expect("a row has parts");
    if matchers.is_empty() && right.is_empty() {
        return value;
    }
    let side = |matchers: Vec<Matcher>| (!matchers.is_empty()).then(|| tree(matchers));
    Matcher::Tree(Box::new(Tree { left: side(matchers), value, right: side(right) }))
}

/// The matcher of a kind of its own for what needs no tree. Some of these match more: a prefix and a suffix may overlap.
fn simplify(matcher: Matcher) -> Matcher {
    match matcher {
        Matcher::AnyOf(mut matchers) if matchers.len() == 1 => matchers.remove(0),
        Matcher::List { negated: false, characters } if characters.len() == 1 => {
            Matcher::text(&String::from_iter(characters))
        }
        Matcher::Tree(tree) => {
            let Tree { left, value, right } = *tree;
            simplify_tree(left.map(simplify), value, right.map(simplify))
        }
        other => other,
    }
}

fn simplify_tree(left: Option<Matcher>, value: Matcher, right: Option<Matcher>) -> Matcher {
    use Matcher::{Any, Contains, Prefix, PrefixAny, PrefixSuffix, Suffix, SuffixAny, Super, Text};
    let Text { text, .. } = value else { return Matcher::Tree(Box::new(Tree { left, value, right })) };
    match (left, right) {
        (None, None) => Matcher::text(&text),
        (Some(Super), Some(Super)) => Contains { needle: text, negated: false },
        (Some(Super), None) => Suffix(text),
        (None, Some(Super)) => Prefix(text),
        (None, Some(Suffix(suffix))) => PrefixSuffix(text, suffix),
        (Some(Prefix(prefix)), None) => PrefixSuffix(prefix, text),
        (Some(Any), None) => SuffixAny(text),
        (None, Some(Any)) => PrefixAny(text),
        (left, right) => Matcher::Tree(Box::new(Tree { left, value: Matcher::text(&text), right })),
    }
}
