//! Faults, decided here for every simulator.
