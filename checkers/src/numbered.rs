//! Keys, and values under a key, as numbers. Small integers, which most of them are, are looked up without hashing.

use crate::{partition::FixedMap, value::Value};

/// No number.
pub(crate) const NONE: u32 = u32::MAX;

/// An integer that is small enough to be a place in a table.
fn small(integer: i64, small_max: usize) -> Option<usize> {
    usize::try_from(integer).ok().filter(|i| *i < small_max)
}

/// The place of a small integer.
fn at(table: &mut Vec<u32>, i: usize) -> &mut u32 {
    if table.len() <= i {
        table.resize(i + 1, NONE);
    }
    &mut table[i]
}

/// Keys as numbers, counted from 0 in the order in which they first appear.
#[derive(Debug)]
pub(crate) struct Keys<'h> {
    pub(crate) all: Vec<&'h Value>,
    small: Vec<u32>,
    small_max: usize,
    integers: FixedMap<i64, u32>,
    others: FixedMap<&'h Value, u32>,
}

impl<'h> Keys<'h> {
    /// Integers below `small_max` are not hashed; a table of so many numbers is not too large.
    pub(crate) fn new(small_max: usize) -> Self {
        let (integers, others) = (FixedMap::default(), FixedMap::default());
        Keys { all: Vec::new(), small: Vec::new(), small_max, integers, others }
    }

    #[inline]
    pub(crate) fn of(&mut self, key: &'h Value) -> u32 {
        let place = match key {
            Value::Int(key) => match small(*key, self.small_max) {
                Some(i) => at(&mut self.small, i),
                None => self.integers.entry(*key).or_insert(NONE),
            },
            key => {
                // Many histories are about one key.
                if let [only] = self.all[..]
                    && only == key
                {
                    return 0;
                }
                self.others.entry(key).or_insert(NONE)
            }
        };
        if *place == NONE {
            *place = self.all.len() as u32;
            self.all.push(key);
        }
        *place
    }
}

/// What a value is known by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known<'h> {
    Integer(i64),
    Other(&'h Value),
}

impl<'h> Known<'h> {
    fn new(value: &'h Value) -> Self {
        if let Value::Int(i) = value { Known::Integer(*i) } else { Known::Other(value) }
    }
}

/// What is known of each value under each key: a number that is [`NONE`] at first.
#[derive(Debug)]
pub(crate) struct Values<'h> {
    /// By integer: the number under one of the keys.
    small: Vec<u32>,
    small_max: usize,
    integers: FixedMap<(u32, i64), u32>,
    others: FixedMap<(u32, &'h Value), u32>,
}

impl<'h> Values<'h> {
    /// Integers below `small_max` are hashed only where several keys have the same.
    pub(crate) fn new(small_max: usize) -> Self {
        Values { small: Vec::new(), small_max, integers: FixedMap::default(), others: FixedMap::default() }
    }

    /// Where the number of a value under a key stands. `key_of` says under which key a number is.
    #[inline]
    pub(crate) fn place(&mut self, key: u32, value: &'h Value, key_of: impl Fn(u32) -> u32) -> &mut u32 {
        self.place_of(key, Known::new(value), key_of)
    }

    /// The same of a value that another table knows.
    #[inline]
    pub(crate) fn place_of(&mut self, key: u32, value: Known<'h>, key_of: impl Fn(u32) -> u32) -> &mut u32 {
        match value {
            Known::Integer(integer) => {
                if let Some(i) = small(integer, self.small_max) {
                    let place = at(&mut self.small, i);
                    if *place == NONE || key_of(*place) == key {
                        return place;
                    }
                }
                self.integers.entry((key, integer)).or_insert(NONE)
            }
            Known::Other(value) => self.others.entry((key, value)).or_insert(NONE),
        }
    }

    /// The number of a value under a key.
    fn find(&self, key: u32, value: Known<'h>, key_of: impl Fn(u32) -> u32) -> Option<u32> {
        match value {
            Known::Integer(integer) => {
                match small(integer, self.small_max).map(|i| self.small.get(i).copied().unwrap_or(NONE)) {
                    Some(NONE) => None,
                    Some(number) if key_of(number) == key => Some(number),
                    _ => self.integers.get(&(key, integer)).copied(),
                }
            }
            Known::Other(value) => self.others.get(&(key, value)).copied(),
        }
    }

