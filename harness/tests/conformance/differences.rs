//! Where a simulator differs from the others, and why it may. Whoever is listed here has to differ: a line that is not needed any
//! more fails the suite.

/// A fact that does not hold on a simulator.
pub(crate) struct Difference {
    /// Its name.
    pub(crate) simulator: &'static str,
    /// The fact: `theme::test`.
    pub(crate) fact: &'static str,
    /// What is so there instead, and why it cannot be helped.
    pub(crate) why: &'static str,
}

/// All of them.
pub(crate) const DIFFERENCES: &[Difference] = &[];
