//! Sets of completion indexes, as statuses write them: `0-2,5`.

use std::collections::BTreeSet;

/// A set of indexes.
pub(super) type Indexes = BTreeSet<i32>;

/// Reads a set; what is no index is left out. Nothing beyond `limit` is taken, however long a range says it is.
pub(super) fn parse(text: &str, limit: i32) -> Indexes {
    let mut set = Indexes::new();
    for part in text.split(',') {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(low), Ok(high)) = (low.trim().parse::<i32>(), high.trim().parse::<i32>()) {
            set.extend((low..=high.min(limit - 1)).filter(|index| *index >= 0));
        }
    }
    set
}

/// Writes a set: two neighbours with a comma, more as a range.
pub(super) fn format(set: &Indexes) -> String {
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for index in set {
        match ranges.last_mut() {
            Some((_, high)) if *high + 1 == *index => *high = *index,
            _ => ranges.push((*index, *index)),
        }
    }
    let texts: Vec<String> = ranges
        .into_iter()
        .map(|(low, high)| match high - low {
            0 => low.to_string(),
            1 => format!("{low},{high}"),
            _ => format!("{low}-{high}"),
        })
        .collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_and_written() {
        for text in ["", "3", "0,1", "0-2", "1,3-5,7,8"] {
            assert_eq!(format(&parse(text, 100)), text);
        }
        assert_eq!(parse("0-2000000000,x,-1", 3), Indexes::from([0, 1, 2]));
    }
}
