//! Random histories of every object judged by our engine, by porcupine-rs and by stateright's testers, which must never
//! contradict each other. The same with millions of histories: `cargo run --release -p squall-checkers --example differential`.

mod generate;
mod judges;
mod object;
mod peers;

#[test]
fn our_verdicts_are_those_of_others() {
    let mut tally = judges::Tally::default();
    for number in 0..10_000 {
        if let Err(wrong) = tally.add(&generate::Sample::new(0, number)) {
            panic!("history {number}: {wrong}");
        }
    }
    println!("{tally}");
    assert_eq!(tally.skew(), None);
}

#[cfg(feature = "second-opinion")]
#[test]
fn the_second_opinion_agrees() {
    use squall_checkers::{budget::Budget, formats, models};
    for number in 0..1_000 {
        let sample = generate::Sample::new(1, number);
        let history = sample.history();
        let model = (models::model(sample.object.model()).expect("it is in the catalogue").build)();
        let ours = model.linearizable(&history, &Budget::default());
        let theirs = model.second_opinion(&history, std::time::Duration::from_secs(20));
        let says = |verdict: &squall_checkers::verdict::Verdict| (verdict.is_valid(), verdict.is_invalid());
        assert_eq!(says(&ours), says(&theirs), "history {number}:\n{}", formats::text::write(&history));
    }
}