    /// Tells both numbers of each value that `other` knows, too, in no order that means anything. Both take the same integers to
    /// be small. `key_of` and `other_key_of` say under which key a number is.
    #[expect(clippy::needless_bitwise_bool, reason = "a lazy operator branches")]
    pub(crate) fn common(
        &self,
        key_of: impl Fn(u32) -> u32,
        other: &Values<'h>,
        other_key_of: impl Fn(u32) -> u32,
        mut tell: impl FnMut(u32, u32),
    ) {
        debug_assert_eq!(self.small_max, other.small_max);
        let mut look = |value, number| {
            if let Some(own) = self.find(other_key_of(number), value, &key_of) {
                tell(own, number);
            }
        };
        for (i, (&own, &number)) in (0..).zip(self.small.iter().zip(&other.small)) {
            // Whether there is a number is anybody's guess, but seldom are there two.
            if (own != NONE) & (number != NONE) {
                look(Known::Integer(i), number);
            }
        }
        other.integers.iter().for_each(|(&(_, i), &number)| look(Known::Integer(i), number));
        other.others.iter().for_each(|(&(_, value), &number)| look(Known::Other(value), number));
    }

    /// Tells each key, value and number, in no order that means anything. `key_of` says under which key a number is.
    pub(crate) fn each(&self, key_of: impl Fn(u32) -> u32, mut tell: impl FnMut(u32, Known<'h>, u32)) {
        let small = (0..).zip(&self.small).filter(|(_, number)| **number != NONE);
        small.for_each(|(i, &number)| tell(key_of(number), Known::Integer(i), number));
        self.integers.iter().for_each(|(&(_, i), &number)| tell(key_of(number), Known::Integer(i), number));
        self.others.iter().for_each(|(&(_, value), &number)| tell(key_of(number), Known::Other(value), number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_and_values_have_equal_numbers() {
        let values =
            [3.into(), Value::Int(-1), Value::Nil, Value::Int(1 << 40), 31.into(), 32.into(), "a".into(), "".into()];
        for only in &values {
            let mut keys = Keys::new(32);
            assert_eq!([keys.of(only), keys.of(only)], [0, 0]);
        }
        let mut keys = Keys::new(32);
        let mut numbers = Values::new(32);
        let mut key_of: Vec<u32> = Vec::new();
        for _ in 0..2 {
            assert!(values.iter().map(|key| keys.of(key)).eq(0..values.len() as u32));
            let mut expected = 0;
            for value in &values {
                for key in 0..3 {
                    let place = numbers.place(key, value, |number| key_of[number as usize]);
                    if *place == NONE {
                        *place = key_of.len() as u32;
                        key_of.push(key);
                    }
                    assert_eq!(*place, expected);
                    expected += 1;
                }
            }
        }
    }

    #[test]
    fn what_two_tables_know_is_found() {
        let values =
            [3.into(), Value::Int(-1), Value::Nil, Value::Int(1 << 40), 31.into(), 32.into(), "a".into(), "".into()];
        let known: Vec<(u32, &Value)> = (0..3).flat_map(|key| values.iter().map(move |value| (key, value))).collect();
        let key_of = |number: u32| known[number as usize].0;
        // Each of two knows some of them, by what each is among all; which came first is not the same in both.
        for seed in 0_u32..1_000 {
            let is_in = |table: u32, i: u32| (seed.wrapping_mul(2_654_435_761) >> (7 * table + i % 11)) & 1 == 1;
            let (mut tables, mut expected) = ([Values::new(32), Values::new(32)], Vec::new());
            let ascending = 0..known.len() as u32;
            let mut numbers = ascending.clone().chain(ascending.clone().rev());
            for (table, own) in (0..).zip(&mut tables) {
                for i in numbers.by_ref().take(known.len()).filter(|i| is_in(table, *i)) {
                    *own.place(key_of(i), known[i as usize].1, key_of) = i;
                }
            }
            for i in ascending.filter(|i| is_in(0, *i) && is_in(1, *i)) {
                expected.push((i, i));
            }
            let mut found = Vec::new();
            tables[0].common(key_of, &tables[1], key_of, |own, other| found.push((own, other)));
            found.sort_unstable();
            assert_eq!(found, expected, "seed {seed}");
        }
    }
}
