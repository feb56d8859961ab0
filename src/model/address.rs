//! Addresses that hookbox never sends to, whatever the settings are, and addresses that contain another
//! address. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses where clouds give credentials to their machines, besides the link-local ones.
const METADATA: [IpAddr; 7] = [
    // AWS, Google Cloud, Oracle Cloud and Scaleway over IPv6.
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x00c1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0042, 0, 0, 0, 0, 0, 0x0042)),
    // Alibaba Cloud, Oracle Cloud, Azure.
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

/// Why hookbox never sends to an address; `None` if the settings decide.
pub fn never_sent_to(address: IpAddr) -> Option<&'static str> {
    let meant = embedded_addresses(address);
    if meant.iter().any(|real| METADATA.contains(real)) {
        return Some("where a cloud gives out credentials, which is never sent to");
    }
    let is_local = meant.iter().copied().any(is_link_local);
    is_local.then_some("a link-local address, which is never sent to")
}

/// The addresses where a packet to `address` may arrive.
///
/// An IPv6 address may contain an IPv4 address: mapped (RFC 4291), translated (RFC 6052, RFC 7915, RFC
/// 8215) or tunnelled (RFC 3056); then this returns the IPv4 address. If it may be either (ISATAP, RFC
/// 5214; Teredo, RFC 4380: server and client), this returns both.
pub fn embedded_addresses(address: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(v6) = address else {
        return vec![address];
    };
    let inner = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    let segments = v6.segments();
    match segments {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] if high != 0 => vec![inner(high, low)],
        [0, 0, 0, 0, 0xffff, 0, high, low] => vec![inner(high, low)],
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => vec![inner(high, low)],
        [0x64, 0xff9b, 1, ..] => local_translations(v6).to_vec(),
        [0x2002, high, low, ..] => vec![inner(high, low)],
        [0x2001, 0, a, b, _, _, c, d] => vec![address, inner(a, b), inner(!c, !d)],
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => vec![address, inner(high, low)],
        _ => vec![address],
    }
}

/// IPv4 addresses that an address of the network for local translation may contain. Only the local network
/// knows the prefix length (RFC 8215; RFC 6052 section 2.2: the ninth byte is not part of the IPv4
/// address).
fn local_translations(v6: Ipv6Addr) -> [IpAddr; 4] {
    let byte = v6.octets();
    let of = |places: [usize; 4]| IpAddr::V4(Ipv4Addr::from(places.map(|place| byte[place])));
    [
        of([6, 7, 9, 10]),
        of([7, 9, 10, 11]),
        of([9, 10, 11, 12]),
        of([12, 13, 14, 15]),
    ]
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
