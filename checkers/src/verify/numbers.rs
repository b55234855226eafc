//! Keys and values as numbers, counted from 0 in the order in which they first appear: what is compared often is compared as
//! such. Equal numbers mean equal values.

use crate::{partition::FixedMap, value::Value};

/// One number for each value. Small integers are looked up in a table, which most keys and values are.
pub(super) struct Numbers<'h> {
    /// By integer; `NONE` for those that have not appeared.
    small: Vec<u32>,
    small_max: usize,
    large: FixedMap<i64, u32>,
    others: FixedMap<&'h Value, u32>,
    /// The last of the others: many histories have one key.
    last: Option<(&'h Value, u32)>,
    count: u32,
}

const NONE: u32 = u32::MAX;

impl<'h> Numbers<'h> {
    /// For a history of so many operations.
    pub(super) fn new(operations: usize) -> Self {
        Numbers {
            small: Vec::new(),
            // So that the table takes no more memory than the history.
            small_max: 16 * operations,
            large: FixedMap::default(),
            others: FixedMap::default(),
            last: None,
            count: 0,
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count as usize
    }

    /// The number of a value.
    #[inline]
    pub(super) fn of(&mut self, value: &'h Value) -> u32 {
        match (value, self.last) {
            (Value::Int(int), _) => self.of_int(*int),
            (value, Some((last, number))) if last == value => number,
            (value, _) => {
                let number = *self.others.entry(value).or_insert(self.count);
                self.count += u32::from(number == self.count);
                self.last = Some((value, number));
                number
            }
        }
    }

    /// The number of an integer.
    #[inline]
    pub(super) fn of_int(&mut self, int: i64) -> u32 {
        let number = match usize::try_from(int) {
            Ok(place) if place < self.small_max => {
                if place >= self.small.len() {
                    self.small.resize((place + 1).next_power_of_two().min(self.small_max), NONE);
                }
                &mut self.small[place]
            }
            _ => self.large.entry(int).or_insert(NONE),
        };
        if *number == NONE {
            *number = self.count;
            self.count += 1;
        }
        *number
    }

    /// The number of a value that has appeared.
    pub(super) fn known(&self, value: &Value) -> Option<u32> {
        let number = match value {
            Value::Int(int) => match usize::try_from(*int) {
                Ok(place) if place < self.small_max => self.small.get(place),
                _ => self.large.get(int),
            },
            other => self.others.get(other),
        };
        number.copied().filter(|number| *number != NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_numbers() {
        let int = Value::Int;
        let values =
            [int(3), int(-1), Value::Nil, int(1 << 40), int(31), int(32), "a".into(), int(i64::MAX), "".into()];
        let mut numbers = Numbers::new(2);
        assert_eq!(values.iter().map(|value| numbers.known(value)).collect::<Vec<_>>(), [None; 9]);
        for _ in 0..2 {
            let given: Vec<u32> = values.iter().map(|value| numbers.of(value)).collect();
            assert_eq!(given, (0..9).collect::<Vec<u32>>());
            assert!(values.iter().zip(0..).all(|(value, number)| numbers.known(value) == Some(number)));
        }
        assert_eq!((numbers.len(), numbers.known(&int(4)), numbers.known(&Value::Bool(true))), (9, None, None));
    }
}
