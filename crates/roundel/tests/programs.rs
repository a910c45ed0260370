//! The example programs, on the virtual clock: what they print, to the line.

use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs an example, which `cargo nextest run` or `cargo build --examples` has built beside the tests, or `cargo test`
/// if it is not told what to test: `--tests` leaves examples out, and `--examples` makes tests of them.
fn run(example: &str, arguments: &[&str]) -> Output {
    let mut path: PathBuf = std::env::current_exe().expect("a program in a file");
    path.pop();
    path.pop();
    path.push("examples");
    path.push(example);
    let output = Command::new(&path)
        .args(arguments)
        .arg("--virtual-time")
        .output();
    output.unwrap_or_else(|error| panic!("{}, of cargo build --examples: {error}", path.display()))
}

/// Checks what an example prints, first come, first served and under many seeds.
fn check(example: &str, expected: &[String]) {
    let seeds: Vec<String> = (0..20).map(|seed| seed.to_string()).collect();
    let orders = seeds.iter().map(|seed| vec!["--order", seed]);
    for arguments in orders.chain([vec![]]) {
        let output = run(example, &arguments);
        let printed = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<_> = printed.lines().collect();
        assert_eq!(lines, expected, "{example} {arguments:?}");
        assert!(output.status.success());
    }
}

fn ten_rounds() -> Vec<String> {
    let rounds = (1..=10).map(|number| format!("Round {number}"));
    rounds.chain(["[End of input]".to_owned()]).collect()
}

#[test]
fn a_producer_and_a_consumer_share_a_queue() {
    check("queue", &ten_rounds());
}

#[test]
fn the_consumer_sets_the_pace() {
    check("pace", &ten_rounds());
}

#[test]
fn the_consumer_goes_round_three_producers() {
    let rounds = (1..=5).flat_map(|number| ["a", "b", "c"].map(|name| (name, number)));
    let rounds = rounds.map(|(name, number)| format!("Round {name}{number}"));
    check(
        "iteration",
        &rounds
            .chain(["[End of input]".to_owned()])
            .collect::<Vec<_>>(),
    );
}

#[test]
fn awaiting_one_after_the_other_is_reported_as_a_deadlock() {
    let output = run("queue", &["--sequential"]);
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(report.starts_with("deadlock:"), "{report}");
    assert!(
        report.contains("main awaits Queue::put, of the queue made at"),
        "{report}"
    );
}

#[test]
fn a_pipeline_goes_at_the_pace_of_its_slowest_stage() {
    let output = run("pipeline", &[]);
    let printed = String::from_utf8_lossy(&output.stdout);
    let taken: Vec<_> = printed
        .lines()
        .filter(|line| line.contains("after"))
        .collect();
    let expected = [1, 4, 9, 16, 25, 36]
        .into_iter()
        .zip([4, 7, 10, 13, 16, 19]);
    let expected = expected.map(|(square, seconds)| format!("    {square} after {seconds} s"));
    assert!(taken.into_iter().eq(expected), "{printed}");
    assert!(
        printed.find("5 made") > printed.find("    1 after"),
        "back-pressure"
    );
}

#[test]
fn the_servers_serve_themselves_once() {
    let output = run("echo", &["--once"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\n");
    let output = run("chat", &["--once"]);
    let expected = "ann reads \"bob: hello\"\nann reads \"cid: hello\"\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
