//! Decides which addresses requests may go to. Pure.
//!
//! Whoever can add an endpoint can make this machine send requests from inside its network. So the
//! addresses where clouds serve credentials (the metadata service) are always refused, whatever the
//! settings say. Every address that a name resolves to is checked, and checked again when a connection is
//! made. Names are never checked: a name can resolve to another address tomorrow.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::error::{Error, Result};
use crate::model::address::{embedded_addresses, never_sent_to};

/// Where requests may go.
#[derive(Debug, Clone, Default)]
pub struct Egress {
    /// Which addresses are allowed in general.
    pub scope: AddressScope,
    /// Networks that are allowed in addition.
    pub allow: Vec<IpNet>,
    /// Networks that are refused in addition; `deny` wins over `allow`.
    pub deny: Vec<IpNet>,
}

/// Which addresses are allowed in general.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AddressScope {
    /// All addresses except link-local and cloud metadata ones. The default, since receivers are often on
    /// the same machine or network.
    #[default]
    Any,
    /// Only addresses of the public internet.
    Public,
}

impl FromStr for AddressScope {
    type Err = Error;

    fn from_str(text: &str) -> Result<AddressScope> {
        match text {
            "any" => Ok(AddressScope::Any),
            "public" => Ok(AddressScope::Public),
            _ => Err(Error::misuse(format!(
                "unknown --egress `{text}`; any or public"
            ))),
        }
    }
}

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    address: IpAddr,
    why: &'static str,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not sent: {} is {}", self.address, self.why)
    }
}

impl std::error::Error for Forbidden {}

impl Egress {
    /// Checks whether requests may go to an address.
    ///
    /// # Errors
    /// [`Forbidden`] with the reason if they may not.
    ///
    /// ```
    /// use hookbox::outbound::Egress;
    /// let egress = Egress::default();
    /// assert!(egress.check("127.0.0.1".parse()?).is_ok());
    /// assert!(egress.check("169.254.169.254".parse()?).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check(&self, address: IpAddr) -> std::result::Result<(), Forbidden> {
        self.check_proxy(address)?;
        let may = |real: &IpAddr| {
            is_public(*real) || self.allow.iter().any(|network| network.contains(real))
        };
        if self.scope == AddressScope::Any || embedded_addresses(address).iter().all(may) {
            return Ok(());
        }
        Err(Forbidden {
            address,
            why: "not a public address, and --egress is public; --egress-allow makes exceptions",
        })
    }

    /// Checks the address of an endpoint's proxy.
    ///
    /// A proxy may be on a private network, since the operator has set it.
    ///
    /// # Errors
    /// [`Forbidden`] with the reason if requests may not go there.
    pub fn check_proxy(&self, address: IpAddr) -> std::result::Result<(), Forbidden> {
        let forbidden = |why| Err(Forbidden { address, why });
        let meant = embedded_addresses(address);
        let is_denied = |network: &IpNet| {
            network.contains(&address) || meant.iter().any(|real| network.contains(real))
        };
        if let Some(why) = never_sent_to(address) {
            return forbidden(why);
        }
        if self.deny.iter().any(is_denied) {
            return forbidden("in a network that --egress-deny names");
        }
        Ok(())
    }
}

/// Whether an address is reachable from the whole internet (the registries of RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let is_special = v4.is_private()
                || v4.is_loopback()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_documentation()
                || a == 0
                || a >= 240
                // Shared addresses between a provider and its customers (RFC 6598).
                || (a == 100 && (64..128).contains(&b))
                // Protocol assignments, and benchmarks (RFC 2544).
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b));
            !is_special
        }
        IpAddr::V6(v6) => {
            // All addresses assigned so far are in 2000::/3. Two ranges of it are not public: the
            // documentation examples (RFC 3849), and Teredo, which leads to an inner IPv4 address (RFC
            // 4380).
            let [first, second, ..] = v6.segments();
            first & 0xe000 == 0x2000 && !(first == 0x2001 && matches!(second, 0x0db8 | 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(scope: AddressScope, allow: &str, deny: &str) -> Egress {
        let networks = |text: &str| {
            let parts = text.split(',').filter(|part| !part.is_empty());
            parts.map(|part| part.parse().unwrap()).collect()
        };
        Egress {
            scope,
            allow: networks(allow),
            deny: networks(deny),
        }
    }

    #[test]
    fn link_local_and_metadata_addresses_are_refused_whatever_is_set_and_however_disguised() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "192.0.0.192",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::ffff:0:a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:12a9:fe:a9fe::",
            "64:ff9b:1:1234:a9:fea9:fe00:0",
            // Teredo with the address as its server and as its client, and ISATAP.
            "2001:0:a9fe:a9fe::1",
            "2001:0:101:101:0:ffff:5601:5601",
            "2606:4700::5efe:a9fe:a9fe",
            "2606:4700::200:5efe:a9fe:a9fe",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "168.63.129.16",
        ] {
            let address: IpAddr = address.parse().unwrap();
            for egress in [
                egress(AddressScope::Any, "", ""),
                egress(AddressScope::Public, "0.0.0.0/0,::/0", ""),
            ] {
                let error = egress.check(address).unwrap_err().to_string();
                assert!(error.contains("never sent to"), "{error}");
            }
        }
    }

    #[test]
    fn private_addresses_are_allowed_unless_only_public_ones_are() {
        let private = [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::1",
            "::",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "2001:0:1::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1:a00:0:100::",
            "2606:4700::5efe:a00:1",
            "::ffff:0:a00:1",
        ];
        let public = [
            "1.1.1.1",
            "93.184.216.34",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2606:4700::5efe:101:101",
        ];
        for (addresses, is_public) in [(&private[..], false), (&public[..], true)] {
            for address in addresses {
                let address: IpAddr = address.parse().unwrap();
                assert!(
                    egress(AddressScope::Any, "", "").check(address).is_ok(),
                    "{address}"
                );
                let checked = egress(AddressScope::Public, "", "").check(address);
                assert_eq!(checked.is_ok(), is_public, "{address}");
            }
        }
    }

    #[test]
    fn what_is_denied_goes_before_what_is_allowed() {
        let set = egress(
            AddressScope::Public,
            "10.0.0.0/8,::1/128",
            "10.9.0.0/16,1.1.1.0/24",
        );
        for (address, allowed) in [
            ("10.1.1.1", true),
            ("::ffff:10.1.1.1", true),
            ("::1", true),
            ("10.9.1.1", false),
            ("1.1.1.1", false),
            ("8.8.8.8", true),
            ("192.168.1.1", false),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(set.check(address).is_ok(), allowed, "{address}");
        }
        // A tunnel is refused by its own network as well as by the address inside.
        let tunnels = egress(AddressScope::Any, "", "2002::/16");
        assert!(tunnels.check("2002:101:101::1".parse().unwrap()).is_err());
        // A proxy may be on a private network, but not on an address that is refused for all.
        for (address, allowed) in [
            ("192.168.1.1", true),
            ("10.9.1.1", false),
            ("169.254.169.254", false),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(set.check_proxy(address).is_ok(), allowed, "{address}");
        }
    }
}
