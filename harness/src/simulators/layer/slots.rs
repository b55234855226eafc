//! Numbered slots with serial numbers, so that a key of something gone does not reach what came after it.

/// Slots that are reused under a new serial number.
pub(crate) struct Slots<T> {
    slots: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        Slots { slots: Vec::new(), free: Vec::new() }
    }

    /// Returns the slot and its serial number.
    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> (u32, u32) {
        self.insert_with(|_, _| value)
    }

    /// The same with a value that knows its slot and its serial number.
    #[inline]
    pub(crate) fn insert_with(&mut self, value: impl FnOnce(u32, u32) -> T) -> (u32, u32) {
        if let Some(slot) = self.free.pop() {
            let (serial, place) = &mut self.slots[slot as usize];
            *place = Some(value(slot, *serial));
            (slot, *serial)
        } else {
            let slot = self.slots.len() as u32;
            self.slots.push((0, Some(value(slot, 0))));
            (slot, 0)
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: u32, serial: u32) -> Option<&mut T> {
        match self.slots.get_mut(slot as usize) {
            Some((s, value)) if *s == serial => value.as_mut(),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, slot: u32, serial: u32) -> Option<T> {
        match self.slots.get_mut(slot as usize) {
            Some((s, value)) if *s == serial => {
                let taken = value.take()?;
                *s = s.wrapping_add(1);
                self.free.push(slot);
                Some(taken)
            }
            _ => None,
        }
    }

    /// All values with their slots and serial numbers, by slot.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, u32, &mut T)> {
        (0..).zip(&mut self.slots).filter_map(|(i, (serial, value))| value.as_mut().map(|v| (i, *serial, v)))
    }
}
