//! Addresses as Python's `socket` module shows them.

use std::net::SocketAddr;

use roundel::socket::Address;

use crate::hot::{Bytes, IntoObject, Object, Result, Tuple};
use crate::names::names;

/// The address as Python has it; `None` for one of a family that we do not know.
pub(super) fn to_python(address: &Address) -> Result<Option<Object>> {
    Ok(Some(match address {
        Address::Internet(SocketAddr::V4(address)) => Tuple::of(&[
            address.ip().to_string().into_object()?,
            i64::from(address.port()).into_object()?,
        ])?,
        Address::Internet(SocketAddr::V6(address)) => Tuple::of(&[
            address.ip().to_string().into_object()?,
            i64::from(address.port()).into_object()?,
            i64::from(u32::from_be(address.flowinfo())).into_object()?,
            i64::from(address.scope_id()).into_object()?,
        ])?,
        Address::Path(path) if path.is_empty() => "".into_object()?,
        Address::Path(path) => names().fsdecode.call([&Bytes::copy(path)?])?,
        Address::Abstract(name) => Bytes::copy(&[&[0], &**name].concat())?,
        Address::Other(_) => return Ok(None),
    }))
}
