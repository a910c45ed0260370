//! Where a datagram goes.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use roundel::socket::Address;

use super::DatagramTransport;
use crate::hot::{Object, Result, Str, Tuple};

impl DatagramTransport {
    /// The address that a Python object means, if that can be told without a look-up of names.
    pub(super) fn target(&self, address: &Object) -> Result<Option<Address>> {
        if let Some(known) = self.peers.last(address) {
            return Ok(Some(known));
        }
        if !address.is_tuple() {
            return Ok(None);
        }
        let [host, port] = Tuple::items(address) else {
            return Ok(None);
        };
        if !host.is_str() || !port.is_int() {
            return Ok(None);
        }
        let Ok(port) = u16::try_from(port.to_i64()?) else {
            return Ok(None);
        };
        let host = Str::of(host)?;
        let is_ipv6 = self.is_ipv6.get();
        Ok(if is_ipv6 {
            let host = host.parse::<Ipv6Addr>().ok();
            host.map(|host| Address::Internet(SocketAddrV6::new(host, port, 0, 0).into()))
        } else {
            let host = host.parse::<Ipv4Addr>().ok();
            host.map(|host| Address::Internet(SocketAddr::from((host, port))))
        })
    }
}
