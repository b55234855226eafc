//! Puts one of two torn chains first until none are torn; what an impossible choice rests on says how far to go back
//! (conflict-directed backjumping, Prosser 1993).

use super::{
    arrange::{Arrangement, Choice, Impossible, tidy},
    line::{Circle, Line},
};
use crate::{budget::Meter, verdict::Reason};

/// What is remembered of a choice that was made.
struct Made {
    choice: Choice,
    tried: u8,
    /// The earlier choices, by their number from 1, that what failed so far rests on.
    because: Vec<u32>,
    /// The vertices of the circles that were closed.
    core: Vec<u32>,
}

/// Makes choices until no chains are torn, of the keys in `torn` and of those that this moves. Answers why it cannot be done, if
/// so; in an error how many were made.
pub(super) fn search(
    all: &Arrangement<'_, '_>,
    mut torn: Vec<u32>,
    line: &mut Line,
    meter: &mut Meter,
) -> Result<Option<Impossible>, (Reason, usize)> {
    let mut made: Vec<Made> = Vec::new();
    let mut is_torn = vec![false; all.known.keys.len()];
    for key in &torn {
        is_torn[*key as usize] = true;
    }
    loop {
        for vertex in line.moved() {
            let vertex = all.isolation.txn(vertex);
            if (vertex as usize) < all.known.len() {
                let read = all.known.reads(vertex).iter().map(|read| read.key);
                let keys = read.chain(all.known.writes(vertex).iter().copied());
                torn.extend(keys.filter(|key| !std::mem::replace(&mut is_torn[*key as usize], true)));
            }
        }
        let Some(&key) = torn.last() else { return Ok(None) };
        meter.step(0).map_err(|reason| (reason, made.len()))?;
        let Some(choice) = all.torn(key, line.places()) else {
            torn.pop();
            is_torn[key as usize] = false;
            continue;
        };
        made.push(Made { choice, tried: 0, because: Vec::new(), core: Vec::new() });
        let last = make(all, &mut made, line, meter).map_err(|reason| (reason, made.len()))?;
        if let Some(Made { choice, core, .. }) = last {
            return Ok(Some(Impossible { core, key: choice.key }));
        }
    }
}

/// Makes the last choice. Where it cannot be made either way, goes back to the last one that this rests on; answers the one
/// that cannot be made where there is none.
fn make(
    all: &Arrangement<'_, '_>,
    made: &mut Vec<Made>,
    line: &mut Line,
    meter: &mut Meter,
) -> Result<Option<Made>, Reason> {
    loop {
        let number = made.len() as u32;
        let Some(this) = made.last_mut() else { unreachable!("going back ends at the first choice") };
        if this.tried == 2 {
            let Some(&target) = this.because.iter().max() else { return Ok(made.pop()) };
            let Made { because, core, .. } = made.swap_remove(number as usize - 1);
            line.take_back(target);
            made.truncate(target as usize);
            let earlier = &mut made[target as usize - 1];
            earlier.because.extend(because.into_iter().filter(|b| *b != target));
            earlier.core.extend(core);
            tidy(&mut earlier.because);
            tidy(&mut earlier.core);
            continue;
        }
        let choice = if this.tried == 0 { this.choice } else { this.choice.turned() };
        this.tried += 1;
        let mut circle = None;
        for (from, to) in all.before(choice) {
            circle = line.add(from, to, number, meter)?;
            if circle.is_some() {
                break;
            }
        }
        let Some(Circle { vertices, levels }) = circle else { return Ok(None) };
        line.take_back(number);
        this.because.extend(levels.into_iter().filter(|l| *l != 0 && *l != number));
        this.core.extend(vertices);
        tidy(&mut this.because);
        tidy(&mut this.core);
    }
}
