//! The order of a mapping's keys in written YAML: go-yaml's "natural" order, `k2` before `k10`.

use std::cmp::Ordering;

/// Compares two keys as go-yaml does when it writes a mapping.
pub fn compare_keys(left: &str, right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    if less(left, right) {
        Ordering::Less
    } else if less(right, left) {
        Ordering::Greater
    } else {
        left.cmp(right)
    }
}

/// Puts entries in the order of their keys.
///
/// go-yaml's order is none in the strict sense: of three keys, each may come before the next, all around. What Go makes of
/// such keys is up to chance; here it is always the same. (The standard library's sort refuses them with a panic.)
pub fn sort_by_keys<T>(entries: &mut Vec<T>, key: impl Fn(&T) -> &str + Copy) {
    /// Entries up to which to shift them is quicker than to merge.
    const FEW: usize = 16;
    let is_before = |left: &T, right: &T| compare_keys(key(left), key(right)).is_lt();
    if entries.len() <= FEW {
        for sorted in 1..entries.len() {
            let mut at = sorted;
            while at > 0 && is_before(&entries[at], &entries[at - 1]) {
                entries.swap(at, at - 1);
                at -= 1;
            }
        }
        return;
    }
    let mut right = entries.split_off(entries.len() / 2);
    sort_by_keys(entries, key);
    sort_by_keys(&mut right, key);
    let mut left = std::mem::take(entries).into_iter().peekable();
    let mut right = right.into_iter().peekable();
    while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
        let next = if is_before(second, first) { right.next() } else { left.next() };
        entries.extend(next);
    }
    entries.extend(left.chain(right));
}

fn less(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return less_by(left.as_bytes(), right.as_bytes());
    }
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    less_by(&left, &right)
}

/// A character, or a byte where the text is ASCII.
trait Unit: Copy + PartialOrd {
    fn is_letter(self) -> bool;
    fn digit(self) -> Option<i64>;
}

impl Unit for u8 {
    fn is_letter(self) -> bool {
        self.is_ascii_alphabetic()
    }
    fn digit(self) -> Option<i64> {
        self.is_ascii_digit().then(|| i64::from(self - b'0'))
    }
}

impl Unit for char {
    fn is_letter(self) -> bool {
        kpkg_gounicode::is_letter(self)
    }
    fn digit(self) -> Option<i64> {
        // Go subtracts '0' from any Unicode digit; the order among those is no one's concern.
        kpkg_gounicode::is_digit(self).then(|| i64::from(u32::from(self)) - i64::from(u32::from('0')))
    }
}

fn less_by<T: Unit>(left: &[T], right: &[T]) -> bool {
    let Some(index) = left.iter().zip(right).position(|(left, right)| left != right) else {
        return left.len() < right.len();
    };
    let (l, r) = (left[index], right[index]);
    match (l.is_letter(), r.is_letter()) {
        (true, true) => return l < r,
        (true, false) | (false, true) => return r.is_letter(),
        (false, false) => {}
    }
    // Within a number, a zero counts only after another digit that is not zero.
    let mut start = 0;
    if l.digit() == Some(0) || r.digit() == Some(0) {
        let before = left[..index].iter().rev().map_while(|unit| unit.digit()).any(|digit| digit != 0);
        start = i64::from(before);
    }
    let (left_number, left_end) = number(left, index, start);
    let (right_number, right_end) = number(right, index, start);
    if left_number != right_number {
        return left_number < right_number;
    }
    if left_end != right_end {
        return left_end < right_end;
    }
    l < r
}

fn number<T: Unit>(text: &[T], from: usize, start: i64) -> (i64, usize) {
    let mut value = start;
    let mut end = from;
    while let Some(digit) = text.get(end).and_then(|unit| unit.digit()) {
        value = value.wrapping_mul(10).wrapping_add(digit);
        end += 1;
    }
    (value, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natural_order() {
        let mut keys = vec!["k10", "k2", "k", "K", "a.b", "a-b", "ab", "a1", "_x", "1", "10", "9", "k02", "é"];
        sort_by_keys(&mut keys, |key| key);
        assert_eq!(keys, ["_x", "1", "9", "10", "K", "a-b", "a.b", "a1", "ab", "k", "k2", "k02", "k10", "é"]);
    }
    /// Keys of few characters, of which many stand in no strict order.
    #[test]
    fn keys_without_a_strict_order() {
        let mut state = 1_u64;
        let mut draw = |limit: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from((state >> 33) % limit).expect("a small number")
        };
        for count in [3, 16, 17, 100, 1000] {
            let mut letters = || (0..draw(7)).map(|_| char::from(b"09: -a"[draw(6)])).collect::<String>();
            let keys: Vec<String> = (0..count).map(|_| letters()).collect();
            let mut sorted = keys.clone();
            sort_by_keys(&mut sorted, |key| key);
            let by_bytes = |mut keys: Vec<String>| {
                keys.sort();
                keys
            };
            assert_eq!(by_bytes(sorted), by_bytes(keys));
        }
    }
}
