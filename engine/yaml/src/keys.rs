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
        self.is_alphabetic()
    }
    fn digit(self) -> Option<i64> {
        // Go subtracts '0' from any Unicode digit; the order among those is no one's concern.
        self.is_numeric().then(|| i64::from(u32::from(self)) - i64::from(u32::from('0')))
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
        keys.sort_by(|left, right| compare_keys(left, right));
        assert_eq!(keys, ["_x", "1", "9", "10", "K", "a-b", "a.b", "a1", "ab", "k", "k2", "k02", "k10", "é"]);
    }
}
