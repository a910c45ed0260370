//! Memory of tasks that have ended, kept for the next ones.
//!
//! Programs spawn the same few futures over and over. A block is kept by its size, in steps of a
//! cache line, so that spawning does not have to ask the allocator most of the time.

use std::alloc::Layout;
use std::cell::RefCell;
use std::ptr::NonNull;

/// The size of a step, and how many there are: blocks of up to a kilobyte are kept.
const STEP: usize = 64;
const STEPS: usize = 16;

/// How many blocks of a size are kept at most.
const KEPT: usize = 1024;

/// Blocks that nobody uses, by their size in steps.
#[derive(Default)]
pub(crate) struct Blocks {
    kept: RefCell<[Vec<NonNull<u8>>; STEPS]>,
}

impl Blocks {
    /// Returns the layout of the block for a value of `layout`, if such a block is one to be kept.
    pub(super) fn layout(layout: Layout) -> Option<Layout> {
        let steps = layout.size().div_ceil(STEP);
        let fits = (1..=STEPS).contains(&steps) && layout.align() <= align_of::<u128>();
        fits.then(|| Layout::from_size_align(steps * STEP, align_of::<u128>()).ok())
            .flatten()
    }

    /// Takes a block of exactly this layout, if one has been kept.
    #[inline]
    pub(super) fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.kept.borrow_mut()[layout.size() / STEP - 1].pop()
    }

    /// Keeps a block of exactly this layout, or returns it if there are enough.
    #[inline]
    pub(super) fn keep(&self, layout: Layout, block: NonNull<u8>) -> Result<(), NonNull<u8>> {
        let kept = &mut self.kept.borrow_mut()[layout.size() / STEP - 1];
        if kept.len() >= KEPT {
            return Err(block);
        }
        kept.push(block);
        Ok(())
    }

    /// Takes all blocks, each with its layout.
    pub(super) fn drain(&self) -> impl Iterator<Item = (Layout, NonNull<u8>)> {
        let kept = self.kept.take();
        kept.into_iter().enumerate().flat_map(|(place, blocks)| {
            let layout = Layout::from_size_align((place + 1) * STEP, align_of::<u128>());
            blocks
                .into_iter()
                .filter_map(move |block| Some((layout.clone().ok()?, block)))
        })
    }
}
