//! Measures rows and prints them.

use std::time::Duration;

const ROUNDS: usize = 7;

/// Rows of figures, one column per contestant, of which the first is roundel.
pub struct Table {
    chosen: Option<String>,
    columns: usize,
}

impl Table {
    /// Prints the head of a table. The targets are multiples of the second contestant's speed.
    pub fn new(names: &[&str]) -> Self {
        print!("\n{:28} {:>9}", "ns per operation", "ns");
        for name in &names[1..] {
            print!(" {name:>16}");
        }
        println!();
        let chosen = std::env::args()
            .nth(1)
            .filter(|argument| !argument.starts_with('-'));
        Self {
            chosen,
            columns: names.len(),
        }
    }

    pub fn is_chosen(&self, name: &str) -> bool {
        self.chosen
            .as_ref()
            .is_none_or(|chosen| name.contains(chosen))
    }

    /// Measures `contestants`, each of which does so many operations at a call. One that can't
    /// gives the longest time there is.
    pub fn row(
        &self,
        name: &str,
        target: impl Into<Option<f64>>,
        count: u32,
        contestants: &mut [&mut dyn FnMut(u32) -> Duration],
    ) {
        if !self.is_chosen(name) {
            return;
        }
        let mut best = vec![Duration::MAX; self.columns];
        for _ in 0..ROUNDS {
            for (best, contestant) in best.iter_mut().zip(&mut *contestants) {
                *best = contestant(count).min(*best);
            }
        }
        let own = best[0].as_secs_f64();
        let mut target = target.into();
        print!("{name:28} {:9.1}", own * 1e9 / f64::from(count));
        for other in &best[1..] {
            if *other == Duration::MAX {
                print!(" {:>16}", "-");
                continue;
            }
            let ratio = other.as_secs_f64() / own;
            let target = target.take().map(|target| format!("/{target}"));
            let target = target.unwrap_or_default();
            let cell = format!("{ratio:.2}{target}");
            let nanoseconds = format!("({:.0})", other.as_secs_f64() * 1e9 / f64::from(count));
            print!(" {cell:>9} {nanoseconds:>6}");
        }
        println!();
    }
}
