//! Who datagrams come from, remembered: most come from those that others have come from, and are answered.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};

use roundel::socket::Address;

use crate::hot::Object;

/// How many are remembered at most. Where more are heard of, they take each other's places.
const MOST: usize = 1024;

/// An address, and the same as Python has it.
type Peer = (Address, Object);

/// The addresses of those last heard of. As many slots as it took to keep them apart.
#[derive(Default)]
pub(super) struct Peers {
    slots: RefCell<Vec<Option<Peer>>>,
    /// The slot of the last one: the answer often goes there.
    last: Cell<usize>,
}

impl Peers {
    /// What Python has for an address, if it is remembered.
    pub(super) fn find(&self, address: &Address) -> Option<Object> {
        let slots = self.slots.borrow();
        let slot = place(address, slots.len());
        let (known, object) = slots.get(slot)?.as_ref()?;
        (known == address).then(|| {
            self.last.set(slot);
            object.clone()
        })
    }

    /// The address for which Python was given an object, if it is the one last heard of.
    pub(super) fn last(&self, object: &Object) -> Option<Address> {
        let slots = self.slots.borrow();
        let (address, known) = slots.get(self.last.get())?.as_ref()?;
        known.is(object).then(|| address.clone())
    }

    /// Remembers an address, in the stead of another one where there is no more room.
    pub(super) fn add(&self, address: Address, object: Object) {
        let mut slots = self.slots.borrow_mut();
        if slots.is_empty() {
            slots.push(None);
        }
        while slots[place(&address, slots.len())].is_some() && slots.len() < MOST {
            grow(&mut slots);
        }
        let slot = place(&address, slots.len());
        let forgotten = slots[slot].replace((address, object));
        self.last.set(slot);
        drop(slots);
        drop(forgotten);
    }
}

/// Doubles the slots. No two that were apart meet in one.
fn grow(slots: &mut Vec<Option<Peer>>) {
    let more = slots.len() * 2;
    let kept = std::mem::take(slots);
    slots.resize_with(more, || None);
    for peer in kept.into_iter().flatten() {
        let slot = place(&peer.0, more);
        slots[slot] = Some(peer);
    }
}

/// The slot of an address among `count`, a power of two.
fn place(address: &Address, count: usize) -> usize {
    let Address::Internet(address) = address else {
        return 0;
    };
    hash(address) & count.wrapping_sub(1)
}

/// Ports differ most, then the last bytes of an address.
fn hash(address: &SocketAddr) -> usize {
    let host = match address.ip() {
        IpAddr::V4(ip) => ip.to_bits(),
        IpAddr::V6(ip) => {
            let [.., high, low] = ip.segments();
            u32::from(high) << 16 | u32::from(low)
        }
    };
    // Fibonacci hashing: the high bits of the product depend on all bits.
    let mixed = (host.rotate_left(16) ^ u32::from(address.port())).wrapping_mul(0x9E37_79B9);
    usize::try_from(mixed >> 16).unwrap_or_default()
}
