//! Addresses that nothing is ever sent to, whatever is set, and those that hide another. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses at which clouds give credentials to the machines they run, besides the link-local ones.
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

/// Why nothing is ever sent to an address; `None` where that depends on what is set.
pub fn never_sent_to(address: IpAddr) -> Option<&'static str> {
    let real = without_disguise(address);
    if METADATA.contains(&real) {
        return Some("where a cloud gives out credentials, which is never sent to");
    }
    is_link_local(real).then_some("a link-local address, which is never sent to")
}

/// The IPv4 address inside one that only looks like IPv6: mapped (RFC 4291), translated (RFC 6052,
/// RFC 7915, RFC 8215) or tunnelled (RFC 3056).
pub fn without_disguise(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let inner = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] if high != 0 => inner(high, low),
        [0, 0, 0, 0, 0xffff, 0, high, low] => inner(high, low),
        [0x64, 0xff9b, 0 | 1, _, _, _, high, low] => inner(high, low),
        [0x2002, high, low, ..] => inner(high, low),
        _ => address,
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
