//! Frequency: the window's visitors of a place by the number of days on which each came.

/// The classes by their words, each with its lower bound, which is included.
pub(crate) const CLASSES: [(&str, u8); 5] = [("1", 1), ("2-3", 2), ("4-7", 4), ("8-14", 8), ("15+", 15)];

/// The class of a number of days.
pub(crate) fn class_of(days: u8) -> usize {
    CLASSES.iter().rposition(|(_, from)| days >= *from).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_days_has_its_class() {
        let class = |days| CLASSES[class_of(days)].0;
        let found: Vec<_> = [1, 2, 3, 4, 7, 8, 14, 15, 92].map(class).to_vec();
        assert_eq!(found, ["1", "2-3", "2-3", "4-7", "4-7", "8-14", "8-14", "15+", "15+"]);
    }
}
