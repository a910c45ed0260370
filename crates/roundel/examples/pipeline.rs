//! A pipeline with back-pressure: three stages at different speeds, with short queues between.
//!
//! A stage that is faster than the next one waits for room, so that nothing piles up. When the source
//! has ended, each stage shuts the next queue down, and the pipeline runs dry.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints"
)]

mod arguments;

use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use roundel::{Error, Queue, now, sleep, task_group};

/// Makes numbers, as fast as they are taken.
async fn count(output: Rc<Queue<u32>>) -> Result<(), Error> {
    for number in 1..=6 {
        output.put(number).await?;
        println!("{number} made");
    }
    output.shutdown();
    Ok(())
}

/// Squares them, a second each.
async fn square(input: Rc<Queue<u32>>, output: Rc<Queue<u32>>) -> Result<(), Error> {
    while let Ok(number) = input.get().await {
        sleep(Duration::from_secs(1)).await;
        output.put(number * number).await?;
    }
    output.shutdown();
    Ok(())
}

/// Prints them, three seconds each: the pace of it all.
async fn print(input: Rc<Queue<u32>>) -> Result<(), Error> {
    let began = now();
    while let Ok(number) = input.get().await {
        sleep(Duration::from_secs(3)).await;
        println!("    {number} after {} s", (now() - began).as_secs());
    }
    Ok(())
}

fn main() -> ExitCode {
    arguments::run(task_group(async |group| {
        let [numbers, squares] = [(); 2].map(|()| Rc::new(Queue::bounded(1)));
        group.spawn(count(Rc::clone(&numbers)));
        group.spawn(square(numbers, Rc::clone(&squares)));
        group.spawn(print(squares));
        Ok(())
    }))
}
