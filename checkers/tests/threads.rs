//! Verdict and evidence are the same for any number of threads, whatever the budget.

mod generator;

use generator::Shape;
use squall_checkers::{budget::Budget, linearizability::check_with_threads, models::CasRegister, verdict::Verdict};

#[test]
fn any_number_of_threads_says_the_same() {
    let mut counts = [0; 3];
    for seed in 0..150 {
        let shape = Shape {
            operations: 300,
            processes: 8,
            keys: 1 + seed as usize % 9,
            values: [0, 3][seed as usize / 9 % 2],
            cas: seed % 3 > 0,
            unknown_per_mille: 50,
            stale: seed % 4 == 0,
        };
        let history = generator::history(shape, seed);
        for steps in [40, 400, 4_000, Budget::default().steps] {
            let budget = Budget { steps, ..Budget::default() };
            let alone = check_with_threads(&CasRegister, &history, &budget, 1);
            counts[match alone {
                Verdict::Valid { .. } => 0,
                Verdict::Unknown { .. } => 1,
                Verdict::Invalid { .. } => 2,
            }] += 1;
            for threads in [2, 3, 16] {
                let together = check_with_threads(&CasRegister, &history, &budget, threads);
                assert_eq!(alone, together, "seed {seed}, {steps} steps, {threads} threads");
            }
        }
    }
    assert!(counts.iter().all(|count| *count > 30), "{counts:?} are valid, unknown, invalid");
}

/// Long enough to be gone through in three parts.
#[test]
fn long_histories_of_registers_too() {
    let mut counts = [0; 2];
    for seed in 0..12 {
        let shape = Shape {
            operations: 80_000,
            processes: [3, 40][seed as usize % 2],
            keys: [1, 7, 500][seed as usize % 3],
            values: 0,
            cas: false,
            unknown_per_mille: 1,
            stale: seed % 4 > 1,
        };
        let history = generator::history(shape, seed);
        let check = |threads| check_with_threads(&CasRegister, &history, &Budget::default(), threads);
        let alone = check(1);
        counts[usize::from(alone.is_valid())] += 1;
        for threads in [2, 3] {
            assert_eq!(check(threads), alone, "seed {seed}, {threads} threads");
        }
    }
    assert!(counts.iter().all(|count| *count > 3), "{counts:?} are invalid and valid");
}
